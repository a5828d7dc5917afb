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
    WorkflowRetryPolicy,
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
    SKIP_TIMER = "__IwfSystem_SkipTimerChannel"
    UPDATE_CONFIG = "__IwfSystem_UpdateWorkflowConfig"
    """Its body is the whole `WorkflowConfigUpdateRequest`."""
    CONTINUE_AS_NEW = "__IwfSystem_TriggerContinueAsNew"
    """It has no body."""


class QueryType(StrEnum):
    """Queries that the interpreter answers."""

    GET_DATA_ATTRIBUTES = "GetDataAttributes"
    GET_SEARCH_ATTRIBUTES = "GetSearchAttributes"
    GET_CURRENT_TIMER_INFOS = "GetCurrentTimerInfos"
    PREPARE_RPC = "PrepareRpcQueryType"
    DEBUG_DUMP = "DebugNewDump"
    DUMP_BY_PAGE = "ContinueAsNewDumpByPage"
    SNAPSHOT_PAGE = "SnapshotPage"
    STATE_COMPLETION = "StateCompletion"


STILL_LOADING = "the run has no state yet, it still reads what the run before has left to it"
"""The failure of every query until a run that continues another one has its state. It passes by itself, so
engines ask again."""


class UpdateType(StrEnum):
    """Updates that the interpreter takes."""

    LOCKED_RPC = "ExecuteOptimisticLockingRpcUpdate"
    WAIT_FOR_STATE = "WaitForStateCompletion"


class UpdateError(StrEnum):
    """Types of the failures by which the interpreter refuses an update, or ends one without an answer."""

    LOCKED = "RPC_ACQUIRE_LOCK_FAILURE"
    """Others hold the attributes, and too many wait for them already."""
    ASK_AGAIN = "CONTINUES_AS_NEW"
    """The run ends and another goes on; nothing was done, the same update belongs there."""
    EXPIRED = "RPC_EXPIRED"
    """The client's time was over before the worker could be called; nothing was done."""
    INVALID = "INVALID_UPDATE"
    """The update cannot be read, or is of an unknown type."""


class ActivityType(StrEnum):
    """Activities that call a worker."""

    WAIT_UNTIL = "StateApiWaitUntil"
    EXECUTE = "StateApiExecute"
    RPC = "InvokeWorkerRpc"
    LOAD_SNAPSHOT_PAGE = "LoadSnapshotPage"


class ContinuedRun(WireStruct, frozen=True, kw_only=True):
    """The state that a run takes over from the one before: carried along, or where to read it."""

    snapshot: str | None = None
    """The state as text (`iwf_interpreter.core.snapshot`), when it fits the input."""
    previous_run_id: str | None = None
    """The run to read it from, otherwise."""
    pages: int = 0
    """In how many parts."""


class InterpreterInput(WireStruct, frozen=True, kw_only=True):
    """Input of one run, written when the workflow starts and again whenever it continues as new.

    A run that continues another one ignores everything about the start: state, input, options, attributes.
    """

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
    request_id: str | None = None
    """Id of the start request, which the memo shows as `MEMO_REQUEST_ID`."""
    retry_policy: WorkflowRetryPolicy | None = None
    """Of the workflow, for engines that do not carry it from run to run."""
    cron_schedule: str | None = None
    """As `retry_policy`. A workflow that recurs keeps what it started with, for its next recurrence."""
    interpreter_version: int = 1
    """Behaviour version, see `iwf_interpreter.core.versions`."""
    continued: ContinuedRun | None = None


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


class SkipTimerSignal(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Body of `SystemSignal.SKIP_TIMER`. An id that is not empty wins over the index."""

    state_execution_id: str
    command_id: str | None = None
    command_index: int | None = None


class LockedRpcRequest(WireStruct, frozen=True, kw_only=True):
    """Argument of `UpdateType.LOCKED_RPC`: the client's `WorkflowRpcRequest`, and how long it may take."""

    rpc_name: str
    input: EncodedObject | None = None
    search_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    data_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    timeout_seconds: int | None = None
    """Limit of the worker call; also of the wait for locks, unless `expires_at_ms` is sooner. Default 60."""
    expires_at_ms: int | None = None
    """Unix milliseconds after which nobody waits for the answer: the worker is not called then."""
    max_waiting: int = 0
    """How many locked RPCs may wait for their locks; one more is refused. 0 means that none waits."""


class RpcFailure(WireStruct, frozen=True, kw_only=True):
    """What a client is told about an RPC that failed in its worker, as parts of an `ErrorResponse`."""

    detail: str
    worker_detail: str
    """`originalWorkerErrorDetail`."""
    worker_error_type: str
    """`originalWorkerErrorType`."""
    worker_status: int
    """`originalWorkerErrorStatus`: the worker's HTTP status, 0 when there was no HTTP answer to blame."""


class LockedRpcAnswer(WireStruct, frozen=True, kw_only=True):
    """Result of `UpdateType.LOCKED_RPC`: the output, or how the worker failed."""

    output: EncodedObject | None = None
    failure: RpcFailure | None = None


class StateTarget(WireStruct, frozen=True, kw_only=True):
    """One execution of a state, by its id, or the first one of a state whose movement had this key."""

    state_execution_id: str | None = None
    state_id: str | None = None
    wait_for_key: str | None = None


class StateCompletionAnswer(WireStruct, frozen=True, kw_only=True):
    """Whether the target of a `StateTarget` has completed; answer of the query and result of the update."""

    completed: bool
    output: StateCompletionOutput | None = None
    """Set once completed: the two ids, and the output if the decision closed the workflow with one."""


class SnapshotPageQuery(WireStruct, frozen=True, kw_only=True):
    """Argument of `QueryType.SNAPSHOT_PAGE`: a part of the state that a closed run left to its successor."""

    page: int
    """From 0."""
    pages: int
    """In how many parts of about the same size the state is cut."""


class SnapshotPage(WireStruct, frozen=True, kw_only=True):
    """Answer of `QueryType.SNAPSHOT_PAGE`."""

    text: str
    """Base64 of the zlib-compressed part."""
    sha256: str
    """Hex digest of all parts when put together; parts with different digests do not belong together."""


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
