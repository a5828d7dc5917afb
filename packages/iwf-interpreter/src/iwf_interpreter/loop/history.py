"""A history as the loop reads it, free of any engine's own types.

A dialect translates the engine's events into these items; everything that means nothing to the core or
to the loop is left out.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.core import Command, Event, commands


class Fact(msgspec.Struct, frozen=True):
    """Something happened to the run."""

    event: Event


class Echo(msgspec.Struct, frozen=True):
    """The history confirms a command; `Echo.of` says which one it would be."""

    kind: str
    id: str

    @classmethod
    def of(cls, command: Command) -> "Echo":
        """What the history will say of this command."""
        match command:
            case commands.CallWaitUntil() | commands.CallExecute():
                return cls("call", command.call_id)
            case commands.StartTimer():
                return cls("timer start", command.timer_id)
            case commands.CancelTimer():
                return cls("timer cancel", command.timer_id)
            case commands.SetSearchAttributes():
                return cls("search attributes", ",".join(sorted(command.values)))
            case commands.SetMemo():
                return cls("memo", ",".join(sorted(command.values)))
            case commands.CompleteRun():
                return cls("close", "completed")
            case commands.FailRun():
                return cls("close", "failed")
            case commands.CancelRun():
                return cls("close", "canceled")


class Border(msgspec.Struct, frozen=True):
    """A batch ends here: a task that was completed, or the one in hand."""

    now_ms: int
    """Time of the batch in Unix milliseconds, from the history."""


Item: TypeAlias = Fact | Echo | Border
