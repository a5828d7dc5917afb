"""What has happened to a run of the in-memory engine, in the order in which it happened.

A history is a list of tasks. A task takes facts in, in one batch or, with calls made in place, in several,
and its commands follow from them. Events are counted as Temporal counts them, so that their ids mean the same
in a reset.
"""

from collections.abc import Iterator, Sequence

import msgspec

from iwf_interpreter.core import commands, events

_TASK_EVENTS = 3
"""Scheduled, started, completed."""


class Batch(msgspec.Struct):
    """Facts that were taken in together, and what the run asked for then."""

    now_ms: int
    facts: list[events.Event]
    asked: list[commands.Command]


class Task(msgspec.Struct):
    """One task of the run: it is over when no call in place is open, or when something else comes."""

    started_event_id: int
    completed_ms: int
    batches: list[Batch] = []
    index_told_ms: int | None = None
    """Set when it ended with calls in place still open: when the index was told what had changed."""

    given: int | None = None
    """Of a task that a reset has done again: how many of its first facts were there before the reset."""

    @property
    def beginning(self) -> list[events.Event]:
        """What a reset to this task gives it again; what a reset has brought along comes after that."""
        return self.batches[0].facts[: self.given]

    @property
    def rest(self) -> Iterator[events.Event]:
        """What it has taken in beside that."""
        yield from () if self.given is None else self.batches[0].facts[self.given :]
        for batch in self.batches[1:]:
            yield from batch.facts

    @property
    def completed_event_id(self) -> int:
        """The event by which it was completed."""
        return self.started_event_id + 1

    def asked(self) -> Iterator[commands.Command]:
        """Everything that the run asked for in this task."""
        for batch in self.batches:
            yield from batch.asked

    def facts(self) -> Iterator[events.Event]:
        """Everything that this task has taken in."""
        for batch in self.batches:
            yield from batch.facts


class History:
    """The tasks of a run, and how many events they are."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.length = 0
        """Number of events, and so the id of the last one."""

    def keep(self, other: "History", tasks: int) -> None:
        """Begin as another history did, up to the start of the task that follows the kept ones."""
        self.tasks = other.tasks[:tasks]
        # The failed task by which engines show a reset is one more.
        self.length = other.tasks[tasks].started_event_id + 1

    def begin_task(self, news: Sequence[events.Event], now_ms: int) -> Task:
        """Begin a task; `news` is what has come since the one before."""
        self.length += sum(_fact_events(fact) for fact in news) + _TASK_EVENTS
        task = Task(started_event_id=self.length - 1, completed_ms=now_ms, batches=[])
        self.tasks.append(task)
        return task

    def add(self, batch: Batch) -> None:
        """Add a batch to the task in hand."""
        task = self.tasks[-1]
        task.batches.append(batch)
        task.completed_ms = batch.now_ms
        in_place = len(task.batches) > 1
        self.length += sum(_command_events(command) for command in batch.asked) + in_place


def _fact_events(fact: events.Event) -> int:
    match fact:
        case events.WaitUntilAnswered() | events.ExecuteAnswered():
            # Started and completed.
            return 2
        case events.WaitUntilFailed() | events.ExecuteFailed() | events.SnapshotPageLoaded():
            return 2
        case events.LockedRpcRequested() | events.StateWaitRequested() | events.ContinueAsNewSuggested():
            # It is accepted after the task, or no event at all.
            return 0
        case _:
            return 1


def _command_events(command: commands.Command) -> int:
    match command:
        case commands.CallRpc():
            return 0
        case commands.CallWaitUntil() | commands.CallExecute():
            return 0 if command.local else 1
        case _:
            return 1
