"""Commands that state executions wait for: who gets which message, what is satisfied, the results.

Matching is greedy. All messages at hand are given out before any trigger is looked at, oldest message to
the longest-waiting command, so that with "any" several commands may have completed. A command takes one
message; a message is taken by one command (`docs/interpreter.md`).
"""

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from iwf_interpreter.core import channels, timers
from iwf_interpreter.core.state import ExecutionState, TimerState, Waiting
from iwf_models import (
    ChannelRequestStatus,
    CommandRequest,
    CommandResults,
    CommandWaitingType,
    InterStateChannelResult,
    SignalResult,
    TimerResult,
    TimerStatus,
)
from iwf_models.compat import command_waiting_type

V = TypeVar("V")

_ChannelWaiters = dict[str, dict[tuple[str, int], None]]
"""By channel: (execution id, command index), longest waiting first."""


class Waiters:
    """Which commands want messages of which channel; an index over `ExecutionState.waiting`."""

    def __init__(self, state: ExecutionState) -> None:
        self._state = state
        self._signals: _ChannelWaiters = {}
        self._internal: _ChannelWaiters = {}
        for execution_id, waiting in state.waiting.items():
            self._add(execution_id, waiting)

    def register(self, execution_id: str, request: CommandRequest, now_ms: int) -> None:
        """Let an execution wait for a command request; relative timers begin now."""
        state = self._state
        state.registrations += 1
        waiting = Waiting(
            sequence=state.registrations,
            request=request,
            timers=[timers.timer(command, now_ms) for command in request.timer_commands or ()],
        )
        state.waiting[execution_id] = waiting
        self._add(execution_id, waiting)

    def remove(self, execution_id: str) -> Waiting:
        """End a wait: none of its commands takes anything any more."""
        waiting = self._state.waiting.pop(execution_id)
        for waiters, name, index in self._open_commands(waiting):
            _discard(waiters, name, (execution_id, index))
        return waiting

    def match_messages(self) -> list[str]:
        """Give out every message that some command waits for; return the executions that got one."""
        waiting = self._state.waiting
        got: list[str] = []
        for (execution_id, index), signal in _deliveries(self._state.signal_channels, self._signals):
            waiting[execution_id].signals[index] = signal
            got.append(execution_id)
        for (execution_id, index), message in _deliveries(self._state.internal_channels, self._internal):
            waiting[execution_id].internal[index] = message
            got.append(execution_id)
        return got

    def _add(self, execution_id: str, waiting: Waiting) -> None:
        for waiters, name, index in self._open_commands(waiting):
            waiters.setdefault(name, {})[execution_id, index] = None

    def _open_commands(self, waiting: Waiting) -> Iterator[tuple[_ChannelWaiters, str, int]]:
        for index, command in enumerate(waiting.request.signal_commands or ()):
            if index not in waiting.signals:
                yield self._signals, command.signal_channel_name, index
        for index, command in enumerate(waiting.request.inter_state_channel_commands or ()):
            if index not in waiting.internal:
                yield self._internal, command.channel_name, index


def _deliveries(queues: dict[str, list[V]], waiters: _ChannelWaiters) -> Iterator[tuple[tuple[str, int], V]]:
    for name in [name for name in queues if name in waiters]:
        receivers = list(waiters[name])
        messages = channels.take(queues, name, len(receivers))
        for receiver, message in zip(receivers, messages, strict=False):
            _discard(waiters, name, receiver)
            yield receiver, message


def is_satisfied(waiting: Waiting) -> bool:
    """Whether the trigger of a command request is met; without commands it always is."""
    request = waiting.request
    total = (
        len(request.timer_commands or ())
        + len(request.signal_commands or ())
        + len(request.inter_state_channel_commands or ())
    )
    completed = sum(timer.status is not TimerState.PENDING for timer in waiting.timers)
    completed += len(waiting.signals) + len(waiting.internal)
    if total == 0:
        return True
    match command_waiting_type(request):
        case CommandWaitingType.ALL_COMPLETED:
            return completed == total
        case CommandWaitingType.ANY_COMPLETED:
            return completed > 0
        case _:
            done = Counter(_completed_ids(waiting))
            return any(
                Counter(combination.command_ids or ()) <= done
                for combination in request.command_combinations or ()
            )


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
        SignalResult(
            command_id=command.command_id or "",
            signal_channel_name=command.signal_channel_name,
            signal_request_status=_status(index in waiting.signals),
            signal_value=waiting.signals.get(index),
        )
        for index, command in enumerate(request.signal_commands or ())
    ]
    internal_results = [
        InterStateChannelResult(
            command_id=command.command_id or "",
            channel_name=command.channel_name,
            request_status=_status(index in waiting.internal),
            value=waiting.internal.get(index),
        )
        for index, command in enumerate(request.inter_state_channel_commands or ())
    ]
    return CommandResults(
        timer_results=timer_results or None,
        signal_results=signal_results or None,
        inter_state_channel_results=internal_results or None,
        state_start_api_succeeded=True,
        state_wait_until_failed=False,
    )


FAILED_WAIT_UNTIL_RESULTS = CommandResults(state_start_api_succeeded=False, state_wait_until_failed=True)
"""What execute is given when waitUntil failed for good and the policy is to proceed."""


def _completed_ids(waiting: Waiting) -> Iterator[str]:
    request = waiting.request
    for timer in waiting.timers:
        if timer.status is not TimerState.PENDING:
            yield timer.command_id or ""
    for index, signal in enumerate(request.signal_commands or ()):
        if index in waiting.signals:
            yield signal.command_id or ""
    for index, internal in enumerate(request.inter_state_channel_commands or ()):
        if index in waiting.internal:
            yield internal.command_id or ""


def _status(received: bool) -> ChannelRequestStatus:
    return ChannelRequestStatus.RECEIVED if received else ChannelRequestStatus.WAITING


def _discard(waiters: _ChannelWaiters, name: str, receiver: tuple[str, int]) -> None:
    receivers = waiters[name]
    del receivers[receiver]
    if not receivers:
        del waiters[name]
