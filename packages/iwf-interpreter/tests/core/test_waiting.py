"""Commands: who gets which message, when a trigger is met, and what execute is told."""

import pytest

from core_driver import START_MS, Driver, calls, executed, only, published, signal, state, value, waited
from iwf_interpreter.contract import RpcSignal
from iwf_interpreter.core import CallExecute, Command, RpcWritten, SignalReceived, TimerFired
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    ChannelRequestStatus,
    CommandCombination,
    CommandRequest,
    CommandResults,
    CommandWaitingType,
    DeciderTriggerType,
    EncodedObject,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    InterStateChannelResult,
    SignalCommand,
    SignalResult,
    TimerCommand,
    TimerResult,
    TimerStatus,
)

ALL = CommandWaitingType.ALL_COMPLETED
ANY = CommandWaitingType.ANY_COMPLETED
COMBINATION = CommandWaitingType.ANY_COMBINATION_COMPLETED


def on_signals(*channels: str, waiting_type: CommandWaitingType = ALL) -> CommandRequest:
    """Signal commands whose ids are their channels."""
    commands = [SignalCommand(command_id=name, signal_channel_name=name) for name in channels]
    return CommandRequest(command_waiting_type=waiting_type, signal_commands=commands)


def on_internal(*channels: str, waiting_type: CommandWaitingType = ALL) -> CommandRequest:
    commands = [InterStateChannelCommand(command_id=name, channel_name=name) for name in channels]
    return CommandRequest(command_waiting_type=waiting_type, inter_state_channel_commands=commands)


def results(commands: list[Command]) -> CommandResults:
    found = only(commands, CallExecute).request.command_results
    assert found is not None
    return found


def published_nothing(channel: str) -> RpcWritten:
    """A message without a value."""
    message = InterStateChannelPublishing(channel_name=channel)
    return RpcWritten(changes=RpcSignal(inter_state_channel_publishing=[message]))


def received(channel: str, data: str) -> SignalResult:
    return SignalResult(
        command_id=channel,
        signal_channel_name=channel,
        signal_request_status=ChannelRequestStatus.RECEIVED,
        signal_value=value(data),
    )


def missing(channel: str) -> SignalResult:
    return SignalResult(
        command_id=channel,
        signal_channel_name=channel,
        signal_request_status=ChannelRequestStatus.WAITING,
    )


def test_all_waits_for_every_command(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a", "b")))

    first = run.batch(signal("b", "1"))
    second = run.batch(signal("a", "2"))

    assert first == []
    assert results(second).signal_results == [received("a", "2"), received("b", "1")]


def test_any_goes_on_with_the_first_and_keeps_the_order_of_commands(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a", "b", waiting_type=ANY)))

    commands = run.batch(signal("b", "1"))

    assert results(commands).signal_results == [missing("a"), received("b", "1")]


def test_any_hands_out_everything_that_is_there_when_it_begins_to_wait(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(
        signal("a", "1"), signal("b", "2"), waited("S1-1", on_signals("a", "b", waiting_type=ANY))
    )

    assert results(commands).signal_results == [received("a", "1"), received("b", "2")]


def test_messages_of_one_batch_are_handed_out_before_the_trigger_is_looked_at(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a", "b", waiting_type=ANY)))

    commands = run.batch(signal("a", "1"), signal("b", "2"))

    assert results(commands).signal_results == [received("a", "1"), received("b", "2")]


def test_commands_on_one_channel_get_messages_by_index(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a", "a", "a")))

    run.batch(signal("a", "1"), signal("a", "2"))
    commands = run.batch(signal("a", "3"))

    assert results(commands).signal_results == [received("a", "1"), received("a", "2"), received("a", "3")]


def test_message_goes_to_the_execution_that_waits_longest(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S2-1", on_signals("a")))
    run.batch(waited("S1-1", on_signals("a")))

    commands = run.batch(signal("a", "1"))

    assert calls(commands) == ["ex/S2-1"]


def test_each_message_is_taken_once(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", on_signals("a")), waited("S2-1", on_signals("a")))

    assert calls(run.batch(signal("a", "1"))) == ["ex/S1-1"]
    assert calls(run.batch(signal("a", "2"))) == ["ex/S2-1"]


def test_message_that_nobody_waits_for_stays(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(signal("a", "1"), signal("b", "2"), signal("a", "3"))

    commands = run.batch(waited("S1-1", on_signals("a")))

    assert results(commands).signal_results == [received("a", "1")]
    assert run.state.signal_channels == {"a": [value("3")], "b": [value("2")]}


def test_finished_wait_takes_nothing_any_more(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a", "b", waiting_type=ANY)))
    run.batch(signal("a", "1"))

    run.batch(signal("b", "2"))

    assert run.state.signal_channels == {"b": [value("2")]}


def test_signal_and_internal_channels_of_one_name_are_apart(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_internal("c")))

    assert run.batch(signal("c", "1")) == []
    assert calls(run.batch(published("c", "2"))) == ["ex/S1-1"]


def test_internal_message_reaches_a_state_that_waits(run: Driver) -> None:
    run.start(state("S1"), state("S2", skip_wait_until=True))
    run.batch(waited("S1-1", on_internal("c")))

    commands = run.batch(
        executed(
            "S2-1",
            state(ClosingState.DEAD_END),
            publish_to_inter_state_channel=[InterStateChannelPublishing(channel_name="c", value=value("1"))],
        )
    )

    assert results(commands).inter_state_channel_results == [
        InterStateChannelResult(
            command_id="c",
            channel_name="c",
            request_status=ChannelRequestStatus.RECEIVED,
            value=value("1"),
        )
    ]


def test_messages_published_by_the_wait_until_answer_itself_count(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(
        waited(
            "S1-1",
            on_internal("c"),
            publish_to_inter_state_channel=[InterStateChannelPublishing(channel_name="c", value=value("1"))],
        )
    )

    assert calls(commands) == ["ex/S1-1"]


def test_message_without_value_completes_its_command(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_internal("c", "d")))

    run.batch(published_nothing("c"))
    commands = run.batch(published("d", "2"))

    first, second = results(commands).inter_state_channel_results or []
    assert (first.request_status, first.value) == (ChannelRequestStatus.RECEIVED, None)
    assert (second.request_status, second.value) == (ChannelRequestStatus.RECEIVED, value("2"))


@pytest.mark.parametrize(
    ("combinations", "sent", "met"),
    [
        pytest.param([["a", "b"]], ["a"], False, id="half"),
        pytest.param([["a", "b"]], ["b", "a"], True, id="whole"),
        pytest.param([["c"], ["a", "b"]], ["b", "a"], True, id="second-of-two"),
        pytest.param([["a", "b"]], ["a", "c"], False, id="wrong-ones"),
    ],
)
def test_combination_needs_all_of_its_commands(
    run: Driver, combinations: list[list[str]], sent: list[str], met: bool
) -> None:
    run.start(state("S1"))
    request = CommandRequest(
        command_waiting_type=COMBINATION,
        signal_commands=[SignalCommand(command_id=id_, signal_channel_name=id_) for id_ in "abc"],
        command_combinations=[CommandCombination(command_ids=ids) for ids in combinations],
    )
    run.batch(waited("S1-1", request))

    commands = run.batch(*(signal(channel, "1") for channel in sent))

    assert calls(commands) == (["ex/S1-1"] if met else [])


def test_combination_counts_an_id_as_often_as_it_names_it(run: Driver) -> None:
    run.start(state("S1"))
    request = CommandRequest(
        command_waiting_type=COMBINATION,
        signal_commands=[SignalCommand(command_id="x", signal_channel_name="a") for _ in range(3)],
        command_combinations=[CommandCombination(command_ids=["x", "x"])],
    )
    run.batch(waited("S1-1", request))

    assert run.batch(signal("a", "1")) == []
    assert calls(run.batch(signal("a", "2"))) == ["ex/S1-1"]


def test_legacy_trigger_type_is_understood(run: Driver) -> None:
    run.start(state("S1"))
    request = CommandRequest(
        decider_trigger_type=DeciderTriggerType.ANY_COMMAND_COMPLETED,
        signal_commands=on_signals("a", "b").signal_commands,
    )
    run.batch(waited("S1-1", request))

    assert calls(run.batch(signal("b", "1"))) == ["ex/S1-1"]


def test_commands_without_ids_are_reported_with_empty_ones(run: Driver) -> None:
    run.start(state("S1"))
    request = CommandRequest(
        command_waiting_type=ANY,
        timer_commands=[TimerCommand(duration_seconds=10)],
        signal_commands=[SignalCommand(signal_channel_name="a")],
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="c")],
    )
    run.batch(waited("S1-1", request))

    commands = run.batch(signal("a", "1"))

    assert results(commands) == CommandResults(
        timer_results=[TimerResult(command_id="", timer_status=TimerStatus.SCHEDULED)],
        signal_results=[
            SignalResult(
                command_id="",
                signal_channel_name="a",
                signal_request_status=ChannelRequestStatus.RECEIVED,
                signal_value=value("1"),
            )
        ],
        inter_state_channel_results=[
            InterStateChannelResult(
                command_id="", channel_name="c", request_status=ChannelRequestStatus.WAITING
            )
        ],
        state_start_api_succeeded=True,
        state_wait_until_failed=False,
    )


def test_timer_and_signal_of_one_batch_are_both_reported(run: Driver) -> None:
    run.start(state("S1"))
    request = CommandRequest(
        command_waiting_type=ANY,
        timer_commands=[TimerCommand(command_id="t", duration_seconds=10)],
        signal_commands=[SignalCommand(command_id="a", signal_channel_name="a")],
    )
    run.batch(waited("S1-1", request))

    commands = run.batch(signal("a", "1"), TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    assert results(commands).timer_results == [TimerResult(command_id="t", timer_status=TimerStatus.FIRED)]
    assert results(commands).signal_results == [received("a", "1")]


def test_signal_without_a_body_is_an_empty_object(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", on_signals("a")))

    commands = run.batch(SignalReceived(channel_name="a", value=EncodedObject()))

    (result,) = results(commands).signal_results or []
    assert result.signal_value == EncodedObject()


def test_combination_may_name_commands_of_every_kind(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=COMBINATION,
        timer_commands=[TimerCommand(command_id="t", duration_seconds=10), TimerCommand(duration_seconds=99)],
        signal_commands=[SignalCommand(command_id="s", signal_channel_name="s")],
        inter_state_channel_commands=[
            InterStateChannelCommand(command_id=id_, channel_name=id_) for id_ in ("i", "j")
        ],
        command_combinations=[CommandCombination(command_ids=["t", "s", "i"])],
    )
    run.start(state("S1"))
    run.batch(waited("S1-1", request))

    run.batch(signal("s", "1"))
    early = run.batch(published("i", "2"))
    met = run.batch(TimerFired(timer_id="timer/1"), at_ms=START_MS + 10_000)

    assert (calls(early), calls(met)) == ([], ["ex/S1-1"])


def test_trigger_that_is_met_lets_executions_go_on_in_the_order_in_which_they_waited(run: Driver) -> None:
    """Messages are given out channel by channel, timers before them; the order of calls is another."""
    run.start(state("S1"), state("S2"), state("S3"))
    run.batch(
        waited("S3-1", on_internal("i")), waited("S1-1", on_signals("a")), waited("S2-1", on_signals("b"))
    )

    commands = run.batch(signal("b", "1"), signal("a", "2"), published("i", "3"))

    assert calls(commands) == ["ex/S3-1", "ex/S1-1", "ex/S2-1"]
