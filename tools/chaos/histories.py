"""What the histories of a workflow say: no task failed for a bug of ours, and the core agrees with them."""

from collections.abc import Sequence
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
)

from iwf_interpreter.loop.runs import Run
from iwf_interpreter.temporal import Connection
from iwf_interpreter.temporal.events import EventReader

_OURS = (
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
)
"""Causes that this project's interpreter gives when it suspends a run."""


async def read_history(connection: Connection, workflow_id: str, run_id: str) -> list[HistoryEvent]:
    """All events of a run."""
    events: list[HistoryEvent] = []
    token = b""
    while True:
        page = await connection.service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=connection.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                next_page_token=token,
            ),
            retry=True,
        )
        events += page.history.events
        token = page.next_page_token
        if not token:
            return events


async def read_chain(connection: Connection, workflow_id: str) -> dict[str, list[HistoryEvent]]:
    """The events of all runs of a workflow, by run id."""
    described = await connection.service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=connection.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        ),
        retry=True,
    )
    current = await read_history(connection, workflow_id, described.workflow_execution_info.execution.run_id)
    run_id = current[0].workflow_execution_started_event_attributes.first_execution_run_id
    runs: dict[str, list[HistoryEvent]] = {}
    while run_id:
        events = runs[run_id] = await read_history(connection, workflow_id, run_id)
        run_id = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return runs


def faults(workflow_id: str, run_id: str, events: Sequence[HistoryEvent]) -> list[str]:
    """What must not be in the history of a run that servers were killed under."""
    found: list[str] = []
    for event in events:
        failed = event.workflow_task_failed_event_attributes
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED and failed.cause in _OURS:
            found.append(f"run {run_id} was suspended at event {event.event_id}: {failed.failure.message}")
    try:
        Run(EventReader(workflow_id, run_id)).feed(events)
    except Exception as error:
        found.append(f"run {run_id} does not replay: {type(error).__name__}: {error}")
    return found


def save(folder: Path, workflow_id: str, runs: dict[str, list[HistoryEvent]]) -> Path:
    """Write the histories of a workflow to a folder of its own, as the `temporal` command reads them."""
    where = folder / workflow_id
    where.mkdir(parents=True, exist_ok=True)
    for number, (run_id, events) in enumerate(runs.items()):
        (where / f"{number:03}-{run_id}.json").write_text(MessageToJson(History(events=events)))
    return where
