"""Calls in a history: answers, failures and time limits belong to what was scheduled."""

from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure, TimeoutFailureInfo

from iwf_interpreter.contract import SnapshotPage
from iwf_interpreter.core import (
    ExecuteAnswered,
    ExecuteFailed,
    SnapshotPageLoaded,
    WaitUntilAnswered,
    WaitUntilFailed,
)
from iwf_interpreter.loop.history import Echo, Fact, LocalResult
from iwf_interpreter.temporal.events import EventReader, UnreadableState
from iwf_models import (
    StateDecision,
    StateMovement,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
)
from written_histories import History, body, scheduled

DECISION = WorkflowStateDecideResponse(
    state_decision=StateDecision(next_states=[StateMovement(state_id="T")])
)


def test_marker_of_a_call_in_place_is_its_result() -> None:
    result = LocalResult(call_id="wu/S-1", now_ms=5, wait_until=WorkflowStateStartResponse())
    history = History()
    history.add("MARKER_RECORDED", marker_name="iwf-local-call")
    history.events[0].marker_recorded_event_attributes.details["call"].CopyFrom(body(result))

    assert history.read() == [result]


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
