"""The worker of a play: it answers as the scenario says, and keeps what it was asked.

One server on a loopback port serves all plays of a process; each play has a path prefix of its own, so that
its calls are its own however many plays run. The worker knows nothing of the wire models: scenarios script
wrong answers too.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self, TypeAlias

import anyio
import msgspec
from aiohttp import web

from iwf_testkit.golden.placeholders import Placeholders
from iwf_testkit.golden.places import Json, is_list, is_object, value_at
from iwf_testkit.golden.scenarios import Answer

Api: TypeAlias = Literal["waitUntil", "execute", "rpc"]

_APIS: Mapping[str, Api] = {
    "api/v1/workflowState/start": "waitUntil",
    "api/v1/workflowState/decide": "execute",
    "api/v1/workflowWorker/rpc": "rpc",
}
_UNSCRIPTED: Mapping[Api, Answer] = {
    "waitUntil": Answer(),
    "execute": Answer(
        body={"stateDecision": {"nextStates": [{"stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW"}]}}
    ),
    "rpc": Answer(),
}
_NOT_FOUND = Answer(status=404)


class CallsMissing(TimeoutError):
    """The worker calls that a step waits for did not come."""


class WorkerCall(msgspec.Struct, kw_only=True):
    """One call that arrived."""

    path: str
    api: Api | None
    body: dict[str, Json]
    content_type: str
    done: bool = False
    """Whether it has been answered."""

    @property
    def context(self) -> dict[str, Json]:
        """The context that the server sent; empty without one."""
        return self.body.get("context") or {}

    @property
    def name(self) -> str:
        """State execution id, or `rpc.NAME`."""
        if self.api == "rpc":
            return f"rpc.{self.body.get('rpcName')}"
        return str(self.context.get("stateExecutionId"))

    @property
    def keys(self) -> tuple[str, ...]:
        """The script keys that this call answers to, the most specific first."""
        if self.api == "rpc":
            return (self.name,)
        return (f"{self.name}.{self.api}", f"{self.body.get('workflowStateId')}.{self.api}", f"*.{self.api}")


class ScriptedWorker:
    """The worker of one play."""

    def __init__(self, script: Mapping[str, tuple[Answer, ...]], placeholders: Placeholders) -> None:
        self.calls: list[WorkerCall] = []
        """Every call, in order of arrival."""
        self._script = script
        self._placeholders = placeholders
        self._taken: dict[str, int] = defaultdict(int)
        self._gates: dict[str, anyio.Event] = defaultdict(anyio.Event)
        self._ended = False
        self._changed = anyio.Event()

    def open(self, gate: str) -> None:
        """Let everything that waits at a gate, or will, be answered."""
        self._gates[gate].set()

    def end(self) -> None:
        """Open all gates for good."""
        self._ended = True
        for gate in self._gates.values():
            gate.set()

    async def wait_for(self, key: str, count: int, *, done: bool, timeout_seconds: float) -> None:
        """Wait until the worker has seen, or with `done` answered, that many calls of a script key.

        Raises:
            CallsMissing: It has not within the time.
        """
        with anyio.move_on_after(timeout_seconds):
            while sum(key in call.keys and (call.done or not done) for call in self.calls) < count:
                await self._changed.wait()
            return
        raise CallsMissing(f"{count} calls of {key!r}; there were {[call.keys[0] for call in self.calls]}")

    async def serve(self, path: str, http: web.Request) -> web.StreamResponse:
        """Answer one call."""
        call = await _read(path, http)
        self.calls.append(call)
        self._wake()
        answer = self._next_answer(call)
        if answer.gate is not None and not self._ended:
            await self._gates[answer.gate].wait()
        if answer.delay_ms:
            await anyio.sleep(answer.delay_ms / 1000)
        call.done = True
        self._wake()
        if answer.drop:
            assert http.transport is not None
            http.transport.abort()
        return self._response(answer, call)

    def _next_answer(self, call: WorkerCall) -> Answer:
        for key in call.keys:
            answers = self._script.get(key)
            if answers is not None:
                index = min(self._taken[key], len(answers) - 1)
                self._taken[key] += 1
                return answers[index]
        return _NOT_FOUND if call.api is None else _UNSCRIPTED[call.api]

    def _response(self, answer: Answer, call: WorkerCall) -> web.Response:
        fill = self._placeholders.fill
        if answer.text is None:
            # With the blanks that the recordings have, since servers quote it in their error messages.
            body = _from_request(fill(answer.body), call.body)
            content = json.dumps(body, ensure_ascii=False).encode()
            content_type = answer.content_type or "application/json"
        else:
            content = str(fill(answer.text)).encode()
            content_type = answer.content_type or "text/plain"
        headers = {**fill(dict(answer.headers)), "Content-Type": content_type}
        return web.Response(status=answer.status, body=content, headers=headers)

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


class WorkerServer:
    """The address of the workers of all plays; an async context manager."""

    def __init__(self) -> None:
        self._workers: dict[str, ScriptedWorker] = {}
        self._runner: web.AppRunner | None = None
        self._url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{prefix}/{path:.*}", self._route)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=512).start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def url(self, prefix: str) -> str:
        """The worker URL of a play."""
        return f"{self._url}/{prefix}"

    def add(self, prefix: str, worker: ScriptedWorker) -> None:
        """Serve a play's worker below a prefix."""
        self._workers[prefix] = worker

    def remove(self, prefix: str) -> None:
        """Answer later calls below a prefix with 404."""
        del self._workers[prefix]

    async def _route(self, http: web.Request) -> web.StreamResponse:
        worker = self._workers.get(http.match_info["prefix"])
        if worker is None:
            return web.json_response({"detail": "this play has ended"}, status=404)
        return await worker.serve(http.match_info["path"], http)


async def _read(path: str, http: web.Request) -> WorkerCall:
    content = await http.read()
    try:
        body = msgspec.json.decode(content, type=dict[str, Json])
    except msgspec.DecodeError:
        body = {"<not an object>": content.decode(errors="replace")}
    return WorkerCall(
        path=f"/{path}", api=_APIS.get(path), body=body, content_type=http.headers.get("Content-Type", "")
    )


def _from_request(value: Json, request: Json) -> Json:
    """Replace `{"$req": place}` by that place of the request, `{"$inc": place}` by its integer plus one."""
    if is_list(value):
        return [_from_request(item, request) for item in value]
    if not is_object(value):
        return value
    if value.keys() == {"$req"}:
        return value_at(request, value["$req"])
    if value.keys() == {"$inc"}:
        return str(int(value_at(request, value["$inc"]) or 0) + 1)
    return {key: _from_request(item, request) for key, item in value.items()}
