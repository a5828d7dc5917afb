"""What the workflows of the benchmarks look like: told by their type, which worker, floor and drivers read.

A type is `KIND-COUNT`, or `KIND-COUNT-skip` when its states skip waitUntil. So the worker needs no memory,
and every process agrees on what a workflow does.
"""

from enum import StrEnum
from functools import lru_cache

import msgspec


class Kind(StrEnum):
    """What a workflow does with its count."""

    ROW = "row"
    """States `S1`, `S2`, ... one after the other."""
    FAN = "fan"
    """`S1`, and then that many executions of `P` at a time."""
    LOCKED_FAN = "lockedfan"
    """As `FAN`, and every execute of `P` locks the same data attribute."""
    TIMER_FAN = "timerfan"
    """As `FAN`, and each `P` waits for a timer."""
    MESSAGE_FAN = "messagefan"
    """As `FAN`, and each `P` waits for a message of the same channel."""
    TIMERS = "timers"
    """`S1` waits for that many timers, all of them, which fire within ten seconds."""
    SPREAD_TIMERS = "spreadtimers"
    """As `TIMERS`, and they fire a second apart."""
    MESSAGES = "messages"
    """`S1` takes up to 100 messages at a time and comes again, until it has had that many."""


class Shape(msgspec.Struct, frozen=True):
    """A workflow of the benchmarks."""

    kind: Kind
    count: int
    skips_wait_until: bool = False

    @property
    def workflow_type(self) -> str:
        """The type that says it all."""
        return f"{self.kind}-{self.count}" + ("-skip" if self.skips_wait_until else "")

    @property
    def states(self) -> int:
        """Executions of states that a workflow has."""
        match self.kind:
            case Kind.ROW:
                return self.count
            case Kind.FAN | Kind.LOCKED_FAN | Kind.TIMER_FAN | Kind.MESSAGE_FAN:
                return self.count + 1
            case Kind.TIMERS | Kind.SPREAD_TIMERS | Kind.MESSAGES:
                return 1


@lru_cache
def parse(workflow_type: str) -> Shape:
    """The shape that a workflow type tells."""
    kind, count, *skip = workflow_type.split("-")
    return Shape(Kind(kind), int(count), bool(skip))
