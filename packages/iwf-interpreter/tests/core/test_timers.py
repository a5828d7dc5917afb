"""Timer commands, and the one engine timer that is open for them."""

import pytest

from core_driver import START_MS, Driver, calls, executed, only, signal, state, waited
from iwf_interpreter.core import CallExecute, CancelTimer, StartTimer, TimerFired, UnexpectedEvent, queries
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    SignalCommand,
    TimerCommand,
    TimerResult,
    TimerStatus,
)

ANY = CommandWaitingType.ANY_COMPLETED
ALL = CommandWaitingType.ALL_COMPLETED


def after(
    *seconds: int, waiting_type: CommandWaitingType = ALL, or_signal: str | None = None
) -> CommandRequest:
    return CommandRequest(
        command_waiting_type=ANY if or_signal else waiting_type,
        timer_commands=[TimerCommand(command_id=f"t{number}", duration_seconds=number) for number in seconds],
        signal_commands=[SignalCommand(signal_channel_name=or_signal)] if or_signal else None,
    )


def test_relative_timer_begins_when_its_answer_is_applied(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(waited("S1-1", after(10)), at_ms=START_MS + 500)

    assert commands == [StartTimer(timer_id="timer/1", delay_ms=10_000, execution_id="S1-1")]


def test_timer_never_fires_before_its_duration_has_passed(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10)))

    early = run.batch(signal("other", "1"), at_ms=START_MS + 9_999)
    due = run.batch(signal("other", "2"), at_ms=START_MS + 10_000)

    assert early == []
    assert calls(due) == ["ex/S1-1"]


def test_legacy_absolute_time_is_used_when_there_is_no_duration(run: Driver) -> None:
    run.start(state("S1"))
    timer = TimerCommand(firing_unix_timestamp_seconds=START_MS // 1000 + 60)

    (start,) = run.batch(waited("S1-1", CommandRequest(command_waiting_type=ALL, timer_commands=[timer])))

    assert isinstance(start, StartTimer)
    assert start.delay_ms == 60_000 - START_MS % 1000


@pytest.mark.parametrize(
    "timer",
    [
        pytest.param(TimerCommand(), id="no-time"),
        pytest.param(TimerCommand(duration_seconds=0), id="zero"),
        pytest.param(TimerCommand(duration_seconds=-5), id="negative"),
        pytest.param(TimerCommand(firing_unix_timestamp_seconds=1), id="past"),
    ],
)
def test_timer_without_a_future_fires_at_once_and_costs_no_engine_timer(
    run: Driver, timer: TimerCommand
) -> None:
    run.start(state("S1"))

    commands = run.batch(waited("S1-1", CommandRequest(command_waiting_type=ALL, timer_commands=[timer])))

    assert [type(command) for command in commands] == [CallExecute]


def test_far_future_is_cut_to_what_an_engine_can_hold(run: Driver) -> None:
    run.start(state("S1"))

    (start,) = run.batch(waited("S1-1", after(2**62)))

    assert isinstance(start, StartTimer)
    assert start.delay_ms == 100 * 365 * 24 * 3600 * 1000


def test_only_the_earliest_timer_is_open_at_the_engine(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(waited("S1-1", after(30, 10, 20)))

    assert commands == [StartTimer(timer_id="timer/1", delay_ms=10_000, execution_id="S1-1")]


def test_next_timer_is_opened_when_the_first_has_fired(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10, 30)))

    commands = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_100)

    assert commands == [StartTimer(timer_id="timer/2", delay_ms=19_900, execution_id="S1-1")]


def test_earlier_timer_replaces_the_one_that_is_open(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", after(30)))

    commands = run.batch(waited("S2-1", after(10)))

    assert commands == [
        CancelTimer(timer_id="timer/1"),
        StartTimer(timer_id="timer/2", delay_ms=10_000, execution_id="S2-1"),
    ]


def test_later_timer_changes_nothing(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", after(30)))

    assert run.batch(waited("S2-1", after(60))) == []


def test_timer_that_lost_is_cancelled(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(3600, or_signal="a")))

    commands = run.batch(signal("a", "1"))

    assert commands[0] == CancelTimer(timer_id="timer/1")
    assert only(commands, CallExecute).request.command_results is not None


def test_closing_run_leaves_its_timer_to_the_engine(run: Driver) -> None:
    run.start(state("S1"), state("S2", skip_wait_until=True))
    run.batch(waited("S1-1", after(3600)))

    commands = run.batch(executed("S2-1", state(ClosingState.FORCE_COMPLETE)))

    assert len(commands) == 1


def test_engine_timer_that_fires_a_moment_early_is_opened_again(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10)))

    commands = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 9_990)

    assert commands == [StartTimer(timer_id="timer/2", delay_ms=10, execution_id="S1-1")]


def test_any_with_two_timers_reports_which_one_fired(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10, 30, waiting_type=ANY)))

    commands = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    results = only(commands, CallExecute).request.command_results
    assert results is not None
    assert results.timer_results == [
        TimerResult(command_id="t10", timer_status=TimerStatus.FIRED),
        TimerResult(command_id="t30", timer_status=TimerStatus.SCHEDULED),
    ]


def test_timer_infos_show_the_status_of_each(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", after(10, 30)))
    run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    infos = queries.timer_infos(run.state).state_execution_current_timer_infos

    assert [(info.command_id, info.firing_unix_timestamp_seconds, info.status) for info in infos["S1-1"]] == [
        ("t10", START_MS // 1000 + 10, "Fired"),
        ("t30", START_MS // 1000 + 30, "Pending"),
    ]


def test_unknown_engine_timer_is_refused() -> None:
    run = Driver()
    run.start()

    with pytest.raises(UnexpectedEvent, match="timer/7"):
        run.batch(TimerFired(timer_id="timer/7"))
