"""Reading requests: the one place that knows what each of them must contain.

The models say which fields are required and of which type. Some of those must also not be empty, and some
optional ones are needed in practice. What a value means, and whether it is allowed, is checked by the
operation that uses it. Everything here happens before any effect.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from iwf_api.errors import InvalidRequestSchema, StartWithoutWorkflowId, WorkflowIdNotSet
from iwf_api.limits import is_deeper, too_long
from iwf_api.settings import ApiSettings
from iwf_models import (
    EncodedObject,
    PublishToInternalChannelRequest,
    WireStruct,
    WorkflowGetSearchAttributesRequest,
    WorkflowRpcRequest,
    WorkflowSetDataObjectsRequest,
    WorkflowSignalRequest,
    WorkflowSkipTimerRequest,
    WorkflowStartOptions,
    WorkflowStartRequest,
    codec,
)

T = TypeVar("T", bound=WireStruct)


class _Target(WireStruct, frozen=True, kw_only=True):
    workflow_id: str | None = None


def decode_request(body: bytes, request_type: type[T], settings: ApiSettings) -> T:
    """Read a request and make sure that it is complete and within the limits.

    A missing workflow id is reported before anything else that is missing: clients match that text.

    Raises:
        WorkflowIdNotSet: The request must name a workflow, and does not.
        InvalidRequestSchema: It is not JSON, not of its model, not complete, nested too deeply, or has an id
            that is too long.
    """
    try:
        request = codec.decode(body, request_type)
    except msgspec.DecodeError as error:
        if "workflow_id" in request_type.__struct_fields__:
            _check_target(body, request_type)
        raise InvalidRequestSchema(str(error)) from error
    if is_deeper(body, settings.max_json_depth):
        raise InvalidRequestSchema(f"JSON is nested deeper than {settings.max_json_depth} levels")
    if getattr(request, "workflow_id", None) == "":
        raise _without_workflow_id(request_type)
    for name, value in _needed(request):
        if not value:
            raise InvalidRequestSchema(f"{name} must be set and not be empty")
    _check_lengths(body, request, settings.max_id_length)
    return request


def _check_lengths(body: bytes, request: WireStruct, max_length: int) -> None:
    # A text is never longer than the body that it comes in.
    found = too_long(request, max_length) if len(body) > max_length else None
    if found is not None:
        path, length = found
        raise InvalidRequestSchema(f"{path} has {length} characters, at most {max_length} are allowed")


def _check_target(body: bytes, request_type: type[WireStruct]) -> None:
    """Raise `WorkflowIdNotSet` if that is what is wrong with a request that does not fit its model."""
    try:
        target = codec.decode(body, _Target)
    except msgspec.DecodeError:
        return
    if not target.workflow_id:
        raise _without_workflow_id(request_type)


def _without_workflow_id(request_type: type[WireStruct]) -> WorkflowIdNotSet:
    return StartWithoutWorkflowId() if request_type is WorkflowStartRequest else WorkflowIdNotSet()


def _needed(request: WireStruct) -> Iterator[tuple[str, object]]:
    """Fields that must be neither absent nor empty although their model would allow it, with their values."""
    match request:
        case WorkflowStartRequest():
            yield "iwfWorkflowType", request.iwf_workflow_type
            yield "iwfWorkerUrl", request.iwf_worker_url
            options = request.workflow_start_options or WorkflowStartOptions()
            for index, attribute in enumerate(options.data_attributes or ()):
                yield f"workflowStartOptions.dataAttributes[{index}].key", attribute.key
        case WorkflowSignalRequest():
            yield "signalChannelName", request.signal_channel_name
        case PublishToInternalChannelRequest():
            for index, message in enumerate(request.messages or ()):
                yield f"messages[{index}].channelName", message.channel_name
        case WorkflowRpcRequest():
            yield "rpcName", request.rpc_name
        case WorkflowSkipTimerRequest():
            yield "workflowStateExecutionId", request.workflow_state_execution_id
        case WorkflowSetDataObjectsRequest():
            for index, attribute in enumerate(request.objects or ()):
                yield f"objects[{index}].key", attribute.key
        case WorkflowGetSearchAttributesRequest():
            for index, wanted in enumerate(request.keys or ()):
                yield f"keys[{index}].key", wanted.key
                yield f"keys[{index}].valueType", wanted.value_type
        case EncodedObject():
            yield "extStoreId", request.ext_store_id
            yield "extPath", request.ext_path
        case _:
            pass
