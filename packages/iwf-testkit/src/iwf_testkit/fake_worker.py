"""A worker that is scripted in Python and records what it is asked.

It speaks the real worker API over a real socket, so a server under test cannot tell it from an SDK's. Not
scripted calls get harmless answers: waitUntil waits for nothing, execute completes gracefully without
output, an RPC answers nothing. It runs on aiohttp, which the interpreter needs anyway and which can drop a
connection in the middle of an answer.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

import anyio
import msgspec
from aiohttp import web

from iwf_models import (
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)
from iwf_testkit.answers import graceful_complete

WorkerRequest: TypeAlias = WorkflowStateStartRequest | WorkflowStateDecideRequest | WorkflowWorkerRpcRequest
WorkerAnswer: TypeAlias = WorkflowStateStartResponse | WorkflowStateDecideResponse | WorkflowWorkerRpcResponse


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is more, or less, than a model."""

    status: int = 200
    body: WorkerAnswer | Mapping[str, object] | None = None
    """Written as JSON."""
    text: str | None = None
    """Written as it is, in place of `body`."""
    content_type: str = "application/json"
    delay_seconds: float = 0.0
    """Pause before answering."""
    gate: anyio.Event | None = None
    """Answer once this is set."""
    drop: bool = False
    """Close the connection without an answer."""


ScriptItem: TypeAlias = WorkerAnswer | Answer | Callable[[WorkerRequest], WorkerAnswer | Answer]


class WorkerCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call that arrived."""

    key: str
    """`S1-1.waitUntil`, `S1-1.execute` or `rpc.NAME`."""
    request: WorkerRequest
    headers: Mapping[str, str]


CallFilter: TypeAlias = str | Callable[[WorkerCall], bool]


class UnexpectedCalls(AssertionError):
    """The calls that a test waited for did not come."""


class FakeWorker:
    """A scripted worker on a free port of the loopback interface; an async context manager.

    ```python
    async with FakeWorker() as worker:
        worker.script("S1.waitUntil", wait_for(signals=("go",)))
        worker.script("S1.execute", Answer(status=500), graceful_complete('"done"'))
        ...  # start a workflow with worker.url
        await worker.wait_for_calls("S1.execute", 2)
    ```

    Leaving the context fails the test with an exception group when a call could not be read, or when a
    function of the script raised. The server under test saw a status 500 then.
    """

    def __init__(self) -> None:
        self.url = ""
        """The worker URL to start workflows with."""
        self.calls: list[WorkerCall] = []
        """Every call, in order of arrival."""
        self._scripts: dict[str, Sequence[ScriptItem]] = {}
        self._seen: dict[str, int] = defaultdict(int)
        self._errors: list[Exception] = []
        self._arrived = anyio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/api/v1/workflowState/start", self._wait_until)
        app.router.add_post("/api/v1/workflowState/decide", self._execute)
        app.router.add_post("/api/v1/workflowWorker/rpc", self._rpc)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
        if self._errors and exc_value is None:
            raise ExceptionGroup("the fake worker could not answer", self._errors)

    def script(self, key: str, *answers: ScriptItem) -> None:
        """Say what is answered.

        Args:
            key: `S1-2.execute` for one state execution, `S1.execute` for all of a state, `*.execute` for
                all; the same with `waitUntil`; `rpc.NAME`. The most specific key wins.
            answers: The answers to the first, second, ... call of that key; the last one repeats.
        """
        if not answers:
            raise ValueError(f"script for {key!r} has no answers")
        self._scripts[key] = answers
        self._seen[key] = 0

    def calls_of(self, key: CallFilter) -> list[WorkerCall]:
        """The calls of a script key, or those that a function picks, in order of arrival."""
        if isinstance(key, str):
            return [call for call in self.calls if key in _keys(call.key)]
        return [call for call in self.calls if key(call)]

    async def wait_for_calls(
        self, key: CallFilter, count: int = 1, *, timeout_seconds: float = 10.0
    ) -> list[WorkerCall]:
        """Wait until that many calls of a key have arrived, and return them.

        Args:
            key: A script key, or a function that picks calls.
            count: How many at least.
            timeout_seconds: How long to wait for them.

        Raises:
            UnexpectedCalls: They have not within the time.
        """
        with anyio.move_on_after(timeout_seconds):
            while len(found := self.calls_of(key)) < count:
                await self._arrived.wait()
            return found
        raise UnexpectedCalls(
            f"{count} calls of {key!r} did not come within {timeout_seconds:g} seconds, "
            f"there were: {[call.key for call in self.calls]}"
        )

    async def _wait_until(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, WorkflowStateStartRequest, WorkflowStateStartResponse())

    async def _execute(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, WorkflowStateDecideRequest, graceful_complete())

    async def _rpc(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, WorkflowWorkerRpcRequest, WorkflowWorkerRpcResponse())

    async def _serve(
        self, http: web.Request, request_type: type[WorkerRequest], default: WorkerAnswer
    ) -> web.StreamResponse:
        body = await http.read()
        try:
            call = _call(codec.decode(body, request_type), http.headers)
            self._record(call)
            item = self._next_item(call.key) or default
            answer = item(call.request) if callable(item) else item
        except Exception as error:
            self._errors.append(error)
            return web.Response(status=500, text=repr(error))
        return await _response(http, answer if isinstance(answer, Answer) else Answer(body=answer))

    def _record(self, call: WorkerCall) -> None:
        self.calls.append(call)
        arrived, self._arrived = self._arrived, anyio.Event()
        arrived.set()

    def _next_item(self, key: str) -> ScriptItem | None:
        for candidate in _keys(key):
            answers = self._scripts.get(candidate)
            if answers is not None:
                index = min(self._seen[candidate], len(answers) - 1)
                self._seen[candidate] += 1
                return answers[index]
        return None


async def _response(http: web.Request, answer: Answer) -> web.StreamResponse:
    await anyio.sleep(answer.delay_seconds)
    if answer.gate is not None:
        await answer.gate.wait()
    if answer.drop:
        assert http.transport is not None
        http.transport.abort()
    if answer.text is not None:
        return web.Response(status=answer.status, text=answer.text, content_type=answer.content_type)
    body = codec.encode({} if answer.body is None else answer.body)
    return web.Response(status=answer.status, body=body, content_type=answer.content_type)


def _call(request: WorkerRequest, headers: Mapping[str, str]) -> WorkerCall:
    match request:
        case WorkflowStateStartRequest():
            key = f"{request.context.state_execution_id}.waitUntil"
        case WorkflowStateDecideRequest():
            key = f"{request.context.state_execution_id}.execute"
        case WorkflowWorkerRpcRequest():
            key = f"rpc.{request.rpc_name}"
    return WorkerCall(key=key, request=request, headers=dict(headers))


def _keys(call_key: str) -> tuple[str, ...]:
    """The script keys that a call answers to, the most specific first."""
    subject, _, api = call_key.rpartition(".")
    if subject == "rpc":
        return (call_key,)
    return (call_key, f"{subject.rpartition('-')[0]}.{api}", f"*.{api}")
