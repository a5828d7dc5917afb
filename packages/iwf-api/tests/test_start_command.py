"""`iwf-server start`, and data that outlives the development server, as processes of their own."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.abc import Process

from iwf_api.cli import main
from iwf_api.dev.ports import free_port
from iwf_testkit import temporal_dev_server

IWF_SERVER = [sys.executable, "-m", "iwf_api"]


async def first_line(process: Process) -> str:
    assert process.stdout is not None
    text = b""
    with anyio.fail_after(30):
        while b"\n" not in text:
            text += await process.stdout.receive()
    return text.decode()


@asynccontextmanager
async def dev_server(db: Path) -> AsyncGenerator[Mapping[str, str]]:
    """A development server with this data file, which is stopped in order; yields its addresses."""
    ports = ["--port=0", "--temporal-port=0", "--ui-port=0"]
    async with await anyio.open_process(
        [*IWF_SERVER, "dev", *ports, f"--db={db}", "--output=json"]
    ) as process:
        try:
            yield json.loads(await first_line(process))
        finally:
            process.terminate()
        assert await process.wait() == 0


async def post(addresses: Mapping[str, str], endpoint: str, body: Mapping[str, object]) -> dict[str, Any]:
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.post(f"{addresses['api']}/api/v1/workflow/{endpoint}", json=body)
    answer.raise_for_status()
    return answer.json()


def test_temporal_that_does_not_answer_in_time_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(SystemExit) as exit_:
        main(["start", "--role=interpreter", f"--address={address}", "--connect-timeout=0.2"])

    captured = capsys.readouterr()
    assert (exit_.value.code, captured.out) == (69, "")
    assert captured.err.startswith(f"iwf-server: cannot connect to Temporal at {address}")


@pytest.mark.parametrize("seconds", ["-1", "soon", "nan", "inf"])
def test_time_to_connect_is_a_number_of_seconds(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["start", f"--connect-timeout={seconds}"])

    assert exit_.value.code == 2
    assert f"{seconds!r} is not a number of seconds from 0" in capsys.readouterr().err


@pytest.mark.anyio
async def test_interpreter_needs_no_port() -> None:
    async with temporal_dev_server() as temporal:
        command = [*IWF_SERVER, "start", "--role=interpreter", f"--address={temporal.address}"]
        async with await anyio.open_process([*command, "--task-queue=queue"]) as process:
            line = await first_line(process)
            # Stopping in order waits for open polls, and other tests see to that.
            process.kill()

    assert line.partition("ready: ")[2] == (
        f"role interpreter, Temporal {temporal.address}, namespace default, task queue queue\n"
    )


@pytest.mark.anyio
async def test_workflows_survive_a_restart_of_the_development_server(tmp_path: Path) -> None:
    request = {
        "workflowId": "survivor",
        "iwfWorkflowType": "Waiting",
        "workflowTimeoutSeconds": 0,
        "iwfWorkerUrl": f"http://127.0.0.1:{free_port()}",
    }
    async with dev_server(tmp_path / "dev.db") as addresses:
        started = await post(addresses, "start", request)
        written = {"workflowId": "survivor", "objects": [{"key": "a", "value": {"data": "1"}}]}
        await post(addresses, "dataobjects/set", written)

    async with dev_server(tmp_path / "dev.db") as addresses:
        found = await post(addresses, "get", {"workflowId": "survivor"})
        read = await post(addresses, "dataobjects/get", {"workflowId": "survivor"})

    assert found == {"workflowRunId": started["workflowRunId"], "workflowStatus": "RUNNING"}
    assert read == {"objects": written["objects"]}
