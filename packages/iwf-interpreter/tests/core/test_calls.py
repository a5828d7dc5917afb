"""Calls of state APIs: made in place or by the engine, and what their retry policies still allow."""

from typing import Any

import pytest

from core_driver import QUIET, START_MS, Driver, calls, executed, only, signal, state, waited
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    Command,
    ConfigUpdated,
    EarlierAttempts,
    FailRun,
    LocalCallFailed,
    UnexpectedEvent,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandResults,
    ExecuteApiFailurePolicy,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    RetryPolicy,
    WaitUntilApiFailurePolicy,
    WorkflowConfig,
    WorkflowErrorType,
    compat,
)

OPTIMIZED = compat.merged_config(QUIET, WorkflowConfig(optimize_activity=True))
START = START_MS // 1000

DEFAULTS = RetryPolicy(
    initial_interval_seconds=1,
    backoff_coefficient=2.0,
    maximum_interval_seconds=100,
    maximum_attempts=0,
    maximum_attempts_duration_seconds=0,
)


def failed(call_id: str, *, timed_out: bool = False, started_at: int = START) -> LocalCallFailed:
    return LocalCallFailed(
        call_id=call_id,
        error_type="STATE_API_FAIL_ERROR_TYPE",
        text="broken",
        timed_out=timed_out,
        started_at=started_at,
    )


def call_of(commands: list[Command]) -> CallWaitUntil | CallExecute:
    (found,) = [command for command in commands if isinstance(command, CallWaitUntil | CallExecute)]
    return found


def test_calls_are_made_by_the_engine_unless_optimized(run: Driver) -> None:
    assert not call_of(run.start(state("S1"))).local


def test_optimized_calls_are_made_in_place(run: Driver) -> None:
    first = run.start(state("S1"), config=OPTIMIZED)
    second = run.in_place(waited("S1-1"))

    assert (call_of(first).local, call_of(second).local) == (True, True)
    assert call_of(second).call_id == "ex/S1-1"


@pytest.mark.parametrize(
    ("seconds", "limit"),
    [pytest.param(None, 5, id="default"), pytest.param(3, 3, id="shorter"), pytest.param(5, 5, id="equal")],
)
def test_attempt_in_place_is_kept_short(run: Driver, seconds: int | None, limit: int) -> None:
    commands = run.start(state("S1", wait_until_api_timeout_seconds=seconds), config=OPTIMIZED)

    assert call_of(commands).timeout_seconds == limit


@pytest.mark.parametrize(
    ("attempts", "seconds", "local"),
    [
        pytest.param(1, 30, False, id="only-attempt-that-may-be-long"),
        pytest.param(1, 5, True, id="only-attempt-that-is-short"),
        pytest.param(2, 30, True, id="first-of-two"),
    ],
)
def test_only_attempt_of_a_call_is_never_cut_short(
    run: Driver, attempts: int, seconds: int, local: bool
) -> None:
    movement = state(
        "S1",
        skip_wait_until=True,
        execute_api_timeout_seconds=seconds,
        execute_api_retry_policy=RetryPolicy(maximum_attempts=attempts),
    )

    call = call_of(run.start(movement, config=OPTIMIZED))

    assert (call.local, call.timeout_seconds) == (local, min(seconds, 5) if local else seconds)


def test_call_that_failed_in_place_goes_to_the_engine_with_what_is_left(run: Driver) -> None:
    policy = RetryPolicy(maximum_attempts=3, maximum_attempts_duration_seconds=10)
    run.start(
        state("S1", wait_until_api_retry_policy=policy, wait_until_api_timeout_seconds=20), config=OPTIMIZED
    )

    commands = run.in_place(failed("wu/S1-1"), at_ms=(START + 4) * 1000)

    call = only(commands, CallWaitUntil)
    assert (call.call_id, call.local, call.timeout_seconds) == ("wu/S1-1", False, 20)
    assert call.earlier == EarlierAttempts(count=1, first_attempt_at=START)
    assert (call.retry_policy.maximum_attempts, call.retry_policy.maximum_attempts_duration_seconds) == (2, 6)


def test_call_without_limits_keeps_none(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), config=OPTIMIZED)

    call = only(run.in_place(failed("ex/S1-1")), CallExecute)

    assert call.retry_policy == DEFAULTS
    assert call.earlier == EarlierAttempts(count=1, first_attempt_at=START)


def test_call_is_repeated_if_its_time_is_not_over_after_the_usual_pause(run: Driver) -> None:
    policy = RetryPolicy(initial_interval_seconds=3, maximum_attempts_duration_seconds=10)
    run.start(state("S1", wait_until_api_retry_policy=policy), config=OPTIMIZED)

    commands = run.in_place(failed("wu/S1-1"), at_ms=(START + 7) * 1000 - 1)

    assert call_of(commands).retry_policy.maximum_attempts_duration_seconds == 4


@pytest.mark.parametrize(
    ("policy", "at_ms"),
    [
        pytest.param(RetryPolicy(maximum_attempts=1), START_MS, id="attempts"),
        pytest.param(
            RetryPolicy(initial_interval_seconds=3, maximum_attempts_duration_seconds=10),
            (START + 7) * 1000,
            id="time",
        ),
    ],
)
@pytest.mark.parametrize("api", ["wu", "ex"])
def test_call_that_may_not_be_repeated_fails_the_workflow(
    run: Driver, policy: RetryPolicy, at_ms: int, api: str
) -> None:
    run.start(
        state(
            "S1",
            skip_wait_until=api == "ex",
            execute_api_retry_policy=policy,
            execute_api_timeout_seconds=5,
            wait_until_api_retry_policy=policy,
            wait_until_api_timeout_seconds=5,
        ),
        config=OPTIMIZED,
    )

    commands = run.in_place(failed(f"{api}/S1-1"), at_ms=at_ms)

    assert commands == [FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, text="broken")]


def test_failure_policies_count_for_attempts_in_place_too(run: Driver) -> None:
    once = RetryPolicy(maximum_attempts=1)
    run.start(
        state(
            "S1",
            "in",
            wait_until_api_timeout_seconds=1,
            wait_until_api_retry_policy=once,
            wait_until_api_failure_policy=WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE,
            execute_api_timeout_seconds=1,
            execute_api_retry_policy=once,
            execute_api_failure_policy=ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE,
            execute_api_failure_proceed_state_id="R",
        ),
        config=OPTIMIZED,
    )

    proceeded = run.in_place(failed("wu/S1-1"))
    recovering = run.in_place(failed("ex/S1-1"))

    assert only(proceeded, CallExecute).request.command_results == CommandResults(
        state_start_api_succeeded=False, state_wait_until_failed=True
    )
    assert calls(recovering) == ["wu/R-1"]


def test_earlier_attempts_belong_to_one_call_only(run: Driver) -> None:
    run.start(state("S1"), config=OPTIMIZED)
    run.in_place(failed("wu/S1-1"))

    call = call_of(run.batch(waited("S1-1")))

    assert (call.call_id, call.local, call.earlier) == ("ex/S1-1", True, None)


def test_repeated_call_keeps_its_locks(run: Driver) -> None:
    lock = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
    )
    locked: dict[str, Any] = {"skip_wait_until": True, "execute_api_data_attributes_loading_policy": lock}
    run.start(state("S1", **locked), state("S2", **locked), config=OPTIMIZED)

    repeated = run.in_place(failed("ex/S1-1"))
    after = run.batch(executed("S1-1", state(ClosingState.DEAD_END)))

    assert (calls(repeated), calls(after)) == (["ex/S1-1"], ["ex/S2-1"])


def test_state_that_is_slow_in_place_twice_is_not_called_there_again(run: Driver) -> None:
    run.start(state("S1"), state("S1"), config=OPTIMIZED)

    run.in_place(failed("wu/S1-1", timed_out=True))
    once = run.batch(waited("S1-1"))
    run.in_place(failed("wu/S1-2", timed_out=True))
    twice = run.batch(waited("S1-2"))

    assert (call_of(once).local, call_of(twice).local) == (True, False)
    assert run.state.slow_locally == {"S1": 2}


def test_failures_that_are_not_slow_do_not_count_as_such(run: Driver) -> None:
    run.start(*(state("S1") for _ in range(3)), config=OPTIMIZED)

    run.in_place(*(failed(f"wu/S1-{number}") for number in (1, 2, 3)))

    assert run.state.slow_locally == {}


def test_slow_state_does_not_slow_down_others(run: Driver) -> None:
    run.start(state("S1"), state("S1"), state("S2"), config=OPTIMIZED)

    run.in_place(failed("wu/S1-1", timed_out=True), failed("wu/S1-2", timed_out=True))

    assert call_of(run.in_place(waited("S2-1"))).local


def test_local_failure_of_a_call_that_is_not_made_is_refused() -> None:
    run = Driver()
    run.start(state("S1"), config=OPTIMIZED)

    with pytest.raises(UnexpectedEvent, match="in phase WAIT_UNTIL"):
        run.batch(failed("ex/S1-1"))


def test_optimizing_can_be_switched_off_while_the_run_goes_on(run: Driver) -> None:
    run.start(state("S1"), config=OPTIMIZED)
    run.batch(ConfigUpdated(config=WorkflowConfig(optimize_activity=False)))

    assert not call_of(run.in_place(waited("S1-1"))).local


def test_signal_while_a_call_is_made_in_place_is_taken_in(run: Driver) -> None:
    run.start(state("S1"), config=OPTIMIZED)

    assert run.batch(signal("c", "1")) == []
    assert run.state.calls_in_place == 1
