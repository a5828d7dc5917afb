"""Draining: what a run that continues as new still does, and which ends win over it."""

from typing import Any

import pytest

from core_driver import (
    QUIET,
    START_MS,
    Driver,
    calls,
    executed,
    only,
    published,
    signal,
    started_by_rpc,
    state,
    value,
    waited,
)
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    CancelRequested,
    CancelRun,
    Command,
    CompleteRun,
    ConfigUpdated,
    ContinueAsNew,
    ContinueAsNewRequested,
    EarlierAttempts,
    Event,
    ExecuteFailed,
    FailRequested,
    FailRun,
    LocalCallFailed,
    SetSearchAttributes,
    StartTimer,
    TimerFired,
    TimerSkipped,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_interpreter.core.state import Phase
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    ExecutingStateIdMode,
    SignalCommand,
    TimerCommand,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowConfig,
    compat,
)


def threshold(number: int | None, **fields: Any) -> WorkflowConfig:
    return compat.merged_config(QUIET, WorkflowConfig(continue_as_new_threshold=number, **fields))


def continues(commands: list[Command]) -> bool:
    return any(isinstance(command, ContinueAsNew) for command in commands)


def test_higher_threshold_does_not_stop_a_run_that_drains(run: Driver) -> None:
    run.start(state("S1"), config=threshold(1))
    run.batch(signal("c", "1"))
    run.batch(ConfigUpdated(config=WorkflowConfig(continue_as_new_threshold=1000)))

    assert continues(run.batch(waited("S1-1")))


def test_run_that_drains_begins_no_calls(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(ContinueAsNewRequested())

    commands = run.batch(started_by_rpc(state("S2"), state("S3", skip_wait_until=True)))

    assert commands == []
    assert [movement.state_id for movement in run.state.queue] == ["S2", "S3"]


def test_run_continues_with_the_batch_in_which_the_last_call_ends(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(ContinueAsNewRequested())

    first = run.batch(waited("S1-1"))
    second = run.batch(waited("S2-1"))

    assert (first, continues(second)) == ([], True)
    assert isinstance(second[-1], ContinueAsNew)


def test_run_that_drains_takes_everything_else_in(run: Driver) -> None:
    """S1 waits for a signal or a timer; the call of S2 keeps the run open."""
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name="c")],
        timer_commands=[TimerCommand(command_id="t", duration_seconds=100)],
    )
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", request))
    run.batch(ContinueAsNewRequested())

    run.batch(
        signal("c", "1"),
        signal("d", "2"),
        published("i", "3"),
        TimerSkipped(execution_id="S1-1", command_id="t"),
        ConfigUpdated(config=WorkflowConfig(optimize_activity=True)),
    )

    assert run.state.executions["S1-1"].phase is Phase.READY
    assert run.state.signal_channels == {"d": [value("2")]}
    assert run.state.internal_channels == {"i": [value("3")]}
    assert run.state.config.optimize_activity


def test_timer_fires_while_the_run_drains(run: Driver) -> None:
    timer = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        timer_commands=[TimerCommand(duration_seconds=10)],
    )
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", timer))
    run.batch(ContinueAsNewRequested())

    commands = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    assert commands == []
    new, first = run.successor(run.batch(waited("S2-1")))
    assert calls(first) == ["ex/S1-1", "ex/S2-1"]
    assert list(new.state.executions) == ["S1-1", "S2-1"]


def test_wait_that_begins_while_the_run_drains_goes_on_in_the_next(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ANY_COMPLETED,
        timer_commands=[TimerCommand(duration_seconds=10)],
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.start(state("S1"))
    run.batch(ContinueAsNewRequested())

    new, first = run.successor(run.batch(waited("S1-1", request)), at_ms=START_MS + 4000)
    commands = new.batch(signal("c", "1"))

    assert first == [StartTimer(timer_id="timer/1", delay_ms=6000, execution_id="S1-1")]
    assert calls(commands) == ["ex/S1-1"]


def test_call_that_fails_in_place_while_the_run_drains_is_made_by_the_next(run: Driver) -> None:
    run.start(state("S1"), config=threshold(None, optimize_activity=True))
    run.batch(ContinueAsNewRequested())

    commands = run.in_place(
        LocalCallFailed(
            call_id="wu/S1-1",
            error_type="STATE_API_FAIL_ERROR_TYPE",
            text="broken",
            timed_out=False,
            started_at=START_MS // 1000,
        )
    )

    _, first = run.successor(commands)
    call = only(first, CallWaitUntil)
    assert (call.call_id, call.local) == ("wu/S1-1", False)
    assert call.earlier == EarlierAttempts(count=1, first_attempt_at=START_MS // 1000)


FORCE = executed("S1-1", state(ClosingState.FORCE_COMPLETE))


@pytest.mark.parametrize(
    ("event", "close"),
    [
        pytest.param(CancelRequested(), CancelRun, id="cancel"),
        pytest.param(FailRequested(reason="enough"), FailRun, id="fail"),
        pytest.param(FORCE, CompleteRun, id="force"),
        pytest.param(
            ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="no"),
            FailRun,
            id="failure",
        ),
    ],
)
def test_closing_never_waits_for_calls_in_flight(run: Driver, event: Event, close: type[Command]) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2"))
    run.batch(ContinueAsNewRequested())

    (command,) = run.batch(event)

    assert type(command) is close


@pytest.mark.parametrize(
    ("event", "close"),
    [
        pytest.param(CancelRequested(), CancelRun, id="cancel"),
        pytest.param(FailRequested(reason="enough"), FailRun, id="fail"),
        pytest.param(FORCE, CompleteRun, id="force"),
        pytest.param(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE)), CompleteRun, id="graceful"),
    ],
)
def test_every_other_end_wins_over_continuing(run: Driver, event: Event, close: type[Command]) -> None:
    run.start(state("S1", skip_wait_until=True))

    (command,) = run.batch(event, ContinueAsNewRequested())

    assert type(command) is close


def test_graceful_run_that_drains_completes_when_nothing_is_left(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))
    run.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE, "a")))
    run.batch(ContinueAsNewRequested())

    (command,) = run.batch(executed("S2-1", state(ClosingState.DEAD_END)))

    assert isinstance(command, CompleteRun)


def test_met_conditional_close_completes_a_run_that_drains(run: Driver) -> None:
    close = WorkflowConditionalClose(
        conditional_close_type=WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY,
        channel_name="c",
    )
    run.start(state("S1", skip_wait_until=True))

    (command,) = run.batch(executed("S1-1", state("S2"), conditional_close=close), ContinueAsNewRequested())

    assert isinstance(command, CompleteRun)


def test_unmet_conditional_close_queues_its_states_for_the_next_run(run: Driver) -> None:
    close = WorkflowConditionalClose(
        conditional_close_type=WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY,
        channel_name="c",
    )
    run.start(state("S1", skip_wait_until=True))
    commands = run.batch(
        executed("S1-1", state("S2", skip_wait_until=True), conditional_close=close),
        signal("c", "1"),
        ContinueAsNewRequested(),
    )

    _, first = run.successor(commands)

    assert only(first, CallExecute).call_id == "ex/S2-1"


def test_state_that_the_next_run_starts_is_shown_already(run: Driver) -> None:
    """So the index is not told of a gap between the two runs."""
    run.start(
        state("S1", skip_wait_until=True),
        config=WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.ENABLED_FOR_ALL),
    )

    (change, command) = run.batch(executed("S1-1", state("S2")), ContinueAsNewRequested())

    assert isinstance(change, SetSearchAttributes)
    assert change.values["IwfExecutingStateIds"].value == ["S2"]
    new, first = run.successor([command])
    assert calls(first) == ["wu/S2-1"]
    assert [type(each) for each in first] == [CallWaitUntil]
    assert new.state.executing_state_ids == ["S2"]
