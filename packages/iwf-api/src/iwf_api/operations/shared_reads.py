"""Reads of the same thing, made once for all who ask for it while another one is under way.

A read must show every write that was acknowledged before it was asked for. So nobody joins a read that has
been sent already: of one kind at most one is under way, and all who come meanwhile share the next, which is
sent after all of them have come. There is no task behind a read, as with `shared_waits`: one of those who
share it makes it, and another one begins it anew should that one leave.
"""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

from iwf_interpreter.engine import EngineError, WaitTimedOut

T = TypeVar("T")


class _Read(Generic[T]):
    """One read, shared by all who came before it was sent."""

    def __init__(self) -> None:
        self.outcomes: list[T | EngineError] = []
        """At most one."""


class _Line(Generic[T]):
    """Those who ask for the same; whoever has the turn makes a read, or takes its outcome along."""

    def __init__(self) -> None:
        self.turn = anyio.Lock(fast_acquire=True)
        self.callers = 0
        self.next = _Read[T]()
        """The read that has not been sent."""


class SharedReads:
    """Reads under way, by what they ask for."""

    def __init__(self) -> None:
        self._lines: dict[Hashable, _Line[object]] = {}

    async def join(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Read together with all who ask for the same before the read is sent.

        Args:
            key: What is asked for. The same key must always mean the same type of answer.
            read: How to read it. An `EngineError` is for all who share the read; but when its time is over
                (`WaitTimedOut`), only its caller's is, and the next one tries.
        """
        line: _Line[T] = self._lines.setdefault(key, _Line[object]())  # pyright: ignore[reportAssignmentType]
        line.callers += 1
        mine = line.next
        try:
            # The lock is fair: all who share a read have their turn before those who came after it was sent.
            async with line.turn:
                if not mine.outcomes:
                    if line.next is mine:
                        line.next = _Read[T]()
                    mine.outcomes.append(await _outcome(read))
                outcome = mine.outcomes[0]
        finally:
            line.callers -= 1
            if not line.callers:
                del self._lines[key]
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    def __len__(self) -> int:
        """How many different things are asked for."""
        return len(self._lines)


async def _outcome(read: Callable[[], Awaitable[T]]) -> T | EngineError:
    try:
        return await read()
    except WaitTimedOut:
        raise
    except EngineError as error:
        return error
