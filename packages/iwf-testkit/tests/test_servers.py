"""A workflow on the managed servers, also across a crash of everything but its data file."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from iwf_models import KeyValue
from iwf_testkit import FakeWorker, graceful_complete, iwf_server, temporal_dev_server, value, wait_for

pytestmark = pytest.mark.anyio

DEV_SERVER = [
    *(sys.executable, "-c", "from iwf_api.cli import main; main()", "dev", "--output=json"),
    *("--port=0", "--temporal-port=0", "--ui-port=0"),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def post(http: httpx.AsyncClient, url: str, operation: str, **body: Any) -> Any:
    answer = await http.post(f"{url}/api/v1/workflow/{operation}", json={"workflowId": "w", **body})
    assert answer.is_success, answer.text
    return answer.json()


async def start(http: httpx.AsyncClient, url: str, worker: FakeWorker) -> None:
    await post(
        http,
        url,
        "start",
        iwfWorkflowType="W",
        workflowTimeoutSeconds=60,
        iwfWorkerUrl=worker.url,
        startStateId="S1",
    )


async def test_workflow_runs_on_servers_of_its_own(tmp_path: Path) -> None:
    async with (
        temporal_dev_server(db=tmp_path / "test.db", search_attributes={"Color": "Keyword"}) as temporal,
        iwf_server(temporal.address, task_queue="mine", max_cached_workflows=0) as server,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=30) as http,
    ):
        worker.script("S1.execute", graceful_complete('"done"'))
        await start(http, server.url, worker)
        outcome = await post(http, server.url, "getWithWait", needsResults=True)

    assert (server.temporal_address, server.task_queue, server.namespace) == (
        temporal.address,
        "mine",
        "default",
    )
    assert outcome["workflowStatus"] == "COMPLETED"
    assert outcome["results"][0]["completedStateOutput"] == {"encoding": "json", "data": '"done"'}


@contextmanager
def dev_server(folder: Path) -> Generator[tuple[subprocess.Popen[bytes], str]]:
    with subprocess.Popen(DEV_SERVER, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as dev:
        try:
            assert dev.stdout is not None
            yield dev, json.loads(dev.stdout.readline())["api"]
        finally:
            dev.send_signal(signal.SIGKILL)


async def test_workflow_goes_on_after_the_development_server_was_killed(tmp_path: Path) -> None:
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=30) as http:
        waiting = KeyValue(key="waiting", value=value("true"))
        worker.script(
            "S1.waitUntil", msgspec.structs.replace(wait_for(signals=("go",)), upsert_data_objects=[waiting])
        )
        with dev_server(tmp_path) as (dev, url):
            await start(http, url, worker)
            # Killed before it has the answer it would wait for the call's time limit, half a minute.
            while await post(http, url, "dataobjects/get", keys=["waiting"]) == {}:
                await anyio.sleep(0.05)
            dev.kill()

        with dev_server(tmp_path) as (_, url):
            await post(http, url, "signal", signalChannelName="go")
            outcome = await post(http, url, "getWithWait")

    assert outcome["workflowStatus"] == "COMPLETED"
    assert [call.key for call in worker.calls_of("S1.execute")] == ["S1-1.execute"]
