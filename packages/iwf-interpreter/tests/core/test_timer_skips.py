"""Skipping timer commands: now, or once they are there."""

from typing import Any

import pytest

from core_driver import START_MS, Driver, calls, executed, only, signal, started_by_rpc, state, waited
from iwf_interpreter.core import (
    CallExecute,
    CancelTimer,
    StartTimer,
    TimerFired,
    TimerSkipped,
    queries,
    timers,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_interpreter.core.state import Timer, TimerSkip, Waiting
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    SignalCommand,
    TimerCommand,
    TimerResult,
    TimerStatus,
)


def after(*timers: tuple[str | None, int], waiting_type: str = "ANY_COMPLETED") -> CommandRequest:
    """Timers with these ids and seconds."""
    return CommandRequest(
        command_waiting_type=CommandWaitingType(waiting_type),
        timer_commands=[TimerCommand(command_id=id_, duration_seconds=seconds) for id_, seconds in timers],
    )


def skip(execution_id: str = "S1-1", **fields: Any) -> TimerSkipped:
    return TimerSkipped(execution_id=execution_id, **fields)


def statuses(run: Driver) -> list[str]:
    infos = queries.timer_infos(run.state).state_execution_current_timer_infos
    return [info.status for info in infos["S1-1"]]


ALL = "ALL_COMPLETED"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(skip(command_id="b"), ["Pending", "Skipped", "Pending"], id="by-id"),
        pytest.param(skip(command_index=2), ["Pending", "Pending", "Skipped"], id="by-index"),
        pytest.param(skip(command_id="b", command_index=0), ["Pending", "Skipped", "Pending"], id="id-wins"),
        pytest.param(skip(command_id="", command_index=0), ["Skipped", "Pending", "Pending"], id="empty-id"),
        pytest.param(skip(command_id="x"), ["Pending"] * 3, id="unknown-id"),
        pytest.param(skip(command_index=3), ["Pending"] * 3, id="index-too-high"),
        pytest.param(skip(command_index=-1), ["Pending"] * 3, id="negative-index"),
        pytest.param(skip(), ["Pending"] * 3, id="neither"),
    ],
)
def test_skip_completes_the_timer_that_it_names(
    run: Driver, event: TimerSkipped, expected: list[str]
) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 60), ("b", 70), (None, 80), waiting_type=ALL)))

    run.batch(event)

    assert statuses(run) == expected
    assert run.state.stale_skips == []


def test_skipped_timer_counts_as_fired_and_its_engine_timer_is_cancelled(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 60), ("b", 70))))

    commands = run.batch(skip(command_id="b"))

    assert commands[0] == CancelTimer(timer_id="timer/1")
    results = only(commands, CallExecute).request.command_results
    assert results is not None
    assert results.timer_results == [
        TimerResult(command_id="a", timer_status=TimerStatus.SCHEDULED),
        TimerResult(command_id="b", timer_status=TimerStatus.FIRED),
    ]


def test_engine_timer_moves_on_to_the_next_pending_command(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 60), ("b", 70), waiting_type=ALL)))

    commands = run.batch(skip(command_id="a"))

    assert commands == [
        CancelTimer(timer_id="timer/1"),
        StartTimer(timer_id="timer/2", delay_ms=70_000, execution_id="S1-1"),
    ]


def test_first_of_two_timers_with_one_id_is_skipped_whatever_its_status(run: Driver) -> None:
    """So a second skip of that id changes nothing."""
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 60), ("a", 70), waiting_type=ALL)))

    run.batch(skip(command_id="a"), skip(command_id="a"))

    assert statuses(run) == ["Skipped", "Pending"]


def test_fired_timer_cannot_be_skipped(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 10), ("b", 70), waiting_type=ALL)))
    run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    run.batch(skip(command_id="a"))

    assert statuses(run) == ["Fired", "Pending"]


def test_timer_that_is_skipped_as_it_comes_due_is_told_as_skipped(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 10), ("b", 70), waiting_type=ALL)))

    run.batch(skip(command_id="a"), TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    assert statuses(run) == ["Skipped", "Pending"]


def test_skip_of_an_execution_in_its_wait_until_is_kept_for_it(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(skip(command_id="a"))

    commands = run.batch(waited("S1-1", after(("a", 60))))

    assert calls(commands) == ["ex/S1-1"]
    assert run.state.stale_skips == []


def test_skip_of_an_execution_that_is_still_to_start_is_kept_for_it(run: Driver) -> None:
    run.start()
    run.batch(skip("S1-2", command_index=0))
    run.batch(started_by_rpc(state("S1"), state("S1")))

    first = run.batch(waited("S1-1", after(("a", 60))))
    second = run.batch(waited("S1-2", after(("a", 60))))

    assert (calls(first), calls(second)) == ([], ["ex/S1-2"])


@pytest.mark.parametrize(
    "execution_id",
    [
        pytest.param("S1-1", id="executes"),
        pytest.param("S2-1", id="has-ended"),
        pytest.param("S1", id="no-number"),
        pytest.param("S1-x", id="bad-number"),
    ],
)
def test_skip_of_an_execution_that_will_not_wait_is_dropped(run: Driver, execution_id: str) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))
    run.batch(executed("S2-1", state(ClosingState.DEAD_END)))

    run.batch(skip(execution_id, command_id="a"))

    assert run.state.stale_skips == []


def test_kept_skip_that_fits_no_timer_is_forgotten_when_the_wait_begins(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(skip(command_id="other"))

    run.batch(waited("S1-1", after(("a", 60))))

    assert (run.state.stale_skips, statuses(run)) == ([], ["Pending"])


def test_repeated_skip_is_kept_once(run: Driver) -> None:
    run.start(state("S1"))

    run.batch(skip(command_id="a"), skip(command_id="a"), skip(command_id="b"))

    assert run.state.stale_skips == [
        TimerSkip(execution_id="S1-1", command_id="a"),
        TimerSkip(execution_id="S1-1", command_id="b"),
    ]


def test_oldest_skips_make_room_for_new_ones(run: Driver) -> None:
    run.start()

    run.batch(*(skip(f"S1-{number}", command_index=0) for number in range(1, 1003)))

    kept = [item.execution_id for item in run.state.stale_skips]
    assert (len(kept), kept[0], kept[-1]) == (1000, "S1-3", "S1-1002")


def test_timers_that_are_not_needed_do_not_pile_up() -> None:
    """Waits end by signals, over and over; their timers of tomorrow are swept out."""
    run = Driver()
    run.start()
    index = timers.Timers(run.state)
    for number in range(1, 500):
        waiting = Waiting(
            sequence=number, request=CommandRequest(), timers=[Timer(fire_at_ms=START_MS + 86_400_000)]
        )
        run.state.waiting["S"] = waiting
        index.add("S", waiting)
        del run.state.waiting["S"]
        index.removed(waiting)

    assert len(index._heap) <= 66  # pyright: ignore[reportPrivateUsage]


def test_sweeping_keeps_the_timers_that_are_needed(run: Driver) -> None:
    """One timer of S waits while a hundred others of T come and go."""
    both = CommandRequest(
        command_waiting_type=CommandWaitingType.ANY_COMPLETED,
        timer_commands=[TimerCommand(duration_seconds=3600)],
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 1000))))
    for number in range(1, 101):
        run.batch(started_by_rpc(state("T")))
        run.batch(waited(f"T-{number}", both))
        run.batch(signal("c", "1"))
        run.batch(executed(f"T-{number}", state(ClosingState.DEAD_END)))

    commands = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 1_000_000)

    assert calls(commands) == ["ex/S1-1"]


def test_engine_timer_of_a_timer_that_nobody_needs_is_not_opened_again(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(("a", 10), ("b", 10))))

    commands = run.batch(skip(command_id="a"), TimerFired(timer_id="timer/1"))

    assert [type(command) for command in commands] == [CallExecute]
