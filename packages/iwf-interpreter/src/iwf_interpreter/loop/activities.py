"""The calls to workers: one attempt per activity task.

An attempt decodes its input, adds what only the attempt knows, calls the worker, checks the answer and
reports. Whether a failed attempt is repeated is the engine's business. An attempt that runs into its
own time limit reports nothing, since the engine's words for that are the ones that clients look for.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import msgspec

from iwf_interpreter import worker_answers
from iwf_interpreter.contract import ActivityType
from iwf_interpreter.core.commands import Call, CallExecute, CallWaitUntil
from iwf_interpreter.loop.dialect import ActivityTask, Dialect
from iwf_interpreter.worker_client import WorkerClient
from iwf_interpreter.worker_errors import WorkerCallTimedOut, WorkerError
from iwf_models import (
    Context,
    WireStruct,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    codec,
)

_logger = logging.getLogger(__name__)

RegisteredAttributes: TypeAlias = Callable[[], Awaitable[Mapping[str, str] | None]]
"""Tells the names and types of the search attributes that can be written, `None` when unknown."""


class WaitUntilInput(WireStruct, frozen=True, kw_only=True):
    """Input of `ActivityType.WAIT_UNTIL`."""

    worker_url: str
    request: WorkflowStateStartRequest


class ExecuteInput(WireStruct, frozen=True, kw_only=True):
    """Input of `ActivityType.EXECUTE`."""

    worker_url: str
    request: WorkflowStateDecideRequest


def activity_type(call: Call) -> ActivityType:
    """The activity that makes a call."""
    return ActivityType.WAIT_UNTIL if isinstance(call, CallWaitUntil) else ActivityType.EXECUTE


def activity_input(call: Call) -> bytes:
    """The input of that activity, as JSON."""
    if isinstance(call, CallExecute):
        return codec.encode(ExecuteInput(worker_url=call.worker_url, request=call.request))
    return codec.encode(WaitUntilInput(worker_url=call.worker_url, request=call.request))


class Activities:
    """Makes the calls that the engine hands out.

    Args:
        dialect: Where results are reported.
        worker: Makes the HTTP calls.
        registered_attributes: Asked when an answer writes search attributes.
    """

    def __init__(
        self, dialect: Dialect, worker: WorkerClient, registered_attributes: RegisteredAttributes
    ) -> None:
        self._dialect = dialect
        self._worker = worker
        self._registered_attributes = registered_attributes

    async def run(self, task: ActivityTask) -> None:
        """Make one attempt and report it; never raises for what a worker or the engine does."""
        try:
            if task.activity_type == ActivityType.EXECUTE:
                result = codec.encode(await self._execute(task))
            elif task.activity_type == ActivityType.WAIT_UNTIL:
                result = codec.encode(await self._wait_until(task))
            else:
                raise LookupError(f"unknown activity type {task.activity_type!r}")
        except WorkerCallTimedOut:
            return
        except WorkerError as error:
            await self._fail(task, WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, error.state_api_text())
        except (LookupError, msgspec.DecodeError) as error:
            _logger.exception("cannot make call %s of workflow %s", task.call_id, task.workflow_id)
            await self._fail(task, WorkflowErrorType.SERVER_INTERNAL_ERROR_TYPE, str(error))
        else:
            await self._dialect.complete_activity_task(task, result)

    async def _wait_until(self, task: ActivityTask) -> WorkflowStateStartResponse:
        call = codec.decode(task.input, WaitUntilInput)
        request = msgspec.structs.replace(call.request, context=_attempt(call.request.context, task))
        answer = await self._worker.wait_until(call.worker_url, request, timeout_seconds=task.timeout_seconds)
        registered = await self._registered_attributes() if answer.upsert_search_attributes else None
        worker_answers.check_wait_until(answer, registered=registered)
        return answer

    async def _execute(self, task: ActivityTask) -> WorkflowStateDecideResponse:
        call = codec.decode(task.input, ExecuteInput)
        request = msgspec.structs.replace(call.request, context=_attempt(call.request.context, task))
        answer = await self._worker.execute(call.worker_url, request, timeout_seconds=task.timeout_seconds)
        registered = await self._registered_attributes() if answer.upsert_search_attributes else None
        worker_answers.check_execute(answer, registered=registered)
        return answer

    async def _fail(self, task: ActivityTask, error_type: WorkflowErrorType, text: str) -> None:
        await self._dialect.fail_activity_task(task, error_type, text)


def _attempt(context: Context, task: ActivityTask) -> Context:
    return msgspec.structs.replace(context, attempt=task.attempt, first_attempt_timestamp=task.scheduled_at)
