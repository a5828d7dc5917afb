"""RPCs of a workflow, on both sides: from a client to the server, and from the server to a worker."""

from iwf_models._base import Int32, WireStruct
from iwf_models.common import (
    ChannelInfo,
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    SearchAttribute,
    SearchAttributeKeyAndType,
)
from iwf_models.decisions import StateDecision
from iwf_models.states import Context


class WorkflowRpcRequest(WireStruct, frozen=True, kw_only=True):
    """A client's call of an RPC."""

    workflow_id: str
    workflow_run_id: str | None = None
    rpc_name: str
    input: EncodedObject | None = None
    search_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    data_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    timeout_seconds: Int32 | None = None
    use_memo_for_data_attributes: bool | None = None
    """Accepted, without effect."""
    search_attributes: list[SearchAttributeKeyAndType] | None = None
    """Accepted, without effect."""


class WorkflowRpcResponse(WireStruct, frozen=True, kw_only=True):
    """What the RPC returned, for the client."""

    output: EncodedObject | None = None


class WorkflowWorkerRpcRequest(WireStruct, frozen=True, kw_only=True):
    """Calls the RPC in the worker."""

    context: Context
    workflow_type: str
    rpc_name: str
    input: EncodedObject | None = None
    search_attributes: list[SearchAttribute] | None = None
    data_attributes: list[KeyValue] | None = None
    signal_channel_infos: dict[str, ChannelInfo] | None = None
    """By channel name, channels with messages only. SDKs need the map, if need be an empty one."""
    internal_channel_infos: dict[str, ChannelInfo] | None = None
    """As `signal_channel_infos`."""


class WorkflowWorkerRpcResponse(WireStruct, frozen=True, kw_only=True):
    """Answer of the worker: the output for the client, and what to write and to start."""

    output: EncodedObject | None = None
    state_decision: StateDecision | None = None
    upsert_search_attributes: list[SearchAttribute] | None = None
    upsert_data_attributes: list[KeyValue] | None = None
    record_events: list[KeyValue] | None = None
    """Kept in the history and nowhere else; still they make the RPC one that writes."""
    upsert_state_locals: list[KeyValue] | None = None
    """Without effect: an RPC belongs to no state execution."""
    publish_to_inter_state_channel: list[InterStateChannelPublishing] | None = None
