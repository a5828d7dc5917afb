"""Server processes: `iwf-server start`, run by the launcher `victim`; and an API to reach their runs by."""

import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.abc import Process

from iwf_api.listener import base_url, listen
from iwf_api.server import Role, ServerOptions, running
from iwf_interpreter.contract import DEFAULT_TASK_QUEUE
from iwf_interpreter.temporal import InterpreterOptions

ROOT = Path(__file__).parent.parent.parent


class ServerCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What to start."""

    address: str
    """`HOST:PORT` of Temporal."""
    log: Path
    """Standard error is appended to it."""
    role: str = "all"
    port: int = 0
    """Port of the API; 0 is any free one."""
    task_queue: str = DEFAULT_TASK_QUEUE
    kill: str | None = None
    """`POINT:N` of `victim`."""
    spare_seconds: float = 0.0
    """As `--spare` of `victim`."""
    bug: str | None = None
    options: tuple[str, ...] = ()
    """More options of the command."""

    def arguments(self) -> list[str]:
        """The arguments of the launcher."""
        line: list[str] = []
        if self.kill is not None:
            line += ["--kill", self.kill, "--spare", str(self.spare_seconds)]
        if self.bug is not None:
            line += ["--bug", self.bug]
        line += ["start", "--address", self.address, "--role", self.role, "--port", str(self.port)]
        return [*line, "--task-queue", self.task_queue, "--poll-seconds", "3", *self.options]


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.url = ""
        """Of its API, once it is ready."""
        self.admin_url = ""
        """Of its admin listener, if it has one."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """`None` while it runs; minus the signal that has killed it."""
        return self._process.returncode

    async def ready(self) -> bool:
        """Wait until it serves; false when it has ended before that."""
        assert self._process.stdout is not None
        line = b""
        try:
            while not line.endswith(b"\n"):
                line += await self._process.stdout.receive()
        except anyio.EndOfStream:
            await self._process.wait()
            return False
        self.url = _address(line.decode(), "API on ")
        self.admin_url = _address(line.decode(), "admin on ")
        return True

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        return await self._process.wait()

    def kill(self) -> None:
        """As `kill -9`."""
        self._process.kill()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to stop in order."""
        self._process.send_signal(number)


def _address(line: str, before: str) -> str:
    return line.partition(before)[2].partition(",")[0]


@asynccontextmanager
async def server_process(command: ServerCommand) -> AsyncGenerator[ServerProcess]:
    """Start a server; leaving the context kills what is left of it."""
    with command.log.open("ab") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "tools.chaos.victim", *command.arguments()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        yield ServerProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.wait()
            await process.aclose()


@asynccontextmanager
async def api_alone(address: str, task_queue: str) -> AsyncGenerator[str]:
    """Run an API in this process, which starts workflows on a task queue; yields its URL."""
    options = ServerOptions(
        address=address, role=Role.API, interpreter=InterpreterOptions(task_queue=task_queue)
    )
    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening):
            yield base_url(listening)
