import pytest

from iwf_interpreter import worker_answers
from iwf_interpreter.worker_errors import InvalidWorkerAnswer
from iwf_models import (
    CommandCombination,
    CommandRequest,
    CommandWaitingType,
    DeciderTriggerType,
    InterStateChannelCommand,
    SignalCommand,
    TimerCommand,
    WorkflowStateStartResponse,
    codec,
)

COMBINATION = CommandWaitingType.ANY_COMBINATION_COMPLETED


def signal(command_id: str | None, name: str = "c") -> SignalCommand:
    return SignalCommand(command_id=command_id, signal_channel_name=name)


def signals(at_least: int | None = None, at_most: int | None = None) -> CommandRequest:
    command = SignalCommand(signal_channel_name="c", at_least=at_least, at_most=at_most)
    return CommandRequest(command_waiting_type=CommandWaitingType.ALL_COMPLETED, signal_commands=[command])


def internals(at_least: int | None = None, at_most: int | None = None) -> CommandRequest:
    command = InterStateChannelCommand(channel_name="c", at_least=at_least, at_most=at_most)
    return CommandRequest(
        command_waiting_type=CommandWaitingType.ANY_COMPLETED, inter_state_channel_commands=[command]
    )


def combined(*combinations: list[str] | None) -> CommandRequest:
    """Commands with the ids t, a, a and i, and these combinations."""
    return CommandRequest(
        command_waiting_type=COMBINATION,
        timer_commands=[TimerCommand(command_id="t", duration_seconds=9)],
        signal_commands=[signal("a"), signal("a")],
        inter_state_channel_commands=[InterStateChannelCommand(command_id="i", channel_name="c")],
        command_combinations=[CommandCombination(command_ids=ids) for ids in combinations],
    )


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(None, id="no-request"),
        pytest.param(CommandRequest(), id="no-commands"),
        pytest.param(
            CommandRequest(
                timer_commands=[],
                signal_commands=[],
                inter_state_channel_commands=[],
                command_combinations=[],
            ),
            id="empty-lists",
        ),
        pytest.param(
            CommandRequest(command_waiting_type=COMBINATION), id="combination-type-without-commands"
        ),
        pytest.param(
            CommandRequest(
                command_waiting_type=CommandWaitingType.ALL_COMPLETED, timer_commands=[TimerCommand()]
            ),
            id="all-without-id-or-time",
        ),
        pytest.param(
            CommandRequest(
                decider_trigger_type=DeciderTriggerType.ANY_COMMAND_COMPLETED, signal_commands=[signal(None)]
            ),
            id="legacy-type",
        ),
        pytest.param(signals(at_least=1, at_most=1), id="one-message"),
        pytest.param(signals(at_least=1000), id="many-messages"),
        pytest.param(internals(at_most=5000), id="up-to-many-messages"),
        pytest.param(internals(at_least=2, at_most=2), id="two-messages"),
        pytest.param(
            CommandRequest(
                command_waiting_type=CommandWaitingType.ANY_COMPLETED,
                signal_commands=[signal(None)],
                command_combinations=[CommandCombination(command_ids=["unknown"])],
            ),
            id="combinations-of-another-type",
        ),
        pytest.param(combined(["t"]), id="combination-of-one"),
        pytest.param(combined(["t", "a", "a"], ["i", "a"]), id="combinations-that-count"),
    ],
)
def test_a_command_request_that_can_be_met_passes(request_: CommandRequest | None) -> None:
    answer = WorkflowStateStartResponse(command_request=request_)

    worker_answers.check_wait_until(answer, registered=None)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(
            CommandRequest(signal_commands=[signal("1")]),
            "there are commands, but no commandWaitingType",
            id="no-type",
        ),
        pytest.param(
            CommandRequest(
                command_waiting_type=CommandWaitingType.ALL_COMPLETED, signal_commands=[signal("1", "")]
            ),
            "a command names no channel",
            id="signal-without-channel",
        ),
        pytest.param(
            CommandRequest(
                command_waiting_type=CommandWaitingType.ALL_COMPLETED,
                inter_state_channel_commands=[InterStateChannelCommand(channel_name="")],
            ),
            "a command names no channel",
            id="internal-without-channel",
        ),
        pytest.param(
            signals(at_least=0),
            "atLeast of the command for channel 'c' must be from 1 to 1000, not 0",
            id="at-least-none",
        ),
        pytest.param(
            internals(at_least=-1),
            "atLeast of the command for channel 'c' must be from 1 to 1000, not -1",
            id="internal-at-least-negative",
        ),
        pytest.param(
            signals(at_least=1001),
            "atLeast of the command for channel 'c' must be from 1 to 1000, not 1001",
            id="at-least-too-many",
        ),
        pytest.param(
            signals(at_most=0),
            "atMost of the command for channel 'c' must be at least 1, not 0",
            id="at-most-none",
        ),
        pytest.param(
            internals(at_least=3, at_most=2),
            "atMost of the command for channel 'c' must be at least 3, not 2",
            id="at-most-below-at-least",
        ),
        pytest.param(
            CommandRequest(command_waiting_type=COMBINATION, signal_commands=[signal("1")]),
            "ANY_COMBINATION_COMPLETED needs commandCombinations",
            id="no-combinations",
        ),
        pytest.param(
            combined(), "ANY_COMBINATION_COMPLETED needs commandCombinations", id="empty-combinations"
        ),
        pytest.param(
            CommandRequest(
                command_waiting_type=COMBINATION,
                timer_commands=[TimerCommand()],
                signal_commands=[signal("1")],
                command_combinations=[CommandCombination(command_ids=["1"])],
            ),
            "ANY_COMBINATION_COMPLETED needs a commandId in every command",
            id="command-without-id",
        ),
        pytest.param(
            CommandRequest(
                decider_trigger_type=DeciderTriggerType.ANY_COMMAND_COMBINATION_COMPLETED,
                signal_commands=[signal("")],
                command_combinations=[CommandCombination(command_ids=[""])],
            ),
            "ANY_COMBINATION_COMPLETED needs a commandId in every command",
            id="empty-id-of-legacy-type",
        ),
        pytest.param(
            combined(["t"], []), "a combination of commandCombinations is empty", id="empty-combination"
        ),
        pytest.param(
            combined(None), "a combination of commandCombinations is empty", id="combination-without-ids"
        ),
        pytest.param(
            combined(["t", "2"]),
            "a combination has commandId '2' 1 times, but 0 commands have it",
            id="unknown-id",
        ),
        pytest.param(
            combined(["a", "t", "a", "a"]),
            "a combination has commandId 'a' 3 times, but 2 commands have it",
            id="more-often-than-commands",
        ),
    ],
)
def test_a_command_request_that_cannot_be_met_is_refused(request_: CommandRequest, reason: str) -> None:
    answer = WorkflowStateStartResponse(command_request=request_)

    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_wait_until(answer, registered=None)

    assert str(caught.value) == f"err msg: {reason}, response: {codec.encode(answer).decode()}"
