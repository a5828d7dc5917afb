"""The worker of the benchmark: two states, each with waitUntil and execute, no commands.

Run as a process of its own: `python -m tools.bench.worker`; prints its URL.
"""

import asyncio

from aiohttp import web

_NEXT = b'{"stateDecision":{"nextStates":[{"stateId":"S2"}]}}'
_DONE = b'{"stateDecision":{"nextStates":[{"stateId":"_SYS_GRACEFUL_COMPLETING_WORKFLOW"}]}}'


async def _wait_until(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"{}", content_type="application/json")


async def _execute(request: web.Request) -> web.Response:
    first = b'"workflowStateId":"S1"' in await request.read()
    return web.Response(body=_NEXT if first else _DONE, content_type="application/json")


async def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/api/v1/workflowState/start", _wait_until)
    app.router.add_post("/api/v1/workflowState/decide", _execute)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
