"""Temporal's tasks and answers, to and from the loop's own forms."""

from collections.abc import Sequence
from typing import cast

from google.protobuf.any_pb2 import Any as AnyMessage
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import QueryResultType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.query.v1 import WorkflowQuery, WorkflowQueryResult
from temporalio.api.update.v1 import Rejection, Request
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse

from iwf_interpreter.loop.dialect import ActivityTask, QueryCall, QueryReply, WorkflowTask
from iwf_interpreter.temporal import payloads

_NO_UPDATES = Failure(
    message="this interpreter takes no updates",
    application_failure_info=ApplicationFailureInfo(type="UnknownUpdate", non_retryable=True),
)


def workflow_task(response: PollWorkflowTaskQueueResponse) -> WorkflowTask:
    """A workflow task, however it was handed out."""
    events = response.history.events
    return WorkflowTask(
        token=response.task_token,
        workflow_id=response.workflow_execution.workflow_id,
        run_id=response.workflow_execution.run_id,
        attempt=response.attempt,
        previous_started_event_id=response.previous_started_event_id,
        started_event_id=response.started_event_id,
        events=events,
        first_event_id=events[0].event_id if events else 0,
        more_events=response.next_page_token,
        query=_query_call(response.query) if response.HasField("query") else None,
        attached_queries={id_: _query_call(query) for id_, query in response.queries.items()},
        unanswered_updates=response.messages,
    )


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


def update_messages(task: WorkflowTask) -> Sequence[Message]:
    """The update requests that came with a task."""
    return cast("Sequence[Message]", task.unanswered_updates)


def rejection(update: Message) -> Message:
    """Refuse an update: one that is left unanswered would make its client wait."""
    request = Request()
    update.body.Unpack(request)
    body = AnyMessage()
    body.Pack(
        Rejection(
            rejected_request_message_id=update.id,
            rejected_request_sequencing_event_id=update.event_id,
            rejected_request=request,
            failure=_NO_UPDATES,
        )
    )
    return Message(
        id=f"{update.protocol_instance_id}/reject",
        protocol_instance_id=update.protocol_instance_id,
        body=body,
    )


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
