"""Stopping a workflow: cancelling it, ending it at once, or making it fail."""

from iwf_api.operations.service import Service
from iwf_interpreter.contract import FailSignal, SystemSignal
from iwf_models import WorkflowStopRequest, WorkflowStopType

_TERMINATION_REASON = "terminated through the iWF API"


async def stop(service: Service, request: WorkflowStopRequest) -> None:
    """Stop a workflow the way the request says; without a type it is cancelled.

    Cancelling and failing are accepted, not applied, when the call returns.
    """
    workflow_id, run_id = request.workflow_id, request.workflow_run_id or ""
    match request.stop_type:
        case None | WorkflowStopType.CANCEL:
            await service.engine.cancel(workflow_id, run_id)
        case WorkflowStopType.TERMINATE:
            await service.engine.terminate(workflow_id, run_id, request.reason or _TERMINATION_REASON)
        case WorkflowStopType.FAIL:
            await service.engine.signal(
                workflow_id, run_id, SystemSignal.FAIL_WORKFLOW, FailSignal(reason=request.reason)
            )
