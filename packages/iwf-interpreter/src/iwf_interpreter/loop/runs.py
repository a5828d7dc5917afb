"""One run as the loop holds it: its core, and the check that history and core agree.

State at a border is a function of the events before it, so replaying is feeding again, and the live path
is the end of a replay. Where the history confirms commands they are compared with those that the core
gave; a difference means that other rules made this history, and the run must be suspended.

A call that is made in place ends inside a task: its result is a batch of its own, recorded among the commands
of the task, so that a replay makes the same batches.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeGuard

import msgspec

from iwf_interpreter.contract import UpdateError
from iwf_interpreter.core import (
    CallExecute,
    CallRpc,
    CallWaitUntil,
    Command,
    ContinueAsNew,
    Event,
    ExecutionState,
    Interpreter,
    Started,
)
from iwf_interpreter.loop.history import (
    INDEX_ECHOES,
    Border,
    Echo,
    Fact,
    HeldBack,
    Item,
    LocalResult,
    Outgoing,
    UpdateRequest,
)
from iwf_models import IwfEvent

LocalCall: TypeAlias = CallWaitUntil | CallExecute | CallRpc


class Nondeterminism(Exception):
    """The history shows other commands than the core gives for the same events."""


class HistoryReader(Protocol):
    """Translates one run's events, in order; it may keep what later events refer to."""

    def read(self, events: Iterable[object]) -> Iterable[Item]:
        """Translate the next events of the run."""
        ...


class Refusal(msgspec.Struct, frozen=True):
    """Why the run does not take an update on."""

    error: UpdateError
    text: str


_REFUSALS: Mapping[UpdateError, str] = {
    UpdateError.LOCKED: "requested data or search attributes are being locked by other operations",
    UpdateError.ASK_AGAIN: "the run is about to be replaced by another one, which will take the update",
}


class Run:
    """A run, as far as its events have been fed."""

    def __init__(self, reader: HistoryReader, *, observed: bool = False) -> None:
        self._reader = reader
        self._interpreter = Interpreter(observed=observed)
        self._batch: list[Event] = []
        self._outgoing: deque[Outgoing] = deque()
        self._holds_back = False
        self._in_task = False
        """Whether batches of a task were fed that has not ended."""
        self.previous_run_id = ""
        """The run that this one continues, if it does."""
        self.open_local: dict[str, LocalCall] = {}
        """Calls to be made in place whose results are not there yet, by id."""
        self._new_local: list[LocalCall] = []
        self.settled = False
        """Whether the last task that was fed has ended a batch; one that was offered nothing but updates, all
        of them refused, leaves no trace."""
        self.offered: Sequence[UpdateRequest] = ()
        """The updates that the task in hand offers."""
        self.now_ms = 0
        """Time of the last batch."""
        self.last_started_event_id = 0
        """Started event of the last task that the engine took from us: what is fed ends there."""
        self.size_bytes = 0
        """About how much the run holds: the length of all that was fed."""

    @property
    def state(self) -> ExecutionState:
        """The state as of the last batch; raises `iwf_interpreter.core.NotReady`."""
        return self._interpreter.state

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._interpreter.closed

    @property
    def continues(self) -> bool:
        """Whether the run has ended because another one goes on from its state."""
        return bool(self._outgoing) and isinstance(self._outgoing[-1], ContinueAsNew)

    @property
    def outgoing(self) -> Sequence[Outgoing]:
        """What the history does not confirm yet: what is to be sent for the task in hand, in order."""
        return self._outgoing

    def feed(self, events: Iterable[object], updates: Sequence[UpdateRequest] = ()) -> dict[str, Refusal]:
        """Take the next events in, then the updates that the task in hand offers.

        Returns:
            The updates that are not taken on, by id.

        Raises:
            Nondeterminism: The history confirms something else than the core asked for.
            iwf_interpreter.core.UnexpectedEvent: An event does not fit the state.
            iwf_interpreter.core.UnknownVersion: The run needs a newer build.
        """
        refusals: dict[str, Refusal] = {}
        self.settled = False
        self.offered = ()
        for item in self._reader.read(events):
            match item:
                case Echo():
                    if item.kind in INDEX_ECHOES:
                        self.end_task()
                    self._confirm(item)
                case LocalResult():
                    self._replay_local(item)
                case HeldBack():
                    self._holds_back = True
                    if self._outgoing and isinstance(self._outgoing[0], HeldBack):
                        self._outgoing.popleft()
                case Fact(event):
                    if isinstance(event, Started):
                        self.previous_run_id = event.previous_run_id
                    self.end_task()
                    self._all_confirmed(f"the event {type(event).__name__}")
                    self._batch.append(event)
                case Border(now_ms, in_hand, in_history):
                    self.end_task()
                    self._all_confirmed("the next task")
                    self._holds_back = False
                    if in_hand:
                        self.offered = [*in_history, *updates]
                        refusals = self._end_batch_in_hand(now_ms, self.offered)
                    else:
                        self._end_batch(now_ms)
                        self._interpreter.take_notices()
        return refusals

    def take_new_local_calls(self) -> list[LocalCall]:
        """The calls that are to be made in place, each once."""
        new, self._new_local = self._new_local, []
        return [call for call in new if call.call_id in self.open_local]

    def take_local(self, result: LocalResult) -> None:
        """Take in the result of a call that was made in place while the task is in hand."""
        self._outgoing.append(result)
        self._end_local(result)

    def end_task(self) -> None:
        """Complete `outgoing` for the task that was fed last: it is answered with what there is.

        In a replay the task ends where the history says so.
        """
        if self._in_task and self.open_local and not self.closed:
            self._outgoing.extend(self._interpreter.take_index_changes(self.now_ms))
        self._in_task = False

    def take_in_rest(self) -> None:
        """Apply events behind the last border, for reading only: the run must not be fed any more."""
        self._apply_batch(self.now_ms)

    def hold_back(self, sent: int) -> None:
        """Note that only the first commands of `outgoing` were sent, and that the history will say so."""
        self._outgoing.insert(sent, HeldBack())

    def take_notices(self) -> list[IwfEvent]:
        """What observers are to be told of the task in hand, once it is answered."""
        return self._interpreter.take_notices()

    def _end_batch_in_hand(self, now_ms: int, updates: Sequence[UpdateRequest]) -> dict[str, Refusal]:
        is_empty = not (self._batch or self._outgoing or self.open_local)
        self._apply_batch(now_ms)
        refusals: dict[str, Refusal] = {}
        for update in updates:
            refusal = self._refusal(update)
            if refusal is not None:
                refusals[update.update_id] = refusal
            elif update.event is not None:
                self._interpreter.apply(update.event, max(now_ms, self.now_ms))
        if not (is_empty and updates and len(refusals) == len(updates)):
            self._settle(now_ms)
        return refusals

    def _refusal(self, update: UpdateRequest) -> Refusal | None:
        if update.event is None:
            return Refusal(UpdateError.INVALID, update.problem)
        error = self._interpreter.refusal(update.event)
        return None if error is None else Refusal(error, _REFUSALS[error])

    def _end_batch(self, now_ms: int) -> None:
        self._apply_batch(now_ms)
        self._settle(now_ms)

    def _apply_batch(self, now_ms: int) -> None:
        now_ms = max(now_ms, self.now_ms)
        for event in self._batch:
            self._interpreter.apply(event, now_ms)
        self._batch.clear()

    def _settle(self, now_ms: int) -> None:
        self.settled = True
        self._in_task = True
        # A task can be a little older than the last result of the one before, which has another clock.
        self.now_ms = now_ms = max(now_ms, self.now_ms)
        for command in self._interpreter.settle(now_ms):
            if _is_local(command):
                self.open_local[command.call_id] = command
                self._new_local.append(command)
            else:
                self._outgoing.append(command)

    def _end_local(self, result: LocalResult) -> None:
        del self.open_local[result.call_id]
        self._interpreter.apply(result.event(), max(result.now_ms, self.now_ms))
        self._settle(result.now_ms)

    def _replay_local(self, result: LocalResult) -> None:
        """A result in the history: one that was taken in while its task was in hand, or news in a replay."""
        first = self._outgoing[0] if self._outgoing else None
        if isinstance(first, LocalResult) and first.call_id == result.call_id:
            self._outgoing.popleft()
            return
        self._all_confirmed(f"the result of {result.call_id!r}")
        if result.call_id not in self.open_local:
            raise Nondeterminism(
                f"the history shows a result of {result.call_id!r}, a call that this interpreter does not "
                "make in place"
            )
        self._end_local(result)
        self._interpreter.take_notices()

    def _confirm(self, echo: Echo) -> None:
        expected = Echo.of(self._outgoing.popleft()) if self._outgoing else None
        if expected != echo:
            asked = "nothing" if expected is None else f"{expected.kind} {expected.id!r}"
            raise Nondeterminism(
                f"the history shows {echo.kind} {echo.id!r} where this interpreter asks for {asked}"
            )

    def _all_confirmed(self, before: str) -> None:
        if self._outgoing and not self._holds_back:
            missing = Echo.of(self._outgoing[0])
            raise Nondeterminism(
                f"this interpreter asks for {missing.kind} {missing.id!r}, the history has {before} instead"
            )


def _is_local(command: Command) -> TypeGuard[LocalCall]:
    match command:
        case CallRpc():
            return True
        case CallWaitUntil() | CallExecute():
            return command.local
        case _:
            return False
