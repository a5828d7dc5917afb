"""Waiting for an update longer than one call to the server lasts, and through calls that fail."""

from collections.abc import Sequence
from typing import cast

import anyio
import pytest
from temporalio.api.common.v1 import GrpcStatus, WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage as Stage
from temporalio.api.update.v1 import Outcome, UpdateRef
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateResponse,
    UpdateWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from iwf_interpreter.contract import StateCompletionAnswer, StateTarget, UpdateType
from iwf_interpreter.engine import EngineError, InvalidArgument, RunEnded, TooManyUpdates, WorkflowNotFound
from iwf_interpreter.temporal import Connection, payloads, updates
from iwf_interpreter.temporal.errors import update_error

pytestmark = pytest.mark.anyio

Reply = UpdateWorkflowExecutionResponse | PollWorkflowExecutionUpdateResponse | RPCError

RUN = WorkflowExecutionInfo(execution=WorkflowExecution(workflow_id="w", run_id="r"))
TAKEN_BY = UpdateRef(workflow_execution=RUN.execution, update_id="u")
ANSWER = StateCompletionAnswer(completed=True)
SUCCESS = Outcome(success=payloads.to_payloads(ANSWER))

ADMITTED = UpdateWorkflowExecutionResponse(stage=Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED)
ACCEPTED = UpdateWorkflowExecutionResponse(
    stage=Stage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED, update_ref=TAKEN_BY
)
ANSWERED = UpdateWorkflowExecutionResponse(outcome=SUCCESS)
NOTHING = PollWorkflowExecutionUpdateResponse()
POLLED = PollWorkflowExecutionUpdateResponse(outcome=SUCCESS)


class ScriptedService:
    """Gives its replies one after the other."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = list(replies)
        self.calls: list[str] = []
        self.update_ids: list[str] = []

    async def update_workflow_execution(self, request: object, **_: object) -> Reply:
        return self._reply("update", str(getattr(request, "request", None)))

    async def poll_workflow_execution_update(self, request: object, **_: object) -> Reply:
        assert getattr(request, "update_ref", None) == TAKEN_BY
        return self._reply("poll", "")

    def _reply(self, call: str, sent: str) -> Reply:
        self.calls.append(call)
        if sent:
            self.update_ids.append(sent)
        reply = self._replies.pop(0)
        if isinstance(reply, RPCError):
            raise reply
        return reply


class ScriptedConnection(Connection):
    """A namespace with a scripted service."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        super().__init__(cast(Client, None))
        self.scripted = ScriptedService(replies)

    @property
    def service(self) -> WorkflowService:
        return cast(WorkflowService, self.scripted)

    @property
    def namespace(self) -> str:
        return "default"

    @property
    def identity(self) -> str:
        return "test"


def rpc_error(status: RPCStatusCode, text: str = "no") -> RPCError:
    return RPCError(text, status, GrpcStatus(code=status, message=text).SerializeToString())


def unanswered() -> UpdateWorkflowExecutionResponse:
    """What the server says of an update that no interpreter took notice of."""
    outcome = Outcome()
    outcome.failure.application_failure_info.type = "UnprocessedUpdate"
    return UpdateWorkflowExecutionResponse(outcome=outcome)


@pytest.mark.parametrize(
    ("replies", "calls"),
    [
        pytest.param([ANSWERED], ["update"], id="at-once"),
        pytest.param([ADMITTED, ANSWERED], ["update", "update"], id="nobody-took-it-for-long"),
        pytest.param([ACCEPTED, NOTHING, POLLED], ["update", "poll", "poll"], id="long-after-it-was-taken"),
        pytest.param(
            [rpc_error(RPCStatusCode.UNAVAILABLE), rpc_error(RPCStatusCode.CANCELLED), ANSWERED],
            ["update"] * 3,
            id="server-gone-for-a-while",
        ),
        pytest.param(
            [ACCEPTED, rpc_error(RPCStatusCode.UNAVAILABLE), POLLED],
            ["update", "poll", "poll"],
            id="server-gone-after-it-was-taken",
        ),
        pytest.param(
            [rpc_error(RPCStatusCode.FAILED_PRECONDITION, "unexpected workflow task failure"), ANSWERED],
            ["update", "update"],
            id="task-failed",
        ),
        pytest.param([unanswered(), ANSWERED], ["update", "update"], id="left-unanswered"),
        pytest.param([ADMITTED] * 6 + [ANSWERED], ["update"] * 7, id="again-and-again"),
    ],
)
async def test_a_wait_is_taken_up_again_until_there_is_an_answer(
    replies: Sequence[Reply], calls: list[str]
) -> None:
    connection = ScriptedConnection(replies)

    with anyio.fail_after(20):
        answer = await updates.update(
            connection,
            RUN,
            UpdateType.WAIT_FOR_STATE,
            "u",
            StateTarget(state_execution_id="S-1"),
            StateCompletionAnswer,
        )

    assert (answer, connection.scripted.calls) == (ANSWER, calls)
    assert len(set(connection.scripted.update_ids)) == 1


@pytest.mark.parametrize(
    ("error", "class_"),
    [
        pytest.param(
            rpc_error(
                RPCStatusCode.RESOURCE_EXHAUSTED,
                "limit on number of concurrent in-flight updates has been reached (10)",
            ),
            TooManyUpdates,
            id="in-flight",
        ),
        pytest.param(
            rpc_error(
                RPCStatusCode.FAILED_PRECONDITION,
                "limit on the total number of distinct updates in this workflow has been reached (2000)",
            ),
            TooManyUpdates,
            id="in-all",
        ),
        pytest.param(
            rpc_error(
                RPCStatusCode.RESOURCE_EXHAUSTED,
                "workflow operation can not be applied because workflow is closing",
            ),
            RunEnded,
            id="closing",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.NOT_FOUND, "workflow update was aborted by closing workflow"),
            RunEnded,
            id="closed-meanwhile",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.NOT_FOUND, "workflow execution already completed"), RunEnded, id="closed"
        ),
        pytest.param(rpc_error(RPCStatusCode.NOT_FOUND, "not found"), WorkflowNotFound, id="not-found"),
        pytest.param(
            rpc_error(RPCStatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)"),
            InvalidArgument,
            id="oversize",
        ),
        pytest.param(rpc_error(RPCStatusCode.INVALID_ARGUMENT), InvalidArgument, id="invalid"),
        pytest.param(rpc_error(RPCStatusCode.PERMISSION_DENIED), EngineError, id="forbidden"),
    ],
)
def test_a_failed_update_tells_what_became_of_it(error: RPCError, class_: type[EngineError]) -> None:
    assert type(update_error(error)) is class_


@pytest.mark.parametrize(
    "status",
    [
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.FAILED_PRECONDITION,
    ],
)
def test_a_passing_failure_lets_the_same_update_be_sent_again(status: RPCStatusCode) -> None:
    assert update_error(rpc_error(status)) is None
