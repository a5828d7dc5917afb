"""What can go wrong with a request, and the one place that turns it into an answer.

    ApiError                        500 UNCATEGORIZED
    ├── InvalidRequest              400 UNCATEGORIZED
    │   └── InvalidRequestSchema    400 UNCATEGORIZED
    ├── WorkflowIdNotSet            400 WORKFLOW_NOT_EXISTS
    │   └── StartWithoutWorkflowId  400 UNCATEGORIZED
    ├── UnknownPath                 404 UNCATEGORIZED
    ├── MethodNotAllowed            405 UNCATEGORIZED
    ├── RequestTooLarge             413 UNCATEGORIZED
    ├── WorkerFailed                420 WORKER_API_ERROR
    ├── AttributesLocked            450 WORKER_API_ERROR
    ├── WorkflowDidNotAnswer        500 UNCATEGORIZED
    ├── ServerStopped               500 UNCATEGORIZED
    └── MemoNotKept                 500 UNCATEGORIZED

Errors of the engine (`iwf_interpreter.engine`) and refused search attributes are answered as they are, by the
same table. Everything else is a bug of ours and a 500. The statuses are all that SDKs know: Python's fails on
a number that is not registered with it, Java's repeats every 5xx, so what can never succeed is a 4xx.
"""

import msgspec

from iwf_interpreter import engine
from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core.attribute_values import InvalidSearchAttribute
from iwf_models import ErrorResponse, ErrorSubStatus

STILL_RUNNING = "workflow is still running, waiting has exceeded timeout limit, please retry"
"""Detail of a wait that ended without a result; clients match the text."""


class ApiError(Exception):
    """A request that is not answered 200. The text is the `detail` of the answer."""


class InvalidRequest(ApiError):
    """The request asks for something that cannot be done."""


class InvalidRequestSchema(InvalidRequest):
    """The body is not JSON, not of the endpoint's model, or lacks something required."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"invalid request schema: {reason}")


class WorkflowIdNotSet(ApiError):
    """The request names no workflow."""

    def __init__(self) -> None:
        super().__init__("WorkflowId is not set on request.")


class StartWithoutWorkflowId(WorkflowIdNotSet):
    """A start request names no workflow; there is none that could be missing."""


class UnknownPath(ApiError):
    """No endpoint has this path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"there is no endpoint {path!r}")


class MethodNotAllowed(ApiError):
    """The endpoint is served with another method."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"{method} is not allowed for {path!r}")


class RequestTooLarge(ApiError):
    """The body is longer than the limit."""

    def __init__(self, max_request_bytes: int) -> None:
        super().__init__(f"the request body is longer than {max_request_bytes} bytes")


class WorkerFailed(ApiError):
    """The worker failed an RPC, or answered what an RPC must not, or not in time."""

    def __init__(self, failure: RpcFailure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class AttributesLocked(ApiError):
    """An RPC asks for attributes that others hold, and too many wait for them; clients match the text."""

    def __init__(self) -> None:
        super().__init__("requested data or search attributes are being locked by other operations")


class WorkflowDidNotAnswer(ApiError):
    """The workflow did not answer a query while the client had time."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            f"workflow {workflow_id!r} did not answer a query in time, its tasks are not run or fail"
        )


class ServerStopped(ApiError):
    """The server stopped before it could answer."""

    def __init__(self) -> None:
        super().__init__("the server stops, and could not answer in time")


class MemoNotKept(ApiError):
    """Data attributes are to be read from a memo that the workflow does not keep."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"workflow {workflow_id!r} was started without data attributes in its memo")


class Answer(msgspec.Struct, frozen=True):
    """How errors of one class are answered."""

    status: int
    sub_status: ErrorSubStatus = ErrorSubStatus.UNCATEGORIZED_SUB_STATUS
    detail: str | None = None
    """Replaces the text of the error."""


_INVALID = Answer(400)
_FAILED = Answer(500)
_NO_WORKFLOW = Answer(400, ErrorSubStatus.WORKFLOW_NOT_EXISTS_SUB_STATUS)

ANSWERS: dict[type[Exception], Answer] = {
    ApiError: _FAILED,
    InvalidRequest: _INVALID,
    InvalidRequestSchema: _INVALID,
    WorkflowIdNotSet: _NO_WORKFLOW,
    StartWithoutWorkflowId: _INVALID,
    UnknownPath: Answer(404),
    MethodNotAllowed: Answer(405),
    RequestTooLarge: Answer(413),
    WorkerFailed: Answer(420, ErrorSubStatus.WORKER_API_ERROR),
    AttributesLocked: Answer(450, ErrorSubStatus.WORKER_API_ERROR),
    WorkflowDidNotAnswer: _FAILED,
    ServerStopped: _FAILED,
    MemoNotKept: _FAILED,
    InvalidSearchAttribute: _INVALID,
    engine.EngineError: _FAILED,
    engine.WorkflowNotFound: _NO_WORKFLOW,
    engine.WorkflowAlreadyStarted: Answer(400, ErrorSubStatus.WORKFLOW_ALREADY_STARTED_SUB_STATUS),
    engine.InvalidArgument: _INVALID,
    engine.NotStartedYet: _INVALID,
    engine.NoResetPoint: _INVALID,
    engine.QueryFailed: _FAILED,
    engine.UpdateRefused: _FAILED,
    engine.RunEnded: _FAILED,
    engine.TooManyUpdates: _FAILED,
    engine.WaitTimedOut: Answer(420, ErrorSubStatus.LONG_POLL_TIME_OUT_SUB_STATUS, STILL_RUNNING),
    engine.NotSupported: _INVALID,
}
"""The answer of each class of errors. A class that is missing here is answered as its nearest base class."""


def answer(error: Exception) -> tuple[int, ErrorResponse]:
    """HTTP status and body for an error."""
    found = next((ANSWERS[cls] for cls in type(error).__mro__ if cls in ANSWERS), _FAILED)
    body = ErrorResponse(
        detail=found.detail or str(error) or type(error).__name__,
        sub_status=found.sub_status,
    )
    if isinstance(error, WorkerFailed):
        body = msgspec.structs.replace(
            body,
            original_worker_error_detail=error.failure.worker_detail,
            original_worker_error_type=error.failure.worker_error_type,
            original_worker_error_status=error.failure.worker_status,
        )
    return found.status, body
