"""Replaying a history away from any server: does this build make what the history shows?

Run it over the histories of your own workflows before an upgrade (`docs/replay.md`). Nothing is called and
nothing is written: the core is fed the history's events, as the task loop does it, and every command that
the history confirms is compared with what the core asks for. A build that passes goes on with the run
where the other one left it; one that does not would suspend it.

A history says which command it confirms, not what was in it, so a replay finds other commands, another order
and other times at which they are given, and no other contents.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
from google.protobuf.json_format import ParseError
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from iwf_interpreter.contract import WORKFLOW_TYPE
from iwf_interpreter.core import NotReady, snapshot
from iwf_interpreter.loop.history import (
    Border,
    Echo,
    Fact,
    HeldBack,
    Item,
    LocalResult,
    Outgoing,
    UpdateRequest,
)
from iwf_interpreter.loop.runs import Nondeterminism, Run
from iwf_interpreter.temporal.events import EventReader
from iwf_interpreter.temporal.messages import update_event

CUTS = 20
"""Times that `check_history` replays a history in pieces, unless told otherwise."""

_LOSES_CACHE = 0.4
_TASK_STARTED = EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
_TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED


class UnreadableHistory(ValueError):
    """This is not the history of a run of the interpreter, or not all of it."""


class ReplayMismatch(Exception):
    """This build does not make what the history shows. `str` explains it, in several lines."""

    def __init__(self, event: HistoryEvent, reason: str, details: Sequence[str]) -> None:
        name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
        super().__init__("\n".join([f"at event {event.event_id}, {name}: {reason}", *details]))
        self.event_id = event.event_id
        self.reason = reason


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one run, from its first."""

    workflow_id: str
    run_id: str
    events: Sequence[HistoryEvent]

    @classmethod
    def of(cls, events: Sequence[HistoryEvent]) -> "History":
        """Take the ids from the events; raises `UnreadableHistory`."""
        if not events or not events[0].HasField("workflow_execution_started_event_attributes"):
            raise UnreadableHistory("a history must begin with the start of its run")
        started = events[0].workflow_execution_started_event_attributes
        if started.workflow_type.name != WORKFLOW_TYPE:
            raise UnreadableHistory(
                f"this is the history of a workflow of the type {started.workflow_type.name!r}, "
                f"not of {WORKFLOW_TYPE!r}"
            )
        run_id = started.original_execution_run_id
        for event in events:
            # A run that a reset has made keeps the beginning of the history that it was made from.
            run_id = event.workflow_task_failed_event_attributes.new_run_id or run_id
        return cls(workflow_id=started.workflow_id, run_id=run_id, events=events)


class TaskOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the core makes of one task."""

    started_event_id: int
    commands: list[Outgoing]
    """Those that the task is answered with before any call in place has ended."""
    state: bytes | None
    """`None` while the run still reads the state that the one before has left to it."""


def read_history(text: str | bytes) -> History:
    """Read the JSON that `temporal workflow show -o json` prints and the web UI downloads.

    Raises:
        UnreadableHistory: It is something else.
    """
    try:
        given = text.decode() if isinstance(text, bytes) else text
        events = WorkflowHistory.from_json("", given).events
    except (ValueError, TypeError, AttributeError, ParseError) as error:
        raise UnreadableHistory(f"this is not a history in JSON: {error}") from error
    return History.of(events)


def load_history(path: Path) -> History:
    """Read a file as `read_history` does."""
    return read_history(path.read_bytes())


def check_history(history: History, *, cuts: int = CUTS) -> int:
    """Replay a history whole and, as often as asked, in pieces.

    A cut is where a process has lost the run and another one, or the same, begins again from the first event.
    State and commands must not depend on it. The cuts are the same for the same run.

    Returns:
        The number of tasks.

    Raises:
        ReplayMismatch: The replay makes something else than the history shows, or than another replay.
    """
    replay_history(history)
    expected = replay_by_task(history, lambda: False)
    chance = random.Random(history.run_id)
    for _ in range(cuts):
        outcomes = replay_by_task(history, lambda: chance.random() < _LOSES_CACHE)
        if outcomes != expected:
            raise _cut_mismatch(history, expected, outcomes)
    return len(expected)


def replay_history(history: History) -> None:
    """Replay a whole history at once, its end included; raises `ReplayMismatch`."""
    reader = _PlacedReader(history)
    run = Run(reader)
    try:
        run.feed(history.events)
        run.end_task()
        left_over = run.outgoing and not (reader.in_hand or reader.holds_back)
    except Exception as error:
        raise _mismatch(history, reader.index, _reason(error)) from error
    if left_over:
        missing = Echo.of(run.outgoing[0])
        reason = f"this interpreter asks for {missing.kind} {missing.id!r}, the history ends instead"
        raise _mismatch(history, len(history.events), reason)


def replay_by_task(history: History, loses_cache: Callable[[], bool]) -> list[TaskOutcome]:
    """Replay the completed tasks of a history one by one.

    Args:
        history: The history.
        loses_cache: Asked before each task, whether a fresh core is fed everything up to the task; the same
            core is only fed what the task brought, otherwise.

    Raises:
        ReplayMismatch: The core makes something else than the history shows.
    """
    events = history.events
    outcomes: list[TaskOutcome] = []
    reader = _PlacedReader(history)
    run = Run(reader)
    for begin, end in _tasks(events):
        if loses_cache():
            begin = 0
            reader = _PlacedReader(history)
            run = Run(reader)
        try:
            run.feed(events[begin:end], _updates(events, end))
        except Exception as error:
            raise _mismatch(history, begin + reader.index, _reason(error)) from error
        outcomes.append(
            TaskOutcome(
                started_event_id=events[end - 1].event_id, commands=list(run.outgoing), state=_state(run)
            )
        )
    return outcomes


class _PlacedReader:
    """Reads events as `EventReader` does, and knows which one is being read."""

    def __init__(self, history: History) -> None:
        self._reader = EventReader(history.workflow_id, history.run_id)
        self.index = 0
        """Of the event, among those that are being read."""
        self.in_hand = False
        """Whether the last task that was read is still to be answered."""
        self.holds_back = False
        """Whether the history has not yet all that the last task was answered with."""

    def read(self, events: Iterable[object]) -> Iterator[Item]:
        history = cast("list[HistoryEvent]", list(events))
        for index, event in enumerate(history):
            self.index = index
            for item in self._items(history, index, event):
                if isinstance(item, Border):
                    self.in_hand, self.holds_back = item.in_hand, False
                elif isinstance(item, HeldBack):
                    self.holds_back = True
                yield item

    def _items(self, history: Sequence[HistoryEvent], index: int, event: HistoryEvent) -> Iterator[Item]:
        if event.event_type != _TASK_STARTED:
            yield from self._reader.read([event])
        elif index + 1 == len(history) or history[index + 1].event_type == _TASK_COMPLETED:
            # The reader looks ahead, for the updates that the task has taken on.
            for item in self._reader.read(history[index:]):
                yield item
                if isinstance(item, Border):
                    return


def _tasks(events: Sequence[HistoryEvent]) -> Iterator[tuple[int, int]]:
    """Index borders of the events that each completed task brought: `events[begin:end]`."""
    begin = 0
    for index, event in enumerate(events[:-1]):
        if event.event_type == _TASK_STARTED and events[index + 1].event_type == _TASK_COMPLETED:
            yield begin, index + 1
            begin = index + 1


def _updates(events: Sequence[HistoryEvent], behind: int) -> list[UpdateRequest]:
    """The updates that the task which ends at an index has taken on, as the task brought them.

    Those that a reset has brought along are in the history already, and not in what accepts them.
    """
    updates: list[UpdateRequest] = []
    for event in events[behind:]:
        if event.event_type == _TASK_STARTED:
            break
        accepted = event.workflow_execution_update_accepted_event_attributes
        if accepted.HasField("accepted_request"):
            update_id = accepted.protocol_instance_id
            told = update_event(update_id, accepted.accepted_request.input)
            updates.append(UpdateRequest(update_id=update_id, event=told, message=None))
    return updates


def _state(run: Run) -> bytes | None:
    try:
        return snapshot.encode(run.state)
    except NotReady:
        return None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, Nondeterminism) else f"{type(error).__name__}: {error}"


def _mismatch(history: History, index: int, reason: str) -> ReplayMismatch:
    """Explain what went wrong at an event, or behind the last one."""
    events = history.events
    behind = max((end for _, end in _tasks(events) if end <= index), default=0)
    details: list[str] = []
    if behind:
        details = [
            f"of the task that started with event {events[behind - 1].event_id}",
            f"  the history shows:   {', '.join(_shown(history, behind)) or 'nothing'}",
            f"  this build asks for: {', '.join(_asked(history, behind)) or 'nothing'}",
        ]
    return ReplayMismatch(events[min(index, len(events) - 1)], reason, details)


def _shown(history: History, behind: int) -> list[str]:
    """What the history confirms of the task that ends at an index."""
    shown: list[str] = []
    reader = _PlacedReader(history)
    try:
        for item in reader.read(history.events):
            if reader.index < behind:
                continue
            match item:
                case Echo() | LocalResult() | HeldBack():
                    shown.append(_named(item))
                case Fact() | Border():
                    break
    except Exception:
        # It cannot be read to the end, which is the reason that is being explained.
        shown.append("...")
    return shown


def _asked(history: History, behind: int) -> list[str]:
    """What the core asks for when it is given the task that ends at an index; calls in place come last."""
    run = Run(_PlacedReader(history))
    run.feed(history.events[:behind], _updates(history.events, behind))
    return [*map(_named, run.outgoing), *(f"{call_id} in place" for call_id in run.open_local)]


def _named(item: Outgoing | Echo) -> str:
    echo = item if isinstance(item, Echo) else Echo.of(item)
    return f"{echo.kind} {echo.id}".strip()


def _cut_mismatch(
    history: History, expected: Sequence[TaskOutcome], outcomes: Sequence[TaskOutcome]
) -> ReplayMismatch:
    one, other = next(pair for pair in zip(expected, outcomes, strict=True) if pair[0] != pair[1])
    event = next(event for event in history.events if event.event_id == one.started_event_id)
    what = "commands" if one.commands != other.commands else "state"
    return ReplayMismatch(
        event,
        f"the {what} of this task depends on where the replay began",
        [
            f"  in one go: {', '.join(map(_named, one.commands)) or 'no commands'}",
            f"  in pieces: {', '.join(map(_named, other.commands)) or 'no commands'}",
        ],
    )
