"""The calls that the engine hands out: one attempt per activity task.

An attempt decodes its input, calls the worker (`attempts`) and reports. Whether a failed attempt is repeated
is the engine's business. An attempt that runs into its own time limit reports nothing, since the engine's
words for that are the ones that clients look for.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from iwf_interpreter.contract import ActivityType, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.core.commands import (
    CallExecute,
    CallWaitUntil,
    EarlierAttempts,
    LoadSnapshotPage,
)
from iwf_interpreter.loop.attempts import Attempt, Attempts
from iwf_interpreter.loop.dialect import ActivityTask, Dialect
from iwf_interpreter.worker_errors import WorkerCallTimedOut, WorkerError
from iwf_models import (
    WireStruct,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    codec,
)

_logger = logging.getLogger(__name__)

RegularCall: TypeAlias = CallWaitUntil | CallExecute | LoadSnapshotPage


class WaitUntilInput(WireStruct, frozen=True, kw_only=True):
    """Input of `ActivityType.WAIT_UNTIL`."""

    worker_url: str
    request: WorkflowStateStartRequest
    earlier: EarlierAttempts | None = None


class ExecuteInput(WireStruct, frozen=True, kw_only=True):
    """Input of `ActivityType.EXECUTE`."""

    worker_url: str
    request: WorkflowStateDecideRequest
    earlier: EarlierAttempts | None = None


class SnapshotPageInput(WireStruct, frozen=True, kw_only=True):
    """Input of `ActivityType.LOAD_SNAPSHOT_PAGE`."""

    workflow_id: str
    run_id: str
    query: SnapshotPageQuery


def activity_type(call: RegularCall) -> ActivityType:
    """The activity that makes a call."""
    match call:
        case CallWaitUntil():
            return ActivityType.WAIT_UNTIL
        case CallExecute():
            return ActivityType.EXECUTE
        case LoadSnapshotPage():
            return ActivityType.LOAD_SNAPSHOT_PAGE


def activity_input(call: RegularCall) -> bytes:
    """The input of that activity, as JSON."""
    match call:
        case CallWaitUntil():
            return codec.encode(
                WaitUntilInput(worker_url=call.worker_url, request=call.request, earlier=call.earlier)
            )
        case CallExecute():
            return codec.encode(
                ExecuteInput(worker_url=call.worker_url, request=call.request, earlier=call.earlier)
            )
        case LoadSnapshotPage():
            return codec.encode(
                SnapshotPageInput(workflow_id=call.workflow_id, run_id=call.run_id, query=call.query)
            )


class Activities:
    """Makes the calls that the engine hands out, and reports to it."""

    def __init__(self, dialect: Dialect, attempts: Attempts) -> None:
        self._dialect = dialect
        self._attempts = attempts
        self._makers: dict[str, Callable[[ActivityTask], Awaitable[object]]] = {
            ActivityType.WAIT_UNTIL: self._wait_until,
            ActivityType.EXECUTE: self._execute,
            ActivityType.LOAD_SNAPSHOT_PAGE: self._load_snapshot_page,
        }

    async def run(self, task: ActivityTask) -> None:
        """Make one attempt and report it; never raises for what a worker or the engine does."""
        try:
            maker = self._makers.get(task.activity_type)
            if maker is None:
                raise LookupError(f"unknown activity type {task.activity_type!r}")
            result = codec.encode(await maker(task))
        except WorkerCallTimedOut:
            return
        except WorkerError as error:
            await self._fail(task, WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, error.state_api_text())
        except Exception as error:
            _logger.exception("cannot make call %s of workflow %s", task.call_id, task.workflow_id)
            await self._fail(task, WorkflowErrorType.SERVER_INTERNAL_ERROR_TYPE, str(error))
        else:
            await self._dialect.complete_activity_task(task, result)

    async def _wait_until(self, task: ActivityTask) -> object:
        call = codec.decode(task.input, WaitUntilInput)
        return await self._attempts.wait_until(call.worker_url, call.request, _attempt(task, call.earlier))

    async def _execute(self, task: ActivityTask) -> object:
        call = codec.decode(task.input, ExecuteInput)
        return await self._attempts.execute(call.worker_url, call.request, _attempt(task, call.earlier))

    async def _load_snapshot_page(self, task: ActivityTask) -> SnapshotPage:
        call = codec.decode(task.input, SnapshotPageInput)
        return await self._dialect.read_snapshot_page(
            call.workflow_id, call.run_id, call.query, timeout_seconds=task.timeout_seconds
        )

    async def _fail(self, task: ActivityTask, error_type: WorkflowErrorType, text: str) -> None:
        await self._dialect.fail_activity_task(task, error_type, text)


def _attempt(task: ActivityTask, earlier: EarlierAttempts | None) -> Attempt:
    return Attempt(
        number=task.attempt + (earlier.count if earlier else 0),
        first_attempt_at=earlier.first_attempt_at if earlier else task.scheduled_at,
        timeout_seconds=task.timeout_seconds,
        run_id=task.run_id,
    )
