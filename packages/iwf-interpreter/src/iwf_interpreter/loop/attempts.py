"""One attempt of a call to a worker: add what only the attempt knows, call, check the answer.

The same for calls that the engine hands out and for those that are made in place. Whether a failed attempt
is repeated is decided elsewhere.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias, TypeVar

import msgspec

from iwf_interpreter import worker_answers
from iwf_interpreter.observer import Observer, tell
from iwf_interpreter.worker_client import WorkerClient
from iwf_interpreter.worker_errors import WorkerError
from iwf_models import (
    Context,
    EventType,
    IwfEvent,
    IwfEventError,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)

T = TypeVar("T")

RegisteredAttributes: TypeAlias = Callable[[], Awaitable[Mapping[str, str] | None]]
"""Tells the names and types of the search attributes that can be written, `None` when unknown."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one attempt from the others of its call."""

    number: int
    """From 1."""
    first_attempt_at: int
    """Unix seconds."""
    timeout_seconds: float
    run_id: str = ""
    """The engine's run, for observers."""


class Attempts:
    """Makes attempts.

    Args:
        worker: Makes the HTTP calls.
        registered_attributes: Asked when an answer writes search attributes.
        observer: Is told how attempts end.
    """

    def __init__(
        self,
        worker: WorkerClient,
        registered_attributes: RegisteredAttributes,
        observer: Observer | None = None,
    ) -> None:
        self._worker = worker
        self._registered_attributes = registered_attributes
        self._observer = observer

    async def wait_until(
        self, worker_url: str, request: WorkflowStateStartRequest, attempt: Attempt
    ) -> WorkflowStateStartResponse:
        """Call a state's waitUntil once; raises `WorkerError`."""

        async def call() -> WorkflowStateStartResponse:
            answer = await self._worker.wait_until(
                worker_url,
                msgspec.structs.replace(request, context=_context(request.context, attempt)),
                timeout_seconds=attempt.timeout_seconds,
            )
            registered = await self._registered_attributes() if answer.upsert_search_attributes else None
            worker_answers.check_wait_until(answer, registered=registered)
            return answer

        return await self._observe(
            call,
            request,
            attempt,
            EventType.STATE_WAIT_UNTIL_ATTEMPT_SUCC_EVENT,
            EventType.STATE_WAIT_UNTIL_ATTEMPT_FAIL_EVENT,
        )

    async def execute(
        self, worker_url: str, request: WorkflowStateDecideRequest, attempt: Attempt
    ) -> WorkflowStateDecideResponse:
        """Call a state's execute once; raises `WorkerError`."""

        async def call() -> WorkflowStateDecideResponse:
            answer = await self._worker.execute(
                worker_url,
                msgspec.structs.replace(request, context=_context(request.context, attempt)),
                timeout_seconds=attempt.timeout_seconds,
            )
            registered = await self._registered_attributes() if answer.upsert_search_attributes else None
            worker_answers.check_execute(answer, registered=registered)
            return answer

        return await self._observe(
            call,
            request,
            attempt,
            EventType.STATE_EXECUTE_ATTEMPT_SUCC_EVENT,
            EventType.STATE_EXECUTE_ATTEMPT_FAIL_EVENT,
        )

    async def rpc(
        self, worker_url: str, request: WorkflowWorkerRpcRequest, timeout_seconds: float
    ) -> WorkflowWorkerRpcResponse:
        """Call a worker's RPC once; raises `WorkerError`."""
        answer = await self._worker.rpc(worker_url, request, timeout_seconds=timeout_seconds)
        registered = await self._registered_attributes() if answer.upsert_search_attributes else None
        worker_answers.check_rpc(answer, registered=registered)
        return answer

    async def _observe(
        self,
        call: Callable[[], Awaitable[T]],
        request: WorkflowStateStartRequest | WorkflowStateDecideRequest,
        attempt: Attempt,
        succeeded: EventType,
        failed: EventType,
    ) -> T:
        if self._observer is None:
            return await call()
        began_at = time.time()
        try:
            answer = await call()
        except WorkerError as error:
            failure = IwfEventError(
                type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE.value, details=error.state_api_text()
            )
            tell(self._observer, [_event(failed, request, attempt, began_at, failure)])
            raise
        tell(self._observer, [_event(succeeded, request, attempt, began_at, None)])
        return answer


def _context(context: Context, attempt: Attempt) -> Context:
    return msgspec.structs.replace(
        context, attempt=attempt.number, first_attempt_timestamp=attempt.first_attempt_at
    )


def _event(
    kind: EventType,
    request: WorkflowStateStartRequest | WorkflowStateDecideRequest,
    attempt: Attempt,
    began_at: float,
    error: IwfEventError | None,
) -> IwfEvent:
    return IwfEvent(
        event_type=kind,
        workflow_type=request.workflow_type,
        workflow_id=request.context.workflow_id,
        workflow_run_id=attempt.run_id,
        state_id=request.workflow_state_id,
        state_execution_id=request.context.state_execution_id,
        start_timestamp_in_ms=int(began_at * 1000),
        end_timestamp_in_ms=int(time.time() * 1000),
        error=error,
        search_attributes=request.search_attributes,
    )
