"""Bugs that a server can be started with on purpose: what an interpreter of a broken build would do.

`plant` replaces methods of the core, in the process of the server that is to have the bug.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from iwf_interpreter.core import CallExecute, CallWaitUntil, Command, Interpreter, StartTimer, events

POISON = "poison"
"""Name of the signal that a server with the bug `poison` cannot take."""


def plant(name: str) -> None:
    """Give this process a bug; raises `KeyError` when there is none of that name."""
    BUGS[name]()


def _poison() -> None:
    """Ending a batch raises once a certain signal has come."""
    apply, settle = Interpreter.apply, Interpreter.settle
    poisoned: set[int] = set()

    def poisoned_apply(self: Interpreter, event: events.Event, now_ms: int) -> None:
        if isinstance(event, events.SignalReceived) and event.channel_name == POISON:
            poisoned.add(id(self))
        apply(self, event, now_ms)

    def poisoned_settle(self: Interpreter, now_ms: int) -> list[Command]:
        if id(self) in poisoned:
            raise ZeroDivisionError("planted on purpose")
        return settle(self, now_ms)

    _replace(Interpreter, apply=poisoned_apply, settle=poisoned_settle)


def _rename(kinds: type | tuple[type, ...], field: str) -> None:
    """Commands of these kinds get another id than the ones that the history shows."""
    settle = Interpreter.settle

    def renaming_settle(self: Interpreter, now_ms: int) -> list[Command]:
        return [
            msgspec.structs.replace(command, **{field: f"other-{getattr(command, field)}"})
            if isinstance(command, kinds)
            else command
            for command in settle(self, now_ms)
        ]

    _replace(Interpreter, settle=renaming_settle)


def _replace(owner: type, **methods: Callable[..., Any]) -> None:
    for name, method in methods.items():
        setattr(owner, name, method)


BUGS: Mapping[str, Callable[[], None]] = {
    "poison": _poison,
    "other-timers": lambda: _rename(StartTimer, "timer_id"),
    "other-calls": lambda: _rename((CallWaitUntil, CallExecute), "call_id"),
}
"""By name."""
