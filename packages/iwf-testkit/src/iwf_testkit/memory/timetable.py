"""What is due when: timers, pauses and time limits of the in-memory engine.

One task sleeps until the next entry is due and calls it. The clock is the event loop's, counted from the Unix
time at which the engine was made, so on a loop with virtual time all of it is virtual.
"""

import heapq
import math
from collections.abc import Callable
from itertools import count

import anyio
from anyio.abc import TaskStatus

_TOLERANCE_MS = 0.001
"""A deadline in seconds, as the event loop takes it, is not exact to the last digit."""


class Entry:
    """Something that will be called."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call it after all."""
        self.call = None


class Timetable:
    """A clock, and what is to be done at which time of it.

    Args:
        started_at: Unix seconds that the clock shows in the beginning.
    """

    def __init__(self, started_at: float) -> None:
        self._epoch_ms = math.floor(started_at * 1000) - anyio.current_time() * 1000
        self._entries: list[tuple[int, int, Entry]] = []
        self._numbers = count()
        self._changed = anyio.Event()

    def now(self) -> float:
        """Unix seconds."""
        return self.now_ms() / 1000

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return math.floor(self._epoch_ms + anyio.current_time() * 1000 + _TOLERANCE_MS)

    def at(self, due_ms: int, call: Callable[[], None]) -> Entry:
        """Call a function at a time, given in Unix milliseconds; at once, in its turn, if it has passed."""
        entry = Entry(call)
        heapq.heappush(self._entries, (due_ms, next(self._numbers), entry))
        if self._entries[0][2] is entry:
            self._changed.set()
        return entry

    async def sleep(self, ms: int) -> None:
        """Let so many milliseconds pass."""
        await anyio.sleep(ms / 1000)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Call what is due, for ever."""
        task_status.started()
        while True:
            self._changed = anyio.Event()
            self._call_due()
            if self._changed.is_set():
                continue
            until = (self._entries[0][0] - self._epoch_ms) / 1000 if self._entries else math.inf
            with anyio.CancelScope(deadline=until):
                await self._changed.wait()

    def _call_due(self) -> None:
        while self._entries and self._entries[0][0] <= self.now_ms():
            _, _, entry = heapq.heappop(self._entries)
            call, entry.call = entry.call, None
            if call is not None:
                call()
        # Entries that were cancelled must not make time go by.
        while self._entries and self._entries[0][2].call is None:
            heapq.heappop(self._entries)
