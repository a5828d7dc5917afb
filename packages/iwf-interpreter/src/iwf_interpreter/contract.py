"""What the API service and the interpreter must agree on.

Names of signals, queries and memo keys, and the bodies that travel under them. Both sides import this
module, so that there is never a second copy. The names are public: operators send some of these signals
and queries by hand (`docs/interpreter-contract.md`). No behaviour lives here.

A stored run outlives the server that started it. Fields are therefore only added, always with a default.
"""

from enum import StrEnum

import msgspec

from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    SearchAttribute,
    StateCompletionOutput,
    StateDecision,
    WireStruct,
    WorkflowConfig,
    WorkflowStateOptions,
)

WORKFLOW_TYPE = "Interpreter"
"""Type of the workflow that interprets one iWF workflow execution."""

DEFAULT_TASK_QUEUE = "iwf-interpreter"
"""Task queue of the interpreter unless configured otherwise."""

SYSTEM_PREFIX = "__IwfSystem_"
"""Reserved for the server: signal names, memo keys and data attribute keys of users must not start so."""

RESERVED_STATE_PREFIX = "_SYS_"
"""State ids that begin so are decisions, not states."""

WORKFLOW_TYPE_ATTRIBUTE = "IwfWorkflowType"
EXECUTING_STATE_IDS_ATTRIBUTE = "IwfExecutingStateIds"
GLOBAL_VERSION_ATTRIBUTE = "IwfGlobalWorkflowVersion"

SYSTEM_SEARCH_ATTRIBUTES = (
    WORKFLOW_TYPE_ATTRIBUTE,
    EXECUTING_STATE_IDS_ATTRIBUTE,
    GLOBAL_VERSION_ATTRIBUTE,
)
"""Search attributes that belong to the server: nobody else may write them."""

MEMO_WORKER_URL = "__IwfSystem_WorkerUrl"
MEMO_USE_MEMO = "__IwfSystem_UseMemoForDataAttributes"
MEMO_REQUEST_ID = "__IwfSystem_WorkflowRequestId"


class SystemSignal(StrEnum):
    """Signals that the server sends to its own workflows; every other name is a user's channel."""

    EXECUTE_RPC = "__IwfSystem_ExecuteRpc"
    FAIL_WORKFLOW = "__IwfSystem_FailWorkflowChannel"


class QueryType(StrEnum):
    """Queries that the interpreter answers."""

    GET_DATA_ATTRIBUTES = "GetDataAttributes"
    GET_SEARCH_ATTRIBUTES = "GetSearchAttributes"
    GET_CURRENT_TIMER_INFOS = "GetCurrentTimerInfos"
    PREPARE_RPC = "PrepareRpcQueryType"
    DEBUG_DUMP = "DebugNewDump"


class ActivityType(StrEnum):
    """Activities that call a worker."""

    WAIT_UNTIL = "StateApiWaitUntil"
    EXECUTE = "StateApiExecute"


class InterpreterInput(WireStruct, frozen=True, kw_only=True):
    """Input of one run, written when the workflow starts."""

    iwf_workflow_type: str
    iwf_worker_url: str
    start_state_id: str | None = None
    state_input: EncodedObject | None = None
    state_options: WorkflowStateOptions | None = None
    wait_for_completion_state_execution_ids: list[str] | None = None
    wait_for_completion_state_ids: list[str] | None = None
    init_search_attributes: list[SearchAttribute] | None = None
    init_data_attributes: list[KeyValue] | None = None
    use_memo_for_data_attributes: bool | None = None
    config: WorkflowConfig
    interpreter_version: int = 1
    """Behaviour version, see `iwf_interpreter.core.versions`."""


class InterpreterOutput(WireStruct, frozen=True, kw_only=True):
    """Result of a completed run."""

    state_completion_outputs: list[StateCompletionOutput] | None = None


class RpcSignal(WireStruct, frozen=True, kw_only=True):
    """Body of `SystemSignal.EXECUTE_RPC`: what an RPC, or one of the write endpoints, changes."""

    rpc_input: EncodedObject | None = None
    rpc_output: EncodedObject | None = None
    upsert_data_objects: list[KeyValue] | None = None
    upsert_search_attributes: list[SearchAttribute] | None = None
    state_decision: StateDecision | None = None
    record_events: list[KeyValue] | None = None
    inter_state_channel_publishing: list[InterStateChannelPublishing] | None = None


class FailSignal(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Body of `SystemSignal.FAIL_WORKFLOW`."""

    reason: str | None = None


class DataAttributesQuery(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Argument of `QueryType.GET_DATA_ATTRIBUTES`; no keys means all."""

    keys: list[str] | None = None


class DataAttributesAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Answer of `QueryType.GET_DATA_ATTRIBUTES`, in the order of the keys."""

    data_attributes: list[KeyValue]


class PrepareRpcQuery(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Argument of `QueryType.PREPARE_RPC`."""

    data_objects_loading_policy: PersistenceLoadingPolicy | None = None
    search_attributes_loading_policy: PersistenceLoadingPolicy | None = None


class PrepareRpcAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Answer of `QueryType.PREPARE_RPC`: everything that a call of the worker's RPC needs."""

    data_objects: list[KeyValue]
    search_attributes: list[SearchAttribute]
    workflow_run_id: str
    workflow_started_timestamp: int
    """Unix seconds of the start of the chain's first run."""
    iwf_workflow_type: str
    iwf_worker_url: str
    signal_channel_info: dict[str, int]
    """Unconsumed messages per signal channel; empty channels are left out."""
    internal_channel_info: dict[str, int]


class TimerInfo(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One timer command of a waiting state execution."""

    command_id: str | None = None
    firing_unix_timestamp_seconds: int
    status: str
    """`Pending`, `Fired` or `Skipped`."""


class TimerInfosAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Answer of `QueryType.GET_CURRENT_TIMER_INFOS`: timers by state execution id, in command order."""

    state_execution_current_timer_infos: dict[str, list[TimerInfo]]
