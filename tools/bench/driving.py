"""Runs workflows through a server's API, and measures what that costs the server process."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import anyio
import httpx
import msgspec

from tools.bench.answers import CHANNEL
from tools.bench.servers import Server
from tools.bench.shapes import Kind, Shape

QUIET: Mapping[str, object] = {"executingStateIdMode": "DISABLED"}
"""Writes no search attributes, as the floor writes none."""
DEFAULT: Mapping[str, object] = {}
IN_PLACE: Mapping[str, object] = {"optimizeActivity": True}

_TIMEOUT_SECONDS = 600
_SIGNALS_AT_A_TIME = 50


class Cost(msgspec.Struct, frozen=True):
    """What some workflows cost."""

    cpu_seconds: float
    """Of the server process."""
    seconds: float
    workflow_ids: list[str]


async def drive(
    server: Server,
    worker_url: str,
    shape: Shape,
    config: Mapping[str, object],
    *,
    workflows: int = 1,
    concurrency: int = 1,
) -> Cost:
    """Run workflows to completion and measure the server process."""
    limits = httpx.Limits(max_connections=concurrency + _SIGNALS_AT_A_TIME)
    slots = anyio.Semaphore(concurrency)
    workflow_ids = [f"bench-{uuid4()}" for _ in range(workflows)]
    base_url = server.url + "/api/v1/workflow/"
    async with httpx.AsyncClient(base_url=base_url, limits=limits, timeout=_TIMEOUT_SECONDS) as http:

        async def one(workflow_id: str) -> None:
            async with slots:
                await _post(http, "start", _start_request(workflow_id, worker_url, shape, config))
                if shape.kind is Kind.MESSAGES:
                    await _send_messages(http, workflow_id, shape.count)
                await _wait(http, workflow_id)

        before, began = server.cpu_seconds(), time.monotonic()
        async with anyio.create_task_group() as tasks:
            for workflow_id in workflow_ids:
                tasks.start_soon(one, workflow_id)
        return Cost(server.cpu_seconds() - before, time.monotonic() - began, workflow_ids)


async def _wait(http: httpx.AsyncClient, workflow_id: str) -> None:
    with anyio.fail_after(_TIMEOUT_SECONDS):
        while True:
            answer = await http.post("getWithWait", json={"workflowId": workflow_id})
            if answer.status_code == 200:
                break
            # The server waits less long than a large workflow takes on a busy machine.
            assert answer.json().get("subStatus") == "LONG_POLL_TIME_OUT_SUB_STATUS", answer.text
    assert answer.json()["workflowStatus"] == "COMPLETED", answer.text


async def _send_messages(http: httpx.AsyncClient, workflow_id: str, count: int) -> None:
    left = iter(range(count))
    request = {"workflowId": workflow_id, "signalChannelName": CHANNEL, "signalValue": {"data": "1"}}

    async def send() -> None:
        for _ in left:
            await _post(http, "signal", request)

    async with anyio.create_task_group() as tasks:
        for _ in range(_SIGNALS_AT_A_TIME):
            tasks.start_soon(send)


async def _post(http: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> None:
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text


def _start_request(
    workflow_id: str, worker_url: str, shape: Shape, config: Mapping[str, object]
) -> dict[str, Any]:
    request: dict[str, Any] = {
        "workflowId": workflow_id,
        "iwfWorkflowType": shape.workflow_type,
        "iwfWorkerUrl": worker_url,
        "workflowTimeoutSeconds": _TIMEOUT_SECONDS,
        "startStateId": "S1",
        "workflowStartOptions": {"workflowConfigOverride": dict(config)},
    }
    if shape.skips_wait_until:
        request["stateOptions"] = {"skipWaitUntil": True}
    return request
