"""Killing things: what was acknowledged survives, and what waits goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from iwf_testkit import FakeWorker, IwfServer, graceful_complete, wait_for
from scenario import PREFIX

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

SERVER = str(Path(sys.executable).parent / "iwf-server")


@asynccontextmanager
async def dev_server(db: Path) -> AsyncGenerator[dict[str, Any]]:
    """`iwf-server dev` on a data file; yields its addresses, and kills it if the test has not."""
    command = [SERVER, "dev", "--port", "0", "--temporal-port", "0", "--ui-port", "0", "--db", str(db)]
    process = await anyio.open_process([*command, "--output", "json"], stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        with anyio.fail_after(60):
            line = await process.stdout.receive()
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await process.aclose()


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> None:
    with anyio.fail_after(30):
        while is_running(pid):
            await anyio.sleep(0.05)


async def test_killed_development_server_goes_on_where_it_was(tmp_path: Path) -> None:
    db = tmp_path / "dev.db"
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=70) as http:
        worker.script("S1.waitUntil", wait_for(signals=("verified",)))
        worker.script("S1.execute", graceful_complete("done"))

        async def post(addresses: dict[str, Any], path: str, **body: object) -> dict[str, Any]:
            answer = await http.post(addresses["api"] + PREFIX + path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        async def dump(addresses: dict[str, Any], run_id: str) -> dict[str, Any]:
            page = {"workflowRunId": run_id, "pageSizeInBytes": 0, "pageNum": 0}
            answer = await post(addresses, "internal/dump", workflowId="signup", **page)
            return json.loads(answer["jsonData"])

        async with dev_server(db) as first:
            started = await post(
                first,
                "start",
                workflowId="signup",
                iwfWorkflowType="Signup",
                iwfWorkerUrl=worker.url,
                workflowTimeoutSeconds=600,
                startStateId="S1",
            )
            await worker.wait_for_calls("S1.waitUntil")
            await post(first, "dataobjects/set", workflowId="signup", objects=[{"key": "d"}])
            # A call whose answer the engine does not have yet would be made again.
            with anyio.fail_after(20):
                while "S1-1" not in (await dump(first, started["workflowRunId"]))["StateExecutionsToResume"]:
                    await anyio.sleep(0.05)
            os.kill(first["pid"], signal.SIGKILL)
            await gone(first["pid"])
            # Nothing of it is left, the Temporal server included.
            await gone(first["temporal_pid"])

        async with dev_server(db) as second:
            objects = await post(second, "dataobjects/get", workflowId="signup")
            await post(second, "signal", workflowId="signup", signalChannelName="verified")
            result = await post(second, "getWithWait", workflowId="signup", waitTimeSeconds=40)

    assert objects == {"objects": [{"key": "d"}]}
    assert result["workflowStatus"] == "COMPLETED"
    assert len(worker.calls_of("S1.waitUntil")) == 1


async def test_example_signup_runs_to_its_end(tmp_path: Path) -> None:
    done = await run_example("examples/signup/quickstart.py", tmp_path)

    assert "the workflow completed with: alice has signed up" in done


async def run_example(script: str, folder: Path, *arguments: str) -> str:
    """Run an example as a user would, from the root of the repository; returns what it prints."""
    root = Path(__file__).parent.parent
    with anyio.fail_after(120):
        done = await anyio.run_process(
            [sys.executable, str(root / script), *arguments],
            check=False,
            cwd=folder,
            stderr=subprocess.STDOUT,
        )
    output = done.stdout.decode()
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize(("path", "result"), [("signal", "API3 of new data"), ("timeout", "API4 of API1")])
async def test_example_orchestration_takes_both_paths(
    server: IwfServer, tmp_path: Path, path: str, result: str
) -> None:
    done = await run_example(
        "examples/orchestration/run.py", tmp_path, "--server", server.url, "--path", path
    )

    assert f"completed with '{result}" in done
