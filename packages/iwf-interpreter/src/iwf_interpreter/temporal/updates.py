"""Updates of one run: handing them over and waiting for what becomes of them.

An update goes to one run, never to "the current one": it would end the start delay of a run that has not
begun, be that delay a wish of the user, a schedule or the pause before a retry. The server answers a long
wait with nothing every 20 seconds, and the wait is then taken up again; when its time is over, it ends here
and the update goes on. Everything is sent again under the same update id, which counts once per run, so that
no failure on the way makes two updates of one.
"""

import time
from datetime import timedelta
from typing import Any, TypeVar

import anyio
import msgspec
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import Input, Meta, Outcome, Request, UpdateRef, WaitPolicy
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.service import RPCError

from iwf_interpreter.contract import UpdateType
from iwf_interpreter.engine import EngineError, RunEnded, UpdateRefused
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.connection import Connection
from iwf_interpreter.temporal.errors import update_error, waits_for_its_start

T = TypeVar("T")

_UNTIL_COMPLETED = WaitPolicy(
    lifecycle_stage=UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
)
_ACCEPTED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED

_LONG_POLL_TIMEOUT = timedelta(seconds=30)
"""The server answers after 20 seconds. With a time limit of a few seconds it would answer at once."""
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_SHORT_DELAY_SECONDS = 1.0

_CLOSED_UNFINISHED = "AcceptedUpdateCompletedWorkflow"
"""Type of the server's own failure of an update whose run has closed."""
_UNPROCESSED = "UnprocessedUpdate"
"""Type of the server's own refusal of an update that an interpreter has left unanswered."""


async def update(
    connection: Connection,
    run: WorkflowExecutionInfo,
    update_type: UpdateType,
    update_id: str,
    argument: Any,
    answer_type: type[T],
) -> T:
    """Hand an update to a run and wait for the answer, for as long as it takes.

    Args:
        connection: The namespace.
        run: The run, as described just now.
        update_type: The update's type.
        update_id: Its id.
        argument: What the run receives.
        answer_type: What it answers.

    Raises:
        NotStartedYet: The run has not begun, and will not within a second.
        UpdateRefused: The run gave a failure instead.
        RunEnded: The run ended first; or it was closed already, and holds no answer under this id.
        EngineError: What else `Engine.update` raises.
    """
    await _wait_for_its_start(run)
    request = UpdateWorkflowExecutionRequest(
        namespace=connection.namespace,
        workflow_execution=run.execution,
        wait_policy=_UNTIL_COMPLETED,
        request=Request(
            meta=Meta(update_id=update_id, identity=connection.identity),
            input=Input(name=update_type, args=payloads.to_payloads(argument)),
        ),
    )
    outcome = await _Wait(connection, request).outcome()
    if outcome.HasField("failure"):
        error_type, text = outcome.failure.application_failure_info.type, outcome.failure.message
        if error_type == _CLOSED_UNFINISHED:
            raise RunEnded(text, accepted=True)
        raise UpdateRefused(error_type, text)
    try:
        return payloads.decode(outcome.success.payloads[0], answer_type)
    except (IndexError, msgspec.DecodeError) as error:
        raise EngineError(
            f"the answer to the update {update_type.value!r} cannot be read: {error}"
        ) from error


async def _wait_for_its_start(run: WorkflowExecutionInfo) -> None:
    """Let a short delay pass: a run that continues another one begins up to a second late."""
    if run.execution_time.ToNanoseconds() > run.start_time.ToNanoseconds():
        seconds_left = run.execution_time.ToNanoseconds() / 1e9 - time.time()
        if seconds_left > _SHORT_DELAY_SECONDS:
            raise waits_for_its_start()
        await anyio.sleep(max(0.0, seconds_left))


class _Wait:
    """An update that is sent, and asked for once it is accepted."""

    def __init__(self, connection: Connection, request: UpdateWorkflowExecutionRequest) -> None:
        self._connection = connection
        self._request = request
        self._taken_by: UpdateRef | None = None

    async def outcome(self) -> Outcome:
        pause = _FIRST_PAUSE
        while True:
            began_at = anyio.current_time()
            try:
                outcome = await (self._send() if self._taken_by is None else self._poll(self._taken_by))
            except RPCError as error:
                failure = update_error(error)
                if failure is not None:
                    raise failure from error
                outcome = None
            if outcome is not None and not _left_unanswered(outcome):
                return outcome
            # An answer without an outcome can come at once, and then comes at once again.
            await anyio.sleep_until(began_at + pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)

    async def _send(self) -> Outcome | None:
        response = await self._connection.service.update_workflow_execution(
            self._request, timeout=_LONG_POLL_TIMEOUT
        )
        if response.HasField("outcome"):
            return response.outcome
        if response.stage >= _ACCEPTED:
            self._taken_by = response.update_ref
        return None

    async def _poll(self, taken_by: UpdateRef) -> Outcome | None:
        response = await self._connection.service.poll_workflow_execution_update(
            PollWorkflowExecutionUpdateRequest(
                namespace=self._connection.namespace,
                update_ref=taken_by,
                identity=self._connection.identity,
                wait_policy=_UNTIL_COMPLETED,
            ),
            timeout=_LONG_POLL_TIMEOUT,
        )
        return response.outcome if response.HasField("outcome") else None


def _left_unanswered(outcome: Outcome) -> bool:
    return outcome.failure.application_failure_info.type == _UNPROCESSED
