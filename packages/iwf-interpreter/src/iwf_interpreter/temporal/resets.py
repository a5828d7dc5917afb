"""Where in a run's history a reset goes back to, and the reset itself.

A reset names an event at which a workflow task was completed, or begun, and runs exactly that task again. So
the point before a call is the task that decided on it, or made it in place: whatever else belonged to that
task is done again too. Only the history of the given run is looked at.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ResetWorkflowExecutionRequest,
)
from temporalio.service import RPCError

from iwf_interpreter.contract import ContinuedRun, InterpreterInput, SnapshotPage
from iwf_interpreter.core.calls import EXECUTE_PREFIX, WAIT_UNTIL_PREFIX
from iwf_interpreter.core.continuing import is_page_call, page_number
from iwf_interpreter.core.snapshot import BadSnapshot, from_text, join
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.engine import (
    NoResetPoint,
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
)
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import engine_error
from iwf_interpreter.temporal.events import LOCAL_CALL_MARKER, MARKER_DETAIL

PAGE_EVENTS = 1000
"""Events that are read at once."""

_CALL_TIMEOUT = timedelta(seconds=10)

_STARTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
_TASK_SCHEDULED = EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
_TASK_STARTED = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
_TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_CALL_SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
_CALL_COMPLETED = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
_MARKER_RECORDED = EventType.EVENT_TYPE_MARKER_RECORDED


class _LocalCall(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a marker here."""

    call_id: str


async def reset(
    connection: Connection,
    execution: WorkflowExecution,
    point: ResetPoint,
    reason: str,
    *,
    skip_signal_reapply: bool,
    skip_update_reapply: bool,
) -> str:
    """Run a workflow again from a point in the history of this run; returns the new run's id.

    Raises:
        NoResetPoint: The history has no such point.
        EngineError: What else `Engine.reset` raises.
    """
    request = ResetWorkflowExecutionRequest(
        namespace=connection.namespace,
        workflow_execution=execution,
        reason=reason,
        request_id=str(uuid4()),
        identity=connection.identity,
    )
    if skip_signal_reapply:
        request.reset_reapply_exclude_types.append(ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL)
    if skip_update_reapply:
        request.reset_reapply_exclude_types.append(ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE)
    try:
        request.workflow_task_finish_event_id = await _find(_history(connection, execution), point)
        response = await connection.service.reset_workflow_execution(
            request, retry=True, timeout=_CALL_TIMEOUT
        )
    except RPCError as error:
        raise engine_error(error) from error
    return response.run_id


async def _history(connection: Connection, execution: WorkflowExecution) -> AsyncIterator[HistoryEvent]:
    request = GetWorkflowExecutionHistoryRequest(
        namespace=connection.namespace, execution=execution, maximum_page_size=PAGE_EVENTS
    )
    while True:
        page = await connection.service.get_workflow_execution_history(
            request, retry=True, timeout=_CALL_TIMEOUT
        )
        for event in page.history.events:
            yield event
        request.next_page_token = page.next_page_token
        if not page.next_page_token:
            return


async def _find(history: AsyncIterator[HistoryEvent], point: ResetPoint) -> int:
    """The event to reset to; raises `NoResetPoint`."""
    match point:
        case ResetToEvent():
            return point.event_id
        case ResetToBeginning():
            return await _beginning(history)
        case ResetToTime():
            async for event in history:
                if event.event_type == _TASK_COMPLETED and event.event_time.ToNanoseconds() >= point.unix_ns:
                    return event.event_id
            raise NoResetPoint("the run has completed no workflow task at or after that time")
        case ResetToState() | ResetToStateExecution():
            return await _before_first_call(history, _Target(point))


async def _beginning(history: AsyncIterator[HistoryEvent]) -> int:
    """The end of the first task, whichever it was: what an earlier reset has brought along comes after it."""
    scheduled = started = 0
    async for event in history:
        if started:
            return event.event_id
        if event.event_type == _TASK_STARTED:
            started = event.event_id
        if event.event_type == _TASK_SCHEDULED and not scheduled:
            scheduled = event.event_id
    if not scheduled:
        raise NoResetPoint("the run has not begun")
    return started or scheduled + 1


async def _before_first_call(history: AsyncIterator[HistoryEvent], target: "_Target") -> int:
    """The task that first called the target; the first task of all if the run took it over from another."""
    first_completed = completed = 0
    carried = _CarriedState()
    async for event in history:
        if event.event_type == _TASK_COMPLETED:
            completed = event.event_id
            first_completed = first_completed or completed
        elif (call_id := _call_id(event)) is not None and target.is_called_by(call_id):
            return completed
        carried.read(event)
        if first_completed and target.is_resumed_in(carried.state):
            return first_completed
    raise NoResetPoint(
        f"{target} was not called in this run; it may have been in another run of the workflow"
    )


def _call_id(event: HistoryEvent) -> str | None:
    """The call that an event shows for the first time."""
    if event.event_type == _CALL_SCHEDULED:
        return event.activity_task_scheduled_event_attributes.activity_id
    if event.event_type != _MARKER_RECORDED:
        return None
    marker = event.marker_recorded_event_attributes
    parts = marker.details[MARKER_DETAIL].payloads if marker.marker_name == LOCAL_CALL_MARKER else ()
    call = payloads.decode_or(parts[0], _LocalCall, None) if parts else None
    return None if call is None else call.call_id


class _Target:
    """A state, or one execution of it."""

    def __init__(self, point: ResetToState | ResetToStateExecution) -> None:
        self._point = point

    def is_called_by(self, call_id: str) -> bool:
        for prefix in (WAIT_UNTIL_PREFIX, EXECUTE_PREFIX):
            if call_id.startswith(prefix):
                return self._is_execution(call_id.removeprefix(prefix))
        return False

    def is_resumed_in(self, state: ExecutionState | None) -> bool:
        """Whether it was called already when the run took its state over."""
        return state is not None and any(
            self._is_execution(execution_id) and not execution.phase.is_before_waiting
            for execution_id, execution in state.executions.items()
        )

    def _is_execution(self, execution_id: str) -> bool:
        if isinstance(self._point, ResetToStateExecution):
            return execution_id == self._point.execution_id
        return execution_id.rpartition("-")[0] == self._point.state_id

    def __str__(self) -> str:
        if isinstance(self._point, ResetToStateExecution):
            return f"state execution {self._point.execution_id!r}"
        return f"state {self._point.state_id!r}"


class _CarriedState:
    """The state that a run took over from another one, as its history shows it."""

    def __init__(self) -> None:
        self.state: ExecutionState | None = None
        self._continued: ContinuedRun | None = None
        self._loading: dict[int, str] = {}
        """Call id by scheduled event, of the calls that read a part."""
        self._pages: dict[int, SnapshotPage] = {}

    def read(self, event: HistoryEvent) -> None:
        if event.event_type == _STARTED:
            given = event.workflow_execution_started_event_attributes.input.payloads
            run = payloads.decode_or(given[0], InterpreterInput, None) if given else None
            self._continued = None if run is None else run.continued
            if self._continued is not None and self._continued.snapshot is not None:
                self._take(self._continued.snapshot)
        elif self._continued is None or self.state is not None:
            return
        elif event.event_type == _CALL_SCHEDULED:
            call_id = event.activity_task_scheduled_event_attributes.activity_id
            if is_page_call(call_id):
                self._loading[event.event_id] = call_id
        elif event.event_type == _CALL_COMPLETED:
            completed = event.activity_task_completed_event_attributes
            call_id = self._loading.pop(completed.scheduled_event_id, None)
            if call_id is not None and completed.result.payloads:
                page = payloads.decode_or(completed.result.payloads[0], SnapshotPage, None)
                if page is not None:
                    self._pages[page_number(call_id)] = page
            if self._continued.pages and len(self._pages) == self._continued.pages:
                self._join(self._continued.pages)

    def _take(self, text: str) -> None:
        try:
            self.state = from_text(text)
        except BadSnapshot:
            self.state = None

    def _join(self, count: int) -> None:
        try:
            self.state = join([self._pages[number] for number in range(count)])
        except BadSnapshot:
            # They are read again, all of them.
            self._pages.clear()
