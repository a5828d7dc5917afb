"""RPC: read the run, call the worker, write what it answers.

RPCs that lock attributes are carried out by the run itself (`locked_rpc`), and so are those that write to a
workflow with many of them in progress, if the settings say so. For all others the worker is called from here,
once. What it wants to change goes to the run as one signal, so that all of it is applied
together and before the next query is answered. A worker that changes nothing leaves no trace, so such an RPC
works on a closed workflow too.
"""

import anyio

from iwf_api.errors import WorkerFailed, WorkflowDidNotAnswer
from iwf_api.operations.busy_workflows import BusyWorkflow
from iwf_api.operations.locked_rpc import locked_rpc, out_of_time
from iwf_api.operations.service import Service
from iwf_interpreter.contract import (
    PrepareRpcAnswer,
    PrepareRpcQuery,
    QueryType,
    RpcFailure,
    RpcSignal,
    SystemSignal,
)
from iwf_interpreter.observer import tell
from iwf_interpreter.worker_answers import check_rpc
from iwf_interpreter.worker_errors import WorkerError
from iwf_models import (
    ChannelInfo,
    Context,
    EventType,
    IwfEvent,
    IwfEventError,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    WorkflowErrorType,
    WorkflowRpcRequest,
    WorkflowRpcResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)

_LOCKING = frozenset(
    {
        PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
        PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK,
    }
)


async def rpc(service: Service, request: WorkflowRpcRequest) -> WorkflowRpcResponse:
    """Carry out an RPC and return the worker's output.

    Raises:
        AttributesLocked: Others hold the attributes that this one would lock.
        WorkerFailed: The worker did not answer in time, or not as it should; nothing was changed.
        WorkflowNotFound: There is no such workflow, or it is closed and the worker wants to change it.
    """
    if _locks(request.data_attributes_loading_policy) or _locks(request.search_attributes_loading_policy):
        return await locked_rpc(service, request)
    with service.busy_workflows.rpc(request.workflow_id) as workflow:
        if workflow.takes_updates(request.rpc_name, service.settings.rpc_updates_from):
            # It locks nothing, so it waits for nobody.
            return await locked_rpc(service, request)
        return await _rpc(service, request, workflow)


async def _rpc(service: Service, request: WorkflowRpcRequest, workflow: BusyWorkflow) -> WorkflowRpcResponse:
    deadline = service.deadline(request.timeout_seconds)
    run_id = request.workflow_run_id or ""
    prepared = await _prepare(service, request, run_id, deadline)
    answer = await _call_worker(service, request, prepared, deadline)
    changes = _changes(service, request, answer)
    if changes is not None:
        workflow.wrote(request.rpc_name)
        await service.engine.signal(request.workflow_id, run_id, SystemSignal.EXECUTE_RPC, changes)
    return WorkflowRpcResponse(output=answer.output)


async def _prepare(
    service: Service, request: WorkflowRpcRequest, run_id: str, deadline: float
) -> PrepareRpcAnswer:
    """Read what the worker needs; the client's time includes it."""
    began = anyio.current_time()
    try:
        return await service.query(
            request.workflow_id,
            run_id,
            QueryType.PREPARE_RPC,
            PrepareRpcQuery(
                data_objects_loading_policy=request.data_attributes_loading_policy,
                search_attributes_loading_policy=request.search_attributes_loading_policy,
            ),
            PrepareRpcAnswer,
            deadline=deadline,
        )
    except WorkflowDidNotAnswer as error:
        # For the client it is an RPC that ran out of time, like one that waits for its locks too long.
        raise WorkerFailed(out_of_time(deadline - began)) from error


async def _call_worker(
    service: Service, request: WorkflowRpcRequest, prepared: PrepareRpcAnswer, deadline: float
) -> WorkflowWorkerRpcResponse:
    worker_request = WorkflowWorkerRpcRequest(
        context=Context(
            workflow_id=request.workflow_id,
            workflow_run_id=prepared.workflow_run_id,
            workflow_started_timestamp=prepared.workflow_started_timestamp,
        ),
        workflow_type=prepared.iwf_workflow_type,
        rpc_name=request.rpc_name,
        input=request.input,
        search_attributes=prepared.search_attributes or None,
        data_attributes=prepared.data_objects or None,
        signal_channel_infos=_channel_infos(prepared.signal_channel_info),
        internal_channel_infos=_channel_infos(prepared.internal_channel_info),
    )
    began_at = service.clock()
    failure: RpcFailure | None = None
    try:
        answer = await service.worker.rpc(
            prepared.iwf_worker_url, worker_request, timeout_seconds=service.seconds_until(deadline)
        )
        writes_search_attributes = bool(answer.upsert_search_attributes)
        registered = await service.engine.search_attribute_types() if writes_search_attributes else None
        check_rpc(answer, registered=registered)
    except WorkerError as error:
        failure = error.rpc_failure()
        raise WorkerFailed(failure) from error
    finally:
        tell(service.observer, [_event(service, worker_request, began_at, failure)])
    return answer


def _event(
    service: Service, request: WorkflowWorkerRpcRequest, began_at: float, failure: RpcFailure | None
) -> IwfEvent:
    return IwfEvent(
        event_type=EventType.RPC_EXECUTION_EVENT,
        workflow_type=request.workflow_type,
        workflow_id=request.context.workflow_id,
        workflow_run_id=request.context.workflow_run_id,
        rpc_name=request.rpc_name,
        start_timestamp_in_ms=int(began_at * 1000),
        end_timestamp_in_ms=int(service.clock() * 1000),
        error=failure
        and IwfEventError(type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE.value, details=failure.detail),
    )


def _changes(
    service: Service, request: WorkflowRpcRequest, answer: WorkflowWorkerRpcResponse
) -> RpcSignal | None:
    """What the worker wants to change, or `None`."""
    next_states = answer.state_decision.next_states if answer.state_decision is not None else None
    if not (
        answer.upsert_data_attributes
        or answer.upsert_search_attributes
        or answer.publish_to_inter_state_channel
        or answer.record_events
        or next_states
    ):
        return None
    quiet = service.settings.omit_rpc_input_output_in_history
    return RpcSignal(
        rpc_input=None if quiet else request.input,
        rpc_output=None if quiet else answer.output,
        upsert_data_objects=answer.upsert_data_attributes,
        upsert_search_attributes=answer.upsert_search_attributes,
        state_decision=answer.state_decision,
        record_events=answer.record_events,
        inter_state_channel_publishing=answer.publish_to_inter_state_channel,
    )


def _channel_infos(sizes: dict[str, int]) -> dict[str, ChannelInfo]:
    return {name: ChannelInfo(size=size) for name, size in sizes.items()}


def _locks(policy: PersistenceLoadingPolicy | None) -> bool:
    return policy is not None and policy.persistence_loading_type in _LOCKING
