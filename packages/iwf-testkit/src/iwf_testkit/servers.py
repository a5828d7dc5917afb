"""Servers for tests: a Temporal development server, and the iWF server in the test's own process."""

import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from iwf_api.dev.ports import free_port
from iwf_api.dev.temporal_server import TemporalDevServer, TemporalServerOptions
from iwf_api.listener import listen
from iwf_api.server import ServerOptions, running
from iwf_interpreter.contract import DEFAULT_TASK_QUEUE
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.temporal import InterpreterOptions, ProtocolOptions


class IwfServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running iWF server."""

    url: str
    """Server URL for SDK clients."""
    temporal_address: str
    namespace: str
    task_queue: str


@asynccontextmanager
async def temporal_dev_server(
    *,
    db: Path | None = None,
    search_attributes: Mapping[str, str] | None = None,
    dynamic_config: Mapping[str, object] | None = None,
) -> AsyncGenerator[TemporalDevServer]:
    """Run a Temporal development server on free ports.

    Args:
        db: Data file; without one everything is kept in memory.
        search_attributes: Type by name, beside those of iWF.
        dynamic_config: Temporal's own settings, which replace those of the development server.
    """
    with tempfile.TemporaryDirectory(prefix="iwf-temporal-") as folder:
        options = TemporalServerOptions(
            port=free_port(),
            http_port=free_port(),
            metrics_port=free_port(),
            ui_port=None,
            db=db,
            log=Path(folder) / "temporal.log",
            search_attributes=search_attributes or {},
            dynamic_config=dynamic_config or {},
        )
        async with TemporalDevServer(options) as server:
            yield server


@asynccontextmanager
async def iwf_server(
    temporal_address: str,
    *,
    namespace: str = "default",
    task_queue: str = DEFAULT_TASK_QUEUE,
    max_cached_workflows: int = 1000,
    poll_seconds: float = 3.0,
) -> AsyncGenerator[IwfServer]:
    """Run API and interpreter in this process, on a free port.

    Args:
        temporal_address: `HOST:PORT` of Temporal.
        namespace: Temporal namespace.
        task_queue: Give each server of a test session its own.
        max_cached_workflows: 0 replays every task from its history.
        poll_seconds: Deadline of one poll; stopping waits for it.
    """
    interpreter = InterpreterOptions(
        task_queue=task_queue,
        loop=LoopOptions(max_cached_workflows=max_cached_workflows),
        protocol=ProtocolOptions(poll_seconds=poll_seconds),
    )
    options = ServerOptions(address=temporal_address, namespace=namespace, interpreter=interpreter)
    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening):
            yield IwfServer(
                url=f"http://127.0.0.1:{listening.getsockname()[1]}",
                temporal_address=temporal_address,
                namespace=namespace,
                task_queue=task_queue,
            )
