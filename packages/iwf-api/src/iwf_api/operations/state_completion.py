"""Waiting for the completion of a state execution.

The run is asked first. Only if it must be waited for is it given an update, which ends when the state
completes. All who wait for the same state share one wait in this process, and one update per run over all
processes, since an engine limits how many a run may have. Where there is no room for it, and around the
moments in which one run hands over to the next, the run is asked again and again instead.
"""

from urllib.parse import quote

import anyio

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.contract import QueryType, StateCompletionAnswer, StateTarget, UpdateError, UpdateType
from iwf_interpreter.engine import (
    NotStartedYet,
    RunEnded,
    TooManyUpdates,
    UpdateRefused,
    WaitTimedOut,
    WorkflowNotFound,
)
from iwf_models import (
    WorkflowStatus,
    WorkflowWaitForStateCompletionRequest,
    WorkflowWaitForStateCompletionResponse,
)

FIRST_LOOK_SECONDS = 1.0
"""What the first look may take, although a wait of a second may be over in a few milliseconds."""
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
"""A completion is told at most so much later, in seconds."""


async def wait(
    service: Service, request: WorkflowWaitForStateCompletionRequest
) -> WorkflowWaitForStateCompletionResponse:
    """Wait until a state execution has completed, in any run of the workflow.

    Raises:
        InvalidRequest: It is not clear which one.
        WaitTimedOut: It has not completed in time.
    """
    # The first look counts too: the client's own timeout has been running since it asked.
    deadline = service.deadline(request.wait_time_seconds)
    target = _target(request)
    # But what is known already is told to a client, however little of its time is left.
    with anyio.CancelScope(deadline=max(deadline, anyio.current_time() + FIRST_LOOK_SECONDS)):
        answer: StateCompletionAnswer | None = await look(service, request.workflow_id, target)
        if not answer.completed:
            with anyio.CancelScope(deadline=deadline):
                answer = await service.state_waits.join(
                    (request.workflow_id, target), lambda: _shared_wait(service, request.workflow_id, target)
                )
                if answer is None:
                    # The workflow has closed without it. Clients wait for their time all the same.
                    await anyio.sleep_forever()
        if answer is not None and answer.completed:
            return WorkflowWaitForStateCompletionResponse(state_completion_output=answer.output)
    raise WaitTimedOut(f"the state of workflow {request.workflow_id!r} has not completed")


async def look(service: Service, workflow_id: str, target: StateTarget) -> StateCompletionAnswer:
    """Ask whether a state execution has completed. In a workflow that has not begun, none has."""
    try:
        return await service.query(
            workflow_id,
            "",
            QueryType.STATE_COMPLETION,
            target,
            StateCompletionAnswer,
            deadline=service.deadline(None),
        )
    except NotStartedYet:
        return StateCompletionAnswer(completed=False)


async def _shared_wait(
    service: Service, workflow_id: str, target: StateTarget
) -> StateCompletionAnswer | None:
    pause = FIRST_PAUSE
    while True:
        try:
            return await service.engine.update(
                workflow_id,
                "",
                UpdateType.WAIT_FOR_STATE,
                _update_id(target),
                target,
                StateCompletionAnswer,
                service.settings.max_wait_seconds,
            )
        except WaitTimedOut:
            continue
        except UpdateRefused as refusal:
            if refusal.error_type != UpdateError.ASK_AGAIN:
                raise
        except (RunEnded, TooManyUpdates, NotStartedYet, WorkflowNotFound):
            pass
        # In this order: the state may complete meanwhile, and be the last that the workflow does.
        status = (await service.engine.describe(workflow_id, "")).status
        answer = await look(service, workflow_id, target)
        if answer.completed:
            return answer
        if status is not WorkflowStatus.RUNNING:
            return None
        await anyio.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause)


def _target(request: WorkflowWaitForStateCompletionRequest) -> StateTarget:
    """What is waited for: a key, with its state, wins over the id of an execution."""
    if request.wait_for_key:
        if not request.state_id:
            raise InvalidRequest("waitForKey needs stateId")
        return StateTarget(state_id=request.state_id, wait_for_key=request.wait_for_key)
    if not request.state_execution_id:
        raise InvalidRequest("stateExecutionId, or stateId and waitForKey, must be set")
    return StateTarget(state_execution_id=request.state_execution_id)


def _update_id(target: StateTarget) -> str:
    """The same for all who wait for the same state, in whichever process."""
    if target.wait_for_key:
        return f"wait-key/{quote(target.state_id or '', safe='')}/{target.wait_for_key}"
    return f"wait/{target.state_execution_id}"
