"""RPCs that write, by several clients at a time on one workflow: how long they take, and what they cost.

Such a workflow is always at work, and Temporal answers a query only between two of its tasks. Every write is
looked for at the end: each publishes a message of its own, and each client counts in a data attribute of its
own.
"""

import math
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import anyio
import httpx
import msgspec

from iwf_interpreter.temporal import connect
from tools.bench.answers import SIZE, WRITE
from tools.bench.histories import chain
from tools.bench.servers import Bench, bench

BUFFERED_QUERIES = "history.MaxBufferedQueryCount"
OURS = 200
"""The setting of the development server."""
TEMPORALS = 1
"""Temporal's own default."""
CALLS = ("QueryWorkflow", "SignalWorkflowExecution", "UpdateWorkflowExecution")

_LOCKING = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK"}
_TIMEOUT_SECONDS = 60
_METRICS_LAG_SECONDS = 3.0


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """What the RPCs of one run took and cost."""

    milliseconds: Sequence[float]
    """Of each RPC, sorted."""
    seconds: float
    """Of them all."""
    cpu_seconds: float
    """Of the server process."""
    events: int
    """In the workflow's history, all runs."""
    calls: Sequence[int]
    """How often the server made each of `CALLS`."""
    failures: Sequence[str]
    lost: int
    """Writes that were acknowledged and are not there, messages and numbers together."""

    def percentile(self, share: float) -> float:
        """The time within which that share of the RPCs was answered."""
        return self.milliseconds[max(0, math.ceil(share * len(self.milliseconds)) - 1)]

    def line(self, name: str) -> str:
        """For people."""
        count = len(self.milliseconds)
        each = 1000 * self.cpu_seconds / count
        return (
            f"{name:38} p50 {self.percentile(0.5):6.0f} ms, p99 {self.percentile(0.99):6.0f} ms, "
            f"max {self.milliseconds[-1]:6.0f} ms, {count / self.seconds:5.0f}/s, "
            f"CPU {each:5.2f} ms and {self.events / count:4.1f} events each; "
            f"queries, signals, updates {list(self.calls)}; "
            f"failures {len(self.failures)} {sorted(set(self.failures))[:3]}, lost writes {self.lost}"
        )


async def compare(
    *, clients: int, count: int, locked: bool, updates_from: int, buffered: Sequence[int]
) -> None:
    """Measure with each size of Temporal's buffer of queries, and print a line each."""
    for size in buffered:
        async with bench(dynamic_config={BUFFERED_QUERIES: size}, rpc_updates_from=updates_from) as processes:
            await measure(processes, clients=clients, count=5, locked=locked)
            times = await measure(processes, clients=clients, count=count, locked=locked)
            kind = "as updates, " if locked else f"updates from {updates_from}, " if updates_from else ""
            print(times.line(f"{clients} clients, {kind}buffer of {size}"), flush=True)


async def measure(processes: Bench, *, clients: int, count: int, locked: bool) -> Times:
    """Let clients make so many RPCs each, one after the other, on one new workflow.

    Args:
        processes: What they run on.
        clients: How many at a time.
        count: RPCs of each.
        locked: Whether they lock, though nothing: then the workflow itself calls the worker.
    """
    workflow_id = f"bench-{uuid4()}"
    milliseconds: list[float] = []
    failures: list[str] = []
    last: dict[str, int] = {}
    base_url = processes.iwf.url + "/api/v1/workflow/"
    limits = httpx.Limits(max_connections=clients + 1)
    async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=_TIMEOUT_SECONDS + 10) as http:

        async def rpc(name: str, data: str = "") -> httpx.Response:
            body: dict[str, Any] = {"workflowId": workflow_id, "rpcName": name, "input": {"data": data}}
            if locked:
                body["dataAttributesLoadingPolicy"] = _LOCKING
            return await http.post("rpc", json=body)

        async def client(key: str) -> None:
            for number in range(1, count + 1):
                began = time.monotonic()
                answer = await rpc(WRITE, f"{key}/{number}")
                milliseconds.append(1000 * (time.monotonic() - began))
                if answer.status_code == 200:
                    last[key] = number
                else:
                    failures.append(f"{answer.status_code} {answer.json().get('detail')}")

        start = {
            "workflowId": workflow_id,
            "iwfWorkflowType": "rpcs",
            "iwfWorkerUrl": processes.worker_url,
            "workflowTimeoutSeconds": 600,
        }
        (await http.post("start", json=start)).raise_for_status()
        calls = await _calls(processes)
        cpu, began = processes.iwf.cpu_seconds(), time.monotonic()
        async with anyio.create_task_group() as tasks:
            for number in range(clients):
                tasks.start_soon(client, f"c{number}")
        seconds, cpu = time.monotonic() - began, processes.iwf.cpu_seconds() - cpu
        made = [after - before for before, after in zip(calls, await _calls(processes), strict=True)]
        lost = await _lost(http, workflow_id, last, clients * count - len(failures), await rpc(SIZE))
        (await http.post("stop", json={"workflowId": workflow_id})).raise_for_status()
        (await http.post("getWithWait", json={"workflowId": workflow_id})).raise_for_status()
    histories = await chain(await connect(processes.temporal_address), workflow_id)
    return Times(
        milliseconds=sorted(milliseconds),
        seconds=seconds,
        cpu_seconds=cpu,
        events=sum(len(history.events) for history in histories),
        calls=made,
        failures=failures,
        lost=lost,
    )


async def _lost(
    http: httpx.AsyncClient, workflow_id: str, last: dict[str, int], acknowledged: int, size: httpx.Response
) -> int:
    """How many acknowledged writes are missing."""
    read = await http.post("dataobjects/get", json={"workflowId": workflow_id})
    found = {item["key"]: int(item["value"]["data"]) for item in read.json().get("objects", [])}
    numbers = sum(found.get(key, 0) < number for key, number in last.items())
    return numbers + max(0, acknowledged - int(size.json()["output"]["data"]))


async def _calls(processes: Bench) -> list[int]:
    """How often Temporal has been called, by its own count, which lags."""
    await anyio.sleep(_METRICS_LAG_SECONDS)
    async with httpx.AsyncClient() as http:
        text = (await http.get(processes.temporal_metrics_url)).text
    found = dict.fromkeys(CALLS, 0)
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("service_requests{") and 'service_name="frontend"' in name:
            operation = name.partition('operation="')[2].partition('"')[0]
            if operation in found:
                found[operation] += int(float(value))
    return [found[name] for name in CALLS]
