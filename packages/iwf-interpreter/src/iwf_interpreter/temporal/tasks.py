"""Temporal's tasks and answers, to and from the loop's own forms."""

from collections.abc import Sequence
from typing import cast

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, QueryResultType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse

from iwf_interpreter.loop.dialect import ActivityTask, QueryCall, QueryReply, WorkflowTask
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.update_messages import update_requests

_TASK_TIMED_OUT = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
_TASK_ENDS = frozenset({_TASK_TIMED_OUT, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED})


def workflow_task(response: PollWorkflowTaskQueueResponse) -> WorkflowTask:
    """A workflow task, however it was handed out."""
    events = response.history.events
    return WorkflowTask(
        token=response.task_token,
        workflow_id=response.workflow_execution.workflow_id,
        run_id=response.workflow_execution.run_id,
        attempt=response.attempt,
        repeats_failure=response.attempt > 1 and _last_end(events) != _TASK_TIMED_OUT,
        previous_started_event_id=response.previous_started_event_id,
        started_event_id=response.started_event_id,
        events=events,
        first_event_id=events[0].event_id if events else 0,
        more_events=response.next_page_token,
        query=_query_call(response.query) if response.HasField("query") else None,
        attached_queries={id_: _query_call(query) for id_, query in response.queries.items()},
        updates=update_requests(response.messages),
        size_bytes=response.history.ByteSize(),
    )


def _last_end(events: Sequence[HistoryEvent]) -> int | None:
    """How the last attempt at a task ended, if the events tell."""
    return next((each.event_type for each in reversed(events) if each.event_type in _TASK_ENDS), None)


def activity_task(response: PollActivityTaskQueueResponse) -> ActivityTask:
    """An attempt of a call, however it was handed out."""
    arguments = response.input.payloads
    return ActivityTask(
        token=response.task_token,
        workflow_id=response.workflow_execution.workflow_id,
        run_id=response.workflow_execution.run_id,
        call_id=response.activity_id,
        activity_type=response.activity_type.name,
        input=payloads.raw(arguments[0]) if arguments else b"null",
        attempt=response.attempt,
        scheduled_at=response.scheduled_time.seconds,
        timeout_seconds=response.start_to_close_timeout.ToMilliseconds() / 1000,
    )


def history_events(task: WorkflowTask) -> list[HistoryEvent]:
    """The events that came with a task."""
    return cast("list[HistoryEvent]", list(task.events))


def query_result(reply: QueryReply) -> WorkflowQueryResult:
    """The answer to a query."""
    if reply.answer is None:
        return WorkflowQueryResult(
            result_type=QueryResultType.QUERY_RESULT_TYPE_FAILED, error_message=reply.error
        )
    return WorkflowQueryResult(
        result_type=QueryResultType.QUERY_RESULT_TYPE_ANSWERED,
        answer=Payloads(payloads=[payloads.encode_raw(reply.answer)]),
    )


def _query_call(query: WorkflowQuery) -> QueryCall:
    arguments = query.query_args.payloads
    return QueryCall(query.query_type, payloads.raw(arguments[0]) if arguments else None)
