"""`iwf-server dev`: Temporal, interpreter and API under one command, with data that survives a restart."""

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import anyio
import msgspec

from iwf_api.dev.lock import data_file_lock, describe_holder
from iwf_api.dev.ports import HOST, free_port, port_for_child
from iwf_api.dev.temporal_server import TemporalDevServer, TemporalServerOptions
from iwf_api.listener import listen
from iwf_api.server import ServerOptions, running
from iwf_api.stopping import stop_signal
from iwf_interpreter.temporal import InterpreterOptions


class DevOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command, as the command line gives them."""

    bind: str
    port: int
    temporal_port: int
    ui_port: int
    db: Path
    ephemeral: bool
    namespace: str
    search_attributes: Mapping[str, str]
    address: str | None
    interpreter: InterpreterOptions
    json_output: bool


class Addresses(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where everything is: the banner, and the line of `--output json`."""

    api: str
    temporal: str
    namespace: str
    task_queue: str
    pid: int
    ui: str | None = None
    temporal_metrics: str | None = None
    temporal_pid: int | None = None
    temporal_log: str | None = None
    db: str | None = None


async def run_dev(options: DevOptions) -> None:
    """Run until a signal says to stop; raises `ProcessError` when something is in the way."""
    with ExitStack() as held:
        listening = held.enter_context(listen(options.bind, options.port, flag="--port"))
        api = f"http://{options.bind}:{listening.getsockname()[1]}"
        if options.address is not None:
            await _run(options, listening, _addresses(options, api, options.address), None, None)
            return
        if options.ephemeral:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="iwf-dev-")))
            db, lock, log = None, None, folder / "temporal.log"
        else:
            db = options.db.resolve()
            lock, log = held.enter_context(data_file_lock(db)), db.parent / "temporal.log"
        temporal = TemporalServerOptions(
            port=port_for_child(options.temporal_port, flag="--temporal-port"),
            http_port=free_port(),
            metrics_port=free_port(),
            ui_port=port_for_child(options.ui_port, flag="--ui-port"),
            db=db,
            log=log,
            namespace=options.namespace,
            search_attributes=options.search_attributes,
        )
        async with TemporalDevServer(temporal) as server:
            addresses = msgspec.structs.replace(
                _addresses(options, api, server.address),
                ui=f"http://{HOST}:{temporal.ui_port}",
                temporal_metrics=f"http://{HOST}:{temporal.metrics_port}/metrics",
                temporal_pid=server.pid,
                temporal_log=str(log),
                db=None if db is None else str(db),
            )
            await _run(options, listening, addresses, server, lock)


async def _run(
    options: DevOptions,
    listening: socket.socket,
    addresses: Addresses,
    server: TemporalDevServer | None,
    lock: Path | None,
) -> None:
    server_options = ServerOptions(
        address=addresses.temporal,
        namespace=options.namespace,
        interpreter=options.interpreter,
        search_attributes=options.search_attributes,
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(server_options, listening))
        if lock is not None:
            describe_holder(lock, f"process {os.getpid()}, iWF API {addresses.api}, UI {addresses.ui}")
        print(_json(addresses) if options.json_output else _banner(addresses), flush=True)
        async with anyio.create_task_group() as watching:
            if server is not None:
                watching.start_soon(server.wait)
            await stop_signal()
            watching.cancel_scope.cancel()


def _addresses(options: DevOptions, api: str, temporal: str) -> Addresses:
    return Addresses(
        api=api,
        temporal=temporal,
        namespace=options.namespace,
        task_queue=options.interpreter.task_queue,
        pid=os.getpid(),
    )


def _json(addresses: Addresses) -> str:
    return msgspec.json.encode(addresses).decode()


def _banner(addresses: Addresses) -> str:
    rows = {
        "iWF API": f"{addresses.api}   (the server URL for SDK clients)",
        "Temporal UI": addresses.ui,
        "Temporal": addresses.temporal,
        "namespace": addresses.namespace,
        "task queue": addresses.task_queue,
        "metrics": addresses.temporal_metrics,
        "data": addresses.db or ("in memory" if addresses.temporal_pid else None),
        "log": addresses.temporal_log,
    }
    lines = [f"  {name:<12} {value}" for name, value in rows.items() if value]
    check = f"  check it:    curl {addresses.api}/info/healthcheck"
    return "\n".join(["", "iWF development server is ready. Ctrl-C stops it.", "", *lines, "", check, ""])
