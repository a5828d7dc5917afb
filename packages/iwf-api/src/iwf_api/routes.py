"""The endpoints: one table from path to request model to operation.

All are `POST`. Serving them is `iwf_api.app`, what they do is `iwf_api.operations`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from iwf_api.operations import (
    configuring,
    data_attributes,
    dumping,
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
    PublishToInternalChannelRequest,
    TriggerContinueAsNewRequest,
    WireStruct,
    WorkflowConfigUpdateRequest,
    WorkflowDumpRequest,
    WorkflowGetDataObjectsRequest,
    WorkflowGetRequest,
    WorkflowGetSearchAttributesRequest,
    WorkflowResetRequest,
    WorkflowRpcRequest,
    WorkflowSearchRequest,
    WorkflowSetDataObjectsRequest,
    WorkflowSetSearchAttributesRequest,
    WorkflowSignalRequest,
    WorkflowSkipTimerRequest,
    WorkflowStartRequest,
    WorkflowStopRequest,
    WorkflowWaitForStateCompletionRequest,
)

RequestT = TypeVar("RequestT", bound=WireStruct)


class ApiRoute(msgspec.Struct, Generic[RequestT], frozen=True):
    """One endpoint."""

    path: str
    request_type: type[RequestT]
    operation: Callable[[Service, RequestT], Awaitable[WireStruct | None]]
    """Returns `None` where the answer has no content."""
    is_slow: bool = False
    """It may wait for long, so it is given up when the client disconnects."""


_PREFIX = "/api/v1/workflow/"

ROUTES: tuple[ApiRoute[Any], ...] = (
    ApiRoute(_PREFIX + "start", WorkflowStartRequest, starting.start),
    ApiRoute(_PREFIX + "signal", WorkflowSignalRequest, messages.signal),
    ApiRoute(_PREFIX + "rpc", WorkflowRpcRequest, rpc.rpc, is_slow=True),
    ApiRoute(_PREFIX + "get", WorkflowGetRequest, reading.get),
    ApiRoute(_PREFIX + "getWithWait", WorkflowGetRequest, reading.get_with_wait, is_slow=True),
    ApiRoute(_PREFIX + "stop", WorkflowStopRequest, stopping.stop),
    ApiRoute(
        _PREFIX + "publishToInternalChannel",
        PublishToInternalChannelRequest,
        messages.publish_to_internal_channel,
    ),
    ApiRoute(_PREFIX + "dataobjects/get", WorkflowGetDataObjectsRequest, data_attributes.get),
    ApiRoute(_PREFIX + "dataobjects/set", WorkflowSetDataObjectsRequest, data_attributes.set_),
    ApiRoute(_PREFIX + "searchattributes/get", WorkflowGetSearchAttributesRequest, search_attributes.get),
    ApiRoute(_PREFIX + "searchattributes/set", WorkflowSetSearchAttributesRequest, search_attributes.set_),
    ApiRoute(_PREFIX + "search", WorkflowSearchRequest, searching.search),
    ApiRoute(_PREFIX + "reset", WorkflowResetRequest, resetting.reset),
    ApiRoute(_PREFIX + "timer/skip", WorkflowSkipTimerRequest, timers.skip),
    ApiRoute(_PREFIX + "config/update", WorkflowConfigUpdateRequest, configuring.update_config),
    ApiRoute(
        _PREFIX + "triggerContinueAsNew", TriggerContinueAsNewRequest, configuring.trigger_continue_as_new
    ),
    ApiRoute(
        _PREFIX + "waitForStateCompletion",
        WorkflowWaitForStateCompletionRequest,
        state_completion.wait,
        is_slow=True,
    ),
    ApiRoute(_PREFIX + "internal/dump", WorkflowDumpRequest, dumping.dump),
)
