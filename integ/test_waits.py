"""A thousand clients that wait for workflows cost one server process little, and each gets its answer."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import msgspec
import pytest

from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_testkit import FakeWorker, IwfServer
from scenario import Scenario, idle
from tools.chaos.processes import ServerCommand, ServerProcess, server_process

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

WAITS = 1000
BYTES_PER_WAIT = 64 * 1024
THREADS = 50
"""The connection to Temporal takes some of its own for calls that end at the same time."""
WAIT_SECONDS = 6
IDLE_TICKS = 3
"""Hundredths of a second of work in half a second."""


class Usage(msgspec.Struct, frozen=True):
    """What a process uses."""

    resident_bytes: int
    threads: int
    cpu_ticks: int

    @classmethod
    def of(cls, pid: int) -> "Usage":
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return cls(
            resident_bytes=1024 * int(fields["VmRSS"].split()[0]),
            threads=int(fields["Threads"]),
            cpu_ticks=int(times[11]) + int(times[12]),
        )


class Waits:
    """Requests of `getWithWait`, each on a connection of its own."""

    def __init__(self, url: str, workflow_ids: Sequence[str], wait_seconds: int) -> None:
        self._port = int(url.rpartition(":")[2])
        self._workflow_ids = workflow_ids
        self._wait_seconds = wait_seconds
        self._sent = 0
        self.all_sent = anyio.Event()
        self.statuses: list[int] = []

    async def run(self) -> None:
        """Wait for all of them, in turn for each workflow."""
        async with anyio.create_task_group() as tasks:
            for number in range(WAITS):
                tasks.start_soon(self._wait, self._workflow_ids[number % len(self._workflow_ids)])

    async def _wait(self, workflow_id: str) -> None:
        body = msgspec.json.encode({"workflowId": workflow_id, "waitTimeSeconds": self._wait_seconds})
        async with await anyio.connect_tcp("127.0.0.1", self._port) as stream:
            await stream.send(
                b"POST /api/v1/workflow/getWithWait HTTP/1.1\r\nhost: iwf\r\nconnection: close\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            self._sent += 1
            if self._sent == WAITS:
                self.all_sent.set()
            self.statuses.append(int((await stream.receive()).split()[1]))


@pytest.fixture
async def alone(
    temporal: TemporalDevServer, tmp_path: Path
) -> AsyncGenerator[tuple[ServerProcess, Scenario]]:
    """A server process of one's own, and workflows on it."""
    command = ServerCommand(
        address=temporal.address, task_queue=f"iwf-waits-{uuid4()}", log=tmp_path / "server.log"
    )
    async with (
        server_process(command) as process,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=70) as http,
    ):
        assert await process.ready()
        server = IwfServer(
            url=process.url,
            temporal_address=command.address,
            namespace="default",
            task_queue=command.task_queue,
        )
        yield process, Scenario(server, worker, http)


async def quiet(process: ServerProcess) -> Usage:
    """What a process uses once it has nothing to do."""
    usage = Usage.of(process.pid)
    with anyio.fail_after(60):
        while True:
            await anyio.sleep(0.5)
            before, usage = usage, Usage.of(process.pid)
            if usage.cpu_ticks - before.cpu_ticks <= IDLE_TICKS:
                return usage


async def open_workflows(scenario: Scenario, count: int) -> list[str]:
    return [await idle(scenario, workflowTimeoutSeconds=300) for _ in range(count)]


@pytest.mark.parametrize("workflows", [20, 1], ids=["many-workflows", "one-workflow"])
async def test_thousand_waits_cost_little_and_end_with_their_workflows(
    alone: tuple[ServerProcess, Scenario], workflows: int
) -> None:
    process, scenario = alone
    ids = await open_workflows(scenario, workflows)
    waits = Waits(scenario.server.url, ids, 58)
    before = await quiet(process)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits.run)
        await waits.all_sent.wait()
        during = await quiet(process)

        assert waits.statuses == []
        assert during.threads - before.threads < THREADS
        assert during.resident_bytes - before.resident_bytes < WAITS * BYTES_PER_WAIT

        for workflow_id in ids:
            await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")

    assert waits.statuses == [200] * WAITS


async def test_thousand_waits_end_when_their_time_is_over(alone: tuple[ServerProcess, Scenario]) -> None:
    _, scenario = alone
    ids = await open_workflows(scenario, 2)
    waits = Waits(scenario.server.url, ids, WAIT_SECONDS)

    with anyio.fail_after(WAIT_SECONDS + 20):
        await waits.run()

    assert waits.statuses == [420] * WAITS
    # Those who waited have gone, and the workflows have not noticed.
    for workflow_id in ids:
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
        assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"
