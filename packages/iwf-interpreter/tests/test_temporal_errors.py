import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.errordetails.v1 import (
    NamespaceNotFoundFailure,
    NotFoundFailure,
    QueryFailedFailure,
    ResourceExhaustedFailure,
    WorkflowNotReadyFailure,
)
from temporalio.service import RPCError, RPCStatusCode

from iwf_interpreter.contract import STILL_LOADING
from iwf_interpreter.engine import (
    EngineError,
    InvalidArgument,
    QueryFailed,
    WorkflowNotFound,
)
from iwf_interpreter.temporal.errors import engine_error, query_error, query_may_be_repeated
from iwf_interpreter.temporal.outcomes import STATUSES


def rpc_error(status: RPCStatusCode, text: str, detail: Message | None = None) -> RPCError:
    grpc = GrpcStatus(code=status, message=text)
    if detail is not None:
        packed = AnyMessage()
        packed.Pack(detail)
        grpc.details.append(packed)
    return RPCError(text, status, grpc.SerializeToString())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            rpc_error(RPCStatusCode.NOT_FOUND, "workflow not found", NotFoundFailure()),
            WorkflowNotFound("workflow not found"),
            id="not-found",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.NOT_FOUND, "no such namespace", NamespaceNotFoundFailure()),
            EngineError("no such namespace"),
            id="namespace-not-found",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, "Invalid RunId."),
            WorkflowNotFound("Invalid RunId."),
            id="malformed-run-id",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, "bad query"),
            InvalidArgument("bad query"),
            id="invalid-argument",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)"),
            InvalidArgument("grpc: received message larger than max (5 vs. 4)"),
            id="oversize-message",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.RESOURCE_EXHAUSTED, "slow down", ResourceExhaustedFailure()),
            EngineError("RESOURCE_EXHAUSTED: slow down"),
            id="overloaded",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.CANCELLED, "Timeout expired"),
            EngineError("Temporal did not answer in time: Timeout expired"),
            id="deadline-as-the-client-reports-it",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.DEADLINE_EXCEEDED, "late"),
            EngineError("Temporal did not answer in time: late"),
            id="deadline-as-the-server-reports-it",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.UNAVAILABLE, "gone"), EngineError("UNAVAILABLE: gone"), id="unavailable"
        ),
    ],
)
def test_a_failed_call_is_an_engine_error(error: RPCError, expected: EngineError) -> None:
    mapped = engine_error(error)

    assert (type(mapped), str(mapped)) == (type(expected), str(expected))


@pytest.mark.parametrize(
    ("error", "class_"),
    [
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no", QueryFailedFailure()), QueryFailed, id="refused"
        ),
        pytest.param(
            rpc_error(RPCStatusCode.FAILED_PRECONDITION, "task in failed state", WorkflowNotReadyFailure()),
            QueryFailed,
            id="not-ready",
        ),
        pytest.param(
            rpc_error(
                RPCStatusCode.FAILED_PRECONDITION,
                "Workflow execution closed before WorkflowTaskStarted event",
                WorkflowNotReadyFailure(),
            ),
            InvalidArgument,
            id="closed-before-its-start",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, "QueryType is not set"),
            InvalidArgument,
            id="bad-request",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.NOT_FOUND, "no", NotFoundFailure()), WorkflowNotFound, id="not-found"
        ),
    ],
)
def test_a_failed_query_tells_whether_asking_again_helps(error: RPCError, class_: type[EngineError]) -> None:
    assert type(query_error(error)) is class_


@pytest.mark.parametrize(
    ("error", "may_be_repeated"),
    [
        pytest.param(
            rpc_error(
                RPCStatusCode.RESOURCE_EXHAUSTED,
                "consistent query buffer is full, this may be caused by too many queries",
                ResourceExhaustedFailure(),
            ),
            True,
            id="too-many-at-once",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)"),
            False,
            id="oversize-message",
        ),
        pytest.param(rpc_error(RPCStatusCode.UNAVAILABLE, "gone"), True, id="unavailable"),
        pytest.param(rpc_error(RPCStatusCode.CANCELLED, "operation was canceled"), True, id="closed"),
        pytest.param(rpc_error(RPCStatusCode.DEADLINE_EXCEEDED, "late"), True, id="deadline"),
        pytest.param(
            rpc_error(
                RPCStatusCode.FAILED_PRECONDITION,
                "Workflow task is not scheduled yet.",
                WorkflowNotReadyFailure(),
            ),
            True,
            id="not-scheduled-yet",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, STILL_LOADING, QueryFailedFailure()),
            True,
            id="run-still-loads",
        ),
        pytest.param(
            rpc_error(RPCStatusCode.INVALID_ARGUMENT, "no", QueryFailedFailure()), False, id="refused"
        ),
        pytest.param(
            rpc_error(RPCStatusCode.FAILED_PRECONDITION, "task in failed state", WorkflowNotReadyFailure()),
            False,
            id="task-fails",
        ),
        pytest.param(rpc_error(RPCStatusCode.NOT_FOUND, "no", NotFoundFailure()), False, id="not-found"),
    ],
)
def test_a_query_is_repeated_when_what_hinders_it_passes(error: RPCError, may_be_repeated: bool) -> None:
    assert query_may_be_repeated(error) is may_be_repeated


def test_every_status_of_the_engine_has_one_of_ours() -> None:
    unspecified = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED

    assert {*STATUSES, unspecified} == {*WorkflowExecutionStatus.values()}
