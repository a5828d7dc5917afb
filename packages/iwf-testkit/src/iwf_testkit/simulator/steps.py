"""The decisions of a schedule, as data: what the world does next.

A schedule is a list of steps. Each one stands alone, so that a schedule from which some are dropped is a
schedule still: a step that does not apply does nothing, and calls are picked by their place among those
that are open.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.core import events


class Arrive(msgspec.Struct, frozen=True):
    """The engine records an event: a signal, a write, a skip, a request."""

    event: events.Event


class Ask(msgspec.Struct, frozen=True):
    """A client sends an update."""

    event: events.LockedRpcRequested | events.StateWaitRequested


class Deliver(msgspec.Struct, frozen=True):
    """A task begins: all that has been recorded so far is one batch."""


class FinishLocal(msgspec.Struct, frozen=True):
    """A call made in place ends, within the task."""

    pick: int
    fails: bool = False
    timed_out: bool = False


class Respond(msgspec.Struct, frozen=True):
    """The task is answered; an answer that closes is refused if something was recorded meanwhile."""


class Crash(msgspec.Struct, frozen=True):
    """The task is lost before it is answered."""

    keeps_results: bool
    """Results of calls in place outlive it: only the answer was lost, not the process."""


class Evict(msgspec.Struct, frozen=True):
    """The run leaves the cache: its next task replays it."""


class Answer(msgspec.Struct, frozen=True):
    """The worker answers a call."""

    pick: int


class LoseAnswer(msgspec.Struct, frozen=True):
    """The worker is called, and its answer is lost: it will be called again."""

    pick: int


class GiveUp(msgspec.Struct, frozen=True):
    """The engine gives up a call."""

    pick: int


class Advance(msgspec.Struct, frozen=True):
    """Time passes."""

    ms: int


class Restore(msgspec.Struct, frozen=True):
    """The run goes on from its state, written down and read back."""


class Reset(msgspec.Struct, frozen=True):
    """An operator resets the run to an earlier task; what clients sent since then comes again."""

    back: int


Step: TypeAlias = (
    Arrive
    | Ask
    | Deliver
    | FinishLocal
    | Respond
    | Crash
    | Evict
    | Answer
    | LoseAnswer
    | GiveUp
    | Advance
    | Restore
    | Reset
)
