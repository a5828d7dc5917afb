"""CPU of the server process on the two-state workload, side by side with the floor.

`python -m tools.bench [--workflows N] [--concurrency N] [--rounds N]` starts a Temporal development server,
a worker, the iWF server and the floor, each a process of its own, and drives both servers in turn. Wall time
on a shared machine says little; the CPU of the server process, over alternating rounds, is the figure.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import anyio
import httpx
import msgspec

from iwf_testkit import temporal_dev_server

_STATES = 2
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Round(msgspec.Struct, frozen=True):
    """What one round cost."""

    cpu_ms_per_state: float
    seconds: float


@contextmanager
def process(*command: str) -> Generator[tuple[int, str]]:
    """Run a process that prints one line when it is ready; yields its id and the line."""
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.pid, child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all threads."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


async def drive(pid: int, url: str, worker_url: str, workflows: int, concurrency: int) -> Round:
    """Run workflows to completion and measure the server process."""
    limits = httpx.Limits(max_connections=concurrency)
    slots = anyio.Semaphore(concurrency)
    async with httpx.AsyncClient(base_url=url + "/api/v1/workflow/", limits=limits, timeout=60) as http:

        async def one() -> None:
            async with slots:
                workflow_id = f"bench-{uuid4()}"
                request = {
                    "workflowId": workflow_id,
                    "iwfWorkflowType": "Bench",
                    "iwfWorkerUrl": worker_url,
                    "workflowTimeoutSeconds": 60,
                    "startStateId": "S1",
                }
                (await http.post("start", json=request)).raise_for_status()
                answer = await http.post("getWithWait", json={"workflowId": workflow_id})
                assert answer.json()["workflowStatus"] == "COMPLETED", answer.text

        before, started = cpu_seconds(pid), time.monotonic()
        async with anyio.create_task_group() as tasks:
            for _ in range(workflows):
                tasks.start_soon(one)
        used = cpu_seconds(pid) - before
    return Round(1000 * used / (workflows * _STATES), time.monotonic() - started)


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="CPU of the server, side by side with the floor."
    )
    parser.add_argument("--workflows", type=int, default=300, help="per round, default 300")
    parser.add_argument("--concurrency", type=int, default=20, help="workflows at a time, default 20")
    parser.add_argument("--rounds", type=int, default=5, help="of each server, default 5")
    options = parser.parse_args()
    async with temporal_dev_server() as temporal:
        with ExitStack() as stack:
            _, worker_url = stack.enter_context(process("-m", "tools.bench.worker"))
            iwf_pid, line = stack.enter_context(
                process("-m", "iwf_api", "start", "--address", temporal.address, "--port", "0")
            )
            iwf_url = "http" + line.partition("API on http")[2].partition(",")[0]
            floor_pid, floor_url = stack.enter_context(process("-m", "tools.bench.floor", temporal.address))
            servers = {"iwf": (iwf_pid, iwf_url), "floor": (floor_pid, floor_url)}
            rounds: dict[str, list[Round]] = {name: [] for name in servers}
            for pid, url in servers.values():
                await drive(pid, url, worker_url, 50, options.concurrency)
            for number in range(1, options.rounds + 1):
                for name, (pid, url) in servers.items():
                    done = await drive(pid, url, worker_url, options.workflows, options.concurrency)
                    rounds[name].append(done)
                    print(
                        f"round {number} {name:<6} {done.cpu_ms_per_state:6.2f} ms CPU per state execution, "
                        f"{done.seconds:6.2f} s"
                    )
    medians = {name: statistics.median(r.cpu_ms_per_state for r in done) for name, done in rounds.items()}
    ratios = [
        ours.cpu_ms_per_state / floor.cpu_ms_per_state
        for ours, floor in zip(rounds["iwf"], rounds["floor"], strict=True)
    ]
    print(f"median: iwf {medians['iwf']:.2f} ms, floor {medians['floor']:.2f} ms per state execution")
    print(f"ratio to the floor, median of {len(ratios)} pairs: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    anyio.run(main)
