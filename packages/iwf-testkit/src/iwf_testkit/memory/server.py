"""A whole iWF server in memory: the API service, unchanged, on the in-memory engine."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import msgspec
from starlette.types import ASGIApp

from iwf_api.app import create_app
from iwf_api.listener import base_url, listen, serving
from iwf_api.settings import ApiSettings
from iwf_interpreter.observer import Observer
from iwf_interpreter.worker_client import WorkerClient, WorkerClientOptions, options_from_environment
from iwf_testkit.memory.engine import MemoryEngine
from iwf_testkit.virtual_time import VirtualTimeLoop

_IN_PROCESS_URL = "http://iwf.in-memory"
_CLIENT_SECONDS = 90.0


class MemoryServer(msgspec.Struct, frozen=True, kw_only=True):
    """A running server."""

    client: httpx.AsyncClient
    """Talks to the API without a socket; paths are relative to the server."""
    url: str
    """Server URL for other clients; only of use when the server was given a port."""
    engine: MemoryEngine
    app: ASGIApp


@asynccontextmanager
async def memory_server(
    *,
    search_attributes: Mapping[str, str] | None = None,
    settings: ApiSettings | None = None,
    observer: Observer | None = None,
    port: int | None = None,
) -> AsyncGenerator[MemoryServer]:
    """Run an iWF server in memory for as long as the context is open.

    Workflows are gone afterwards. On a `VirtualTimeLoop`, with client and worker on the same loop, waiting
    takes no time.

    Args:
        search_attributes: Type by name, beside those of iWF.
        settings: Of the API.
        observer: Is told what happens to workflows.
        port: Serve on this port of the loopback interface too, 0 is any free one. For clients and workers
            outside of this loop, which need real time.
    """
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(WorkerClient(_worker_client_options()))
        engine = await stack.enter_async_context(
            MemoryEngine(worker, search_attributes=search_attributes, observer=observer)
        )
        app = create_app(engine, worker, settings or ApiSettings(), observer, clock=engine.now)
        url = _IN_PROCESS_URL
        if port is not None:
            listening = stack.enter_context(listen("127.0.0.1", port, flag="port"))
            await stack.enter_async_context(serving(app, listening, drain_seconds=1))
            url = base_url(listening)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=url,
            timeout=_CLIENT_SECONDS,
        )
        await stack.enter_async_context(client)
        yield MemoryServer(client=client, url=url, engine=engine, app=app)


def _worker_client_options() -> WorkerClientOptions:
    if isinstance(asyncio.get_running_loop(), VirtualTimeLoop):
        # To look for idle connections now and then would be something to wait for, on the way to any time.
        return WorkerClientOptions(idle_connection_seconds=None)
    return options_from_environment(os.environ)
