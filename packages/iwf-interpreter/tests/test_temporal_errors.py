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

from iwf_interpreter.engine import (
    EngineError,
    InvalidArgument,
    NotStartedYet,
    QueryFailed,
    WorkflowNotFound,
)
from iwf_interpreter.temporal.errors import engine_error, query_error
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
                RPCStatusCode.RESOURCE_EXHAUSTED,
                "consistent query buffer is full, this may be caused by too many queries",
                ResourceExhaustedFailure(),
            ),
            QueryFailed,
            id="too-many-at-once",
        ),
        pytest.param(
            rpc_error(
                RPCStatusCode.FAILED_PRECONDITION,
                "Workflow task is not scheduled yet.",
                WorkflowNotReadyFailure(),
            ),
            NotStartedYet,
            id="start-delay",
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
        pytest.param(rpc_error(RPCStatusCode.CANCELLED, "Timeout expired"), EngineError, id="deadline"),
    ],
)
def test_a_failed_query_tells_whether_asking_again_helps(error: RPCError, class_: type[EngineError]) -> None:
    assert type(query_error(error)) is class_


def test_every_status_of_the_engine_has_one_of_ours() -> None:
    unspecified = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED

    assert {*STATUSES, unspecified} == {*WorkflowExecutionStatus.values()}
