"""Commands that a state waits for, and their results.

`CommandRequest` comes from a worker's waitUntil, `CommandResults` goes to its execute. Fields only: when a
request is satisfied is decided by the interpreter.

Old SDKs send `deciderTriggerType`, current ones `commandWaitingType`; `iwf_models.compat` reads both.
"""

from enum import StrEnum

from iwf_models._base import Int32, Int64, WireStruct
from iwf_models.common import EncodedObject


class CommandWaitingType(StrEnum):
    """How many of the commands must complete before execute is called."""

    ALL_COMPLETED = "ALL_COMPLETED"
    ANY_COMPLETED = "ANY_COMPLETED"
    ANY_COMBINATION_COMPLETED = "ANY_COMBINATION_COMPLETED"


class DeciderTriggerType(StrEnum):
    """Legacy form of `CommandWaitingType`."""

    ALL_COMMAND_COMPLETED = "ALL_COMMAND_COMPLETED"
    ANY_COMMAND_COMPLETED = "ANY_COMMAND_COMPLETED"
    ANY_COMMAND_COMBINATION_COMPLETED = "ANY_COMMAND_COMBINATION_COMPLETED"


class TimerStatus(StrEnum):
    """State of a timer command. A skipped timer counts as fired."""

    SCHEDULED = "SCHEDULED"
    FIRED = "FIRED"


class ChannelRequestStatus(StrEnum):
    """State of a command that waits for a message."""

    WAITING = "WAITING"
    RECEIVED = "RECEIVED"


class TimerCommand(WireStruct, frozen=True, kw_only=True):
    """Waits until a time. `iwf_models.compat` says which of the two forms counts."""

    command_id: str | None = None
    firing_unix_timestamp_seconds: Int64 | None = None
    """Legacy: absolute Unix time."""
    duration_seconds: Int64 | None = None
    """Time from the moment at which the worker's answer is processed."""


class SignalCommand(WireStruct, frozen=True, kw_only=True):
    """Waits for a message on a signal channel."""

    command_id: str | None = None
    signal_channel_name: str
    at_least: Int32 | None = None
    at_most: Int32 | None = None


class InterStateChannelCommand(WireStruct, frozen=True, kw_only=True):
    """Waits for a message on an internal channel."""

    command_id: str | None = None
    channel_name: str
    at_least: Int32 | None = None
    at_most: Int32 | None = None


class CommandCombination(WireStruct, frozen=True, kw_only=True):
    """Ids of commands that complete the request together. An id that repeats is counted."""

    command_ids: list[str] | None = None


class CommandRequest(WireStruct, frozen=True, kw_only=True):
    """What a state waits for before its execute is called."""

    decider_trigger_type: DeciderTriggerType | None = None
    """Legacy form of `command_waiting_type`."""
    command_waiting_type: CommandWaitingType | None = None
    timer_commands: list[TimerCommand] | None = None
    signal_commands: list[SignalCommand] | None = None
    inter_state_channel_commands: list[InterStateChannelCommand] | None = None
    command_combinations: list[CommandCombination] | None = None


class TimerResult(WireStruct, frozen=True, kw_only=True):
    """Where a timer command stands. The id is `""` when the command had none."""

    command_id: str
    timer_status: TimerStatus


class SignalResult(WireStruct, frozen=True, kw_only=True):
    """Where a signal command stands, with the message if it was received."""

    command_id: str
    signal_request_status: ChannelRequestStatus
    signal_channel_name: str
    signal_value: EncodedObject | None = None
    signal_values: list[EncodedObject] | None = None
    """Not in the published document: every message taken, oldest first, when the command has `atLeast` or
    `atMost`."""


class InterStateChannelResult(WireStruct, frozen=True, kw_only=True):
    """Where an internal channel command stands, with the message if it was received."""

    command_id: str
    request_status: ChannelRequestStatus
    channel_name: str
    value: EncodedObject | None = None
    values: list[EncodedObject] | None = None
    """Not in the published document: every message taken, oldest first, when the command has `atLeast` or
    `atMost`. One without a value is an empty object."""


class CommandResults(WireStruct, frozen=True, kw_only=True):
    """One result for each command, by kind, in the order of the request.

    A kind without commands is absent.
    """

    signal_results: list[SignalResult] | None = None
    inter_state_channel_results: list[InterStateChannelResult] | None = None
    timer_results: list[TimerResult] | None = None
    state_start_api_succeeded: bool | None = None
    """Legacy: the opposite of `state_wait_until_failed`. Both are sent, as old and new SDKs read one each."""
    state_wait_until_failed: bool | None = None
    """The waitUntil failed for good and the policy is to proceed. There are no results then."""
