"""Servers as forks of a process that has imported everything: up in a moment, which counts when hundreds die.

What a fork runs is what a new process runs: the launcher `victim` with the same command line. The forking
process is single-threaded and has connected to nothing.
"""

import multiprocessing
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import anyio

from tools.chaos import victim
from tools.chaos.processes import ServerCommand

_PRELOADED = ["iwf_api.cli", "iwf_testkit", "tools.chaos.victim", "tools.chaos.__main__"]
_LOOKS_EVERY_SECONDS = 0.02

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(_PRELOADED)


class ForkedServer:
    """A server in a fork."""

    def __init__(self, process: ForkServerProcess, out: Path) -> None:
        self._process = process
        self._out = out

    async def ready(self) -> bool:
        """Wait until it serves; false when it has ended before that."""
        while not self._out.exists() or not self._out.read_bytes().endswith(b"\n"):
            if self._process.exitcode is not None:
                return False
            await anyio.sleep(_LOOKS_EVERY_SECONDS)
        return True

    async def wait(self) -> int:
        """Wait until it has ended; its exit code, minus the number of a signal that has killed it."""
        while self._process.exitcode is None:
            await anyio.sleep(_LOOKS_EVERY_SECONDS)
        return self._process.exitcode

    def kill(self) -> None:
        """As `kill -9`."""
        self._process.kill()


@asynccontextmanager
async def forked_server(command: ServerCommand, out: Path) -> AsyncGenerator[ForkedServer]:
    """Start a server; leaving the context kills what is left of it.

    Args:
        command: What to start.
        out: Where its standard output goes, for as long as the context is open.
    """
    _remove(out)
    process = _forks.Process(target=_serve, args=(command, out))
    process.start()
    server = ForkedServer(process, out)
    try:
        yield server
    finally:
        process.kill()
        with anyio.CancelScope(shield=True):
            await server.wait()
        process.close()
        _remove(out)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def _serve(command: ServerCommand, out: Path) -> None:
    for path, descriptor in ((out, 1), (command.log, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    victim.main(command.arguments())
