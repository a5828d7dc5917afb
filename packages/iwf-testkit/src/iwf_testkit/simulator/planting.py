"""Defects that are put back for a while, by patching the core at run time."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

Patch: TypeAlias = tuple[object, str, Callable[..., Any]]
"""What is replaced: the owner, the attribute, the replacement."""
Planter: TypeAlias = Callable[[], Sequence[Patch]]

MUTANTS: dict[str, Planter] = {}
"""By name; the docstring of each says what is wrong."""


@contextmanager
def planted(name: str) -> Generator[None]:
    """Let the core have one of the defects for a while."""
    with ExitStack() as undo:
        for owner, attribute, replacement in MUTANTS[name]():
            undo.callback(setattr, owner, attribute, getattr(owner, attribute))
            setattr(owner, attribute, replacement)
        yield


def mutant(planter: Planter) -> Planter:
    """Register a mutant under the name of its function, with spaces."""
    MUTANTS[planter.__name__.replace("_", " ")] = planter
    return planter
