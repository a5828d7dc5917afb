"""The results of commands, as the execute call gets them."""

from iwf_interpreter.core.state import StateExecution, TimerState, Waiting
from iwf_interpreter.core.waiting import takes_several
from iwf_models import (
    ChannelRequestStatus,
    CommandResults,
    EncodedObject,
    InterStateChannelCommand,
    InterStateChannelResult,
    SignalCommand,
    SignalResult,
    TimerResult,
    TimerStatus,
)

_AFTER_FAILED_WAIT_UNTIL = CommandResults(state_start_api_succeeded=False, state_wait_until_failed=True)


def command_results(execution: StateExecution) -> CommandResults | None:
    """What the execute call of an execution is given; nothing when waitUntil is skipped."""
    if execution.wait_until_failed:
        return _AFTER_FAILED_WAIT_UNTIL
    return None if execution.waited is None else results(execution.waited)


def results(waiting: Waiting) -> CommandResults:
    """One result per command, in the order of the request; a kind without commands is left out."""
    request = waiting.request
    timer_results = [
        TimerResult(
            command_id=timer.command_id or "",
            timer_status=TimerStatus.SCHEDULED if timer.status is TimerState.PENDING else TimerStatus.FIRED,
        )
        for timer in waiting.timers
    ]
    signal_results = [
        _signal_result(command, waiting.signals.get(index))
        for index, command in enumerate(request.signal_commands or ())
    ]
    internal_results = [
        _internal_result(command, waiting.internal.get(index))
        for index, command in enumerate(request.inter_state_channel_commands or ())
    ]
    return CommandResults(
        timer_results=timer_results or None,
        signal_results=signal_results or None,
        inter_state_channel_results=internal_results or None,
        state_start_api_succeeded=True,
        state_wait_until_failed=False,
    )


def _signal_result(command: SignalCommand, taken: list[EncodedObject] | None) -> SignalResult:
    return SignalResult(
        command_id=command.command_id or "",
        signal_channel_name=command.signal_channel_name,
        signal_request_status=_status(taken),
        signal_value=taken[0] if taken else None,
        signal_values=taken if takes_several(command) else None,
    )


def _internal_result(
    command: InterStateChannelCommand, taken: list[EncodedObject | None] | None
) -> InterStateChannelResult:
    return InterStateChannelResult(
        command_id=command.command_id or "",
        channel_name=command.channel_name,
        request_status=_status(taken),
        value=taken[0] if taken else None,
        values=[value or EncodedObject() for value in taken] if taken and takes_several(command) else None,
    )


def _status(taken: object) -> ChannelRequestStatus:
    return ChannelRequestStatus.WAITING if taken is None else ChannelRequestStatus.RECEIVED
