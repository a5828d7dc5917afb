"""The history of a run as the model engine keeps it: tasks, and the batches they were made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from iwf_interpreter.core import commands, events


def closing(asked: Sequence[commands.Command]) -> commands.Close | None:
    """The command that closes the run, if the last one does."""
    match asked[-1] if asked else None:
        case (
            commands.CompleteRun() | commands.FailRun() | commands.CancelRun() | commands.ContinueAsNew()
        ) as close:
            return close
        case _:
            return None


@dataclass(slots=True)
class Batch:
    """What a border between batches looks like in the engine's history."""

    now_ms: int
    events: list[events.Event]
    commands: list[commands.Command]


@dataclass(slots=True)
class Task:
    """A task in hand: nothing of it has happened yet."""

    delivered: bool
    """Whether its first batch is what the engine handed out."""
    batches: list[Batch] = field(default_factory=list)
    local: dict[str, commands.Command] = field(default_factory=dict)
    """Calls in place that are not over."""
    results: dict[str, events.Event] = field(default_factory=dict)
    """How calls in place have ended, by call id."""
    beat_ms: int = 0
    beat: list[commands.Command] | None = None
    """What the index is told at its end, because calls in place go on in the next one."""

    @property
    def is_last(self) -> bool:
        """Whether the run closes with it."""
        return closing(self.batches[-1].commands if self.batches else ()) is not None
