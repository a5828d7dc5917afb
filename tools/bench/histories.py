"""Histories of the workflows that a benchmark has run: how long tasks took, and how they replay."""

from collections.abc import Iterator, Sequence

import msgspec
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

from iwf_interpreter.loop.runs import Run
from iwf_interpreter.temporal import Connection
from iwf_interpreter.temporal.events import EventReader
from tools.bench.clock import cpu_seconds


class History(msgspec.Struct, frozen=True):
    """All events of a run."""

    workflow_id: str
    run_id: str
    events: Sequence[HistoryEvent]


async def chain(connection: Connection, workflow_id: str) -> list[History]:
    """The histories of the runs of a workflow that has ended, the last one first."""
    found: list[History] = []
    run_id = ""
    while True:
        history = await _history(connection, workflow_id, run_id)
        found.append(history)
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return found


async def _history(connection: Connection, workflow_id: str, run_id: str) -> History:
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
            own_id = events[0].workflow_execution_started_event_attributes.original_execution_run_id
            return History(workflow_id, own_id, events)


def tasks(events: Sequence[HistoryEvent]) -> Iterator[tuple[int, int]]:
    """Index borders of the events that each completed task brought: `events[begin:end]`."""
    begin = 0
    for index, event in enumerate(events[:-1]):
        completed = events[index + 1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and completed:
            yield begin, index + 1
            begin = index + 1


def task_milliseconds(history: History) -> list[int]:
    """How long each task was in hand: from its start to its completion, on the engine's clock."""
    events = history.events
    return [
        events[end].event_time.ToMilliseconds() - events[end - 1].event_time.ToMilliseconds()
        for _, end in tasks(events)
    ]


def feed_seconds(history: History) -> list[float]:
    """CPU seconds that feeding and settling each task takes, in a run that is fed task by task.

    Calls that were made in place are fed with the task behind them, all at once.
    """
    run = Run(EventReader(history.workflow_id, history.run_id))
    found: list[float] = []
    for begin, end in tasks(history.events):
        before = cpu_seconds()
        run.feed(history.events[begin:end])
        found.append(cpu_seconds() - before)
    return found
