"""Workers on a local port, and calls to them, for the tests of the worker client."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from iwf_interpreter.worker_client import WorkerClient, WorkerClientOptions
from iwf_interpreter.worker_errors import WorkerCallError
from iwf_models import (
    ChannelInfo,
    Context,
    WireStruct,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)

CONTEXT = Context(workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1)
WAIT_UNTIL = WorkflowStateStartRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S")
EXECUTE = WorkflowStateDecideRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S")
END_OF_EXECUTE = codec.encode(EXECUTE)[-20:]
RPC = WorkflowWorkerRpcRequest(
    context=CONTEXT,
    workflow_type="T",
    rpc_name="n",
    signal_channel_infos={"c": ChannelInfo(size=1)},
    internal_channel_infos={},
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Call = Callable[[WorkerClient, str], Awaitable[WireStruct]]


@asynccontextmanager
async def worker(handler: Handler) -> AsyncGenerator[str]:
    """A worker on a free port that answers every request with `handler`; yields its URL."""
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_worker(connection: Connection) -> AsyncGenerator[str]:
    """A worker that does not keep to HTTP; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connection(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def answering(**answer: object) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(**answer)  # pyright: ignore[reportArgumentType]

    return handler


async def wait_until(client: WorkerClient, url: str) -> WorkflowStateStartResponse:
    return await client.wait_until(url, WAIT_UNTIL, timeout_seconds=10)


async def execute(client: WorkerClient, url: str) -> WorkflowStateDecideResponse:
    return await client.execute(url, EXECUTE, timeout_seconds=10)


async def rpc(client: WorkerClient, url: str) -> WorkflowWorkerRpcResponse:
    return await client.rpc(url, RPC, timeout_seconds=10)


ALL_CALLS = [
    pytest.param(wait_until, id="wait-until"),
    pytest.param(execute, id="execute"),
    pytest.param(rpc, id="rpc"),
]


async def failure(
    handler: Handler, call: Call, options: WorkerClientOptions | None = None
) -> WorkerCallError:
    async with worker(handler) as url, WorkerClient(options) as client:
        with pytest.raises(WorkerCallError) as caught:
            await call(client, url)
    return caught.value
