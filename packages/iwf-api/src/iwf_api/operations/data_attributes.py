"""Reading and writing data attributes.

Reading asks the run, or the memo of a run that mirrors its data attributes there. Writing is accepted, not
applied, when the call returns; it takes no locks and honours none.
"""

from collections.abc import Iterable

from iwf_api.errors import InvalidRequest, MemoNotKept
from iwf_api.operations.service import Service
from iwf_interpreter.contract import (
    MEMO_USE_MEMO,
    SYSTEM_PREFIX,
    DataAttributesAnswer,
    DataAttributesQuery,
    QueryType,
    RpcSignal,
    SystemSignal,
)
from iwf_models import (
    KeyValue,
    WorkflowGetDataObjectsRequest,
    WorkflowGetDataObjectsResponse,
    WorkflowSetDataObjectsRequest,
)


async def get(service: Service, request: WorkflowGetDataObjectsRequest) -> WorkflowGetDataObjectsResponse:
    """Read the attributes of these keys, or all, by key; unknown keys are left out.

    Raises:
        MemoNotKept: The memo is to be read, there is none, and the settings forbid to ask the run instead.
    """
    run_id = request.workflow_run_id or ""
    objects = None
    if request.use_memo_for_data_attributes:
        objects = await _from_memo(service, request.workflow_id, run_id, request.keys)
        if objects is None and service.settings.fail_at_memo_incompatibility:
            raise MemoNotKept(request.workflow_id)
    if objects is None:
        answer = await service.query(
            request.workflow_id,
            run_id,
            QueryType.GET_DATA_ATTRIBUTES,
            DataAttributesQuery(keys=request.keys or None),
            DataAttributesAnswer,
            deadline=service.deadline(None),
        )
        objects = answer.data_attributes
    return WorkflowGetDataObjectsResponse(objects=objects or None)


async def set_(service: Service, request: WorkflowSetDataObjectsRequest) -> None:
    """Write attributes; one without a value keeps its key without a value."""
    check_keys(request.objects)
    await service.engine.signal(
        request.workflow_id,
        request.workflow_run_id or "",
        SystemSignal.EXECUTE_RPC,
        RpcSignal(upsert_data_objects=request.objects),
    )


def check_keys(attributes: Iterable[KeyValue] | None) -> None:
    """Make sure that no key is the server's own; raises `InvalidRequest`."""
    for item in attributes or ():
        if item.key is not None and item.key.startswith(SYSTEM_PREFIX):
            raise InvalidRequest(f"the data attribute key {item.key!r} is reserved for the server")


async def _from_memo(
    service: Service, workflow_id: str, run_id: str, keys: Iterable[str] | None
) -> list[KeyValue] | None:
    """The attributes in the memo; `None` when the run keeps none there."""
    memo = (await service.engine.describe(workflow_id, run_id)).memo
    if MEMO_USE_MEMO not in memo:
        return None
    wanted = set(keys or memo)
    return [
        KeyValue(key=key, value=memo[key])
        for key in sorted(wanted & memo.keys())
        if not key.startswith(SYSTEM_PREFIX)
    ]
