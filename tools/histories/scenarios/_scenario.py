"""A scenario: what one history shows, and how it is made."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

import msgspec

from iwf_interpreter.loop.options import LoopOptions
from tools.histories.recording import Recorder


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, from its start to what should be kept of it: all runs from its first to its last."""

    feature: str
    sentence: str
    run: Callable[[Recorder], Awaitable[None]]
    loop: LoopOptions | None = None
    serves: bool = True
    """Whether a server runs meanwhile; the scenario starts its own otherwise."""
    limits: Callable[[], AbstractContextManager[object]] = nullcontext
    """Holds while it is recorded: smaller limits, so that the history stays short."""


class Scenarios(list[Scenario]):
    """The scenarios of a module, in order."""

    def add(
        self,
        feature: str,
        sentence: str,
        *,
        loop: LoopOptions | None = None,
        serves: bool = True,
        limits: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> Callable[[Callable[[Recorder], Awaitable[None]]], Callable[[Recorder], Awaitable[None]]]:
        """Decorate the function that runs a scenario."""

        def add(run: Callable[[Recorder], Awaitable[None]]) -> Callable[[Recorder], Awaitable[None]]:
            self.append(
                Scenario(feature=feature, sentence=sentence, run=run, loop=loop, serves=serves, limits=limits)
            )
            return run

        return add
