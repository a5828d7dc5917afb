"""Lines: of all in this process who want something of the same run or workflow, a few at a time, in order.

What Temporal does for one run is bounded, and whatever comes beyond that is refused, or worse. A line exists
only while somebody stands in it.
"""

from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager

import anyio


class _Line:
    def __init__(self, at_a_time: int) -> None:
        self.places = anyio.Semaphore(at_a_time, fast_acquire=True)
        self.callers = 0


class Lines:
    """Lines by what their callers have in common.

    Args:
        at_a_time: How many callers of each line have their turn together.
    """

    def __init__(self, at_a_time: int) -> None:
        self._at_a_time = at_a_time
        self._lines: dict[Hashable, _Line] = {}

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncGenerator[None]:
        """Wait for one's turn, and have it until the end of the block."""
        line = self._lines.setdefault(key, _Line(self._at_a_time))
        line.callers += 1
        try:
            async with line.places:
                yield
        finally:
            line.callers -= 1
            if not line.callers:
                del self._lines[key]

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._lines)
