"""Temporal's events as the loop reads them: facts, echoes, borders, and updates looked up ahead."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure, TimeoutFailureInfo
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Input, Meta, Request

from iwf_interpreter.contract import ContinuedRun, InterpreterInput, SnapshotPage, StateTarget
from iwf_interpreter.core import (
    CancelRequested,
    ContinueAsNewSuggested,
    ExecuteAnswered,
    ExecuteFailed,
    SignalReceived,
    SnapshotPageLoaded,
    Started,
    StateWaitRequested,
    TimerFired,
    WaitUntilAnswered,
    WaitUntilFailed,
)
from iwf_interpreter.loop.history import Border, Echo, Fact, HeldBack, Item, LocalResult
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.events import EventReader, UnknownEvent, UnreadableState
from iwf_models import (
    EncodedObject,
    StateDecision,
    StateMovement,
    WorkflowConfig,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
)

START = InterpreterInput(iwf_workflow_type="T", iwf_worker_url="http://w", config=WorkflowConfig())
DECISION = WorkflowStateDecideResponse(
    state_decision=StateDecision(next_states=[StateMovement(state_id="T")])
)


class History:
    """A history that is written event by event; ids count from 1."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def add(self, kind: str, *, at_ms: int = 0, **attributes: Any) -> int:
        """Append an event; the kind is the name of its type without the prefix."""
        event = HistoryEvent(event_id=len(self.events) + 1)
        event.event_type = EventType.Value(f"EVENT_TYPE_{kind}")
        event.event_time.FromMilliseconds(at_ms)
        field = getattr(event, f"{kind.lower()}_event_attributes")
        field.SetInParent()
        for name, value in attributes.items():
            if isinstance(value, str | int | bool):
                setattr(field, name, value)
            else:
                getattr(field, name).CopyFrom(value)
        self.events.append(event)
        return event.event_id

    def task(self, at_ms: int, *, completed: bool = True, suggested: bool = False) -> None:
        self.add("WORKFLOW_TASK_SCHEDULED")
        self.add("WORKFLOW_TASK_STARTED", at_ms=at_ms, suggest_continue_as_new=suggested)
        if completed:
            self.add("WORKFLOW_TASK_COMPLETED")

    def read(self, reader: EventReader | None = None, begin: int = 0) -> list[Item]:
        return list((reader or EventReader("w", "r")).read(self.events[begin:]))


def body(value: object) -> Payloads:
    return payloads.to_payloads(value)


def test_start_tells_who_and_since_when() -> None:
    history = History()
    history.add(
        "WORKFLOW_EXECUTION_STARTED",
        at_ms=5000,
        input=body(START),
        first_execution_run_id="first",
        continued_execution_run_id="before",
    )

    assert history.read() == [
        Fact(
            Started(
                workflow_id="w",
                run_id="r",
                first_run_id="first",
                previous_run_id="before",
                started_at_ms=5000,
                input=START,
            )
        )
    ]


def test_each_recurrence_of_a_schedule_begins_anew() -> None:
    """Also after a run that had continued as new, whose input it gets."""
    history = History()
    history.add(
        "WORKFLOW_EXECUTION_STARTED",
        input=body(
            InterpreterInput(
                iwf_workflow_type="T",
                iwf_worker_url="http://w",
                config=WorkflowConfig(),
                continued=ContinuedRun(snapshot="{}"),
            )
        ),
        first_execution_run_id="first",
        continued_execution_run_id="before",
        initiator=ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE,
    )

    (fact,) = history.read()

    assert isinstance(fact, Fact)
    assert isinstance(fact.event, Started)
    assert (fact.event.first_run_id, fact.event.previous_run_id, fact.event.input) == ("r", "", START)


@pytest.mark.parametrize(
    ("seconds", "deadline_ms"), [(0, None), (9, 9000)], ids=["without-limit", "with-limit"]
)
def test_time_limit_of_the_workflow_is_its_deadline(seconds: int, deadline_ms: int | None) -> None:
    history = History()
    history.add("WORKFLOW_EXECUTION_STARTED", input=body(START))
    started = history.events[0].workflow_execution_started_event_attributes
    started.workflow_execution_expiration_time.FromSeconds(seconds)

    (fact,) = history.read()

    assert isinstance(fact, Fact)
    assert isinstance(fact.event, Started)
    assert fact.event.deadline_ms == deadline_ms


def test_batch_ends_at_a_task_that_was_completed_or_is_in_hand() -> None:
    history = History()
    history.task(1000)
    history.task(2000, completed=False)

    assert history.read() == [Border(1000), Border(2000, in_hand=True, updates=[])]


@pytest.mark.parametrize("end", ["WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_TIMED_OUT"])
def test_task_that_failed_ends_no_batch(end: str) -> None:
    history = History()
    history.task(1000, completed=False)
    history.add(end)
    history.task(2000, completed=False)

    assert history.read() == [Border(2000, in_hand=True, updates=[])]


def test_long_history_is_told_at_the_border_that_suggests_to_continue() -> None:
    history = History()
    history.task(1000)
    history.task(2000, suggested=True)

    assert history.read() == [Border(1000), Fact(ContinueAsNewSuggested()), Border(2000)]


@pytest.mark.parametrize(
    ("kind", "attributes", "item"),
    [
        pytest.param("TIMER_STARTED", {"timer_id": "t"}, Echo("timer start", "t"), id="timer-started"),
        pytest.param("TIMER_CANCELED", {"timer_id": "t"}, Echo("timer cancel", "t"), id="timer-canceled"),
        pytest.param("TIMER_FIRED", {"timer_id": "t"}, Fact(TimerFired(timer_id="t")), id="timer-fired"),
        pytest.param(
            "WORKFLOW_EXECUTION_SIGNALED",
            {"signal_name": "c", "input": body(EncodedObject(data="1"))},
            Fact(SignalReceived(channel_name="c", value=EncodedObject(data="1"))),
            id="signal",
        ),
        pytest.param(
            "WORKFLOW_EXECUTION_CANCEL_REQUESTED", {}, Fact(CancelRequested()), id="cancel-requested"
        ),
        pytest.param(
            "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
            {"protocol_instance_id": "u"},
            Echo("update accept", "u"),
            id="update-accepted",
        ),
        pytest.param(
            "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
            {"meta": Meta(update_id="u")},
            Echo("update end", "u"),
            id="update-completed",
        ),
        pytest.param("MARKER_RECORDED", {"marker_name": "iwf-held-back"}, HeldBack(), id="held-back"),
        pytest.param("WORKFLOW_EXECUTION_COMPLETED", {}, Echo("close", "completed"), id="completed"),
        pytest.param("WORKFLOW_EXECUTION_FAILED", {}, Echo("close", "failed"), id="failed"),
        pytest.param("WORKFLOW_EXECUTION_CANCELED", {}, Echo("close", "canceled"), id="canceled"),
        pytest.param(
            "WORKFLOW_EXECUTION_CONTINUED_AS_NEW", {}, Echo("close", "continued as new"), id="continued"
        ),
    ],
)
def test_event_is_a_fact_or_an_echo(kind: str, attributes: dict[str, Any], item: Item) -> None:
    history = History()
    history.add(kind, **attributes)

    assert history.read() == [item]


@pytest.mark.parametrize(
    "kind",
    [
        "WORKFLOW_EXECUTION_TERMINATED",
        "WORKFLOW_EXECUTION_TIMED_OUT",
        "ACTIVITY_TASK_STARTED",
        "WORKFLOW_EXECUTION_OPTIONS_UPDATED",
    ],
)
def test_event_that_means_nothing_gives_nothing(kind: str) -> None:
    history = History()
    history.add(kind)

    assert history.read() == []


def test_system_signal_without_sense_gives_nothing() -> None:
    history = History()
    history.add("WORKFLOW_EXECUTION_SIGNALED", signal_name="__IwfSystem_Other")

    assert history.read() == []


def test_unknown_event_suspends_the_run_unless_it_may_be_ignored() -> None:
    history = History()
    history.add("NEXUS_OPERATION_SCHEDULED")

    with pytest.raises(UnknownEvent, match="event 1 has the unknown type"):
        history.read()
    history.events[0].worker_may_ignore = True
    assert history.read() == []


def test_unknown_marker_suspends_the_run() -> None:
    history = History()
    history.add("MARKER_RECORDED", marker_name="other")

    with pytest.raises(UnknownEvent, match="marker of the unknown kind 'other'"):
        history.read()


def test_marker_of_a_call_in_place_is_its_result() -> None:
    result = LocalResult(call_id="wu/S-1", now_ms=5, wait_until=WorkflowStateStartResponse())
    history = History()
    history.add("MARKER_RECORDED", marker_name="iwf-local-call")
    history.events[0].marker_recorded_event_attributes.details["call"].CopyFrom(body(result))

    assert history.read() == [result]


def test_index_echoes_name_their_keys_in_order() -> None:
    history = History()
    history.add("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    history.add("WORKFLOW_PROPERTIES_MODIFIED")
    upserted, modified = history.events
    for key in ("b", "a"):
        upserted.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields[
            key
        ].CopyFrom(payloads.encode(1))
        modified.workflow_properties_modified_event_attributes.upserted_memo.fields[key].CopyFrom(
            payloads.encode(1)
        )

    assert history.read() == [Echo("search attributes", "a,b"), Echo("memo", "a,b")]


def scheduled(history: History, call_id: str) -> int:
    return history.add("ACTIVITY_TASK_SCHEDULED", activity_id=call_id)


@pytest.mark.parametrize(
    ("call_id", "result", "event"),
    [
        pytest.param(
            "wu/S-1",
            WorkflowStateStartResponse(),
            WaitUntilAnswered(execution_id="S-1", answer=WorkflowStateStartResponse()),
            id="wait-until",
        ),
        pytest.param("ex/S-1", DECISION, ExecuteAnswered(execution_id="S-1", answer=DECISION), id="execute"),
        pytest.param(
            "snapshot/0/2",
            SnapshotPage(text="t", sha256="d"),
            SnapshotPageLoaded(page_number=2, page=SnapshotPage(text="t", sha256="d")),
            id="page",
        ),
    ],
)
def test_answer_belongs_to_the_call_that_was_scheduled(call_id: str, result: object, event: Any) -> None:
    history = History()
    scheduled_id = scheduled(history, call_id)
    history.add("ACTIVITY_TASK_COMPLETED", scheduled_event_id=scheduled_id, result=body(result))

    assert history.read() == [Echo("call", call_id), Fact(event)]


def test_reader_remembers_open_calls_from_one_task_to_the_next() -> None:
    history = History()
    scheduled_id = scheduled(history, "wu/S-1")
    reader = EventReader("w", "r")
    history.read(reader)
    history.add(
        "ACTIVITY_TASK_COMPLETED", scheduled_event_id=scheduled_id, result=body(WorkflowStateStartResponse())
    )

    (fact,) = history.read(reader, begin=1)

    assert fact == Fact(WaitUntilAnswered(execution_id="S-1", answer=WorkflowStateStartResponse()))


def application(error_type: str, *details: object, message: str = "message") -> Failure:
    return Failure(
        message=message,
        application_failure_info=ApplicationFailureInfo(
            type=error_type, details=body(*details) if details else None
        ),
    )


@pytest.mark.parametrize(
    ("failure", "error_type", "text"),
    [
        pytest.param(
            application("STATE_API_FAIL_ERROR_TYPE", "the text"),
            "STATE_API_FAIL_ERROR_TYPE",
            "the text",
            id="ours",
        ),
        pytest.param(
            application("SERVER_INTERNAL_ERROR_TYPE"), "SERVER_INTERNAL_ERROR_TYPE", "message", id="no-detail"
        ),
        pytest.param(Failure(message="lost"), "STATE_API_FAIL_ERROR_TYPE", "lost", id="engine-s-own"),
    ],
)
@pytest.mark.parametrize(("call_id", "kind"), [("wu/S-1", WaitUntilFailed), ("ex/S-1", ExecuteFailed)])
def test_failed_call_tells_its_last_attempt(
    failure: Failure,
    error_type: str,
    text: str,
    call_id: str,
    kind: Callable[..., WaitUntilFailed | ExecuteFailed],
) -> None:
    history = History()
    history.add("ACTIVITY_TASK_FAILED", scheduled_event_id=scheduled(history, call_id), failure=failure)

    assert history.read()[1] == Fact(kind(execution_id="S-1", error_type=error_type, text=text))


def timed_out(kind: TimeoutType.ValueType, cause: Failure | None = None) -> Failure:
    return Failure(message="timeout", timeout_failure_info=TimeoutFailureInfo(timeout_type=kind), cause=cause)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        pytest.param(
            timed_out(TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE),
            "activity error (type: StateApiExecute, activityID: ex/S-1, retryState: timeout): "
            "activity StartToClose timeout (type: StartToClose)",
            id="attempt",
        ),
        pytest.param(
            timed_out(
                TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE,
                application("STATE_API_FAIL_ERROR_TYPE", "the last attempt"),
            ),
            "the last attempt",
            id="failed-until-the-time-was-over",
        ),
    ],
)
def test_call_that_ran_out_of_time_tells_what_clients_look_for(failure: Failure, text: str) -> None:
    history = History()
    history.add(
        "ACTIVITY_TASK_TIMED_OUT",
        scheduled_event_id=scheduled(history, "ex/S-1"),
        failure=failure,
        retry_state=RetryState.RETRY_STATE_TIMEOUT,
    )

    assert history.read()[1] == Fact(
        ExecuteFailed(execution_id="S-1", error_type="STATE_API_FAIL_ERROR_TYPE", text=text)
    )


def test_state_that_cannot_be_loaded_suspends_the_run() -> None:
    history = History()
    history.add(
        "ACTIVITY_TASK_FAILED",
        scheduled_event_id=scheduled(history, "snapshot/0/1"),
        failure=application("SERVER_INTERNAL_ERROR_TYPE", "gone"),
    )

    with pytest.raises(UnreadableState, match="the state of the run before cannot be read: gone"):
        history.read()


def wait_request(update_id: str = "u") -> Request:
    return Request(
        meta=Meta(update_id=update_id),
        input=Input(name="WaitForStateCompletion", args=body(StateTarget(state_execution_id="S-1"))),
    )


def wanted(update_id: str = "u") -> StateWaitRequested:
    return StateWaitRequested(update_id=update_id, target=StateTarget(state_execution_id="S-1"))


def accept(history: History, update_id: str) -> None:
    history.add(
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        protocol_instance_id=update_id,
        accepted_request=wait_request(update_id),
    )


def test_update_is_a_fact_of_the_task_that_took_it_on() -> None:
    """It is recorded behind the task, among its commands."""
    history = History()
    history.task(1000)
    scheduled(history, "wu/S-1")
    accept(history, "u1")
    accept(history, "u2")
    history.task(2000, completed=False)

    assert history.read() == [
        Fact(wanted("u1")),
        Fact(wanted("u2")),
        Border(1000),
        Echo("call", "wu/S-1"),
        Echo("update accept", "u1"),
        Echo("update accept", "u2"),
        Border(2000, in_hand=True, updates=[]),
    ]


def test_update_of_a_later_task_is_not_looked_up_too_early() -> None:
    history = History()
    history.task(1000)
    history.task(2000)
    accept(history, "u")

    assert history.read() == [Border(1000), Fact(wanted()), Border(2000), Echo("update accept", "u")]


def test_update_that_a_reset_brings_along_is_offered_to_the_task_in_hand() -> None:
    history = History()
    history.task(1000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request())
    history.task(2000, completed=False)

    *_, border = history.read()

    assert isinstance(border, Border)
    assert [(update.update_id, update.event) for update in border.updates] == [("u", wanted())]


def test_update_that_a_reset_brought_along_is_looked_up_where_it_was_admitted() -> None:
    history = History()
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request("other"))
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request())
    history.task(2000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", protocol_instance_id="u")

    assert history.read() == [Fact(wanted()), Border(2000), Echo("update accept", "u")]


def test_accepted_update_without_any_request_suspends_the_run() -> None:
    history = History()
    history.task(2000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", protocol_instance_id="u")

    with pytest.raises(UnknownEvent, match="update 'u' was accepted"):
        history.read()
