"""Temporal's failures as the engine errors of `iwf_interpreter.engine`: the one place that maps them.

`temporalio` reports the end of a deadline as CANCELLED as well as DEADLINE_EXCEEDED; and as CANCELLED, too,
that the server has closed the connection under a call, which it does with every one after some minutes.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from temporalio.api.errordetails.v1 import (
    NamespaceNotFoundFailure,
    QueryFailedFailure,
    WorkflowNotReadyFailure,
)
from temporalio.service import RPCError, RPCStatusCode

from iwf_interpreter.contract import STILL_LOADING
from iwf_interpreter.engine import (
    EngineError,
    InvalidArgument,
    NotStartedYet,
    QueryFailed,
    RunEnded,
    TooManyUpdates,
    WorkflowNotFound,
)

T = TypeVar("T")

_Detail = NamespaceNotFoundFailure | QueryFailedFailure | WorkflowNotReadyFailure

TIMED_OUT = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED})
"""Statuses of a call whose deadline has passed."""

PASSING = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)
"""Statuses of a call that may succeed when it is made again."""

_CONNECTION_CLOSED = "operation was canceled"
_REPEATS = 3

_TASK_FAILED = RPCStatusCode.FAILED_PRECONDITION

_NOT_STARTED_YET = "Workflow task is not scheduled yet"
_CLOSED_UNSTARTED = "closed before WorkflowTaskStarted"
_BAD_RUN_ID = "Invalid RunId"
_MESSAGE_TOO_LARGE = "received message larger than max"
_FULL_OF_UPDATES = ("in-flight updates has been reached", "total number of distinct updates")
_ENDED_BEFORE_DELIVERY = (
    "update was aborted by closing workflow",
    "workflow is closing",
    "workflow execution already completed",
)


async def repeated_if_closed(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call, again if the server has closed the connection under it.

    For calls that can be repeated whether or not the first one was carried out, and that `temporalio` does
    not repeat by itself.
    """
    for _ in range(_REPEATS):
        try:
            return await call()
        except RPCError as error:
            if error.status is not RPCStatusCode.CANCELLED or _CONNECTION_CLOSED not in error.message:
                raise
        await anyio.sleep(0.02)
    return await call()


def engine_error(error: RPCError) -> EngineError:
    """The engine error that a failed call means."""
    text = error.message
    if error.status is RPCStatusCode.NOT_FOUND:
        missing_namespace = _has_detail(error, NamespaceNotFoundFailure)
        return EngineError(text) if missing_namespace else WorkflowNotFound(text)
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return WorkflowNotFound(text) if _BAD_RUN_ID in text else InvalidArgument(text)
    if error.status is RPCStatusCode.RESOURCE_EXHAUSTED and _MESSAGE_TOO_LARGE in text:
        return InvalidArgument(text)
    if error.status in TIMED_OUT:
        return EngineError(f"Temporal did not answer in time: {text}")
    return EngineError(f"{error.status.name}: {text}")


def query_error(error: RPCError) -> EngineError:
    """The engine error that a query means which failed for good.

    A run that cannot answer now is told from a bad request by the details of the failure, which the SDK's
    own client does not look at.
    """
    text = error.message
    if _CLOSED_UNSTARTED in text:
        return InvalidArgument("the workflow was closed before it could start, there is nothing to read")
    if _has_detail(error, QueryFailedFailure, WorkflowNotReadyFailure):
        return QueryFailed(text)
    return engine_error(error)


def query_may_be_repeated(error: RPCError) -> bool:
    """Whether a failed query may be answered in a moment: what keeps it from that passes by itself."""
    text = error.message
    if _has_detail(error, QueryFailedFailure):
        return STILL_LOADING in text
    if _MESSAGE_TOO_LARGE in text:
        return False
    return error.status in PASSING or error.status in TIMED_OUT or is_not_scheduled_yet(error)


def is_not_scheduled_yet(error: RPCError) -> bool:
    """Whether a query failed because the run has no first task yet."""
    return _NOT_STARTED_YET in error.message


def update_error(error: RPCError) -> EngineError | None:
    """The engine error that a failed update means; `None` when the same update may be sent again."""
    text = error.message
    if any(words in text for words in _FULL_OF_UPDATES):
        return TooManyUpdates(text)
    if any(words in text for words in _ENDED_BEFORE_DELIVERY):
        return RunEnded(text, accepted=False)
    if _MESSAGE_TOO_LARGE in text:
        return InvalidArgument(text)
    # A failed precondition is a task that failed with the update in hand.
    if error.status in PASSING or error.status in TIMED_OUT or error.status is _TASK_FAILED:
        return None
    return engine_error(error)


def waits_for_its_start() -> NotStartedYet:
    """A run cannot be read during its start delay."""
    return NotStartedYet(
        "the workflow waits for its start delay, its schedule or a retry and cannot be read before it runs"
    )


def _has_detail(error: RPCError, *kinds: type[_Detail]) -> bool:
    return any(detail.Is(kind.DESCRIPTOR) for detail in error.grpc_status.details for kind in kinds)
