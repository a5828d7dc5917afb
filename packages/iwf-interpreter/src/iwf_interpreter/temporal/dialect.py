"""Temporal's worker protocol, spoken through raw service calls.

Polls have a deadline of their own and are never cancelled while stopping: a task that is handed out to a
cancelled poll is lost until its time limit. Answers are sent again only if the connection was closed under
them, because a repeated answer is refused although the first one was taken; results of calls are repeated for
as long as their attempt lasts.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from uuid import uuid4

import anyio
import msgspec
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueKind, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.sdk.v1 import WorkflowTaskCompletedMetadata
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    QueryWorkflowRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskFailedRequest,
    ShutdownWorkerRequest,
)
from temporalio.service import RPCError, RPCStatusCode

from iwf_interpreter.contract import QueryType, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.loop.dialect import (
    ActivityTask,
    Completed,
    QueryReply,
    TaskRefused,
    WorkflowTask,
)
from iwf_interpreter.loop.history import Outgoing, UpdateRequest
from iwf_interpreter.loop.runs import Nondeterminism, Refusal
from iwf_interpreter.temporal import commands, payloads, update_messages
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import repeated_if_closed
from iwf_interpreter.temporal.events import EventReader
from iwf_interpreter.temporal.tasks import (
    activity_task,
    history_events,
    query_result,
    workflow_task,
)

_logger = logging.getLogger(__name__)

_RESPOND_TIMEOUT = timedelta(seconds=10)
_BRIEF_POLL = timedelta(seconds=3)
_HISTORY_PAGE_EVENTS = 1000
_NOTHING_POLLED = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED})
_WORTH_REPEATING = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.INTERNAL,
    }
)


class ProtocolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the protocol is spoken."""

    poll_seconds: float = 22.0
    """Deadline of one poll, at least 3. The server answers an empty one a second earlier.

    Stopping waits for the polls that are open. Below 20 the server logs a warning for every poll.
    """
    sticky_seconds: float = 5.0
    """How long a run's next task waits for this process before any other may take it."""


class TemporalDialect:
    """The worker protocol of one task queue in one namespace."""

    def __init__(self, connection: Connection, task_queue: str, options: ProtocolOptions) -> None:
        self._service = connection.service
        self._namespace = connection.namespace
        self._identity = connection.identity
        self._task_queue = task_queue
        self._options = options
        self._worker_key = str(uuid4())
        self._normal_queue = TaskQueue(name=task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)
        self._sticky_queue = TaskQueue(
            name=f"{connection.identity}:{self._worker_key}",
            kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
            normal_name=task_queue,
        )
        self._sticky_attributes = StickyExecutionAttributes(worker_task_queue=self._sticky_queue)
        self._sticky_attributes.schedule_to_start_timeout.FromTimedelta(
            timedelta(seconds=options.sticky_seconds)
        )

    # Workflow tasks

    async def poll_workflow_task(self, *, sticky: bool, brief: bool) -> WorkflowTask | None:
        request = PollWorkflowTaskQueueRequest(
            namespace=self._namespace,
            task_queue=self._sticky_queue if sticky else self._normal_queue,
            identity=self._identity,
            worker_instance_key=self._worker_key,
        )
        try:
            response = await self._service.poll_workflow_task_queue(
                request, timeout=_BRIEF_POLL if brief else timedelta(seconds=self._options.poll_seconds)
            )
        except RPCError as error:
            if error.status in _NOTHING_POLLED:
                return None
            raise
        return workflow_task(response) if response.task_token else None

    def reader(self, task: WorkflowTask) -> EventReader:
        return EventReader(task.workflow_id, task.run_id)

    async def read_history(self, task: WorkflowTask) -> tuple[Sequence[HistoryEvent], int]:
        own = history_events(task)
        if task.first_event_id == 1:
            if not task.more_events:
                return own, task.size_bytes
            more, more_bytes = await self._history_pages(task, task.more_events)
            return [*own, *more], task.size_bytes + more_bytes
        stored, stored_bytes = await self._history_pages(task, b"")
        if task.query is not None and not own:
            return stored, stored_bytes
        # Ids of a task that is not completed yet are provisional: the task's own events count, not what
        # the server has stored under their ids.
        before = [event for event in stored if event.event_id <= task.previous_started_event_id]
        return [*before, *own], stored_bytes + task.size_bytes

    async def _history_pages(self, task: WorkflowTask, page_token: bytes) -> tuple[list[HistoryEvent], int]:
        events: list[HistoryEvent] = []
        size_bytes = 0
        while True:
            page = await self._service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace=self._namespace,
                    execution=WorkflowExecution(workflow_id=task.workflow_id, run_id=task.run_id),
                    maximum_page_size=_HISTORY_PAGE_EVENTS,
                    next_page_token=page_token,
                ),
                retry=True,
                timeout=_RESPOND_TIMEOUT,
            )
            events += page.history.events
            size_bytes += page.history.ByteSize()
            page_token = page.next_page_token
            if not page_token:
                return events, size_bytes

    async def complete_workflow_task(
        self,
        task: WorkflowTask,
        outgoing: Sequence[Outgoing],
        *,
        updates: Sequence[UpdateRequest],
        refusals: Mapping[str, Refusal],
        query_replies: Mapping[str, QueryReply],
        keep_sticky: bool,
        want_next: bool,
        force_next: bool,
        eager_calls: int,
    ) -> Completed:
        translated = commands.translate(outgoing, task_queue=self._task_queue, eager_calls=eager_calls)
        sent = commands.fitting(translated)
        if sent < len(translated):
            translated = [*translated[:sent], commands.held_back()]
        request = RespondWorkflowTaskCompletedRequest(
            namespace=self._namespace,
            task_token=task.token,
            identity=self._identity,
            commands=translated,
            sticky_attributes=self._sticky_attributes if keep_sticky else None,
            return_new_workflow_task=want_next,
            force_create_new_workflow_task=force_next or sent < len(outgoing),
            query_results={id_: query_result(reply) for id_, reply in query_replies.items()},
            messages=update_messages.answers(updates, refusals, outgoing[:sent]),
            sdk_metadata=WorkflowTaskCompletedMetadata(sdk_name="iwf-python"),
            capabilities=RespondWorkflowTaskCompletedRequest.Capabilities(
                discard_speculative_workflow_task_with_events=True
            ),
        )
        try:
            response = await repeated_if_closed(
                lambda: self._service.respond_workflow_task_completed(request, timeout=_RESPOND_TIMEOUT)
            )
        except RPCError as error:
            raise TaskRefused(f"{error.status.name}: {error.message}") from error
        return Completed(
            next_task=workflow_task(response.workflow_task) if response.HasField("workflow_task") else None,
            activity_tasks=[activity_task(activity) for activity in response.activity_tasks],
            restore_started_event_id=response.reset_history_event_id,
            sent=sent,
        )

    async def fail_workflow_task(self, task: WorkflowTask, error: Exception) -> None:
        cause = (
            WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
            if isinstance(error, Nondeterminism)
            else WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
        )
        await self._service.respond_workflow_task_failed(
            RespondWorkflowTaskFailedRequest(
                namespace=self._namespace,
                task_token=task.token,
                identity=self._identity,
                cause=cause,
                failure=commands.failure(type(error).__name__, f"{type(error).__name__}: {error}"),
            ),
            timeout=_RESPOND_TIMEOUT,
        )

    async def answer_query(self, task: WorkflowTask, reply: QueryReply) -> None:
        result = query_result(reply)
        request = RespondQueryTaskCompletedRequest(
            namespace=self._namespace,
            task_token=task.token,
            completed_type=result.result_type,
            query_result=result.answer,
            error_message=result.error_message,
        )
        await repeated_if_closed(
            lambda: self._service.respond_query_task_completed(request, timeout=_RESPOND_TIMEOUT)
        )

    async def read_snapshot_page(
        self, workflow_id: str, run_id: str, query: SnapshotPageQuery, *, timeout_seconds: float
    ) -> SnapshotPage:
        response = await self._service.query_workflow(
            QueryWorkflowRequest(
                namespace=self._namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                query=WorkflowQuery(
                    query_type=QueryType.SNAPSHOT_PAGE, query_args=payloads.to_payloads(query)
                ),
            ),
            timeout=timedelta(seconds=timeout_seconds),
        )
        return payloads.decode(response.query_result.payloads[0], SnapshotPage)

    async def release_sticky_queue(self) -> None:
        try:
            await self._service.shutdown_worker(
                ShutdownWorkerRequest(
                    namespace=self._namespace,
                    sticky_task_queue=self._sticky_queue.name,
                    identity=self._identity,
                    reason="stopping",
                ),
                timeout=timedelta(seconds=2),
            )
        except RPCError as error:
            # The server finds out by itself after a few seconds.
            _logger.info("could not release the sticky queue: %s", error.message)

    # Activity tasks

    async def poll_activity_task(self) -> ActivityTask | None:
        request = PollActivityTaskQueueRequest(
            namespace=self._namespace,
            task_queue=self._normal_queue,
            identity=self._identity,
            worker_instance_key=self._worker_key,
        )
        try:
            response = await self._service.poll_activity_task_queue(
                request, timeout=timedelta(seconds=self._options.poll_seconds)
            )
        except RPCError as error:
            if error.status in _NOTHING_POLLED:
                return None
            raise
        return activity_task(response) if response.task_token else None

    async def complete_activity_task(self, task: ActivityTask, result: bytes) -> None:
        request = RespondActivityTaskCompletedRequest(
            namespace=self._namespace,
            task_token=task.token,
            identity=self._identity,
            result=Payloads(payloads=[payloads.encode_raw(result)]),
        )
        await self._report(
            task, lambda: self._service.respond_activity_task_completed(request, timeout=_RESPOND_TIMEOUT)
        )

    async def fail_activity_task(self, task: ActivityTask, error_type: str, text: str) -> None:
        request = RespondActivityTaskFailedRequest(
            namespace=self._namespace,
            task_token=task.token,
            identity=self._identity,
            failure=commands.failure(error_type, text, text),
        )
        await self._report(
            task, lambda: self._service.respond_activity_task_failed(request, timeout=_RESPOND_TIMEOUT)
        )

    async def _report(self, task: ActivityTask, report: Callable[[], Awaitable[object]]) -> None:
        """Report the end of an attempt, again and again until it is taken or the attempt is over anyway."""
        pause = 0.1
        with anyio.move_on_after(task.timeout_seconds):
            while True:
                try:
                    await report()
                    return
                except RPCError as error:
                    if error.status not in _WORTH_REPEATING:
                        _logger.info("result of %s was not taken: %s", task.call_id, error.message)
                        return
                await anyio.sleep(pause)
                pause = min(5.0, 2 * pause)
