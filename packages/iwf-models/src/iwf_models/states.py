"""The two state APIs of a worker: start (waitUntil) and decide (execute), and the context of a call.

Requests go from the server to a worker, responses come back. The models keep the older names of the published
document, which current SDKs show to their users as waitUntil and execute; the JSON is the same.
"""

import msgspec

from iwf_models._base import Int32, Int64, WireStruct
from iwf_models.commands import CommandRequest, CommandResults
from iwf_models.common import EncodedObject, InterStateChannelPublishing, KeyValue, SearchAttribute
from iwf_models.decisions import StateDecision


class Context(WireStruct, frozen=True, kw_only=True):
    """Tells a worker on whose behalf it is called."""

    workflow_id: str
    workflow_run_id: str
    """Run id of the first run of the chain, so that it survives continue-as-new."""
    workflow_started_timestamp: Int64
    """Unix seconds at which the first run of the chain started."""
    state_execution_id: str | None = None
    """`<stateId>-<n>`; absent in RPC calls, like the two fields below."""
    first_attempt_timestamp: Int64 | None = None
    """Unix seconds at which this call was first scheduled; the same for all its attempts."""
    attempt: Int32 | None = None
    """Counts the attempts of this call, from 1."""


class WorkflowStateStartRequest(WireStruct, frozen=True, kw_only=True):
    """Calls the waitUntil of a state."""

    context: Context
    workflow_type: str
    workflow_state_id: str
    state_input: EncodedObject | None = None
    search_attributes: list[SearchAttribute] | None = None
    data_objects: list[KeyValue] | None = None


class WorkflowStateStartResponse(WireStruct, frozen=True, kw_only=True):
    """Answer of waitUntil: what to wait for, and what to write."""

    local_activity_input: str | None = None
    """Filled by the server when the call ran as a local activity, for people who read histories."""
    upsert_search_attributes: list[SearchAttribute] | None = None
    upsert_data_objects: list[KeyValue] | None = None
    command_request: CommandRequest | None = None
    upsert_state_locals: list[KeyValue] | None = None
    """Values that only the execute of the same state execution receives."""
    record_events: list[KeyValue] | None = None
    """Kept in the history and nowhere else."""
    publish_to_inter_state_channel: list[InterStateChannelPublishing] | None = None


class WorkflowStateDecideRequest(WireStruct, frozen=True, kw_only=True):
    """Calls the execute of a state."""

    context: Context
    workflow_type: str
    workflow_state_id: str
    state_input: EncodedObject | None = None
    search_attributes: list[SearchAttribute] | None = None
    data_objects: list[KeyValue] | None = msgspec.field(default=None, name="DataObjects")
    """The one name of the wire that starts with a capital; every SDK reads exactly that."""
    state_locals: list[KeyValue] | None = None
    command_results: CommandResults | None = None
    """Absent when the state has no waitUntil."""


class WorkflowStateDecideResponse(WireStruct, frozen=True, kw_only=True):
    """Answer of execute: what comes next, and what to write."""

    local_activity_input: str | None = None
    """As in `WorkflowStateStartResponse`."""
    state_decision: StateDecision | None = None
    upsert_search_attributes: list[SearchAttribute] | None = None
    upsert_data_objects: list[KeyValue] | None = None
    record_events: list[KeyValue] | None = None
    upsert_state_locals: list[KeyValue] | None = None
    """Without effect: no later call could receive them."""
    publish_to_inter_state_channel: list[InterStateChannelPublishing] | None = None
