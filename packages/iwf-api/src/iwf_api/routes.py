"""The endpoints: one table from path to models to operation, with what each of them can answer.

All are `POST`. Serving them is `iwf_api.app`, what they do is `iwf_api.operations`, describing them to users
is `iwf_api.documentation`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from iwf_api.operations import (
    configuring,
    data_attributes,
    dumping,
    encoded_objects,
    messages,
    reading,
    resetting,
    rpc,
    search_attributes,
    searching,
    starting,
    state_completion,
    stopping,
    timers,
)
from iwf_api.operations.service import Service
from iwf_models import (
    EncodedObject,
    PublishToInternalChannelRequest,
    TriggerContinueAsNewRequest,
    WireStruct,
    WorkflowConfigUpdateRequest,
    WorkflowDumpRequest,
    WorkflowDumpResponse,
    WorkflowGetDataObjectsRequest,
    WorkflowGetDataObjectsResponse,
    WorkflowGetRequest,
    WorkflowGetResponse,
    WorkflowGetSearchAttributesRequest,
    WorkflowGetSearchAttributesResponse,
    WorkflowResetRequest,
    WorkflowResetResponse,
    WorkflowRpcRequest,
    WorkflowRpcResponse,
    WorkflowSearchRequest,
    WorkflowSearchResponse,
    WorkflowSetDataObjectsRequest,
    WorkflowSetSearchAttributesRequest,
    WorkflowSignalRequest,
    WorkflowSkipTimerRequest,
    WorkflowStartRequest,
    WorkflowStartResponse,
    WorkflowStopRequest,
    WorkflowWaitForStateCompletionRequest,
    WorkflowWaitForStateCompletionResponse,
)

RequestT = TypeVar("RequestT", bound=WireStruct)

_EVERY_ERROR = {
    400: "The request cannot be carried out, or there is no such workflow; `subStatus` says which.",
    413: "The body is longer than the server's limit.",
    500: "Something went wrong in the server or in the engine.",
}
_WAIT_ENDED = "The wait ended without a result; ask again."
_WORKER_FAILED = "The worker failed the RPC; `originalWorkerErrorStatus` and its neighbours say how."
_LOCKED = "Others hold the attributes that the RPC would lock. The worker was not called; try again."


class ApiRoute(msgspec.Struct, Generic[RequestT], frozen=True):
    """One endpoint."""

    path: str
    request_type: type[RequestT]
    response_type: type[WireStruct] | None
    """`None` where the answer has no content."""
    operation: Callable[[Service, RequestT], Awaitable[WireStruct | None]]
    """Its docstring is what users read of the endpoint."""
    is_slow: bool = False
    """It may wait for long, so it is given up when the client disconnects."""
    not_empty: tuple[str, ...] = ("workflowId",)
    """Fields of the request that must be there and not be empty."""
    own_errors: Mapping[int, str] = {}
    """Statuses, with their meaning, that not every endpoint can answer."""

    @property
    def errors(self) -> dict[int, str]:
        """Meaning of each status but 200 that a request with a known path and method is answered with."""
        return {**_EVERY_ERROR, **self.own_errors}


_PREFIX = "/api/v1/workflow/"

ROUTES: tuple[ApiRoute[Any], ...] = (
    ApiRoute(
        _PREFIX + "start",
        WorkflowStartRequest,
        WorkflowStartResponse,
        starting.start,
        not_empty=(
            "workflowId",
            "iwfWorkflowType",
            "iwfWorkerUrl",
            "workflowStartOptions.dataAttributes[].key",
        ),
    ),
    ApiRoute(
        _PREFIX + "signal",
        WorkflowSignalRequest,
        None,
        messages.signal,
        not_empty=("workflowId", "signalChannelName"),
    ),
    ApiRoute(
        _PREFIX + "rpc",
        WorkflowRpcRequest,
        WorkflowRpcResponse,
        rpc.rpc,
        is_slow=True,
        not_empty=("workflowId", "rpcName"),
        own_errors={420: _WORKER_FAILED, 450: _LOCKED},
    ),
    ApiRoute(_PREFIX + "get", WorkflowGetRequest, WorkflowGetResponse, reading.get),
    ApiRoute(
        _PREFIX + "getWithWait",
        WorkflowGetRequest,
        WorkflowGetResponse,
        reading.get_with_wait,
        is_slow=True,
        own_errors={420: _WAIT_ENDED},
    ),
    ApiRoute(_PREFIX + "stop", WorkflowStopRequest, None, stopping.stop),
    ApiRoute(
        _PREFIX + "publishToInternalChannel",
        PublishToInternalChannelRequest,
        None,
        messages.publish_to_internal_channel,
        not_empty=("workflowId", "messages[].channelName"),
    ),
    ApiRoute(
        _PREFIX + "dataobjects/get",
        WorkflowGetDataObjectsRequest,
        WorkflowGetDataObjectsResponse,
        data_attributes.get,
    ),
    ApiRoute(
        _PREFIX + "dataobjects/set",
        WorkflowSetDataObjectsRequest,
        None,
        data_attributes.set_,
        not_empty=("workflowId", "objects[].key"),
    ),
    ApiRoute(
        _PREFIX + "searchattributes/get",
        WorkflowGetSearchAttributesRequest,
        WorkflowGetSearchAttributesResponse,
        search_attributes.get,
        not_empty=("workflowId", "keys[].key", "keys[].valueType"),
    ),
    ApiRoute(
        _PREFIX + "searchattributes/set",
        WorkflowSetSearchAttributesRequest,
        None,
        search_attributes.set_,
        not_empty=("workflowId", "searchAttributes[].key", "searchAttributes[].valueType"),
    ),
    ApiRoute(
        _PREFIX + "search", WorkflowSearchRequest, WorkflowSearchResponse, searching.search, not_empty=()
    ),
    ApiRoute(_PREFIX + "reset", WorkflowResetRequest, WorkflowResetResponse, resetting.reset),
    ApiRoute(
        _PREFIX + "timer/skip",
        WorkflowSkipTimerRequest,
        None,
        timers.skip,
        not_empty=("workflowId", "workflowStateExecutionId"),
    ),
    ApiRoute(_PREFIX + "config/update", WorkflowConfigUpdateRequest, None, configuring.update_config),
    ApiRoute(
        _PREFIX + "triggerContinueAsNew",
        TriggerContinueAsNewRequest,
        None,
        configuring.trigger_continue_as_new,
    ),
    ApiRoute(
        _PREFIX + "waitForStateCompletion",
        WorkflowWaitForStateCompletionRequest,
        WorkflowWaitForStateCompletionResponse,
        state_completion.wait,
        is_slow=True,
        own_errors={420: _WAIT_ENDED},
    ),
    ApiRoute(
        _PREFIX + "encodedobject/load",
        EncodedObject,
        EncodedObject,
        encoded_objects.load,
        not_empty=("extStoreId", "extPath"),
    ),
    ApiRoute(_PREFIX + "internal/dump", WorkflowDumpRequest, WorkflowDumpResponse, dumping.dump),
)
