"""A Temporal development server for the tests that need one, and the event loop of all async tests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from uuid import uuid4

import pytest

from iwf_interpreter.temporal import Connection, TemporalEngine, connect
from toy_interpreter import TASK_QUEUE, toy_worker

SEARCH_ATTRIBUTES = {
    "IwfWorkflowType": "Keyword",
    "KeywordField": "Keyword",
    "TextField": "Text",
    "IntField": "Int",
    "DoubleField": "Double",
    "BoolField": "Bool",
    "DatetimeField": "Datetime",
    "KeywordListField": "KeywordList",
}

_DYNAMIC_CONFIG = {
    "history.timerProcessorMaxTimeShift": "10ms",
    "history.transferProcessorMaxPollRPS": 300,
    "history.timerProcessorMaxPollRPS": 300,
    "history.visibilityProcessorMaxPollRPS": 300,
    "history.workflowIdReuseMinimalInterval": "1ms",
}
_READY_WITHIN_SECONDS = 30


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """`HOST:PORT` of a development server that keeps everything in memory."""
    log = tmp_path_factory.mktemp("temporal") / "server.log"
    port, http_port, metrics_port = _free_ports(3)
    command = [
        *(str(Path(sys.executable).with_name("temporal")), "server", "start-dev", "--headless"),
        *("--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"),
        *("--http-port", str(http_port), "--metrics-port", str(metrics_port)),
    ]
    for name, type_ in SEARCH_ATTRIBUTES.items():
        command += ["--search-attribute", f"{name}={type_}"]
    for key, value in _DYNAMIC_CONFIG.items():
        command += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_for_port(http_port, process, log)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
async def connection(temporal_address: str) -> Connection:
    return await connect(temporal_address, identity=f"tests-{os.getpid()}")


@pytest.fixture(scope="session")
async def toy_interpreter(temporal_address: str) -> AsyncGenerator[None]:
    """Workflows to act on: see `toy_interpreter`."""
    async with toy_worker(temporal_address):
        yield


@pytest.fixture
def engine(connection: Connection, toy_interpreter: None) -> TemporalEngine:
    """An engine whose workflows are run."""
    return TemporalEngine(connection, task_queue=TASK_QUEUE)


@pytest.fixture
def idle_engine(connection: Connection) -> TemporalEngine:
    """An engine whose workflows nobody runs."""
    return TemporalEngine(connection, task_queue=f"nobody-{uuid4()}")


@pytest.fixture
def workflow_id() -> str:
    return f"w-{uuid4()}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def _wait_for_port(http_port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers for its namespace, which is some time after the port opens."""
    deadline = time.monotonic() + _READY_WITHIN_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", http_port), timeout=1) as http:
                http.sendall(b"GET /api/v1/namespaces/default HTTP/1.0\r\n\r\n")
                if b" 200 " in http.recv(100):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the Temporal server did not start:\n{log.read_text(errors='replace')}")
