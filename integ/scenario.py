"""What the end-to-end tests share: one server under test, calls to it, and a worker per test."""

from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import uuid4

import anyio
import httpx
import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)

from iwf_interpreter.temporal import Connection
from iwf_testkit import FakeWorker, IwfServer, wait_for

PREFIX = "/api/v1/workflow/"

NOT_EXISTS = "WORKFLOW_NOT_EXISTS_SUB_STATUS"
ALREADY_STARTED = "WORKFLOW_ALREADY_STARTED_SUB_STATUS"
UNCATEGORIZED = "UNCATEGORIZED_SUB_STATUS"


class Reply(msgspec.Struct, frozen=True):
    """Status and body of an answer."""

    status: int
    body: dict[str, Any]


class Scenario:
    """A server under test and a worker of one's own."""

    def __init__(self, server: IwfServer, worker: FakeWorker, http: httpx.AsyncClient) -> None:
        self.server = server
        self.worker = worker
        self._http = http

    def new_id(self) -> str:
        return f"wf-{uuid4()}"

    async def post(self, path: str, body: object, *, raw: bytes | None = None) -> Reply:
        """Call an endpoint; every answer must be JSON and hold no null."""
        content = msgspec.json.encode(body) if raw is None else raw
        answer = await self._http.post(self.server.url + PREFIX + path, content=content)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        reply = Reply(answer.status_code, answer.json())
        assert not has_null(reply.body), reply
        return reply

    async def ok(self, path: str, **body: object) -> dict[str, Any]:
        """Call an endpoint that must succeed."""
        reply = await self.post(path, body)
        assert reply.status == 200, reply
        return reply.body

    async def start(
        self, workflow_id: str | None = None, state_id: str | None = "S1", **fields: object
    ) -> tuple[str, str]:
        """Start a workflow on the scenario's worker; returns workflow id and run id."""
        workflow_id = workflow_id or self.new_id()
        request: dict[str, object] = {
            "workflowId": workflow_id,
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": self.worker.url,
            "workflowTimeoutSeconds": 60,
            **fields,
        }
        if state_id is not None:
            request["startStateId"] = state_id
        return workflow_id, (await self.ok("start", **request))["workflowRunId"]

    async def result(self, workflow_id: str, wait_seconds: int = 20) -> dict[str, Any]:
        """Wait for the end of a workflow."""
        return await self.ok("getWithWait", workflowId=workflow_id, waitTimeSeconds=wait_seconds)


def has_null(found: object) -> bool:
    """Whether there is a null anywhere in a JSON value."""
    match found:
        case dict():
            return any(map(has_null, cast("dict[str, object]", found).values()))
        case list():
            return any(map(has_null, cast("list[object]", found)))
        case _:
            return found is None


async def eventually(
    call: Callable[[], Awaitable[Reply]], condition: Callable[[Reply], bool], within_seconds: float = 10
) -> Reply:
    """Repeat a call until its answer is as wished."""
    with anyio.fail_after(within_seconds):
        while True:
            reply = await call()
            if condition(reply):
                return reply
            await anyio.sleep(0.05)


async def idle(scenario: Scenario, **fields: Any) -> str:
    """A running workflow that waits for the signal "go"."""
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await scenario.start(**fields)
    await scenario.worker.wait_for_calls("S1.waitUntil")
    return workflow_id


async def closed(scenario: Scenario) -> str:
    """A completed workflow."""
    workflow_id, _ = await scenario.start()
    await scenario.result(workflow_id)
    return workflow_id


def refused(reply: Reply, sub_status: str, *, status: int = 400) -> None:
    assert (reply.status, reply.body["subStatus"]) == (status, sub_status), reply


async def history(connection: Connection, workflow_id: str, run_id: str) -> list[HistoryEvent]:
    """All events of a run."""
    events: list[HistoryEvent] = []
    token = b""
    while True:
        page = await connection.service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=connection.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                next_page_token=token,
            )
        )
        events += page.history.events
        token = page.next_page_token
        if not token:
            return events


async def all_runs(connection: Connection) -> list[tuple[str, str]]:
    """Workflow id and run id of every run of the namespace."""
    runs: list[tuple[str, str]] = []
    token = b""
    while True:
        page = await connection.service.list_workflow_executions(
            ListWorkflowExecutionsRequest(namespace=connection.namespace, next_page_token=token)
        )
        runs += [(found.execution.workflow_id, found.execution.run_id) for found in page.executions]
        token = page.next_page_token
        if not token:
            return runs
