"""RPCs that lock attributes: the run itself calls the worker, while it holds the locks.

The request goes to the run as an update, which ends when the worker's answer is applied. The worker is called
once for one request: whatever is sent again carries the same update id, unless the run has said that it did
nothing.
"""

import math
from uuid import uuid4

import anyio

from iwf_api.errors import AttributesLocked, InvalidRequest, WorkerFailed
from iwf_api.operations.service import Service
from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, RpcFailure, UpdateError, UpdateType
from iwf_interpreter.engine import RunEnded, TooManyUpdates, UpdateRefused, WaitTimedOut, WorkflowNotFound
from iwf_models import WorkflowRpcRequest, WorkflowRpcResponse, WorkflowStatus

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


async def locked_rpc(service: Service, request: WorkflowRpcRequest) -> WorkflowRpcResponse:
    """Carry out an RPC under locks and return the worker's output.

    Raises:
        AttributesLocked: Others hold the attributes, and enough wait for them; the worker was not called.
        WorkerFailed: The worker did not answer in time, or not as it should.
        WorkflowNotFound: There is no such workflow, or it is closed.
    """
    seconds = service.wait_seconds(request.timeout_seconds)
    deadline = anyio.current_time() + seconds
    argument = LockedRpcRequest(
        rpc_name=request.rpc_name,
        input=request.input,
        search_attributes_loading_policy=request.search_attributes_loading_policy,
        data_attributes_loading_policy=request.data_attributes_loading_policy,
        timeout_seconds=math.ceil(seconds),
        expires_at_ms=round((service.clock() + seconds) * 1000),
        max_waiting=service.settings.locked_rpc_max_waiting,
    )
    answer = await _answer(service, request, argument, deadline)
    if answer is None:
        raise WorkerFailed(out_of_time(seconds))
    if answer.failure is not None:
        raise WorkerFailed(answer.failure)
    return WorkflowRpcResponse(output=answer.output)


def out_of_time(seconds: float) -> RpcFailure:
    """What a client is told of an RPC for which its own time was too short."""
    text = f"no answer from the workflow or its worker within {math.ceil(seconds)} seconds"
    return RpcFailure(detail=text, worker_detail="", worker_error_type="", worker_status=0)


async def _answer(
    service: Service, request: WorkflowRpcRequest, argument: LockedRpcRequest, deadline: float
) -> LockedRpcAnswer | None:
    """What the workflow answers, in whichever of its runs; `None` when it does not in time."""
    update_id = str(uuid4())
    pause = _FIRST_PAUSE
    while True:
        try:
            return await service.engine.update(
                request.workflow_id,
                request.workflow_run_id or "",
                UpdateType.LOCKED_RPC,
                update_id,
                argument,
                LockedRpcAnswer,
                service.seconds_until(deadline),
            )
        except UpdateRefused as refusal:
            match refusal.error_type:
                case UpdateError.ASK_AGAIN:
                    update_id = str(uuid4())
                case UpdateError.LOCKED:
                    raise AttributesLocked from refusal
                case UpdateError.EXPIRED:
                    return None
                case UpdateError.INVALID:
                    raise InvalidRequest(str(refusal)) from refusal
                case _:
                    raise
        except RunEnded as end:
            if end.accepted:
                await _check_goes_on(service, request, end)
        except TooManyUpdates:
            pass
        except WaitTimedOut:
            return None
        if service.seconds_until(deadline) < pause:
            return None
        await anyio.sleep(pause)
        pause = min(_LONGEST_PAUSE, 2 * pause)


async def _check_goes_on(service: Service, request: WorkflowRpcRequest, end: RunEnded) -> None:
    """Raise `WorkflowNotFound` unless another run has taken over, which after a reset has the update too."""
    if not request.workflow_run_id:
        current = await service.engine.describe(request.workflow_id, "")
        if current.status is WorkflowStatus.RUNNING:
            return
    raise WorkflowNotFound(str(end)) from end
