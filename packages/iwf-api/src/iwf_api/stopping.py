"""Signals that stop the process: the first one asks, the second one does not."""

import asyncio
import os
import signal

import anyio

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def stop_signal() -> None:
    """Return at the first SIGINT or SIGTERM; from then on another one ends the process at once.

    The exit code of that is 128 plus the signal's number, as shells report it.
    """
    stopping = anyio.Event()

    def handle(number: signal.Signals) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, handle, number)
    await stopping.wait()
