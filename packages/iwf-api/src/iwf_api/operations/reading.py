"""Reading where a workflow stands and how it ended, at once or after waiting for the end.

The answer names the run that the first look found, and the outcome of the run that ended its chain. A failure
whose type is none of the wire's error types is reported as the server's own, because SDKs cannot decode an
unknown one.
"""

import anyio
import msgspec

from iwf_api.operations import completion_ids
from iwf_api.operations.service import Service
from iwf_interpreter.contract import InterpreterOutput
from iwf_interpreter.engine import WaitTimedOut, WorkflowNotFound, WorkflowOutcome
from iwf_models import (
    StateCompletionOutput,
    WorkflowErrorType,
    WorkflowGetRequest,
    WorkflowGetResponse,
    WorkflowStatus,
)

_ERROR_TYPES = frozenset(WorkflowErrorType)

LAST_LOOK_SECONDS = 1.0
"""What reading the outcome may take, although a wait of a second may be over in a few milliseconds."""

_result_decoder = msgspec.json.Decoder(InterpreterOutput)
_outputs_decoder = msgspec.json.Decoder(list[StateCompletionOutput])
_text_decoder = msgspec.json.Decoder(str)


async def get(service: Service, request: WorkflowGetRequest) -> WorkflowGetResponse:
    """Tell the status of a run, and how it ended if the request needs results and it has."""
    try:
        found = await service.engine.describe(request.workflow_id, request.workflow_run_id or "")
    except WorkflowNotFound as refusal:
        return await completion_ids.get(service, refusal, request.workflow_id)
    if found.status in (WorkflowStatus.RUNNING, WorkflowStatus.CONTINUED_AS_NEW) or not request.needs_results:
        return WorkflowGetResponse(workflow_run_id=found.run_id, workflow_status=found.status)
    return response(found.run_id, await service.engine.outcome(request.workflow_id, found.run_id))


async def get_with_wait(service: Service, request: WorkflowGetRequest) -> WorkflowGetResponse:
    """Wait until a workflow ends, over all runs of its chain, and tell how.

    All who wait for the same chain share one wait: engines limit how many they may have. Results are always
    told: clients that wait do not ask for them.

    Raises:
        WaitTimedOut: It is still running.
    """
    # The first look counts too: the client's own timeout has been running since it asked.
    deadline = service.deadline(request.wait_time_seconds)
    workflow_id, run_id = request.workflow_id, request.workflow_run_id or ""
    try:
        found = await service.reads.join(
            ("describe", workflow_id, run_id), lambda: service.engine.describe(workflow_id, run_id)
        )
    except WorkflowNotFound as refusal:
        return await completion_ids.get_with_wait(service, refusal, workflow_id, deadline)
    if found.status is not WorkflowStatus.RUNNING:
        # How it ended is told to a client, however little of its time is left.
        deadline = max(deadline, anyio.current_time() + LAST_LOOK_SECONDS)
    with anyio.CancelScope(deadline=deadline):
        outcome = await service.outcome_waits.join(
            (workflow_id, found.run_id),
            lambda: service.engine.wait(workflow_id, found.run_id, service.seconds_until(deadline)),
        )
        return response(found.run_id, outcome)
    raise WaitTimedOut(f"workflow {workflow_id!r} is still running")


def response(run_id: str, outcome: WorkflowOutcome) -> WorkflowGetResponse:
    """Tell an outcome, as that of the workflow which the run belongs to."""
    results: list[StateCompletionOutput] | None = None
    error_type: WorkflowErrorType | None = None
    error_message: str | None = None
    if outcome.status is WorkflowStatus.COMPLETED and outcome.result is not None:
        results = _result_decoder.decode(outcome.result).state_completion_outputs
    elif outcome.status is WorkflowStatus.FAILED:
        error_type, results, error_message = _failure(outcome)
    return WorkflowGetResponse(
        workflow_run_id=run_id,
        workflow_status=outcome.status,
        # Clients compare with "no results" strictly, and take an empty message for one.
        results=results or None,
        error_type=error_type,
        error_message=error_message or None,
    )


def _failure(
    outcome: WorkflowOutcome,
) -> tuple[WorkflowErrorType, list[StateCompletionOutput] | None, str | None]:
    details = outcome.failure_details
    if outcome.failure_type not in _ERROR_TYPES:
        message = f"{outcome.failure_type or 'unknown failure'}: {outcome.failure_message}"
        return WorkflowErrorType.SERVER_INTERNAL_ERROR_TYPE, None, message
    error_type = WorkflowErrorType(outcome.failure_type)
    if error_type is WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE:
        return error_type, None if details is None else _outputs_decoder.decode(details), None
    return error_type, None, outcome.failure_message if details is None else _text_decoder.decode(details)
