"""The worker of the benchmarks. Run it with `python -m tools.bench.worker`; prints its URL."""

import asyncio

from aiohttp import web

from iwf_models import (
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowWorkerRpcRequest,
    codec,
)
from tools.bench import answers

_MAX_BODY_BYTES = 64 * 1024 * 1024


async def _wait_until(request: web.Request) -> web.Response:
    body = codec.decode(await request.read(), WorkflowStateStartRequest)
    return web.Response(body=codec.encode(answers.wait_until(body)), content_type="application/json")


async def _execute(request: web.Request) -> web.Response:
    body = codec.decode(await request.read(), WorkflowStateDecideRequest)
    return web.Response(body=codec.encode(answers.execute(body)), content_type="application/json")


async def _rpc(request: web.Request) -> web.Response:
    body = codec.decode(await request.read(), WorkflowWorkerRpcRequest)
    return web.Response(body=codec.encode(answers.rpc(body)), content_type="application/json")


async def main() -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post("/api/v1/workflowState/start", _wait_until)
    app.router.add_post("/api/v1/workflowState/decide", _execute)
    app.router.add_post("/api/v1/workflowWorker/rpc", _rpc)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
