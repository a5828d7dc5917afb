"""Timer commands, and the one engine timer that serves them all.

A relative timer begins when its command is registered and never fires early; its visible fire time has a
resolution of one second. The engine has at most one timer open: for the earliest pending command
(`docs/interpreter.md`).
"""

from collections.abc import Sequence

from iwf_interpreter.core.commands import CancelTimer, Command, StartTimer
from iwf_interpreter.core.state import ArmedTimer, ExecutionState, Timer, TimerState
from iwf_models import TimerCommand, compat

MAX_TIMER_SECONDS = 100 * 365 * 24 * 3600
"""Later timers are cut to this: engines cannot represent every duration that fits 64 bits."""


def timer(command: TimerCommand, now_ms: int) -> Timer:
    """The timer of a command that is registered now; one without any time is due at once."""
    latest_ms = now_ms + MAX_TIMER_SECONDS * 1000
    fire_at_ms = min(compat.timer_fires_at_ms(command, now_ms=now_ms), latest_ms)
    return Timer(fire_at_ms=fire_at_ms, command_id=command.command_id)


def fire_due(state: ExecutionState, now_ms: int) -> list[str]:
    """Mark timers whose time has come; return the executions that own one."""
    fired: list[str] = []
    for execution_id, waiting in state.waiting.items():
        for due in waiting.timers:
            if due.status is TimerState.PENDING and due.fire_at_ms <= now_ms:
                due.status = TimerState.FIRED
                fired.append(execution_id)
    return fired


def rearm(state: ExecutionState, now_ms: int) -> Sequence[Command]:
    """Make the engine timer the one of the earliest pending command; none when nothing is pending."""
    earliest = _earliest(state)
    armed = state.armed_timer
    if armed is not None and earliest is not None and armed.fire_at_ms == earliest[0]:
        return ()
    changes: list[Command] = []
    if armed is not None:
        changes.append(CancelTimer(timer_id=armed.timer_id))
        state.armed_timer = None
    if earliest is not None:
        fire_at_ms, execution_id = earliest
        state.timers_started += 1
        timer_id = f"timer/{state.timers_started}"
        state.armed_timer = ArmedTimer(timer_id=timer_id, fire_at_ms=fire_at_ms)
        changes.append(StartTimer(timer_id=timer_id, delay_ms=fire_at_ms - now_ms, execution_id=execution_id))
    return changes


def _earliest(state: ExecutionState) -> tuple[int, str] | None:
    pending = (
        (pending.fire_at_ms, waiting.sequence, execution_id)
        for execution_id, waiting in state.waiting.items()
        for pending in waiting.timers
        if pending.status is TimerState.PENDING
    )
    first = min(pending, default=None)
    return None if first is None else (first[0], first[2])
