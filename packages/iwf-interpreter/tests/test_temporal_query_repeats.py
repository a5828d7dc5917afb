"""Queries that fail in passing: asked again by us, soon, by a few at a time, and only while there is time."""

import time
from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import GrpcStatus, Payloads, WorkflowExecution
from temporalio.api.errordetails.v1 import QueryFailedFailure, WorkflowNotReadyFailure
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse, QueryWorkflowResponse
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from iwf_interpreter.contract import STILL_LOADING
from iwf_interpreter.engine import EngineError, NotStartedYet, QueryFailed, WaitTimedOut, WorkflowNotFound
from iwf_interpreter.temporal import Connection, payloads
from iwf_interpreter.temporal.queries import Queries

pytestmark = pytest.mark.anyio

ANSWER = payloads.to_payloads("answer")
QUERY = WorkflowQuery(query_type="Q")


def rpc_error(status: RPCStatusCode, text: str = "no", detail: Message | None = None) -> RPCError:
    grpc = GrpcStatus(code=status, message=text)
    if detail is not None:
        packed = AnyMessage()
        packed.Pack(detail)
        grpc.details.append(packed)
    return RPCError(text, status, grpc.SerializeToString())


BUSY = rpc_error(RPCStatusCode.RESOURCE_EXHAUSTED, "consistent query buffer is full")
UNAVAILABLE = rpc_error(RPCStatusCode.UNAVAILABLE, "gone")
CLOSED = rpc_error(RPCStatusCode.CANCELLED, "operation was canceled")
LATE = rpc_error(RPCStatusCode.DEADLINE_EXCEEDED, "late")
LOADING = rpc_error(RPCStatusCode.INVALID_ARGUMENT, STILL_LOADING, QueryFailedFailure())
NOT_SCHEDULED = rpc_error(
    RPCStatusCode.FAILED_PRECONDITION, "Workflow task is not scheduled yet.", WorkflowNotReadyFailure()
)
REFUSED = rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no", QueryFailedFailure())
NOT_FOUND = rpc_error(RPCStatusCode.NOT_FOUND, "no")


class ScriptedService:
    """Fails as it is told, one failure a query, and answers after that."""

    def __init__(self, *failures: RPCError, begins_in: float | RPCError = 0.0, always: bool = False) -> None:
        self.failures = list(failures)
        self.always = always
        """Whether the last failure stays."""
        self.begins_in = begins_in
        self.asked: list[str] = []
        """Run ids."""
        self.reply: Callable[[], Awaitable[None]] | None = None
        """Is waited for before an answer."""

    async def query_workflow(self, request: object, **_: object) -> QueryWorkflowResponse:
        self.asked.append(cast(WorkflowExecution, getattr(request, "execution", None)).run_id)
        if self.failures:
            raise self.failures[0] if self.always else self.failures.pop(0)
        if self.reply is not None:
            await self.reply()
        return QueryWorkflowResponse(query_result=ANSWER)

    async def describe_workflow_execution(
        self, request: object, **_: object
    ) -> DescribeWorkflowExecutionResponse:
        if isinstance(self.begins_in, RPCError):
            raise self.begins_in
        info = WorkflowExecutionInfo()
        info.execution_time.FromMilliseconds(int((time.time() + self.begins_in) * 1000))
        return DescribeWorkflowExecutionResponse(workflow_execution_info=info)


class ScriptedConnection(Connection):
    """A namespace with a scripted service."""

    def __init__(self, service: ScriptedService) -> None:
        super().__init__(cast(Client, None))
        self._scripted = service

    @property
    def service(self) -> WorkflowService:
        return cast(WorkflowService, self._scripted)

    @property
    def namespace(self) -> str:
        return "default"


async def ask(queries: Queries, run_id: str = "r", seconds: float = 20.0) -> Payloads:
    return await queries.ask(WorkflowExecution(workflow_id="w", run_id=run_id), QUERY, seconds)


def queries_of(service: ScriptedService) -> Queries:
    return Queries(ScriptedConnection(service))


@pytest.mark.parametrize(
    "failures",
    [
        pytest.param([BUSY] * 5, id="busy"),
        pytest.param([UNAVAILABLE] * 3, id="server-gone"),
        pytest.param([CLOSED, LATE], id="connection-closed-and-try-lost"),
        pytest.param([LOADING] * 3, id="run-still-loads"),
        pytest.param([NOT_SCHEDULED] * 3, id="run-begins-in-a-moment"),
        pytest.param([BUSY, UNAVAILABLE, CLOSED, LOADING], id="one-after-the-other"),
    ],
)
async def test_what_passes_is_bridged_by_short_pauses(failures: list[RPCError]) -> None:
    service = ScriptedService(*failures, begins_in=0.5)

    with anyio.fail_after(1):
        answer = await ask(queries_of(service))

    assert (answer, len(service.asked)) == (ANSWER, len(failures) + 1)


async def test_a_run_that_stays_busy_is_asked_until_the_time_is_over() -> None:
    service = ScriptedService(BUSY, always=True)

    with anyio.fail_after(2), pytest.raises(WaitTimedOut, match="buffer is full"):
        await ask(queries_of(service), seconds=0.3)

    assert len(service.asked) > 3


async def test_a_server_that_stays_away_is_an_engine_error_when_the_time_is_over() -> None:
    with anyio.fail_after(2), pytest.raises(EngineError, match="gone") as failure:
        await ask(queries_of(ScriptedService(UNAVAILABLE, always=True)), seconds=0.1)

    assert type(failure.value) is EngineError


async def test_a_query_without_time_is_tried_once() -> None:
    service = ScriptedService(BUSY, always=True)

    with pytest.raises(WaitTimedOut):
        await ask(queries_of(service), seconds=0)

    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("service", "class_"),
    [
        pytest.param(ScriptedService(REFUSED), QueryFailed, id="refused"),
        pytest.param(ScriptedService(NOT_FOUND), WorkflowNotFound, id="not-found"),
        pytest.param(ScriptedService(NOT_SCHEDULED, begins_in=60), NotStartedYet, id="start-delay"),
        pytest.param(ScriptedService(LATE, begins_in=60), NotStartedYet, id="retry-in-a-minute"),
        pytest.param(ScriptedService(LATE, begins_in=NOT_FOUND), WorkflowNotFound, id="gone-meanwhile"),
    ],
)
async def test_what_does_not_pass_is_told_at_once(
    service: ScriptedService, class_: type[EngineError]
) -> None:
    with pytest.raises(class_):
        await ask(queries_of(service))

    assert len(service.asked) == 1


async def test_a_server_that_cannot_tell_when_a_run_begins_is_asked_again() -> None:
    service = ScriptedService(LATE, begins_in=UNAVAILABLE)

    assert await ask(queries_of(service)) == ANSWER


async def test_of_many_who_were_refused_a_few_ask_again_at_a_time() -> None:
    service = ScriptedService(*[BUSY] * 40)
    queries, answers = queries_of(service), list[Payloads]()
    release = anyio.Event()
    service.reply = release.wait

    async def read(run_id: str) -> None:
        answers.append(await ask(queries, run_id))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            for run_id in ("one", "other"):
                tasks.start_soon(read, run_id)
        with anyio.fail_after(5):
            while len(service.asked) < 48:
                await anyio.sleep(0.01)
        # Longer than anybody's pause.
        await anyio.sleep(0.2)
        again = service.asked[40:]
        assert (again.count("one"), again.count("other"), answers) == (4, 4, [])
        release.set()

    assert (len(answers), len(service.asked)) == (40, 80)


async def test_one_who_waits_to_ask_again_leaves_when_its_time_is_over() -> None:
    service = ScriptedService(*[BUSY] * 5)
    queries = queries_of(service)
    service.reply = anyio.sleep_forever

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask, queries)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(2), pytest.raises(WaitTimedOut):
            await ask(queries, seconds=0.1)
        tasks.cancel_scope.cancel()
