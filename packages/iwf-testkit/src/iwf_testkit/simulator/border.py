"""One border between batches, as the invariants see it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from iwf_interpreter.core import ExecutionState, events
from iwf_interpreter.core import commands as given
from iwf_testkit.simulator.ledger import Ledger

T = TypeVar("T")

CALLS = given.CallWaitUntil | given.CallExecute | given.CallRpc
"""Calls of workers."""


class Violation(Exception):
    """Something that must hold does not."""

    def __init__(self, invariant: str, text: str) -> None:
        super().__init__(f"{invariant}: {text}")
        self.invariant = invariant
        self.text = text


@dataclass(slots=True)
class Border:
    """What was delivered, what came out, what the core says now and what the ledger says."""

    now_ms: int
    events: Sequence[events.Event]
    commands: Sequence[given.Command]
    state: ExecutionState | None
    """The core's state; none while it reads what the run before has left."""
    ledger: Ledger
    made_before: list[str]
    """Calls that the chain has asked for before."""
    close: given.Close | None
    """The command that closes the run, if there is one."""
    index_before: dict[str, object] = field(default_factory=dict)

    @property
    def core(self) -> ExecutionState:
        """The core's state; only where there is one."""
        assert self.state is not None
        return self.state

    def asked(self, kind: type[T]) -> list[T]:
        """The commands of a kind."""
        return [command for command in self.commands if isinstance(command, kind)]

    @property
    def calls(self) -> list[given.CallWaitUntil | given.CallExecute]:
        """The calls of states."""
        return [
            command
            for command in self.commands
            if isinstance(command, given.CallWaitUntil | given.CallExecute)
        ]


def differ(what: str, core: object, expected: object) -> str | None:
    """Say how two things differ, if they do."""
    return None if core == expected else f"{what}: the run has {core!r}, it should be {expected!r}"
