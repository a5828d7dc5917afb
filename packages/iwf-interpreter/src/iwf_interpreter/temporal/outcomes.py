"""How runs end: reading the close event of one run, and waiting for the end of a chain of runs."""

from collections.abc import Iterable
from datetime import timedelta

import anyio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.service import RPCError

from iwf_interpreter.engine import WaitTimedOut, WorkflowOutcome
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import TIMED_OUT, engine_error
from iwf_models import WorkflowStatus

STATUSES = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING: WorkflowStatus.RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED: WorkflowStatus.RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: WorkflowStatus.COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: WorkflowStatus.FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: WorkflowStatus.CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: WorkflowStatus.TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: WorkflowStatus.CONTINUED_AS_NEW,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: WorkflowStatus.TIMEOUT,
}
"""Our status of each of Temporal's; a paused run is still open."""

_FOLLOWS_RUNS = {"supported-features": "follows-next-run-id"}
"""Without it a run that is retried, or recurs, shows as continued as new and not as what it is."""

_LONG_POLL_TIMEOUT = timedelta(seconds=20)
"""The server answers a second earlier. With little more than a second it would answer at once."""
_CALL_TIMEOUT = timedelta(seconds=10)


async def read_outcome(connection: Connection, workflow_id: str, run_id: str) -> WorkflowOutcome:
    """How exactly this run ended, whatever came after it; `RUNNING` while it has not."""
    # Asked for the close event, the server would wait for it, also when told not to.
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=connection.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        maximum_page_size=1,
    )
    try:
        response = await connection.service.get_workflow_execution_history_reverse(
            request, retry=True, timeout=_CALL_TIMEOUT
        )
    except RPCError as error:
        raise engine_error(error) from error
    event = _closing(response.history.events)
    return WorkflowOutcome(status=WorkflowStatus.RUNNING) if event is None else _outcome(event)


async def wait_for_outcome(
    connection: Connection, workflow_id: str, run_id: str, deadline: float
) -> WorkflowOutcome:
    """How the chain that begins with this run ends.

    Raises:
        WaitTimedOut: It has not ended at the deadline, a time of the event loop's clock.
    """
    with anyio.CancelScope(deadline=deadline):
        while True:
            event = await _poll_close_event(connection, workflow_id, run_id)
            if event is None:
                continue
            following = _next_run_id(event)
            if not following:
                return _outcome(event)
            run_id = following
    raise WaitTimedOut(f"workflow {workflow_id!r} is still running")


async def _poll_close_event(connection: Connection, workflow_id: str, run_id: str) -> HistoryEvent | None:
    """The close event of a run; `None` when it has none within a long poll."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=connection.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        wait_new_event=True,
        skip_archival=True,
    )
    try:
        response = await connection.service.get_workflow_execution_history(
            request, retry=True, metadata=_FOLLOWS_RUNS, timeout=_LONG_POLL_TIMEOUT
        )
    except RPCError as error:
        if error.status in TIMED_OUT:
            return None
        raise engine_error(error) from error
    return _closing(response.history.events)


_CLOSE_STATUSES = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: WorkflowStatus.COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: WorkflowStatus.FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: WorkflowStatus.CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: WorkflowStatus.TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: WorkflowStatus.TIMEOUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: WorkflowStatus.CONTINUED_AS_NEW,
}


def _closing(events: Iterable[HistoryEvent]) -> HistoryEvent | None:
    return next((event for event in events if event.event_type in _CLOSE_STATUSES), None)


def _next_run_id(event: HistoryEvent) -> str:
    """The run that carries the chain on, or `""`."""
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            return event.workflow_execution_completed_event_attributes.new_execution_run_id
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            return event.workflow_execution_failed_event_attributes.new_execution_run_id
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
            return event.workflow_execution_timed_out_event_attributes.new_execution_run_id
        case _:
            return ""


def _outcome(event: HistoryEvent) -> WorkflowOutcome:
    status = _CLOSE_STATUSES[event.event_type]
    if status is WorkflowStatus.COMPLETED:
        result = event.workflow_execution_completed_event_attributes.result.payloads
        return WorkflowOutcome(status=status, result=payloads.raw_value(result[0]) if result else None)
    if status is WorkflowStatus.FAILED:
        failure = event.workflow_execution_failed_event_attributes.failure
        details = failure.application_failure_info.details.payloads
        return WorkflowOutcome(
            status=status,
            failure_type=failure.application_failure_info.type or None,
            failure_details=payloads.raw_value(details[0]) if details else None,
            failure_message=failure.message,
        )
    return WorkflowOutcome(status=status)
