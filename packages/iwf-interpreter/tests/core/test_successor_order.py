"""The order of things in a run that continues another one: calls, locks, messages, timers."""

import msgspec

from core_driver import (
    START_MS,
    Driver,
    calls,
    executed,
    only,
    signal,
    started_by_rpc,
    state,
    value,
    waited,
)
from iwf_interpreter.core import (
    CallExecute,
    Command,
    ContinueAsNewRequested,
    LocalCallFailed,
    StartTimer,
    TimerFired,
    TimerSkipped,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SignalCommand,
    SignalResult,
    TimerCommand,
    WorkflowConfig,
    WorkflowStateOptions,
)

ALL = CommandWaitingType.ALL_COMPLETED


DEAD_END = state(ClosingState.DEAD_END)


def on_signal(channel: str = "c", count: int = 1) -> CommandRequest:
    return CommandRequest(
        command_waiting_type=ALL,
        signal_commands=[SignalCommand(signal_channel_name=channel) for _ in range(count)],
    )


def after(seconds: int) -> CommandRequest:
    return CommandRequest(
        command_waiting_type=ALL, timer_commands=[TimerCommand(command_id="t", duration_seconds=seconds)]
    )


def signal_results(commands: list[Command]) -> list[SignalResult]:
    results = only(commands, CallExecute).request.command_results
    assert results is not None
    return results.signal_results or []


def continued(run: Driver) -> tuple[Driver, list[Command]]:
    """The run that goes on when this one is told to continue now."""
    return run.successor(run.batch(ContinueAsNewRequested()))


def test_executions_are_numbered_over_the_chain(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    commands = run.batch(executed("S1-1", state("S1", skip_wait_until=True)), ContinueAsNewRequested())

    _, first = run.successor(commands)

    assert calls(first) == ["ex/S1-2"]


def test_what_waited_to_be_called_goes_first_and_in_order(run: Driver) -> None:
    """S9 waited for a lock; S10 and S1 became ready while the run drained; S2 had not begun."""
    lock = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
    )
    locked = WorkflowStateOptions(skip_wait_until=True, execute_api_data_attributes_loading_policy=lock)
    run.start(state("S1"), state("S10"))
    run.batch(waited("S10-1", on_signal()))
    run.batch(
        started_by_rpc(*(msgspec.structs.replace(state(id_), state_options=locked) for id_ in ("L", "S9")))
    )
    run.batch(ContinueAsNewRequested())
    run.batch(signal("c", "1"), waited("S1-1"), started_by_rpc(state("S2")))

    new, first = run.successor(run.batch(executed("L-1", DEAD_END)))

    assert calls(first) == ["ex/S9-1", "ex/S10-1", "ex/S1-1", "wu/S2-1"]
    assert [ticket.owner for ticket in new.state.lock_tickets] == ["ex/S9-1"]


def test_locks_are_taken_anew_in_the_same_order(run: Driver) -> None:
    lock = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
    )
    run.start(
        *(
            state(state_id, skip_wait_until=True, execute_api_data_attributes_loading_policy=lock)
            for state_id in ("S1", "S2", "S3")
        )
    )
    run.batch(ContinueAsNewRequested())

    new, first = run.successor(run.batch(executed("S1-1", DEAD_END)))
    second = new.batch(executed("S2-1", DEAD_END))

    assert (calls(first), calls(second)) == (["ex/S2-1"], ["ex/S3-1"])


def test_longest_waiting_execution_still_gets_the_next_message(run: Driver) -> None:
    """S9 began to wait before S10 did; as texts they would sort the other way round."""
    run.start(*(state("S") for _ in range(10)))
    run.batch(*(waited(f"S-{number}", on_signal()) for number in (9, 10)))
    run.batch(ContinueAsNewRequested())

    others = [waited(f"S-{number}", on_signal("other")) for number in range(1, 9)]
    new, _ = run.successor(run.batch(*others))

    assert calls(new.batch(signal("c", "1"))) == ["ex/S-9"]


def test_message_that_a_command_has_taken_stays_with_it(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signal(count=2)), signal("c", "1"))

    new, _ = continued(run)

    assert [result.signal_value for result in signal_results(new.batch(signal("c", "2")))] == [
        value("1"),
        value("2"),
    ]


def test_results_of_a_wait_that_had_ended_are_as_they_were(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", on_signal(), upsert_state_locals=[KeyValue(key="l", value=value("1"))]))
    run.batch(ContinueAsNewRequested())
    run.batch(signal("c", "1"))

    _, first = run.successor(run.batch(waited("S2-1", on_signal("other"))))

    call = only(first, CallExecute)
    assert call.call_id == "ex/S1-1"
    assert signal_results(first)[0].signal_value == value("1")
    assert call.request.state_locals == [KeyValue(key="l", value=value("1"))]


def test_timers_keep_their_times_and_get_an_engine_timer_of_the_new_run(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(100)))

    commands = run.batch(ContinueAsNewRequested(), at_ms=START_MS + 30_000)
    new, first = run.successor(commands, at_ms=START_MS + 40_000)
    fired = new.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 100_000)

    assert first == [StartTimer(timer_id="timer/1", delay_ms=60_000, execution_id="S1-1")]
    assert calls(fired) == ["ex/S1-1"]


def test_timer_that_came_due_in_between_fires_at_once(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10)))

    commands = run.batch(ContinueAsNewRequested(), at_ms=START_MS + 9000)
    _, first = run.successor(commands, at_ms=START_MS + 11_000)

    assert calls(first) == ["ex/S1-1"]


def test_skip_that_waits_for_its_timer_goes_over(run: Driver) -> None:
    run.start()
    run.batch(TimerSkipped(execution_id="S1-1", command_id="t"))
    new, _ = continued(run)

    new.batch(started_by_rpc(state("S1")))
    assert calls(new.batch(waited("S1-1", after(100)))) == ["ex/S1-1"]


def test_slow_states_are_tried_in_place_again(run: Driver) -> None:
    run.start(state("S1"), config=WorkflowConfig(optimize_activity=True))
    run.in_place(
        LocalCallFailed(
            call_id="wu/S1-1",
            error_type="STATE_API_FAIL_ERROR_TYPE",
            text="slow",
            timed_out=True,
            started_at=START_MS // 1000,
        )
    )
    run.batch(ContinueAsNewRequested())

    new, _ = run.successor(run.batch(waited("S1-1", on_signal())))

    assert new.state.slow_locally == {}
