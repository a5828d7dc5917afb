"""Which calls are made when: in the order in which they came up, within limits."""

import pytest

from core_driver import Driver, calls, executed, signal, started_by_rpc, state, waited
from iwf_interpreter.core import dispatch
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SignalCommand,
    StateMovement,
)

DEAD_END = state(ClosingState.DEAD_END)


def plain(state_id: str) -> StateMovement:
    return state(state_id, skip_wait_until=True)


def locking(state_id: str, key: str) -> StateMovement:
    policy = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=[key]
    )
    return state(state_id, skip_wait_until=True, execute_api_data_attributes_loading_policy=policy)


def test_calls_beyond_the_limit_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch, run: Driver) -> None:
    monkeypatch.setattr(dispatch, "MAX_CALLS_IN_FLIGHT", 2)

    first = run.start(*(plain(f"S{number}") for number in range(4)))
    second = run.batch(executed("S1-1", DEAD_END))
    third = run.batch(executed("S0-1", DEAD_END), executed("S2-1", DEAD_END))

    assert [calls(each) for each in (first, second, third)] == [
        ["ex/S0-1", "ex/S1-1"],
        ["ex/S2-1"],
        ["ex/S3-1"],
    ]


def test_run_makes_no_more_calls_at_a_time_than_engines_hold(run: Driver) -> None:
    movements = [plain("S") for _ in range(1001)]
    run.start()

    first = run.batch(started_by_rpc(*movements))
    second = run.batch(executed("S-500", DEAD_END))

    assert len(calls(first)) == 1000
    assert calls(second) == ["ex/S-1001"]


def test_call_that_waits_for_a_lock_does_not_hold_up_those_behind(run: Driver) -> None:
    commands = run.start(locking("S1", "a"), locking("S2", "a"), plain("S3"))

    assert calls(commands) == ["ex/S1-1", "ex/S3-1"]
    assert run.state.calls_to_make == ["S2-1"]


def test_executions_that_begin_and_those_that_go_on_queue_for_a_lock_in_order(run: Driver) -> None:
    """S2 begins to want the lock in the batch before the one in which S3 does."""
    wants_a = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
    )
    run.start(locking("S1", "a"), state("S2", execute_api_data_attributes_loading_policy=wants_a))
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.batch(waited("S2-1", request))
    run.batch(signal("c", "1"))
    run.batch(started_by_rpc(locking("S3", "a")))

    first = run.batch(executed("S1-1", DEAD_END))
    second = run.batch(executed("S2-1", DEAD_END))

    assert (calls(first), calls(second)) == (["ex/S2-1"], ["ex/S3-1"])


def test_states_are_numbered_in_the_order_of_the_queue(run: Driver) -> None:
    run.start(plain("S1"), plain("S2"))

    commands = run.batch(executed("S2-1", plain("T")), executed("S1-1", plain("T"), plain("S2")))

    assert calls(commands) == ["ex/T-1", "ex/T-2", "ex/S2-2"]
