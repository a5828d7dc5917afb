"""Signals that stop the process: the first one asks, the second one does not."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """The wish that the process stops."""

    def __init__(self, starting: anyio.CancelScope) -> None:
        self._starting = starting
        self._is_waited_for = False
        self._stopping = anyio.Event()

    async def wait(self) -> None:
        """Return at the first signal."""
        self._is_waited_for = True
        await self._stopping.wait()

    def handle(self, number: signal.Signals) -> None:
        """React to a signal: stop in order or, the second time, at once."""
        if self._stopping.is_set():
            os._exit(128 + number)
        self._stopping.set()
        if not self._is_waited_for:
            self._starting.cancel()


@asynccontextmanager
async def stop_signals() -> AsyncGenerator[StopSignal]:
    """Handle SIGINT and SIGTERM for as long as the context is open.

    The first signal ends `StopSignal.wait`. When it comes before anybody waits, during start-up, the body of
    the context is cancelled instead. A second one exits with 128 plus its number, as shells report it.
    """
    loop = asyncio.get_running_loop()
    with anyio.CancelScope() as starting:
        stop = StopSignal(starting)
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.handle, number)
        try:
            yield stop
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
