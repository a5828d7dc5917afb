"""One run as the loop holds it: its core, and the check that history and core agree.

State at a border is a function of the events before it, so replaying is feeding again, and the live path
is the end of a replay. Where the history confirms commands they are compared with those that the core
gave; a difference means that other rules made this history, and the run must be suspended.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from iwf_interpreter.core import Command, Event, ExecutionState, Interpreter
from iwf_interpreter.loop.history import Border, Echo, Fact, Item


class Nondeterminism(Exception):
    """The history shows other commands than the core gives for the same events."""


class HistoryReader(Protocol):
    """Translates one run's events, in order; it may keep what later events refer to."""

    def read(self, events: Iterable[object]) -> Iterable[Item]:
        """Translate the next events of the run."""
        ...


class Run:
    """A run, as far as its events have been fed."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader
        self._interpreter = Interpreter()
        self._batch: list[Event] = []
        self._unconfirmed: deque[Command] = deque()
        self.now_ms = 0
        """Time of the last border."""
        self.last_started_event_id = 0
        """Started event of the last task that the engine took from us: what is fed ends there."""

    @property
    def state(self) -> ExecutionState:
        """The state as of the last border."""
        return self._interpreter.state

    def feed(self, events: Iterable[object]) -> list[Command]:
        """Take the next events in, and return the commands of the last border among them.

        Raises:
            Nondeterminism: The history confirms something else than the core asked for.
            iwf_interpreter.core.UnexpectedEvent: An event does not fit the state.
            iwf_interpreter.core.UnknownVersion: The run needs a newer build.
        """
        commands: list[Command] = []
        for item in self._reader.read(events):
            match item:
                case Echo():
                    self._confirm(item)
                case Fact(event):
                    self._all_confirmed(f"the event {type(event).__name__}")
                    self._batch.append(event)
                case Border(now_ms):
                    self._all_confirmed("the next task")
                    commands = self._settle(now_ms)
                    self._unconfirmed.extend(commands)
        return commands

    def take_in_rest(self) -> None:
        """Apply events behind the last border, for reading only: the run must not be fed any more."""
        for event in self._batch:
            self._interpreter.apply(event, self.now_ms)
        self._batch.clear()

    def _settle(self, now_ms: int) -> list[Command]:
        self.now_ms = now_ms
        for event in self._batch:
            self._interpreter.apply(event, now_ms)
        self._batch.clear()
        return self._interpreter.settle(now_ms)

    def _confirm(self, echo: Echo) -> None:
        expected = Echo.of(self._unconfirmed.popleft()) if self._unconfirmed else None
        if expected != echo:
            asked = "nothing" if expected is None else f"{expected.kind} {expected.id!r}"
            raise Nondeterminism(
                f"the history shows {echo.kind} {echo.id!r} where this interpreter asks for {asked}"
            )

    def _all_confirmed(self, before: str) -> None:
        if self._unconfirmed:
            missing = Echo.of(self._unconfirmed[0])
            raise Nondeterminism(
                f"this interpreter asks for {missing.kind} {missing.id!r}, the history has {before} instead"
            )
