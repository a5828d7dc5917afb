"""Who gets which message, said again in the plainest way: the ledger's side of waiting.

Due timers fire, messages are given out oldest first to the command that waits longest, and then every
trigger is looked at.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from iwf_interpreter.core.state import Phase, TimerState
from iwf_models import (
    CommandResults,
    EncodedObject,
    InterStateChannelCommand,
    SignalCommand,
    WorkflowConditionalClose,
)
from iwf_testkit.simulator.account import Account, Live, Wait

V = TypeVar("V")


def give_out(ledger: Account, now_ms: int) -> None:
    """Fire, match, and let executions whose trigger is met go on."""
    for execution_id in ledger.waiting:
        wait = _wait(ledger, execution_id)
        for position, fire_at_ms in enumerate(wait.fire_at_ms):
            if wait.timers[position] is TimerState.PENDING and fire_at_ms <= now_ms:
                wait.timers[position] = TimerState.FIRED
        for position, command in enumerate(wait.request.signal_commands or ()):
            _take(ledger.signals, command.signal_channel_name, command, wait.signals, position)
        for position, command in enumerate(wait.request.inter_state_channel_commands or ()):
            _take(ledger.internal, command.channel_name, command, wait.internal, position)
    for execution_id in list(ledger.waiting):
        if is_met(_wait(ledger, execution_id)):
            ledger.waiting.remove(execution_id)
            ledger.live[execution_id].phase = Phase.READY


def is_met(wait: Wait) -> bool:
    """Whether the trigger of a wait is met."""
    request = wait.request
    commands: list[tuple[str, bool]] = []
    for position, timer in enumerate(request.timer_commands or ()):
        commands.append((timer.command_id or "", wait.timers[position] is not TimerState.PENDING))
    for position, signal in enumerate(request.signal_commands or ()):
        commands.append((signal.command_id or "", position in wait.signals))
    for position, internal in enumerate(request.inter_state_channel_commands or ()):
        commands.append((internal.command_id or "", position in wait.internal))
    if not commands or request.command_waiting_type is None:
        return True
    match request.command_waiting_type.value:
        case "ALL_COMPLETED":
            return all(done for _, done in commands)
        case "ANY_COMPLETED":
            return any(done for _, done in commands)
        case _:
            ids = Counter(command_id for command_id, done in commands if done)
            return any(
                all(ids[each] >= count for each, count in Counter(combination.command_ids or ()).items())
                for combination in request.command_combinations or ()
            )


def is_empty(ledger: Account, condition: WorkflowConditionalClose) -> bool:
    """Whether a conditional close is met."""
    signals = {name for name, queue in ledger.signals.items() if queue}
    internal = {name for name, queue in ledger.internal.items() if queue}
    if ledger.config.count_held_messages:
        for live in ledger.live.values():
            wait = live.wait
            if wait is not None:
                commands = wait.request.signal_commands or []
                signals |= {commands[position].signal_channel_name for position in wait.signals}
                others = wait.request.inter_state_channel_commands or []
                internal |= {others[position].channel_name for position in wait.internal}
    match condition.conditional_close_type:
        case "FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY":
            return condition.channel_name not in internal
        case "FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY":
            return condition.channel_name not in signals
        case _:
            return not signals and not internal


def expected_results(live: Live) -> object:
    """What the execute call of a state execution must be told, in a form of our own."""
    if live.wait_until_failed:
        return "waitUntil failed"
    wait = live.wait
    if wait is None:
        return None
    request = wait.request
    return (
        [
            (timer.command_id or "", "SCHEDULED" if status is TimerState.PENDING else "FIRED")
            for timer, status in zip(request.timer_commands or (), wait.timers, strict=True)
        ],
        [
            (each.command_id or "", each.signal_channel_name, *_outcome(each, wait.signals.get(position)))
            for position, each in enumerate(request.signal_commands or ())
        ],
        [
            (each.command_id or "", each.channel_name, *_outcome(each, wait.internal.get(position)))
            for position, each in enumerate(request.inter_state_channel_commands or ())
        ],
    )


def told_results(results: CommandResults | None) -> object:
    """What an execute call is told, in the same form."""
    if results is None:
        return None
    if results.state_wait_until_failed:
        return "waitUntil failed"
    return (
        [(each.command_id, each.timer_status.value) for each in results.timer_results or ()],
        [
            (
                each.command_id,
                each.signal_channel_name,
                each.signal_request_status.value,
                each.signal_value,
                each.signal_values,
            )
            for each in results.signal_results or ()
        ],
        [
            (each.command_id, each.channel_name, each.request_status.value, each.value, each.values)
            for each in results.inter_state_channel_results or ()
        ],
    )


def _wait(ledger: Account, execution_id: str) -> Wait:
    wait = ledger.live[execution_id].wait
    assert wait is not None
    return wait


def _take(
    queues: dict[str, list[V]],
    name: str,
    command: SignalCommand | InterStateChannelCommand,
    taken: dict[int, list[V]],
    position: int,
) -> None:
    queue = queues.get(name)
    if not queue:
        return
    least = command.at_least or 1
    most = max(least, command.at_most or 1)
    have = len(taken.get(position, ()))
    if have == 0 and len(queue) < least:
        return
    count = min(most - have, len(queue))
    if count:
        taken.setdefault(position, []).extend(queue[:count])
        del queue[:count]
    if not queue:
        del queues[name]


def _outcome(
    command: SignalCommand | InterStateChannelCommand, taken: Sequence[EncodedObject | None] | None
) -> tuple[str, EncodedObject | None, list[EncodedObject] | None]:
    if taken is None:
        return "WAITING", None, None
    several = command.at_least is not None or command.at_most is not None
    return "RECEIVED", taken[0], [each or EncodedObject() for each in taken] if several else None
