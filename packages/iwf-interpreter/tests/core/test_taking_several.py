"""Commands that take several messages: `atLeast` and `atMost`."""

import pytest

from core_driver import Driver, calls, only, published, signal, state, value, waited
from iwf_interpreter.contract import RpcSignal
from iwf_interpreter.core import CallExecute, Command, ContinueAsNewRequested, Event, RpcWritten
from iwf_models import (
    ChannelRequestStatus,
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    InterStateChannelResult,
    SignalCommand,
    SignalResult,
)

ALL = CommandWaitingType.ALL_COMPLETED
ANY = CommandWaitingType.ANY_COMPLETED


def wants(at_least: int | None, at_most: int | None, channel: str = "c") -> SignalCommand:
    return SignalCommand(signal_channel_name=channel, at_least=at_least, at_most=at_most)


def waiting_for(*commands: SignalCommand, waiting_type: CommandWaitingType = ALL) -> CommandRequest:
    return CommandRequest(command_waiting_type=waiting_type, signal_commands=list(commands))


def several(count: int, channel: str = "c") -> list[Event]:
    return [signal(channel, str(number)) for number in range(1, count + 1)]


def values(*data: int) -> list[EncodedObject]:
    return [value(str(number)) for number in data]


def results(commands: list[Command]) -> list[SignalResult]:
    found = only(commands, CallExecute).request.command_results
    assert found is not None
    return found.signal_results or []


@pytest.mark.parametrize(
    ("at_least", "at_most", "sent", "taken"),
    [
        pytest.param(2, 3, 1, None, id="too-few"),
        pytest.param(2, 3, 2, [1, 2], id="enough"),
        pytest.param(2, 3, 5, [1, 2, 3], id="more-than-at-most"),
        pytest.param(3, None, 5, [1, 2, 3], id="at-most-defaults-to-at-least"),
        pytest.param(None, 3, 2, [1, 2], id="at-least-defaults-to-one"),
        pytest.param(3, 1, 5, [1, 2, 3], id="at-most-below-at-least"),
        pytest.param(0, 2, 1, [1], id="zero-means-one"),
        pytest.param(1, 1, 2, [1], id="one-said-so"),
    ],
)
def test_command_takes_between_at_least_and_at_most(
    run: Driver, at_least: int | None, at_most: int | None, sent: int, taken: list[int] | None
) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", waiting_for(wants(at_least, at_most))))

    commands = run.batch(*several(sent))

    if taken is None:
        assert commands == []
        assert run.state.signal_channels == {"c": values(*range(1, sent + 1))}
    else:
        assert results(commands) == [
            SignalResult(
                command_id="",
                signal_channel_name="c",
                signal_request_status=ChannelRequestStatus.RECEIVED,
                signal_value=value("1"),
                signal_values=values(*taken),
            )
        ]
        assert len(run.state.signal_channels.get("c", [])) == sent - len(taken)


def test_message_that_completes_the_number_brings_all(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", waiting_for(wants(2, 2))))
    run.batch(signal("c", "1"))

    commands = run.batch(signal("c", "2"))

    assert results(commands)[0].signal_values == values(1, 2)


def test_command_takes_more_while_its_execution_still_waits(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", waiting_for(wants(2, 4), wants(None, None, "end"))))

    run.batch(*several(2))
    run.batch(signal("c", "3"))
    run.batch(signal("c", "4"), signal("c", "5"))
    commands = run.batch(signal("end", "e"))

    assert results(commands)[0].signal_values == values(1, 2, 3, 4)
    assert run.state.signal_channels == {"c": values(5)}


def test_wait_that_ends_otherwise_has_taken_nothing_for_an_incomplete_command(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", waiting_for(wants(3, 3), wants(None, None, "end"), waiting_type=ANY)))
    run.batch(*several(2))

    commands = run.batch(signal("end", "e"))

    assert [result.signal_request_status for result in results(commands)] == [
        ChannelRequestStatus.WAITING,
        ChannelRequestStatus.RECEIVED,
    ]
    assert run.state.signal_channels == {"c": values(1, 2)}


def test_command_that_wants_more_than_there_are_does_not_block_others(run: Driver) -> None:
    """The first waits longer, but two messages are no use to it."""
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", waiting_for(wants(3, 3))))
    run.batch(waited("S2-1", waiting_for(wants(None, None))))

    commands = run.batch(*several(2))

    assert calls(commands) == ["ex/S2-1"]
    assert run.state.signal_channels == {"c": values(2)}


def test_longest_waiting_command_takes_as_many_as_it_may_first(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(waited("S1-1", waiting_for(wants(1, 2))), waited("S2-1", waiting_for(wants(1, 2))))

    commands = run.batch(*several(3))

    assert calls(commands) == ["ex/S1-1", "ex/S2-1"]
    found = [command for command in commands if isinstance(command, CallExecute)]
    assert [results([command])[0].signal_values for command in found] == [values(1, 2), values(3)]


def test_what_was_taken_and_what_is_still_wanted_goes_over_to_the_next_run(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(waited("S1-1", waiting_for(wants(2, 4), wants(None, None, "end"))), *several(2))

    new, _ = run.successor(run.batch(ContinueAsNewRequested()))
    new.batch(signal("c", "3"))
    commands = new.batch(signal("end", "e"), signal("c", "4"), signal("c", "5"))

    assert results(commands)[0].signal_values == values(1, 2, 3, 4)


def test_internal_messages_without_value_are_empty_objects_in_the_list(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=ALL,
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="i", at_least=2)],
    )
    run.start(state("S1"))
    run.batch(waited("S1-1", request))

    empty = InterStateChannelPublishing(channel_name="i")
    commands = run.batch(
        RpcWritten(changes=RpcSignal(inter_state_channel_publishing=[empty])), published("i", "2")
    )

    found = only(commands, CallExecute).request.command_results
    assert found is not None
    assert found.inter_state_channel_results == [
        InterStateChannelResult(
            command_id="",
            channel_name="i",
            request_status=ChannelRequestStatus.RECEIVED,
            values=[EncodedObject(), value("2")],
        )
    ]
