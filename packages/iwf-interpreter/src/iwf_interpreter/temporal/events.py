"""Temporal's history events, as the loop reads them.

An event that means nothing to a run gives nothing. A batch ends at a started task that was completed, and
at the last event of the task in hand; the events before a task that failed or timed out belong to the
next batch. Time is that of the started event: it is the same live and in a replay.

An update that a task has taken on is recorded behind that task, among its commands. It is a fact of the
batch that the task ended, so it is looked up ahead.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import msgspec
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.contract import ActivityType, InterpreterInput, SnapshotPage
from iwf_interpreter.core import calls, continuing
from iwf_interpreter.core import events as facts
from iwf_interpreter.core.calls import EXECUTE_PREFIX
from iwf_interpreter.loop.history import Border, Echo, Fact, HeldBack, Item, LocalResult, UpdateRequest
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.messages import signal_event, update_event
from iwf_interpreter.temporal.update_messages import admitted_update
from iwf_models import (
    WorkflowErrorType,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
)

LOCAL_CALL_MARKER = "iwf-local-call"
HELD_BACK_MARKER = "iwf-held-back"
MARKER_DETAIL = "call"
"""Key of the `LocalResult` among the details of a marker."""

_ECHOES = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: Echo("close", "completed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: Echo("close", "failed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: Echo("close", "canceled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: Echo("close", "continued as new"),
}
_ERROR_TYPES = frozenset(WorkflowErrorType)


class UnknownEvent(Exception):
    """An event that this build does not know and that must not be ignored."""


class UnreadableState(Exception):
    """The state that a run was to take over from the one before could not be read, and is not tried again."""


class EventReader:
    """Reads the events of one run, in order."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._calls: dict[int, str] = {}
        """Call id by scheduled event, of the calls that are open."""
        self._admitted: list[UpdateRequest] = []
        """Updates in the history of the batch that has not ended."""

    def read(self, events: Iterable[object]) -> Iterator[Item]:
        """Translate the next events of the run, up to the last one of the task in hand."""
        history = cast("list[HistoryEvent]", list(events))
        for index, event in enumerate(history):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                yield from self._task_started(history, index)
            elif event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
                self._admitted.append(admitted_update(event))
            else:
                item = self._item(event)
                if item is not None:
                    yield item

    def _task_started(self, history: Sequence[HistoryEvent], index: int) -> Iterator[Item]:
        event = history[index]
        in_hand = index + 1 == len(history)
        if not (in_hand or history[index + 1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED):
            return
        if event.workflow_task_started_event_attributes.suggest_continue_as_new:
            yield Fact(facts.ContinueAsNewSuggested())
        for accepted in _updates_taken_on(history, index + 1, self._admitted):
            yield Fact(accepted)
        # A task that was completed has answered them.
        admitted, self._admitted = self._admitted, []
        yield Border(event.event_time.ToMilliseconds(), in_hand, admitted if in_hand else ())

    def _item(self, event: HistoryEvent) -> Item | None:
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                call_id = event.activity_task_scheduled_event_attributes.activity_id
                self._calls[event.event_id] = call_id
                return Echo("call", call_id)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
                completed = event.activity_task_completed_event_attributes
                return Fact(_answered(self._calls.pop(completed.scheduled_event_id), completed.result))
            case EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED:
                failed = event.activity_task_failed_event_attributes
                return self._call_failed(failed.scheduled_event_id, failed.failure)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
                timed_out = event.activity_task_timed_out_event_attributes
                return self._call_timed_out(
                    timed_out.scheduled_event_id, timed_out.failure, timed_out.retry_state
                )
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signaled = event.workflow_execution_signaled_event_attributes
                fact = signal_event(signaled.signal_name, signaled.input)
                return None if fact is None else Fact(fact)
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                return _marker(event)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                accepted = event.workflow_execution_update_accepted_event_attributes
                return Echo("update accept", accepted.protocol_instance_id)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                ended = event.workflow_execution_update_completed_event_attributes
                return Echo("update end", ended.meta.update_id)
            case EventType.EVENT_TYPE_TIMER_STARTED:
                return Echo("timer start", event.timer_started_event_attributes.timer_id)
            case EventType.EVENT_TYPE_TIMER_CANCELED:
                return Echo("timer cancel", event.timer_canceled_event_attributes.timer_id)
            case EventType.EVENT_TYPE_TIMER_FIRED:
                return Fact(facts.TimerFired(timer_id=event.timer_fired_event_attributes.timer_id))
            case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
                upserted = event.upsert_workflow_search_attributes_event_attributes
                return Echo("search attributes", _keys(upserted.search_attributes.indexed_fields))
            case EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:
                modified = event.workflow_properties_modified_event_attributes
                return Echo("memo", _keys(modified.upserted_memo.fields))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                return Fact(self._started(event))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
                return Fact(facts.CancelRequested())
            case known if known in _ECHOES:
                return _ECHOES[known]
            case other if other in _MEANINGLESS or event.worker_may_ignore:
                return None
            case other:
                raise UnknownEvent(f"event {event.event_id} has the unknown type {other}")

    def _started(self, event: HistoryEvent) -> facts.Started:
        started = event.workflow_execution_started_event_attributes
        # Each run of a cron schedule is a workflow of its own, though the engine chains them.
        recurs = started.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
        start = payloads.decode(started.input.payloads[0], InterpreterInput)
        has_deadline = started.HasField("workflow_execution_expiration_time")
        return facts.Started(
            workflow_id=self._workflow_id,
            run_id=self._run_id,
            first_run_id=self._run_id if recurs else started.first_execution_run_id,
            previous_run_id="" if recurs else started.continued_execution_run_id,
            started_at_ms=event.event_time.ToMilliseconds(),
            deadline_ms=(
                started.workflow_execution_expiration_time.ToMilliseconds() or None if has_deadline else None
            ),
            # It begins anew, also after a run that had continued as new.
            input=msgspec.structs.replace(start, continued=None) if recurs else start,
        )

    def _call_failed(self, scheduled_event_id: int, failure: Failure) -> Item:
        call_id = self._calls.pop(scheduled_event_id)
        error_type, text = _failure_text(failure)
        return Fact(_call_failed(call_id, error_type, text))

    def _call_timed_out(
        self, scheduled_event_id: int, failure: Failure, retry_state: RetryState.ValueType
    ) -> Item:
        call_id = self._calls.pop(scheduled_event_id)
        if failure.HasField("cause") and failure.cause.HasField("application_failure_info"):
            error_type, text = _failure_text(failure.cause)
        else:
            error_type = WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE
            text = _timeout_text(call_id, failure.timeout_failure_info.timeout_type, retry_state)
        return Fact(_call_failed(call_id, error_type, text))


def _updates_taken_on(
    history: Sequence[HistoryEvent], begin: int, admitted: Sequence[UpdateRequest]
) -> Iterator[facts.Event]:
    """The updates that a task has accepted, from the events behind its start.

    The request of one that a reset has put into the history is only where it was admitted.
    """
    for index in range(begin, len(history)):
        event = history[index]
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
            return
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
            accepted = event.workflow_execution_update_accepted_event_attributes
            update_id = accepted.protocol_instance_id
            if accepted.HasField("accepted_request"):
                yield update_event(update_id, accepted.accepted_request.input)
                continue
            known = next((update.event for update in admitted if update.update_id == update_id), None)
            if known is None:
                raise UnknownEvent(
                    f"update {update_id!r} was accepted, but the history has no request for it"
                )
            yield known


def _marker(event: HistoryEvent) -> Item | None:
    marker = event.marker_recorded_event_attributes
    if marker.marker_name == HELD_BACK_MARKER:
        return HeldBack()
    if marker.marker_name == LOCAL_CALL_MARKER:
        return payloads.decode(marker.details[MARKER_DETAIL].payloads[0], LocalResult)
    raise UnknownEvent(f"event {event.event_id} is a marker of the unknown kind {marker.marker_name!r}")


def _answered(call_id: str, result: Payloads) -> facts.Event:
    payload = result.payloads[0]
    if continuing.is_page_call(call_id):
        return facts.SnapshotPageLoaded(
            page_number=continuing.page_number(call_id), page=payloads.decode(payload, SnapshotPage)
        )
    if call_id.startswith(EXECUTE_PREFIX):
        return facts.ExecuteAnswered(
            execution_id=calls.execution_id(call_id),
            answer=payloads.decode(payload, WorkflowStateDecideResponse),
        )
    return facts.WaitUntilAnswered(
        execution_id=calls.execution_id(call_id),
        answer=payloads.decode(payload, WorkflowStateStartResponse),
    )


def _call_failed(call_id: str, error_type: str, text: str) -> facts.Event:
    if continuing.is_page_call(call_id):
        raise UnreadableState(f"the state of the run before cannot be read: {text}")
    kind = facts.ExecuteFailed if call_id.startswith(EXECUTE_PREFIX) else facts.WaitUntilFailed
    return kind(execution_id=calls.execution_id(call_id), error_type=error_type, text=text)


def _failure_text(failure: Failure) -> tuple[str, str]:
    """Error type and text of a failed call; the engine's own failures count as failures of the API."""
    details = failure.application_failure_info.details.payloads
    error_type = failure.application_failure_info.type
    if error_type not in _ERROR_TYPES:
        error_type = WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE
    if not details:
        return error_type, failure.message
    return error_type, payloads.decode(details[0], str)


def _timeout_text(
    call_id: str, timeout_type: TimeoutType.ValueType, retry_state: RetryState.ValueType
) -> str:
    """The words that SDKs look for in `errorMessage` when an attempt ran out of time."""
    activity = ActivityType.EXECUTE if call_id.startswith(EXECUTE_PREFIX) else ActivityType.WAIT_UNTIL
    name = _TIMEOUT_NAMES.get(timeout_type, "unknown")
    reason = RetryState.Name(retry_state).removeprefix("RETRY_STATE_").lower()
    return (
        f"activity error (type: {activity}, activityID: {call_id}, retryState: {reason}): "
        f"activity {name} timeout (type: {name})"
    )


def _keys(fields: Iterable[str]) -> str:
    return ",".join(sorted(fields))


_TIMEOUT_NAMES = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToClose",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START: "ScheduleToStart",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "Heartbeat",
}

_MEANINGLESS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
        EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED,
    }
)
