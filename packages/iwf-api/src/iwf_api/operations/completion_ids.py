"""Workflow ids that stand for the completion of a state.

The reference server keeps a workflow of its own for each state that somebody waits for, and clients read its
status by its id: `__IwfSystem_<workflow id>_<state execution id>`, or `__IwfSystem_<workflow id>_<state
id>_<key>`. There are no such workflows here; their ids are read as the question that they stand for.
"""

from collections.abc import Iterator

import anyio
import msgspec

from iwf_api.operations import state_completion
from iwf_api.operations.service import Service
from iwf_interpreter.contract import SYSTEM_PREFIX, StateTarget
from iwf_interpreter.engine import WaitTimedOut, WorkflowDescription, WorkflowNotFound
from iwf_models import WorkflowGetResponse, WorkflowStatus

_MAX_READINGS = 32
"""How many ways to read one id are tried; each of them is a call to the engine."""


class _Completion(msgspec.Struct, frozen=True):
    workflow_id: str
    workflow: WorkflowDescription
    targets: list[StateTarget]
    """What the rest of the id can mean."""


async def get(service: Service, refusal: WorkflowNotFound, id_: str) -> WorkflowGetResponse:
    """Tell whether the state has completed.

    Args:
        service: What operations share.
        refusal: Why there is no workflow with this id, which is raised unless the id stands for a state of a
            workflow that is open or has completed the state.
        id_: The id.
    """
    completion = await _find(service, id_)
    if completion is None:
        raise refusal
    if await _has_completed(service, completion):
        status = WorkflowStatus.COMPLETED
    elif completion.workflow.status is WorkflowStatus.RUNNING:
        status = WorkflowStatus.RUNNING
    else:
        raise refusal
    return WorkflowGetResponse(workflow_run_id=completion.workflow.run_id, workflow_status=status)


async def get_with_wait(
    service: Service, refusal: WorkflowNotFound, id_: str, deadline: float
) -> WorkflowGetResponse:
    """Wait until the state has completed; raises the refusal as `get` does, and `WaitTimedOut`."""
    pause = state_completion.FIRST_PAUSE
    with anyio.CancelScope(deadline=deadline):
        while (answer := await get(service, refusal, id_)).workflow_status is WorkflowStatus.RUNNING:
            await anyio.sleep(pause)
            pause = min(state_completion.LONGEST_PAUSE, 2 * pause)
        return answer
    raise WaitTimedOut(f"{id_!r} has not completed")


async def _find(service: Service, id_: str) -> _Completion | None:
    """The longest workflow id that exists wins, since ids may contain the separator."""
    if not id_.startswith(SYSTEM_PREFIX):
        return None
    rest = id_.removeprefix(SYSTEM_PREFIX)
    for workflow_id, tail in list(_splits(rest))[::-1][:_MAX_READINGS]:
        try:
            workflow = await service.engine.describe(workflow_id, "")
        except WorkflowNotFound:
            continue
        targets = [StateTarget(state_id=state_id, wait_for_key=key) for state_id, key in _splits(tail)]
        targets.insert(0, StateTarget(state_execution_id=tail))
        return _Completion(workflow_id, workflow, targets[:_MAX_READINGS])
    return None


async def _has_completed(service: Service, completion: _Completion) -> bool:
    for target in completion.targets:
        answer = await state_completion.look(service, completion.workflow_id, target)
        if answer.completed:
            return True
    return False


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """All ways to take a text apart at a separator, no part empty; the shortest first part comes first."""
    for position, character in enumerate(text):
        if character == "_" and 0 < position < len(text) - 1:
            yield text[:position], text[position + 1 :]
