"""`iwf-server dev` as a child process, for the examples that bring their own server.

A program of yours would rather talk to a server that is already running; then only its URL matters.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_START_SECONDS = 30
_STOP_SECONDS = 16
"""An orderly stop takes 3 seconds or so, at most 15."""


class DevServerError(RuntimeError):
    """The development server is not installed, did not start, or ended by itself."""


class DevServer:
    """A running development server."""

    def __init__(self, process: subprocess.Popen[bytes], addresses: dict[str, Any]) -> None:
        self._process = process
        self.addresses = addresses
        """What the server printed when it was ready: `api`, `ui`, `temporal`, `namespace`, `db`, ..."""

    @property
    def api(self) -> str:
        """Base URL of the iWF API: the "server URL" of every SDK."""
        return str(self.addresses["api"])

    def wait(self) -> None:
        """Wait for the process to end; it does not unless something stops it."""
        self._process.wait()


@contextmanager
def dev_server(directory: Path) -> Generator[DevServer]:
    """Run `iwf-server dev` on free ports, with its database and logs in a directory.

    Raises:
        DevServerError: It is not installed, or is not ready within 30 seconds.
    """
    # Looked up beside the interpreter, so that the right environment is used without activating it.
    command = shutil.which("iwf-server", path=str(Path(sys.executable).parent))
    if command is None:
        raise DevServerError(f"there is no iwf-server beside {sys.executable}: install iwf-api[dev]")
    output, log = directory / "server.out", directory / "server.log"
    with output.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(command, "dev", "--output", "json", "--db", str(directory / "dev.db")),
                *("--port", "0", "--temporal-port", "0", "--ui-port", "0"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            # A group of its own: Ctrl-C reaches this program only, which then stops the server in order.
            process_group=0,
        )
        try:
            server = DevServer(process, _addresses(process, output, log))
            try:
                yield server
            except Exception:
                print(f"the last lines of the server's log:\n{_tail(log)}", file=sys.stderr)
                raise
        finally:
            _stop(process)


def _addresses(process: subprocess.Popen[bytes], output: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        for line in output.read_text().splitlines(keepends=True):
            if line.startswith("{") and line.endswith("\n"):
                return json.loads(line)
        if process.poll() is not None:
            raise DevServerError(f"iwf-server dev ended with code {process.returncode}:\n{_tail(log)}")
        time.sleep(0.05)
    raise DevServerError(f"iwf-server dev was not ready after {_START_SECONDS} s:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) or "(nothing)"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
