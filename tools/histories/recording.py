"""The server that histories are recorded on, and what a scenario does with it.

API and interpreter run in this process, without a port. The worker has one, but the workflows know it as
`http://worker`: it is the proxy through which that host is reached. So no address of this machine gets into
a history, not even into a state that is carried compressed.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
import httpx
import msgspec
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    SignalWorkflowExecutionRequest,
)

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.temporal import (
    Connection,
    InterpreterOptions,
    ProtocolOptions,
    TemporalEngine,
    TemporalInterpreter,
)
from iwf_interpreter.worker_addresses import WorkerAddresses
from iwf_interpreter.worker_client import WorkerClient, WorkerClientOptions
from iwf_testkit import FakeWorker

WORKER_URL = "http://worker"
SEARCH_ATTRIBUTES = {
    "CustomKeywordField": "Keyword",
    "CustomIntField": "Int",
    "CustomDatetimeField": "Datetime",
    "CustomKeywordArrayField": "KeywordList",
}

_PATIENCE_SECONDS = 30
_CLOSED = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)

Condition: TypeAlias = Callable[[list[HistoryEvent]], bool]


class Recorder:
    """One scenario's workflow, its worker, and calls to the server that runs it."""

    def __init__(self, connection: Connection, worker: FakeWorker, workflow_id: str) -> None:
        self.connection = connection
        self.worker = worker
        self.workflow_id = workflow_id
        self.task_queue = f"record-{workflow_id}"
        self.first_run_id = ""
        """The run that `start` has started."""
        self._http: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def server(self, loop: LoopOptions | None = None) -> AsyncGenerator[None]:
        """Run API and interpreter while the context is open."""
        options = InterpreterOptions(
            task_queue=self.task_queue,
            loop=loop or LoopOptions(workflow_task_pollers=2, activity_task_pollers=2),
            protocol=ProtocolOptions(poll_seconds=3.0),
        )
        addresses = WorkerAddresses(proxies={"http": self.worker.url})
        async with WorkerClient(WorkerClientOptions(addresses=addresses)) as client:
            interpreter = TemporalInterpreter(self.connection, client, options)
            engine = TemporalEngine(self.connection, task_queue=self.task_queue, eager=interpreter)
            transport = httpx.ASGITransport(create_app(engine, client, ApiSettings()))
            async with anyio.create_task_group() as tasks:
                await tasks.start(interpreter.run)
                try:
                    async with httpx.AsyncClient(transport=transport, base_url="http://iwf") as self._http:
                        yield
                finally:
                    interpreter.stop()

    async def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """Call an endpoint for the scenario's workflow; returns status and body."""
        assert self._http is not None
        answer = await self._http.post(
            f"/api/v1/workflow/{path}",
            content=msgspec.json.encode({"workflowId": self.workflow_id, **body}),
            timeout=_PATIENCE_SECONDS,
        )
        return answer.status_code, answer.json()

    async def ok(self, path: str, **body: object) -> dict[str, Any]:
        """Call an endpoint that must succeed."""
        status, answer = await self.post(path, **body)
        if status != 200:
            raise AssertionError(f"{path} was answered with {status}: {answer}")
        return answer

    async def start(self, state_id: str | None = "S1", **fields: object) -> str:
        """Start the workflow; returns the id of its run."""
        request: dict[str, object] = {
            "iwfWorkflowType": "Recorded",
            "iwfWorkerUrl": WORKER_URL,
            "workflowTimeoutSeconds": 3600,
            **fields,
        }
        if state_id is not None:
            request["startStateId"] = state_id
        self.first_run_id = (await self.ok("start", **request))["workflowRunId"]
        return self.first_run_id

    async def signal(self, name: str, data: str | None = None) -> None:
        """Send a message to a signal channel."""
        value = {} if data is None else {"signalValue": {"encoding": "json", "data": data}}
        await self.ok("signal", signalChannelName=name, **value)

    async def signal_by_hand(self, name: str, body: bytes | None) -> None:
        """Send a signal as the `temporal` command does, past the API; it needs no server."""
        payloads = [] if body is None else [Payload(metadata={"encoding": b"json/plain"}, data=body)]
        await self.connection.service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=self.connection.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self.workflow_id),
                signal_name=name,
                input=Payloads(payloads=payloads),
                identity=self.connection.identity,
            )
        )

    async def end(self, status: str = "COMPLETED") -> dict[str, Any]:
        """Wait for the end of the workflow."""
        result = await self.ok("getWithWait", waitTimeSeconds=_PATIENCE_SECONDS)
        if result["workflowStatus"] != status:
            raise AssertionError(f"the workflow should be {status}: {result}")
        return result

    async def history(self, run_id: str = "") -> list[HistoryEvent]:
        """All events of a run, by default of the current one."""
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self.connection.namespace,
            execution=WorkflowExecution(workflow_id=self.workflow_id, run_id=run_id),
        )
        events: list[HistoryEvent] = []
        while True:
            page = await self.connection.service.get_workflow_execution_history(request)
            events += page.history.events
            request.next_page_token = page.next_page_token
            if not page.next_page_token:
                return events

    async def until(self, condition: Condition, run_id: str = "") -> list[HistoryEvent]:
        """Wait until the history is as wished."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while not condition(events := await self.history(run_id)):
                await anyio.sleep(0.05)
            return events

    async def chain(self, run_id: str) -> list[list[HistoryEvent]]:
        """Histories of a run and of those that follow it."""
        histories: list[list[HistoryEvent]] = []
        while run_id:
            events = await self.history(run_id)
            histories.append(events)
            last = events[-1]
            run_id = (
                last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
                or last.workflow_execution_completed_event_attributes.new_execution_run_id
                or last.workflow_execution_failed_event_attributes.new_execution_run_id
            )
        return histories


def has(event_type: EventType.ValueType, count: int = 1) -> Condition:
    """Whether a history has so many events of a type."""
    return lambda events: sum(event.event_type == event_type for event in events) >= count


def is_closed(events: list[HistoryEvent]) -> bool:
    """Whether a history has its end."""
    return events[-1].event_type in _CLOSED
