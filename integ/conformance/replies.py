"""Short forms of worker answers with commands, writes and conditions, and of what commands came to."""

from collections.abc import Mapping, Sequence
from typing import Any

from iwf_models import (
    ChannelRequestStatus,
    CommandCombination,
    CommandRequest,
    CommandResults,
    CommandWaitingType,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    StateDecision,
    StateMovement,
    TimerCommand,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import value

ANY = CommandWaitingType.ANY_COMPLETED
ALL = CommandWaitingType.ALL_COMPLETED
COMBINATION = CommandWaitingType.ANY_COMBINATION_COMPLETED

SKIP = WorkflowStateOptions(skip_wait_until=True)
"""Options of a state without waitUntil."""

SKIPS: Mapping[str, Any] = {"skipWaitUntil": True}
"""The same, as part of a start."""

COMPLETE = "_SYS_GRACEFUL_COMPLETING_WORKFLOW"
DEAD_END = "_SYS_DEAD_END"

FOREVER = 365 * 24 * 3600
"""Seconds of a timer that no test waits for."""


def await_commands(
    waiting_type: CommandWaitingType,
    *,
    timers: Sequence[tuple[str, int]] = (),
    signals: Sequence[tuple[str, str]] = (),
    channels: Sequence[tuple[str, str]] = (),
    combinations: Sequence[str] = (),
) -> WorkflowStateStartResponse:
    """A waitUntil answer with commands, each as a pair of its id and its seconds or channel.

    A combination is a text of ids that are one letter long.
    """
    return WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=waiting_type,
            timer_commands=[
                TimerCommand(command_id=command_id, duration_seconds=seconds)
                for command_id, seconds in timers
            ],
            signal_commands=[
                SignalCommand(command_id=command_id, signal_channel_name=name) for command_id, name in signals
            ],
            inter_state_channel_commands=[
                InterStateChannelCommand(command_id=command_id, channel_name=name)
                for command_id, name in channels
            ],
            command_combinations=[
                CommandCombination(command_ids=list(combination)) for combination in combinations
            ],
        )
    )


def to(
    state_id: str,
    data: str | None = None,
    *,
    options: WorkflowStateOptions | None = None,
    key: str | None = None,
) -> StateMovement:
    """A movement to a state."""
    state_input = None if data is None else value(data)
    return StateMovement(state_id=state_id, state_input=state_input, state_options=options, wait_for_key=key)


def decide(
    *movements: StateMovement,
    data: Mapping[str, str] | None = None,
    search: Mapping[str, int] | None = None,
    publish: Sequence[tuple[str, str]] = (),
    close: WorkflowConditionalClose | None = None,
) -> WorkflowStateDecideResponse:
    """An execute answer that writes and publishes as well as going on."""
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(next_states=list(movements), conditional_close=close),
        upsert_data_objects=_written(data),
        upsert_search_attributes=_indexed(search),
        publish_to_inter_state_channel=_published(publish),
    )


def condition(
    close_type: WorkflowConditionalCloseType, channel: str | None = None, data: str = "closed"
) -> WorkflowConditionalClose:
    """A condition under which the workflow completes with an output."""
    return WorkflowConditionalClose(
        conditional_close_type=close_type, channel_name=channel, close_input=value(data)
    )


def rpc_answer(
    *state_ids: str,
    data: Mapping[str, str] | None = None,
    search: Mapping[str, int] | None = None,
    publish: Sequence[tuple[str, str]] = (),
    output: str | None = None,
) -> WorkflowWorkerRpcResponse:
    """An answer of an RPC that starts states, writes and publishes."""
    movements = [StateMovement(state_id=state_id) for state_id in state_ids]
    return WorkflowWorkerRpcResponse(
        output=None if output is None else value(output),
        state_decision=StateDecision(next_states=movements) if movements else None,
        upsert_data_attributes=_written(data),
        upsert_search_attributes=_indexed(search),
        publish_to_inter_state_channel=_published(publish),
    )


def statuses(results: CommandResults | None) -> list[str]:
    """What became of each command: timers first, then signals, then internal channels, in their order."""
    assert results is not None
    return [
        *(result.timer_status.value for result in results.timer_results or ()),
        *(result.signal_request_status.value for result in results.signal_results or ()),
        *(result.request_status.value for result in results.inter_state_channel_results or ()),
    ]


def command_ids(results: CommandResults | None) -> list[str]:
    """The ids of the commands, in the order of `statuses`."""
    assert results is not None
    return [
        *(result.command_id for result in results.timer_results or ()),
        *(result.command_id for result in results.signal_results or ()),
        *(result.command_id for result in results.inter_state_channel_results or ()),
    ]


def received(results: CommandResults | None) -> list[str | None]:
    """The messages that commands took, signals before internal channels."""
    assert results is not None
    return [
        *(
            result.signal_value and result.signal_value.data
            for result in results.signal_results or ()
            if result.signal_request_status is ChannelRequestStatus.RECEIVED
        ),
        *(
            result.value and result.value.data
            for result in results.inter_state_channel_results or ()
            if result.request_status is ChannelRequestStatus.RECEIVED
        ),
    ]


def texts(attributes: Sequence[KeyValue] | None) -> dict[str, str | None]:
    """Data attributes or state locals by key."""
    return {item.key or "": item.value and item.value.data for item in attributes or ()}


def keys(attributes: Sequence[KeyValue] | Sequence[SearchAttribute] | None) -> list[str | None]:
    """The keys of attributes, in their order."""
    return [item.key for item in attributes or ()]


def _written(data: Mapping[str, str] | None) -> list[KeyValue] | None:
    return None if data is None else [KeyValue(key=key, value=value(text)) for key, text in data.items()]


def _indexed(search: Mapping[str, int] | None) -> list[SearchAttribute] | None:
    if search is None:
        return None
    return [
        SearchAttribute(key=key, value_type=SearchAttributeValueType.INT, integer_value=number)
        for key, number in search.items()
    ]


def _published(messages: Sequence[tuple[str, str]]) -> list[InterStateChannelPublishing] | None:
    return [
        InterStateChannelPublishing(channel_name=name, value=value(text)) for name, text in messages
    ] or None
