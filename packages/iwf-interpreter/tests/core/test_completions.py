"""Which state executions have completed, and the clients that wait for one."""

import pytest

from core_driver import Driver, executed, only, state, value, waited
from iwf_interpreter.contract import StateCompletionAnswer, StateTarget, UpdateError
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CancelRequested,
    Command,
    CompleteRun,
    ContinueAsNew,
    ContinueAsNewRequested,
    ExecuteFailed,
    FailUpdate,
    StateWaitRequested,
    completions,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import ExecuteApiFailurePolicy, StateCompletionOutput, StateMovement, WorkflowStateOptions

SKIP = WorkflowStateOptions(skip_wait_until=True)


def keyed(state_id: str, key: str) -> StateMovement:
    return StateMovement(state_id=state_id, wait_for_key=key, state_options=SKIP)


def wait_for(execution_id: str, update_id: str = "u1") -> StateWaitRequested:
    return StateWaitRequested(update_id=update_id, target=StateTarget(state_execution_id=execution_id))


def wait_for_key(state_id: str, key: str, update_id: str = "u1") -> StateWaitRequested:
    return StateWaitRequested(update_id=update_id, target=StateTarget(state_id=state_id, wait_for_key=key))


def completed(execution_id: str, data: str | None = None) -> StateCompletionAnswer:
    return StateCompletionAnswer(
        completed=True,
        output=StateCompletionOutput(
            completed_state_id=execution_id.rpartition("-")[0],
            completed_state_execution_id=execution_id,
            completed_state_output=None if data is None else value(data),
        ),
    )


def answers(commands: list[Command]) -> list[tuple[str, object]]:
    return [(command.update_id, command.result) for command in commands if isinstance(command, AnswerUpdate)]


NOT_COMPLETED = StateCompletionAnswer(completed=False)


@pytest.mark.parametrize(
    ("execution_id", "answer"),
    [
        pytest.param("S-1", completed("S-1"), id="started-and-gone"),
        pytest.param("S-2", NOT_COMPLETED, id="live"),
        pytest.param("S-3", NOT_COMPLETED, id="not-started"),
        pytest.param("S-0", NOT_COMPLETED, id="counting-begins-at-one"),
        pytest.param("S-01", completed("S-01"), id="other-spelling"),
        pytest.param("T-1", NOT_COMPLETED, id="other-state"),
        pytest.param("S", NOT_COMPLETED, id="no-number"),
        pytest.param("", NOT_COMPLETED, id="empty"),
    ],
)
def test_execution_has_completed_when_it_was_started_and_is_not_live(
    run: Driver, execution_id: str, answer: StateCompletionAnswer
) -> None:
    run.start(state("S", skip_wait_until=True))
    run.batch(executed("S-1", state("S", skip_wait_until=True)))

    assert completions.completion(run.state, StateTarget(state_execution_id=execution_id)) == answer


def test_state_id_with_dashes_and_digits_is_told_from_its_number(run: Driver) -> None:
    run.start(state("S-1", skip_wait_until=True))
    run.batch(executed("S-1-1", state(ClosingState.DEAD_END)))

    target = StateTarget(state_execution_id="S-1-1")
    assert completions.completion(run.state, target) == completed("S-1-1")


def test_target_without_anything_has_not_completed(run: Driver) -> None:
    run.start()

    assert completions.completion(run.state, StateTarget()) == NOT_COMPLETED


def test_completed_execution_is_told_with_its_output(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True), state("T", skip_wait_until=True))
    run.batch(executed("S-1", state(ClosingState.GRACEFUL_COMPLETE, "out")))

    target = StateTarget(state_execution_id="S-1")
    assert completions.completion(run.state, target) == completed("S-1", "out")


def test_client_that_waits_is_answered_when_the_state_completes(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True))

    accepted = run.batch(wait_for("S-1"))
    done = run.batch(executed("S-1", state(ClosingState.DEAD_END)))

    assert accepted == [AcceptUpdate(update_id="u1")]
    assert done == [AnswerUpdate(update_id="u1", result=completed("S-1"))]
    assert run.state.state_waits == {}


def test_client_that_comes_late_is_answered_at_once(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True))
    run.batch(executed("S-1", state(ClosingState.DEAD_END)))

    commands = run.batch(wait_for("S-1"))

    assert commands == [
        AcceptUpdate(update_id="u1"),
        AnswerUpdate(update_id="u1", result=completed("S-1")),
    ]


def test_client_may_wait_for_a_state_that_has_not_started(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True))
    run.batch(wait_for("T-1"))
    run.batch(executed("S-1", state("T", skip_wait_until=True)))

    commands = run.batch(executed("T-1", state(ClosingState.DEAD_END)))

    assert answers(commands) == [("u1", completed("T-1"))]


def test_all_who_wait_for_one_execution_are_answered_in_order(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True))
    run.batch(wait_for("S-1", "u2"), wait_for("T-1", "u3"), wait_for("S-1", "u1"))

    commands = run.batch(executed("S-1", state(ClosingState.DEAD_END)))

    assert answers(commands) == [("u2", completed("S-1")), ("u1", completed("S-1"))]
    assert list(run.state.state_waits) == ["u3"]


def test_key_means_the_first_execution_that_completes_with_it(run: Driver) -> None:
    """S-2 completes before S-1 does."""
    run.start(state("Begin", skip_wait_until=True))
    run.batch(executed("Begin-1", keyed("S", "k"), keyed("S", "k"), keyed("S", "other")))
    run.batch(wait_for_key("S", "k"))

    commands = run.batch(executed("S-2", state(ClosingState.DEAD_END)))
    run.batch(executed("S-1", state(ClosingState.DEAD_END)))

    assert answers(commands) == [("u1", completed("S-2"))]
    assert run.state.completed_keys == {"S": {"k": "S-2"}}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(StateTarget(state_id="S", wait_for_key="other"), id="other-key"),
        pytest.param(StateTarget(state_id="T", wait_for_key="k"), id="other-state"),
        pytest.param(StateTarget(wait_for_key="k"), id="no-state"),
    ],
)
def test_key_belongs_to_a_state(run: Driver, target: StateTarget) -> None:
    run.start(state("Begin", skip_wait_until=True))
    run.batch(executed("Begin-1", keyed("S", "k")))
    run.batch(executed("S-1", state(ClosingState.DEAD_END)))

    assert completions.completion(run.state, target) == NOT_COMPLETED


def test_key_wins_over_the_execution_id(run: Driver) -> None:
    run.start(state("Begin", skip_wait_until=True))
    run.batch(executed("Begin-1", keyed("S", "k"), keyed("S", "")))
    run.batch(executed("S-2", state(ClosingState.DEAD_END)))

    target = StateTarget(state_id="S", state_execution_id="S-2", wait_for_key="k")
    assert completions.completion(run.state, target) == NOT_COMPLETED
    assert run.state.completed_keys == {}


def test_execution_that_failed_and_proceeds_has_completed(run: Driver) -> None:
    run.start(
        state(
            "S",
            skip_wait_until=True,
            execute_api_failure_policy=ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE,
            execute_api_failure_proceed_state_id="R",
        )
    )
    run.batch(wait_for("S-1"))

    commands = run.batch(
        ExecuteFailed(execution_id="S-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert answers(commands) == [("u1", completed("S-1"))]


def test_client_learns_of_the_completion_that_closes_the_workflow(run: Driver) -> None:
    run.start(state("S", skip_wait_until=True))
    run.batch(wait_for("S-1", "u1"), wait_for("T-1", "u2"))

    commands = run.batch(executed("S-1", state(ClosingState.GRACEFUL_COMPLETE, "out")))

    assert answers(commands) == [("u1", completed("S-1", "out"))]
    assert only(commands, FailUpdate).error is UpdateError.ASK_AGAIN
    assert isinstance(commands[-1], CompleteRun)


def test_those_who_still_wait_are_sent_to_the_run_that_goes_on(run: Driver) -> None:
    run.start(state("S"))
    run.batch(wait_for("T-1"))
    run.batch(ContinueAsNewRequested())

    commands = run.batch(waited("S-1"))

    assert only(commands, FailUpdate) == FailUpdate(
        update_id="u1",
        error=UpdateError.ASK_AGAIN,
        text="the run continues as a new one, which will take the update",
    )
    assert isinstance(commands[-1], ContinueAsNew)
    new, _ = run.successor(commands)
    assert new.state.state_waits == {}


def test_state_that_completed_in_an_earlier_run_is_known_in_the_next(run: Driver) -> None:
    run.start(state("Begin", skip_wait_until=True))
    run.batch(executed("Begin-1", keyed("S", "k")))
    new, _ = run.successor(run.batch(executed("S-1", state(ClosingState.DEAD_END)), ContinueAsNewRequested()))

    late = new.batch(wait_for("S-1", "u1"), wait_for_key("S", "k", "u2"))

    assert answers(late) == [("u1", completed("S-1")), ("u2", completed("S-1"))]


def test_cancelled_run_sends_those_who_wait_away(run: Driver) -> None:
    run.start()
    run.batch(wait_for("S-1"))

    assert only(run.batch(CancelRequested()), FailUpdate).update_id == "u1"
