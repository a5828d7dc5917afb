"""Commands that state executions wait for: who gets which message, and what is satisfied.

Matching is greedy. All messages at hand are given out before any trigger is looked at, oldest message to
the longest-waiting command, so that with "any" several commands may have completed. A message is taken by
one command. A command takes one message, or as many as its `atLeast` and `atMost` say: none before there
are enough, so that a wait which ends in another way has taken nothing for a command that did not complete
(`docs/interpreter.md`).
"""

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias, TypeVar

import msgspec

from iwf_interpreter.core import channels
from iwf_interpreter.core.state import ExecutionState, TimerState, Waiting
from iwf_models import CommandWaitingType, InterStateChannelCommand, SignalCommand
from iwf_models.compat import command_waiting_type

V = TypeVar("V")


class _Wanted(msgspec.Struct, frozen=True):
    """How many messages a command takes."""

    at_least: int
    at_most: int


_ChannelWaiters: TypeAlias = dict[str, dict[tuple[str, int], _Wanted]]
"""By channel: (execution id, command index), longest waiting first."""

_ONE = _Wanted(1, 1)


class Waiters:
    """Which commands want messages of which channel; an index over `ExecutionState.waiting`."""

    def __init__(self, state: ExecutionState) -> None:
        self._state = state
        self._signals: _ChannelWaiters = {}
        self._internal: _ChannelWaiters = {}
        for execution_id, waiting in state.waiting.items():
            self.add(execution_id, waiting)

    def add(self, execution_id: str, waiting: Waiting) -> None:
        """Let the commands of a wait take messages."""
        for waiters, name, index, wanted in self._open_commands(waiting):
            waiters.setdefault(name, {})[execution_id, index] = wanted

    def remove(self, execution_id: str, waiting: Waiting) -> None:
        """End a wait: none of its commands takes anything any more."""
        for waiters, name, index, _ in self._open_commands(waiting):
            _discard(waiters, name, (execution_id, index))

    def match_messages(self) -> list[str]:
        """Give out every message that some command waits for; return the executions that got one."""
        waiting = self._state.waiting
        got: list[str] = []
        for (execution_id, index), signals in _deliveries(self._state.signal_channels, self._signals):
            waiting[execution_id].signals.setdefault(index, []).extend(signals)
            got.append(execution_id)
        for (execution_id, index), messages in _deliveries(self._state.internal_channels, self._internal):
            waiting[execution_id].internal.setdefault(index, []).extend(messages)
            got.append(execution_id)
        return got

    def _open_commands(self, waiting: Waiting) -> Iterator[tuple[_ChannelWaiters, str, int, _Wanted]]:
        for index, signal in enumerate(waiting.request.signal_commands or ()):
            wanted = _still_wanted(signal, len(waiting.signals.get(index, ())))
            if wanted is not None:
                yield self._signals, signal.signal_channel_name, index, wanted
        for index, internal in enumerate(waiting.request.inter_state_channel_commands or ()):
            wanted = _still_wanted(internal, len(waiting.internal.get(index, ())))
            if wanted is not None:
                yield self._internal, internal.channel_name, index, wanted


def takes_several(command: SignalCommand | InterStateChannelCommand) -> bool:
    """Whether a command says how many messages it takes, and so gets them as a list."""
    return command.at_least is not None or command.at_most is not None


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


def _still_wanted(command: SignalCommand | InterStateChannelCommand, taken: int) -> _Wanted | None:
    """How many more messages a command takes, `None` when it has all."""
    if not takes_several(command):
        return None if taken else _ONE
    at_least = command.at_least or 1
    at_most = max(at_least, command.at_most or 1)
    return None if taken >= at_most else _Wanted(max(1, at_least - taken), at_most - taken)


def _deliveries(
    queues: dict[str, list[V]], waiters: _ChannelWaiters
) -> Iterator[tuple[tuple[str, int], list[V]]]:
    for name in [name for name in queues if name in waiters]:
        for receiver, wanted, count in _shares(waiters[name], len(queues[name])):
            if count == wanted.at_most:
                _discard(waiters, name, receiver)
            else:
                waiters[name][receiver] = _Wanted(1, wanted.at_most - count)
            yield receiver, channels.take(queues, name, count)


def _shares(
    receivers: dict[tuple[str, int], _Wanted], available: int
) -> list[tuple[tuple[str, int], _Wanted, int]]:
    """Who gets how many of the available messages; one who wants more than are left is passed over."""
    shares: list[tuple[tuple[str, int], _Wanted, int]] = []
    for receiver, wanted in receivers.items():
        if available == 0:
            break
        if available >= wanted.at_least:
            count = min(available, wanted.at_most)
            available -= count
            shares.append((receiver, wanted, count))
    return shares


def _discard(waiters: _ChannelWaiters, name: str, receiver: tuple[str, int]) -> None:
    receivers = waiters[name]
    del receivers[receiver]
    if not receivers:
        del waiters[name]
