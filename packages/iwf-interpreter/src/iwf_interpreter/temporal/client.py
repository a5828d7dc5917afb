"""Temporal behind the API service: starting, signalling, asking and ending workflows.

Raw service calls only. The SDK's own methods cannot express some of what is needed (exact search attribute
texts, eager first tasks, telling a run that cannot answer from a bad query), and their status enum is older
than the server's. Every call has a time limit.
"""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import anyio
import msgspec
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    PollWorkflowTaskQueueResponse,
    RequestCancelWorkflowExecutionRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
)
from temporalio.service import RPCError, RPCStatusCode

from iwf_interpreter.contract import WORKFLOW_TYPE, QueryType, UpdateType
from iwf_interpreter.core.attribute_values import engine_value
from iwf_interpreter.engine import (
    EngineError,
    ResetPoint,
    RunEnded,
    SearchPage,
    StartRequest,
    WaitTimedOut,
    WorkflowAlreadyStarted,
    WorkflowDescription,
    WorkflowNotFound,
    WorkflowOutcome,
)
from iwf_interpreter.temporal import payloads, resets, updates
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import (
    PASSING,
    engine_error,
    repeated_if_closed,
)
from iwf_interpreter.temporal.lines import Lines
from iwf_interpreter.temporal.outcomes import STATUSES, read_outcome, wait_for_outcome
from iwf_interpreter.temporal.queries import Queries
from iwf_interpreter.temporal.retry_policies import workflow_retry_policy
from iwf_interpreter.temporal.search_attributes import RegisteredSearchAttributes, search_attribute_payload
from iwf_models import EncodedObject, IDReusePolicy, WorkflowStatus

T = TypeVar("T")

_CALL_TIMEOUT = timedelta(seconds=10)

_LOCKED_RPCS_AT_A_TIME = 8
"""For one workflow. Temporal lets a run have 10 updates open by default. It does not only refuse what comes
beyond that: it forgets the tasks that it has handed out with updates, and each costs seconds. The rest is for
those who wait for a state, and for other processes."""

_REUSE_POLICIES = {
    IDReusePolicy.ALLOW_IF_NO_RUNNING: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
    IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING: (
        WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
    ),
    IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY: (
        WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
    ),
    IDReusePolicy.ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY: (
        WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
    ),
    IDReusePolicy.DISALLOW_REUSE: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
}


class EagerStarter(Protocol):
    """An interpreter in this process, which can run a first task without a poll."""

    def has_slot(self) -> bool:
        """Whether it could take a task now."""
        ...

    def accept(self, response: PollWorkflowTaskQueueResponse) -> None:
        """Run a first task."""
        ...


class TemporalEngine:
    """`iwf_interpreter.engine.Engine` on one namespace of a Temporal server.

    Args:
        connection: The namespace.
        task_queue: Where the interpreters of these workflows poll.
        eager: The interpreter of this process, if it polls that queue.
    """

    def __init__(self, connection: Connection, *, task_queue: str, eager: EagerStarter | None = None) -> None:
        self._connection = connection
        self._task_queue = task_queue
        self._eager = eager
        self._registered = RegisteredSearchAttributes(connection)
        self._queries = Queries(connection)
        self._locked_rpcs = Lines(_LOCKED_RPCS_AT_A_TIME)

    async def start(self, request: StartRequest) -> str:
        try:
            response = await self._start(self._start_request(request))
        except RPCError as error:
            if error.status is RPCStatusCode.ALREADY_EXISTS:
                running = WorkflowExecutionAlreadyStartedFailure()
                for detail in error.grpc_status.details:
                    detail.Unpack(running)
                raise WorkflowAlreadyStarted(request.workflow_id, running.run_id) from error
            raise engine_error(error) from error
        if self._eager is not None and response.HasField("eager_workflow_task"):
            self._eager.accept(response.eager_workflow_task)
        return response.run_id

    async def signal(self, workflow_id: str, run_id: str, name: str, body: Any) -> None:
        request = SignalWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_execution=_execution(workflow_id, run_id),
            signal_name=name,
            input=None if body is None else payloads.to_payloads(body),
            identity=self._connection.identity,
            request_id=str(uuid4()),
        )
        try:
            await self._connection.service.signal_workflow_execution(
                request, retry=True, timeout=_CALL_TIMEOUT
            )
        except RPCError as error:
            raise engine_error(error) from error

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        asked = WorkflowQuery(
            query_type=query,
            query_args=None if argument is None else payloads.to_payloads(argument),
        )
        answer = await self._queries.ask(_execution(workflow_id, run_id), asked, timeout_seconds)
        try:
            return payloads.decode(answer.payloads[0], answer_type)
        except (IndexError, msgspec.DecodeError) as error:
            raise EngineError(f"the answer to the query {query.value!r} cannot be read: {error}") from error

    async def update(
        self,
        workflow_id: str,
        run_id: str,
        update: UpdateType,
        update_id: str,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        async with AsyncExitStack() as stack:
            stack.enter_context(anyio.move_on_after(timeout_seconds))
            if update is UpdateType.LOCKED_RPC:
                await stack.enter_async_context(self._locked_rpcs.turn(workflow_id))
            run = (await self._describe(workflow_id, run_id)).workflow_execution_info
            try:
                return await updates.update(self._connection, run, update, update_id, argument, answer_type)
            except RunEnded as error:
                # Whoever did not name a run means the next one too, if there is one.
                is_current = not run_id and STATUSES.get(run.status) is WorkflowStatus.RUNNING
                if error.accepted or is_current:
                    raise
                raise WorkflowNotFound(str(error)) from error
        raise WaitTimedOut(f"workflow {workflow_id!r} did not answer an update in time")

    async def reset(
        self,
        workflow_id: str,
        run_id: str,
        point: ResetPoint,
        reason: str,
        *,
        skip_signal_reapply: bool,
        skip_update_reapply: bool,
    ) -> str:
        if not run_id:
            run_id = (await self._describe(workflow_id, "")).workflow_execution_info.execution.run_id
        return await resets.reset(
            self._connection,
            _execution(workflow_id, run_id),
            point,
            reason,
            skip_signal_reapply=skip_signal_reapply,
            skip_update_reapply=skip_update_reapply,
        )

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowDescription:
        info = (await self._describe(workflow_id, run_id)).workflow_execution_info
        attributes = info.search_attributes.indexed_fields
        return WorkflowDescription(
            run_id=info.execution.run_id,
            status=STATUSES.get(info.status, WorkflowStatus.RUNNING),
            memo={
                key: payloads.decode_or(payload, EncodedObject, EncodedObject())
                for key, payload in info.memo.fields.items()
            },
            search_attributes={key: payloads.raw_value(payload) for key, payload in attributes.items()},
            search_attribute_types={
                key: payload.metadata["type"].decode()
                for key, payload in attributes.items()
                if "type" in payload.metadata
            },
        )

    async def outcome(self, workflow_id: str, run_id: str) -> WorkflowOutcome:
        return await read_outcome(self._connection, workflow_id, run_id)

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        return await wait_for_outcome(
            self._connection, workflow_id, run_id, anyio.current_time() + timeout_seconds
        )

    async def cancel(self, workflow_id: str, run_id: str) -> None:
        request = RequestCancelWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_execution=_execution(workflow_id, run_id),
            identity=self._connection.identity,
            request_id=str(uuid4()),
        )
        try:
            await self._connection.service.request_cancel_workflow_execution(
                request, retry=True, timeout=_CALL_TIMEOUT
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise engine_error(error) from error
            # Older servers refuse to cancel a closed run; one that does not exist fails here too.
            await self._describe(workflow_id, run_id)

    async def terminate(self, workflow_id: str, run_id: str, reason: str) -> None:
        request = TerminateWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_execution=_execution(workflow_id, run_id),
            reason=reason,
            identity=self._connection.identity,
        )
        try:
            await self._connection.service.terminate_workflow_execution(
                request, retry=True, timeout=_CALL_TIMEOUT
            )
        except RPCError as error:
            raise engine_error(error) from error

    async def search(self, query: str, page_size: int, page_token: bytes) -> SearchPage:
        request = ListWorkflowExecutionsRequest(
            namespace=self._connection.namespace,
            query=query,
            page_size=page_size,
            next_page_token=page_token,
        )
        try:
            page = await self._list(request)
            token = page.next_page_token
            if token:
                # The server gives a token with a full page even if nothing follows.
                request.next_page_token, request.page_size = token, 1
                following = await self._list(request)
                token = token if following.executions else b""
        except RPCError as error:
            raise engine_error(error) from error
        return SearchPage(
            executions=[(found.execution.workflow_id, found.execution.run_id) for found in page.executions],
            next_page_token=token,
        )

    async def search_attribute_types(self) -> Mapping[str, str] | None:
        return await self._registered.types()

    async def _list(self, request: ListWorkflowExecutionsRequest) -> ListWorkflowExecutionsResponse:
        return await repeated_if_closed(
            lambda: self._connection.service.list_workflow_executions(request, timeout=_CALL_TIMEOUT)
        )

    async def _start(self, start: StartWorkflowExecutionRequest) -> StartWorkflowExecutionResponse:
        service = self._connection.service
        if start.request_eager_execution:
            # Where `temporalio` may retry, it drops the wish unless a worker of its own has a free slot.
            try:
                return await repeated_if_closed(
                    lambda: service.start_workflow_execution(start, timeout=_CALL_TIMEOUT)
                )
            except RPCError as error:
                if error.status not in PASSING:
                    raise
            # Under the same request id, so a start that has happened is not repeated.
            start.request_eager_execution = False
        return await service.start_workflow_execution(start, retry=True, timeout=_CALL_TIMEOUT)

    async def _describe(self, workflow_id: str, run_id: str) -> DescribeWorkflowExecutionResponse:
        request = DescribeWorkflowExecutionRequest(
            namespace=self._connection.namespace, execution=_execution(workflow_id, run_id)
        )
        try:
            return await self._connection.service.describe_workflow_execution(
                request, retry=True, timeout=_CALL_TIMEOUT
            )
        except RPCError as error:
            raise engine_error(error) from error

    def _start_request(self, request: StartRequest) -> StartWorkflowExecutionRequest:
        terminates = request.id_reuse_policy is IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING
        at_once = not request.cron_schedule and not request.start_delay_seconds
        start = StartWorkflowExecutionRequest(
            namespace=self._connection.namespace,
            workflow_id=request.workflow_id,
            workflow_type=WorkflowType(name=WORKFLOW_TYPE),
            task_queue=TaskQueue(name=self._task_queue),
            input=payloads.to_payloads(request.input),
            identity=self._connection.identity,
            request_id=str(uuid4()),
            workflow_id_reuse_policy=_REUSE_POLICIES[request.id_reuse_policy],
            workflow_id_conflict_policy=(
                WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
                if terminates
                else WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL
            ),
            cron_schedule=request.cron_schedule or "",
            request_eager_execution=at_once and self._eager is not None and self._eager.has_slot(),
            user_metadata=UserMetadata(summary=payloads.encode(request.input.iwf_workflow_type)),
        )
        if request.timeout_seconds:
            start.workflow_execution_timeout.seconds = request.timeout_seconds
        if request.start_delay_seconds:
            start.workflow_start_delay.seconds = request.start_delay_seconds
        if request.retry_policy is not None:
            start.retry_policy.CopyFrom(workflow_retry_policy(request.retry_policy))
        for key, value in request.memo.items():
            start.memo.fields[key].CopyFrom(payloads.encode(value))
        for attribute in request.search_attributes:
            payload = search_attribute_payload(engine_value(attribute, time.time_ns()))
            start.search_attributes.indexed_fields[attribute.key or ""].CopyFrom(payload)
        return start


def _execution(workflow_id: str, run_id: str) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
