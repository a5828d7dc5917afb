"""Timer commands, and the one engine timer that serves them all.

A relative timer begins when its command is registered and never fires early; its visible fire time has a
resolution of one second. The engine has at most one timer open: for the earliest pending command
(`docs/interpreter.md`).
"""

import heapq
from collections.abc import Sequence

from iwf_interpreter.core.commands import CancelTimer, Command, StartTimer
from iwf_interpreter.core.events import TimerSkipped
from iwf_interpreter.core.state import ArmedTimer, ExecutionState, Timer, TimerSkip, TimerState, Waiting
from iwf_models import TimerCommand, compat

MAX_TIMER_SECONDS = 100 * 365 * 24 * 3600
"""Later timers are cut to this: engines cannot represent every duration that fits 64 bits."""

MAX_STALE_SKIPS = 1000
"""How many skips wait for timers that are not there yet; the oldest ones make room."""

_MIN_HEAP_TO_SWEEP = 64


def timer(command: TimerCommand, now_ms: int) -> Timer:
    """The timer of a command that is registered now; one without any time is due at once."""
    latest_ms = now_ms + MAX_TIMER_SECONDS * 1000
    fire_at_ms = min(compat.timer_fires_at_ms(command, now_ms=now_ms), latest_ms)
    return Timer(fire_at_ms=fire_at_ms, command_id=command.command_id)


class Timers:
    """The pending timers by their time: an index over `ExecutionState.waiting`."""

    def __init__(self, state: ExecutionState) -> None:
        self._state = state
        self._heap: list[tuple[int, int, str, int]] = []
        """Fire time, sequence of the wait, execution id, timer index. Some may not be pending any more."""
        self._gone = 0
        """How many of them, at most."""
        for execution_id, waiting in state.waiting.items():
            self.add(execution_id, waiting)

    def add(self, execution_id: str, waiting: Waiting) -> None:
        """Watch the timers of a wait that begins."""
        for index, pending in enumerate(waiting.timers):
            if pending.status is TimerState.PENDING:
                heapq.heappush(self._heap, (pending.fire_at_ms, waiting.sequence, execution_id, index))

    def removed(self, waiting: Waiting) -> None:
        """Note that a wait has ended: its timers are not needed."""
        self._gone += len(waiting.timers)
        if self._gone > len(self._heap) // 2 and len(self._heap) > _MIN_HEAP_TO_SWEEP:
            self._heap = [entry for entry in self._heap if self._pending(entry) is not None]
            heapq.heapify(self._heap)
            self._gone = 0

    def fire_due(self, now_ms: int) -> list[str]:
        """Mark timers whose time has come; return the executions that own one."""
        fired: list[str] = []
        while self._heap and self._heap[0][0] <= now_ms:
            due = self._pending(entry := heapq.heappop(self._heap))
            if due is not None:
                due.status = TimerState.FIRED
                fired.append(entry[2])
        return fired

    def rearm(self, now_ms: int) -> Sequence[Command]:
        """Make the engine timer the one of the earliest pending command; none when nothing is pending."""
        state = self._state
        earliest = self._earliest()
        armed = state.armed_timer
        if armed is not None and earliest is not None and armed.fire_at_ms == earliest[0]:
            return ()
        changes: list[Command] = []
        if armed is not None:
            changes.append(CancelTimer(timer_id=armed.timer_id))
            state.armed_timer = None
        if earliest is not None:
            fire_at_ms, _, execution_id, _ = earliest
            state.timers_started += 1
            timer_id = f"timer/{state.timers_started}"
            state.armed_timer = ArmedTimer(timer_id=timer_id, fire_at_ms=fire_at_ms)
            changes.append(
                StartTimer(timer_id=timer_id, delay_ms=fire_at_ms - now_ms, execution_id=execution_id)
            )
        return changes

    def _earliest(self) -> tuple[int, int, str, int] | None:
        while self._heap and self._pending(self._heap[0]) is None:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def _pending(self, entry: tuple[int, int, str, int]) -> Timer | None:
        """The timer of an entry, if it is pending still."""
        _, sequence, execution_id, index = entry
        waiting = self._state.waiting.get(execution_id)
        if waiting is None or waiting.sequence != sequence:
            return None
        found = waiting.timers[index]
        return found if found.status is TimerState.PENDING else None


def skip(state: ExecutionState, event: TimerSkipped) -> str | None:
    """Let a timer command complete now; return its execution if that has an effect.

    A skip for timers that are still to come is kept until they are there: after a reset the skips of before
    are the first to arrive.
    """
    waiting = state.waiting.get(event.execution_id)
    if waiting is not None:
        return event.execution_id if _skip(waiting, event) else None
    if _is_to_wait(state, event.execution_id):
        kept = TimerSkip(
            execution_id=event.execution_id, command_id=event.command_id, command_index=event.command_index
        )
        if kept not in state.stale_skips:
            state.stale_skips.append(kept)
            del state.stale_skips[:-MAX_STALE_SKIPS]
    return None


def apply_stale_skips(state: ExecutionState, execution_id: str, waiting: Waiting) -> None:
    """Skip what was skipped before this wait began; whatever does not fit is forgotten."""
    mine = [kept for kept in state.stale_skips if kept.execution_id == execution_id]
    if mine:
        state.stale_skips = [kept for kept in state.stale_skips if kept.execution_id != execution_id]
        for kept in mine:
            _skip(waiting, kept)


def _skip(waiting: Waiting, wanted: TimerSkipped | TimerSkip) -> bool:
    if wanted.command_id:
        found = next((each for each in waiting.timers if each.command_id == wanted.command_id), None)
    else:
        index = -1 if wanted.command_index is None else wanted.command_index
        found = waiting.timers[index] if 0 <= index < len(waiting.timers) else None
    if found is None or found.status is not TimerState.PENDING:
        return False
    found.status = TimerState.SKIPPED
    return True


def _is_to_wait(state: ExecutionState, execution_id: str) -> bool:
    """Whether this execution may still come to wait for timers."""
    execution = state.executions.get(execution_id)
    if execution is not None:
        return execution.phase.is_before_waiting
    state_id, _, number = execution_id.rpartition("-")
    return number.isdecimal() and int(number) > state.started_counts.get(state_id, 0)
