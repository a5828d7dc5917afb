"""A worker that knows no models: it keeps what it was sent as JSON, and answers the JSON that it was given.

`iwf_testkit.FakeWorker` reads requests as the server's own models do, so it cannot tell an absent field from
a null one, or `dataObjects` from `DataObjects`. This one can. It is reached under a path and a trailing
slash, as workers of web frameworks often are.
"""

from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

Json = dict[str, Any]

GO_NIL: Json = {}
"""How the Go SDK writes a nil value: present, and nothing in it."""

NO_COMMANDS: Json = {}
COMPLETES: Json = {"stateDecision": {"nextStates": [{"stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW"}]}}


def completes_with(output: object) -> Json:
    """An execute answer that completes with an output, or without one."""
    movement: Json = {"stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW", "stateInput": output}
    return {"stateDecision": {"nextStates": [movement]}}


class RawAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is not a 200 with JSON."""

    status: int
    text: str
    content_type: str = "text/plain"


class RawWorker:
    """A worker on a free port of the loopback interface; an async context manager."""

    def __init__(self) -> None:
        self.url = ""
        """The worker URL to start workflows with, path and trailing slash included."""
        self.requests: dict[str, list[Json]] = defaultdict(list)
        """Bodies in order of arrival, by `waitUntil S1`, `execute S1` and `rpc NAME`."""
        self._answers: dict[str, list[Json | RawAnswer]] = {}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/worker/api/v1/workflowState/start", self._wait_until)
        app.router.add_post("/worker/api/v1/workflowState/decide", self._execute)
        app.router.add_post("/worker/api/v1/workflowWorker/rpc", self._rpc)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/worker/"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def script(self, key: str, *answers: Json | RawAnswer) -> None:
        """Say what is answered to the first, second, ... call of a key; the last answer repeats."""
        self._answers[key] = [*answers]

    async def _wait_until(self, http: web.Request) -> web.Response:
        return await self._answer("waitUntil", "workflowStateId", http, NO_COMMANDS)

    async def _execute(self, http: web.Request) -> web.Response:
        return await self._answer("execute", "workflowStateId", http, COMPLETES)

    async def _rpc(self, http: web.Request) -> web.Response:
        return await self._answer("rpc", "rpcName", http, {})

    async def _answer(self, api: str, name_field: str, http: web.Request, default: Json) -> web.Response:
        body: Json = await http.json()
        key = f"{api} {body[name_field]}"
        self.requests[key].append(body)
        answers = self._answers.get(key, [default])
        answer = answers[min(len(self.requests[key]), len(answers)) - 1]
        if isinstance(answer, RawAnswer):
            return web.Response(status=answer.status, text=answer.text, content_type=answer.content_type)
        return web.json_response(answer)
