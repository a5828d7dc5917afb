"""Waits for the same thing, carried out once for all who wait.

There is no task behind a wait: one of those who wait carries it out, the others stand in line. When that one
leaves, by its own deadline or because its client is gone, the next takes over, and when the last one leaves
nothing goes on.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


class _Wait(Generic[T]):
    def __init__(self) -> None:
        self.turn = anyio.Lock()
        self.waiters = 0
        self.results: list[T] = []
        """At most one."""


class SharedWaits(Generic[T]):
    """Waits under way, by what they are for."""

    def __init__(self) -> None:
        self._waits: dict[Hashable, _Wait[T]] = {}

    async def join(self, key: Hashable, carry_out: Callable[[], Awaitable[T]]) -> T:
        """Wait together with all others of the same key.

        Args:
            key: What is waited for.
            carry_out: How to wait for it. It must be possible to begin again what another one has begun and
                left. What it raises is for its caller alone, and the next one tries.
        """
        wait = self._waits.setdefault(key, _Wait())
        wait.waiters += 1
        try:
            async with wait.turn:
                if not wait.results:
                    wait.results.append(await carry_out())
                    self._forget(key, wait)
                return wait.results[0]
        finally:
            wait.waiters -= 1
            if not wait.waiters:
                self._forget(key, wait)

    def __len__(self) -> int:
        """How many waits are under way."""
        return len(self._waits)

    def _forget(self, key: Hashable, wait: _Wait[T]) -> None:
        """Let whoever comes next begin anew."""
        if self._waits.get(key) is wait:
            del self._waits[key]
