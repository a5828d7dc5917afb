"""Closing only if channels are empty."""

from typing import Any

import pytest

from core_driver import QUIET, Driver, calls, executed, only, published, signal, state, value, waited
from iwf_interpreter.core import Command, CompleteRun, Event, FailRun
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    SignalCommand,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowConfig,
    WorkflowErrorType,
    compat,
)

INTERNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY
SIGNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY
ALL_EMPTY = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY


def when_empty(kind: WorkflowConditionalCloseType, execution_id: str = "S1-1", **fields: Any) -> Event:
    """A decision that closes with "done" when channel "c" is empty and goes on with S2 otherwise."""
    close = WorkflowConditionalClose(conditional_close_type=kind, channel_name="c", close_input=value("done"))
    return executed(execution_id, state("S2"), conditional_close=close, **fields)


def results(run: Driver, commands: list[Command]) -> list[str | None]:
    outputs = only(commands, CompleteRun).output.state_completion_outputs or []
    return [item.completed_state_output and item.completed_state_output.data for item in outputs]


@pytest.mark.parametrize("kind", [INTERNAL, SIGNAL, ALL_EMPTY])
def test_empty_channel_completes_with_the_close_input(
    run: Driver, kind: WorkflowConditionalCloseType
) -> None:
    run.start(state("S1", skip_wait_until=True))

    assert results(run, run.batch(when_empty(kind))) == ["done"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        pytest.param(INTERNAL, published("c", "1"), id="internal"),
        pytest.param(SIGNAL, signal("c", "1"), id="signal"),
        pytest.param(ALL_EMPTY, signal("any", "1"), id="all-signal"),
        pytest.param(ALL_EMPTY, published("any", "1"), id="all-internal"),
    ],
)
def test_message_of_an_earlier_batch_keeps_the_run_open(
    run: Driver, kind: WorkflowConditionalCloseType, message: Event
) -> None:
    run.start(state("S1", skip_wait_until=True))
    run.batch(message)

    assert calls(run.batch(when_empty(kind))) == ["wu/S2-1"]


@pytest.mark.parametrize("message_first", [True, False])
def test_message_of_the_same_batch_keeps_the_run_open(run: Driver, message_first: bool) -> None:
    run.start(state("S1", skip_wait_until=True))
    events = [signal("c", "1"), when_empty(SIGNAL)]

    commands = run.batch(*(events if message_first else reversed(events)))

    assert calls(commands) == ["wu/S2-1"]
    assert run.state.signal_channels == {"c": [value("1")]}


def test_message_published_by_another_answer_of_the_batch_keeps_the_run_open(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S3", skip_wait_until=True))
    message = InterStateChannelPublishing(channel_name="c", value=value("1"))

    commands = run.batch(
        when_empty(INTERNAL),
        executed("S3-1", state(ClosingState.DEAD_END), publish_to_inter_state_channel=[message]),
    )

    assert calls(commands) == ["wu/S2-1"]


def test_message_published_by_the_deciding_state_itself_counts(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    message = InterStateChannelPublishing(channel_name="c")

    commands = run.batch(when_empty(INTERNAL, publish_to_inter_state_channel=[message]))

    assert calls(commands) == ["wu/S2-1"]


def test_channel_of_the_other_kind_does_not_count(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    run.batch(signal("c", "1"))

    assert results(run, run.batch(when_empty(INTERNAL))) == ["done"]


def test_forced_conditional_close_abandons_other_threads(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S3"))

    assert results(run, run.batch(when_empty(INTERNAL))) == ["done"]


def test_graceful_conditional_close_waits_for_other_threads(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S3", skip_wait_until=True))

    assert run.batch(when_empty(ALL_EMPTY)) == []
    assert results(run, run.batch(executed("S3-1", state(ClosingState.DEAD_END)))) == ["done"]


def test_reserved_id_as_the_way_on_fails_the_workflow(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    run.batch(signal("c", "1"))
    close = WorkflowConditionalClose(conditional_close_type=SIGNAL, channel_name="c")

    (fail,) = run.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE), conditional_close=close))

    assert isinstance(fail, FailRun)
    assert fail.error_type is WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE


def holding(kind: WorkflowConditionalCloseType) -> CommandRequest:
    """Waits for a message of "c", which it gets, and for one of "other", which never comes."""
    if kind is INTERNAL:
        return CommandRequest(
            command_waiting_type=CommandWaitingType.ALL_COMPLETED,
            inter_state_channel_commands=[
                InterStateChannelCommand(channel_name=name) for name in ("c", "other")
            ],
        )
    return CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name=name) for name in ("c", "other")],
    )


COUNTING = compat.merged_config(QUIET, WorkflowConfig(count_held_messages=True))


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        pytest.param(INTERNAL, published("c", "1"), id="internal"),
        pytest.param(SIGNAL, signal("c", "1"), id="signal"),
        pytest.param(ALL_EMPTY, signal("c", "1"), id="all-signal"),
    ],
)
@pytest.mark.parametrize("counting", [True, False])
def test_message_that_a_waiting_state_has_taken_counts_only_when_configured(
    run: Driver, kind: WorkflowConditionalCloseType, held: Event, counting: bool
) -> None:
    run.start(state("S1", skip_wait_until=True), state("H"), config=COUNTING if counting else QUIET)
    run.batch(waited("H-1", holding(kind)), held)

    commands = run.batch(when_empty(kind))

    assert calls(commands) == (["wu/S2-1"] if counting else [])


def test_message_of_an_executing_state_counts_until_it_ends(run: Driver) -> None:
    one = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.start(
        state("S1", skip_wait_until=True), state("H"), state("S1", skip_wait_until=True), config=COUNTING
    )
    run.batch(waited("H-1", one), signal("c", "1"))

    open_ = run.batch(when_empty(SIGNAL))
    run.batch(executed("H-1", state(ClosingState.DEAD_END)))
    closed = run.batch(when_empty(SIGNAL, "S1-2"))

    assert calls(open_) == ["wu/S2-1"]
    assert results(run, closed) == ["done"]


@pytest.mark.parametrize("kind", [INTERNAL, SIGNAL])
def test_held_message_of_another_channel_does_not_count(
    run: Driver, kind: WorkflowConditionalCloseType
) -> None:
    both = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name=name) for name in ("x", "never")],
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="x")],
    )
    run.start(state("S1", skip_wait_until=True), state("H"), config=COUNTING)
    run.batch(waited("H-1", both), signal("x", "1"), published("x", "1"))

    assert results(run, run.batch(when_empty(kind))) == ["done"]


def test_command_that_has_got_nothing_holds_nothing(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("H"), config=COUNTING)
    run.batch(waited("H-1", holding(ALL_EMPTY)))

    assert calls(run.batch(when_empty(ALL_EMPTY))) == []
    assert run.state.graceful


def test_internal_command_that_has_got_nothing_holds_nothing(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("H"), config=COUNTING)
    run.batch(waited("H-1", holding(INTERNAL)))

    assert results(run, run.batch(when_empty(INTERNAL))) == ["done"]


def test_after_a_forced_close_others_of_the_batch_have_no_effect(run: Driver) -> None:
    """The second is not met, but its next states, which would fail the workflow, are not looked at."""
    wrong = executed(
        "S1-2",
        state(ClosingState.DEAD_END),
        conditional_close=WorkflowConditionalClose(conditional_close_type=INTERNAL, channel_name="i"),
    )
    run.start(state("S1", skip_wait_until=True), state("S1", skip_wait_until=True))

    commands = run.batch(when_empty(SIGNAL), wrong, published("i", "1"))

    assert results(run, commands) == ["done"]


def test_unmet_close_before_a_met_one_still_closes(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S1", skip_wait_until=True))

    commands = run.batch(when_empty(INTERNAL), when_empty(SIGNAL, "S1-2"), published("c", "1"))

    assert results(run, commands) == ["done"]
