"""Temporal's history events, as the loop reads them.

An event that means nothing to a run gives nothing. A batch ends at a started task that was completed, and
at the last event of the task in hand; the events before a task that failed or timed out belong to the
next batch. Time is that of the started event: it is the same live and in a replay.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.contract import (
    SYSTEM_PREFIX,
    ActivityType,
    FailSignal,
    InterpreterInput,
    RpcSignal,
    SystemSignal,
)
from iwf_interpreter.core import events as facts
from iwf_interpreter.core.calls import EXECUTE_PREFIX, WAIT_UNTIL_PREFIX
from iwf_interpreter.loop.history import Border, Echo, Fact, Item
from iwf_interpreter.temporal import payloads
from iwf_models import (
    EncodedObject,
    WorkflowErrorType,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
)

_ECHOES = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: Echo("close", "completed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: Echo("close", "failed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: Echo("close", "canceled"),
}
_ERROR_TYPES = frozenset(WorkflowErrorType)


class UnknownEvent(Exception):
    """An event that this build does not know and that must not be ignored."""


class EventReader:
    """Reads the events of one run, in order."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        self._workflow_id = workflow_id
        self._run_id = run_id
        self._calls: dict[int, str] = {}
        """Call id by scheduled event, of the calls that are open."""

    def read(self, events: Iterable[object]) -> Iterator[Item]:
        """Translate the next events of the run, up to the last one of the task in hand."""
        history = cast("list[HistoryEvent]", list(events))
        for event, following in zip(history, [*history[1:], None], strict=True):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                if following is None or following.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                    yield Border(event.event_time.ToMilliseconds())
            else:
                item = self._item(event)
                if item is not None:
                    yield item

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
                fact = _signaled(signaled.signal_name, signaled.input)
                return None if fact is None else Fact(fact)
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
        return facts.Started(
            workflow_id=self._workflow_id,
            run_id=self._run_id,
            first_run_id=self._run_id if recurs else started.first_execution_run_id,
            started_at=event.event_time.seconds,
            input=payloads.decode(started.input.payloads[0], InterpreterInput),
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


def _answered(call_id: str, result: Payloads) -> facts.Event:
    payload = result.payloads[0]
    if call_id.startswith(EXECUTE_PREFIX):
        return facts.ExecuteAnswered(
            execution_id=_execution_id(call_id),
            answer=payloads.decode(payload, WorkflowStateDecideResponse),
        )
    return facts.WaitUntilAnswered(
        execution_id=_execution_id(call_id), answer=payloads.decode(payload, WorkflowStateStartResponse)
    )


def _call_failed(call_id: str, error_type: str, text: str) -> facts.Event:
    kind = facts.ExecuteFailed if call_id.startswith(EXECUTE_PREFIX) else facts.WaitUntilFailed
    return kind(execution_id=_execution_id(call_id), error_type=error_type, text=text)


def _execution_id(call_id: str) -> str:
    return call_id.removeprefix(EXECUTE_PREFIX).removeprefix(WAIT_UNTIL_PREFIX)


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


def _signaled(name: str, arguments: Payloads) -> facts.Event | None:
    payload = arguments.payloads[0] if arguments.payloads else None
    if not name.startswith(SYSTEM_PREFIX):
        value = EncodedObject() if payload is None else payloads.decode_or(payload, EncodedObject, None)
        if value is None:
            # A message that was sent by hand is kept, whatever it is.
            assert payload is not None
            value = EncodedObject(encoding="raw", data=payload.data.decode(errors="replace"))
        return facts.SignalReceived(channel_name=name, value=value)
    match name:
        case SystemSignal.EXECUTE_RPC:
            changes = None if payload is None else payloads.decode_or(payload, RpcSignal, None)
            return None if changes is None else facts.RpcWritten(changes=changes)
        case SystemSignal.FAIL_WORKFLOW:
            stop = FailSignal() if payload is None else payloads.decode_or(payload, FailSignal, FailSignal())
            return facts.FailRequested(reason=stop.reason)
        case _:
            return None


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
