"""Continue-as-new: when it is due."""

from typing import Any

import pytest

from core_driver import (
    QUIET,
    Driver,
    calls,
    executed,
    published,
    signal,
    started,
    state,
    waited,
)
from iwf_interpreter.core import (
    Command,
    ConfigUpdated,
    ContinueAsNew,
    ContinueAsNewRequested,
    ContinueAsNewSuggested,
    Event,
    ExecuteFailed,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    ExecuteApiFailurePolicy,
    WorkflowConfig,
    compat,
)

OLD_MS = 1_700_000_001_000


def threshold(number: int | None, **fields: Any) -> WorkflowConfig:
    return compat.merged_config(QUIET, WorkflowConfig(continue_as_new_threshold=number, **fields))


def continues(commands: list[Command]) -> bool:
    return any(isinstance(command, ContinueAsNew) for command in commands)


def signals(count: int) -> list[Event]:
    return [signal("c", str(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("limit", "count", "at_ms", "due"),
    [
        pytest.param(20, 20, OLD_MS, True, id="threshold"),
        pytest.param(20, 19, OLD_MS, False, id="one-less"),
        pytest.param(20, 20, OLD_MS - 1, False, id="young-run"),
        pytest.param(20, 79, OLD_MS - 1, False, id="young-run-below-four-times"),
        pytest.param(20, 80, OLD_MS - 1, True, id="young-run-at-four-times"),
        pytest.param(9, 9, OLD_MS - 1, True, id="low-threshold-is-literal"),
        pytest.param(10, 10, OLD_MS - 1, False, id="lowest-that-is-not"),
        pytest.param(0, 500, OLD_MS, False, id="zero-means-never"),
        pytest.param(-1, 500, OLD_MS, False, id="negative-means-never"),
        pytest.param(None, 500, OLD_MS, False, id="absent-means-never"),
    ],
)
def test_run_continues_when_it_has_done_enough(
    run: Driver, limit: int | None, count: int, at_ms: int, due: bool
) -> None:
    run.start(config=threshold(limit))

    assert continues(run.batch(*signals(count), at_ms=at_ms)) is due


def test_young_run_continues_with_the_first_batch_when_it_is_old_enough(run: Driver) -> None:
    run.start(config=threshold(20))
    early = run.batch(*signals(20))

    late = run.batch(published("other", "1"), at_ms=OLD_MS)

    assert (continues(early), continues(late)) == (False, True)


@pytest.mark.parametrize(
    ("events", "operations"),
    [
        pytest.param([signal("c", "1"), signal("c", "2")], 2, id="every-signal"),
        pytest.param([published("c", "1")], 0, id="rpc-writes-are-free"),
        pytest.param(
            [waited("Slow-1"), executed("Quick-1", state(ClosingState.DEAD_END))], 1, id="without-wait"
        ),
        pytest.param(
            [ExecuteFailed(execution_id="Quick-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="no")],
            1,
            id="failed-and-proceeded",
        ),
        pytest.param([ConfigUpdated(config=WorkflowConfig())], 0, id="config"),
    ],
)
def test_operations_are_counted(run: Driver, events: list[Event], operations: int) -> None:
    proceed = ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE
    run.start(
        state("Slow"),
        state(
            "Quick",
            skip_wait_until=True,
            execute_api_failure_policy=proceed,
            execute_api_failure_proceed_state_id="R",
        ),
    )

    run.batch(*events)

    assert run.state.operations == operations


def test_execution_with_wait_until_counts_twice(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1"))
    run.batch(executed("S1-1", state(ClosingState.DEAD_END)))

    assert run.state.operations == 2


def test_run_continues_when_it_is_asked_to(run: Driver) -> None:
    run.start()

    assert continues(run.batch(ContinueAsNewRequested()))


def test_run_continues_when_the_engine_suggests_it(run: Driver) -> None:
    run.start()

    assert continues(run.batch(ContinueAsNewSuggested(), signal("c", "1")))


def test_suggestion_to_a_run_that_did_nothing_is_kept_until_it_did(run: Driver) -> None:
    run.start()

    first = run.batch(ContinueAsNewSuggested())
    second = run.batch(signal("c", "1"))

    assert (continues(first), continues(second)) == (False, True)


def test_lower_threshold_takes_effect_at_once(run: Driver) -> None:
    run.start()
    run.batch(*signals(5))

    assert continues(run.batch(ConfigUpdated(config=WorkflowConfig(continue_as_new_threshold=5))))


def test_threshold_of_one_makes_progress_in_every_run(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), config=threshold(1))

    second, first = run.successor(run.batch(executed("S1-1", state("S2", skip_wait_until=True))))
    third, after = second.successor(second.batch(executed("S2-1", state("S3", skip_wait_until=True))))

    assert (calls(first), calls(after)) == (["ex/S2-1"], ["ex/S3-1"])
    assert third.state.operations == 0


@pytest.mark.parametrize(
    "cause",
    [
        pytest.param(ContinueAsNewRequested(), id="requested"),
        pytest.param(ContinueAsNewSuggested(), id="suggested"),
        pytest.param(signal("c", "2"), id="threshold"),
    ],
)
def test_run_that_has_calls_to_make_begins_with_them(run: Driver, cause: Event) -> None:
    """The cause comes in the first batch of the next run: without a call it would get nowhere."""
    run.start(state("S1", skip_wait_until=True), config=threshold(1))
    (command,) = run.batch(executed("S1-1", state("S2")))
    assert isinstance(command, ContinueAsNew)
    new = Driver()
    run.successors.append(new)

    commands = new.batch(started(command.input, run_id="run-3"), cause, signal("c", "1"))

    assert calls(commands) == ["wu/S2-1"]
    assert continues(new.batch(waited("S2-1")))
