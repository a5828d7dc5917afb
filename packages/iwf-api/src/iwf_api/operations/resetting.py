"""Running a workflow again from an earlier point of its history."""

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.core.attribute_values import parse_datetime
from iwf_interpreter.engine import (
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
)
from iwf_models import WorkflowResetRequest, WorkflowResetResponse, WorkflowResetType


async def reset(service: Service, request: WorkflowResetRequest) -> WorkflowResetResponse:
    """Start a new run from the point that the request names; an open current run is ended.

    Raises:
        InvalidRequest: The field that belongs to the type is missing or cannot be read.
        NoResetPoint: The run's history has no such point.
        InvalidArgument: The engine cannot go back to that event.
    """
    run_id = await service.engine.reset(
        request.workflow_id,
        request.workflow_run_id or "",
        _point(request, now_ns=round(service.clock() * 10**9)),
        request.reason or "",
        skip_signal_reapply=bool(request.skip_signal_reapply),
        skip_update_reapply=bool(request.skip_update_reapply),
    )
    return WorkflowResetResponse(workflow_run_id=run_id)


def _point(request: WorkflowResetRequest, *, now_ns: int) -> ResetPoint:
    """What the type asks for. Other fields are not looked at: some SDKs always send them."""
    match request.reset_type:
        case WorkflowResetType.BEGINNING:
            return ResetToBeginning()
        case WorkflowResetType.HISTORY_EVENT_ID:
            if not request.history_event_id:
                raise _missing("historyEventId", request)
            return ResetToEvent(event_id=request.history_event_id)
        case WorkflowResetType.HISTORY_EVENT_TIME:
            if not request.history_event_time:
                raise _missing("historyEventTime", request)
            try:
                return ResetToTime(unix_ns=parse_datetime(request.history_event_time, now_ns))
            except ValueError as error:
                raise InvalidRequest(f"historyEventTime: {error}") from error
        case WorkflowResetType.STATE_ID:
            if not request.state_id:
                raise _missing("stateId", request)
            return ResetToState(state_id=request.state_id)
        case WorkflowResetType.STATE_EXECUTION_ID:
            if not request.state_execution_id:
                raise _missing("stateExecutionId", request)
            return ResetToStateExecution(execution_id=request.state_execution_id)


def _missing(field: str, request: WorkflowResetRequest) -> InvalidRequest:
    return InvalidRequest(f"{field} must be set for a reset of type {request.reset_type}")
