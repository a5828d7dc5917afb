"""Temporal's events as the loop reads them: facts, echoes and borders."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.api.update.v1 import Meta

from iwf_interpreter.contract import ContinuedRun, InterpreterInput
from iwf_interpreter.core import (
    CancelRequested,
    ContinueAsNewSuggested,
    SignalReceived,
    Started,
    TimerFired,
)
from iwf_interpreter.loop.history import Border, Echo, Fact, HeldBack, Item
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.events import UnknownEvent
from iwf_models import (
    EncodedObject,
    WorkflowConfig,
)
from written_histories import History, body

START = InterpreterInput(iwf_workflow_type="T", iwf_worker_url="http://w", config=WorkflowConfig())


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
