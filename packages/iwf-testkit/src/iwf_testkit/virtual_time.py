"""An event loop on which waiting takes no time.

Its clock stands still while anything runs. When everything that is going on waits for a time to come, the
clock skips to that time: a timer of an hour is over as soon as nothing else can happen before it. Sleeps,
deadlines and time limits of `asyncio` and `anyio` all go by this clock, so code under test needs no change.

Only what runs on the loop counts as going on, and what it waits for in threads of its executor. Another
process, or a thread of one's own, can be slower than a skip. Sockets between two ends on the same loop are
fine.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple, Unpack, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_SHORTEST_GRACE = 0.001
_LONGEST_GRACE = 0.02
"""What one end of a socket has sent takes a moment of real time until the other end sees it. A busy machine
may need longer, and then a skip would be a mistake; so the further it goes, the longer it is put off."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock skips ahead when nothing else can happen.

    ```python
    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
    ```
    """

    def __init__(self) -> None:
        self._skipping = _SkippingSelector(self._may_skip)
        self._threads_at_work = 0
        super().__init__(cast("selectors.BaseSelector", self._skipping))

    def time(self) -> float:
        """Seconds of the loop's clock, which began at zero."""
        return self._skipping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run a function in a thread; time does not skip meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._threads_at_work += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, future: asyncio.Future[T]) -> None:
        self._threads_at_work -= 1

    def _may_skip(self) -> bool:
        return not self._threads_at_work


class _SkippingSelector(selectors.BaseSelector):
    """Waits for sockets as the system's selector does, and moves the clock instead of letting time pass."""

    def __init__(self, may_skip: Callable[[], bool]) -> None:
        self.now = 0.0
        self._may_skip = may_skip
        self._selector = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for sockets at most `timeout` seconds of the virtual clock."""
        if timeout is None or timeout <= 0:
            return self._selector.select(timeout)
        if not self._may_skip():
            began = time.monotonic()
            ready = self._selector.select(timeout)
            self.now += time.monotonic() - began
            return ready
        grace = min(_LONGEST_GRACE, max(_SHORTEST_GRACE, timeout / 1000))
        ready = self._selector.select(min(timeout, grace))
        if not ready:
            self.now += timeout
        return ready

    def register(self, fileobj: int, events: int, data: object = None) -> selectors.SelectorKey:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._selector.register(fileobj, events, data)

    def unregister(self, fileobj: int) -> selectors.SelectorKey:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._selector.unregister(fileobj)

    def modify(self, fileobj: int, events: int, data: object = None) -> selectors.SelectorKey:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._selector.modify(fileobj, events, data)

    def get_map(self) -> Mapping[int, selectors.SelectorKey]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return cast("Mapping[int, selectors.SelectorKey]", self._selector.get_map())

    def close(self) -> None:
        self._selector.close()
