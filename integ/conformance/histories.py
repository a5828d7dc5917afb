"""What a workflow leaves behind: its chain of histories, writes to the index, and its state as text."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    QueryWorkflowRequest,
    SignalWorkflowExecutionRequest,
)

from conformance.flows import Flow
from iwf_interpreter.contract import EXECUTING_STATE_IDS_ATTRIBUTE, SystemSignal
from iwf_interpreter.temporal import Connection
from iwf_interpreter.temporal.payloads import to_payloads
from scenario import Reply, eventually, history


async def chain(connection: Connection, workflow_id: str, run_id: str) -> list[list[HistoryEvent]]:
    """The events of a run and of those that continue it, by run."""
    runs: list[list[HistoryEvent]] = []
    while run_id:
        events = await history(connection, workflow_id, run_id)
        runs.append(events)
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return runs


def executing_ids(runs: Iterable[Sequence[HistoryEvent]]) -> list[list[str]]:
    """Every value that was written to `IwfExecutingStateIds`, in order; nothing is an empty list."""
    written: list[list[str]] = []
    for event in (event for events in runs for event in events):
        fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
        if EXECUTING_STATE_IDS_ATTRIBUTE in fields:
            data = fields[EXECUTING_STATE_IDS_ATTRIBUTE].data
            written.append((msgspec.json.decode(data) if data else None) or [])
    return written


def of_type(events: Iterable[HistoryEvent], *types: EventType.ValueType) -> list[HistoryEvent]:
    """The events of these types."""
    return [event for event in events if event.event_type in types]


async def describe(connection: Connection, workflow_id: str) -> DescribeWorkflowExecutionResponse:
    """What the engine knows of a workflow's current run, its open activities included."""
    return await connection.service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=connection.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )


async def query(connection: Connection, workflow_id: str, query_type: str) -> Any:
    """Ask the current run of a workflow, as an operator would."""
    answer = await connection.service.query_workflow(
        QueryWorkflowRequest(
            namespace=connection.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
            query=WorkflowQuery(query_type=query_type),
        )
    )
    return msgspec.json.decode(answer.query_result.payloads[0].data)


async def timer_infos(connection: Connection, workflow_id: str) -> dict[str, list[dict[str, Any]]]:
    """The timers of waiting state executions."""
    answer = await query(connection, workflow_id, "GetCurrentTimerInfos")
    return answer["StateExecutionCurrentTimerInfos"]


async def config(connection: Connection, workflow_id: str) -> dict[str, Any]:
    """The configuration that a run has now."""
    return (await query(connection, workflow_id, "DebugNewDump"))["Config"]


async def send_skip(connection: Connection, workflow_id: str, body: Mapping[str, object]) -> None:
    """Skip a timer by hand, whether it is there or not."""
    await connection.service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=connection.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=SystemSignal.SKIP_TIMER,
            input=to_payloads(body),
        )
    )


async def dump_text(flow: Flow, workflow_id: str, run_id: str, *, page_size: int = 0) -> tuple[str, int]:
    """The state of a run as text, read page by page, and the number of its pages."""

    async def page(number: int) -> Reply:
        return await flow.post(
            "internal/dump",
            {
                "workflowId": workflow_id,
                "workflowRunId": run_id,
                "pageSizeInBytes": page_size,
                "pageNum": number,
            },
        )

    first = await eventually(lambda: page(0), lambda reply: reply.status == 200)
    text = first.body["jsonData"]
    for number in range(1, first.body["totalPages"]):
        reply = await page(number)
        assert (reply.status, reply.body["checksum"]) == (200, first.body["checksum"]), reply
        text += reply.body["jsonData"]
    return text, first.body["totalPages"]


async def dump(flow: Flow, workflow_id: str, run_id: str) -> dict[str, Any]:
    """The state of a run."""
    text, _ = await dump_text(flow, workflow_id, run_id)
    return msgspec.json.decode(text)


async def scheduled_activities(connection: Connection, workflow_id: str, run_id: str) -> list[str]:
    """Ids of the activities that a chain of runs had the engine schedule, in order."""
    runs = await chain(connection, workflow_id, run_id)
    scheduled = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        for events in runs
        for event in of_type(events, scheduled)
    ]
