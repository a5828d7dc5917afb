"""Requests and answers of the client API, one pair per endpoint under `/api/v1/workflow`, RPC excepted.

Fields only: what an endpoint does is the API's. `workflow_run_id` of a request names a run; absent or `""`
means the current one.
"""

from enum import StrEnum

import msgspec

from iwf_models._base import Int32, WireStruct
from iwf_models.common import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    SearchAttributeKeyAndType,
    StateCompletionOutput,
    WorkflowConfig,
    WorkflowRetryPolicy,
)
from iwf_models.decisions import WorkflowStateOptions


class IDReusePolicy(StrEnum):
    """Whether a workflow id that has been used may start another run."""

    ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY = "ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY"
    """Misspelt in old SDKs, and the same as the next one."""
    ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY = "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY"
    ALLOW_IF_NO_RUNNING = "ALLOW_IF_NO_RUNNING"
    DISALLOW_REUSE = "DISALLOW_REUSE"
    ALLOW_TERMINATE_IF_RUNNING = "ALLOW_TERMINATE_IF_RUNNING"


class WorkflowIDReusePolicy(StrEnum):
    """Legacy form of `IDReusePolicy`."""

    ALLOW_DUPLICATE_FAILED_ONLY = "ALLOW_DUPLICATE_FAILED_ONLY"
    ALLOW_DUPLICATE = "ALLOW_DUPLICATE"
    REJECT_DUPLICATE = "REJECT_DUPLICATE"
    TERMINATE_IF_RUNNING = "TERMINATE_IF_RUNNING"


class WorkflowAlreadyStartedOptions(WireStruct, frozen=True, kw_only=True):
    """Makes a start that finds its workflow already started succeed."""

    ignore_already_started_error: bool
    request_id: str | None = None
    """When given, only a start with the same request id counts as the same start."""


class WorkflowStartOptions(WireStruct, frozen=True, kw_only=True):
    """What a start may ask for beyond the workflow itself."""

    workflow_id_reuse_policy: WorkflowIDReusePolicy | None = msgspec.field(
        default=None, name="workflowIDReusePolicy"
    )
    """Legacy form of `id_reuse_policy`."""
    cron_schedule: str | None = None
    """Five fields of cron; `""` means none."""
    workflow_start_delay_seconds: Int32 | None = None
    retry_policy: WorkflowRetryPolicy | None = None
    search_attributes: list[SearchAttribute] | None = None
    data_attributes: list[KeyValue] | None = None
    workflow_config_override: WorkflowConfig | None = None
    id_reuse_policy: IDReusePolicy | None = None
    use_memo_for_data_attributes: bool | None = None
    workflow_already_started_options: WorkflowAlreadyStartedOptions | None = None


class WorkflowStartRequest(WireStruct, frozen=True, kw_only=True):
    """Starts a workflow."""

    workflow_id: str
    iwf_workflow_type: str
    workflow_timeout_seconds: Int32
    """Limit of the whole chain of runs; 0 means none."""
    iwf_worker_url: str
    start_state_id: str | None = None
    """Without it, or with `""`, the workflow waits for an RPC that starts a state."""
    wait_for_completion_state_ids: list[str] | None = None
    wait_for_completion_state_execution_ids: list[str] | None = None
    state_input: EncodedObject | None = None
    state_options: WorkflowStateOptions | None = None
    workflow_start_options: WorkflowStartOptions | None = None


class WorkflowStartResponse(WireStruct, frozen=True, kw_only=True):
    """The run that was started. SDKs rely on the id, so it is set in practice."""

    workflow_run_id: str | None = None


class WorkflowSignalRequest(WireStruct, frozen=True, kw_only=True):
    """Sends a message to a signal channel."""

    workflow_id: str
    workflow_run_id: str | None = None
    signal_channel_name: str
    signal_value: EncodedObject | None = None


class PublishToInternalChannelRequest(WireStruct, frozen=True, kw_only=True):
    """Sends messages to internal channels."""

    workflow_id: str
    workflow_run_id: str | None = None
    messages: list[InterStateChannelPublishing] | None = None


class WorkflowStopType(StrEnum):
    """How a workflow is stopped. Absent means `CANCEL`."""

    CANCEL = "CANCEL"
    TERMINATE = "TERMINATE"
    FAIL = "FAIL"


class WorkflowStopRequest(WireStruct, frozen=True, kw_only=True):
    """Stops a workflow."""

    workflow_id: str
    workflow_run_id: str | None = None
    reason: str | None = None
    stop_type: WorkflowStopType | None = None


class WorkflowGetDataObjectsRequest(WireStruct, frozen=True, kw_only=True):
    """Reads data attributes; no keys means all."""

    workflow_id: str
    workflow_run_id: str | None = None
    keys: list[str] | None = None
    use_memo_for_data_attributes: bool | None = None


class WorkflowGetDataObjectsResponse(WireStruct, frozen=True, kw_only=True):
    """The data attributes; absent instead of empty."""

    objects: list[KeyValue] | None = None


class WorkflowSetDataObjectsRequest(WireStruct, frozen=True, kw_only=True):
    """Writes data attributes."""

    workflow_id: str
    workflow_run_id: str | None = None
    objects: list[KeyValue] | None = None


class WorkflowGetSearchAttributesRequest(WireStruct, frozen=True, kw_only=True):
    """Reads search attributes."""

    workflow_id: str
    workflow_run_id: str | None = None
    keys: list[SearchAttributeKeyAndType] | None = None


class WorkflowGetSearchAttributesResponse(WireStruct, frozen=True, kw_only=True):
    """The search attributes; absent instead of empty."""

    search_attributes: list[SearchAttribute] | None = None


class WorkflowSetSearchAttributesRequest(WireStruct, frozen=True, kw_only=True):
    """Writes search attributes."""

    workflow_id: str
    workflow_run_id: str | None = None
    search_attributes: list[SearchAttribute] | None = None


class WorkflowGetRequest(WireStruct, frozen=True, kw_only=True):
    """Reads the status of a workflow, or waits until it closes."""

    workflow_id: str
    workflow_run_id: str | None = None
    needs_results: bool | None = None
    wait_time_seconds: Int32 | None = None
    """How long to wait for the close; only where the endpoint waits."""


class WorkflowStatus(StrEnum):
    """Where a workflow stands."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMEOUT = "TIMEOUT"
    TERMINATED = "TERMINATED"
    CANCELED = "CANCELED"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"


class WorkflowErrorType(StrEnum):
    """Why a workflow failed."""

    STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE = "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"
    CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE = "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"
    STATE_API_FAIL_ERROR_TYPE = "STATE_API_FAIL_ERROR_TYPE"
    INVALID_USER_WORKFLOW_CODE_ERROR_TYPE = "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE"
    RPC_ACQUIRE_LOCK_FAILURE = "RPC_ACQUIRE_LOCK_FAILURE"
    SERVER_INTERNAL_ERROR_TYPE = "SERVER_INTERNAL_ERROR_TYPE"


class WorkflowGetResponse(WireStruct, frozen=True, kw_only=True):
    """Status and outcome of a workflow."""

    workflow_run_id: str
    workflow_status: WorkflowStatus
    results: list[StateCompletionOutput] | None = None
    """Absent instead of empty."""
    error_type: WorkflowErrorType | None = None
    error_message: str | None = None


class WorkflowSearchRequest(WireStruct, frozen=True, kw_only=True):
    """Lists workflows by a query in the engine's language."""

    query: str
    page_size: Int32 | None = None
    next_page_token: str | None = None


class WorkflowSearchResponseEntry(WireStruct, frozen=True, kw_only=True):
    """One run that matches a search."""

    workflow_id: str
    workflow_run_id: str


class WorkflowSearchResponse(WireStruct, frozen=True, kw_only=True):
    """One page of a search. Without a next token it is the last."""

    workflow_executions: list[WorkflowSearchResponseEntry] | None = None
    next_page_token: str | None = None


class WorkflowResetType(StrEnum):
    """How the point to reset to is given."""

    HISTORY_EVENT_ID = "HISTORY_EVENT_ID"
    BEGINNING = "BEGINNING"
    HISTORY_EVENT_TIME = "HISTORY_EVENT_TIME"
    STATE_ID = "STATE_ID"
    STATE_EXECUTION_ID = "STATE_EXECUTION_ID"


class WorkflowResetRequest(WireStruct, frozen=True, kw_only=True):
    """Runs a workflow again from an earlier point; each type of reset reads the field of its name."""

    workflow_id: str
    workflow_run_id: str | None = None
    reset_type: WorkflowResetType
    history_event_id: Int32 | None = None
    reason: str | None = None
    history_event_time: str | None = None
    state_id: str | None = None
    state_execution_id: str | None = None
    skip_signal_reapply: bool | None = None
    skip_update_reapply: bool | None = None


class WorkflowResetResponse(WireStruct, frozen=True, kw_only=True):
    """The run that the reset started."""

    workflow_run_id: str


class WorkflowSkipTimerRequest(WireStruct, frozen=True, kw_only=True):
    """Lets a timer fire now. It is named by its command's id or by its position among the timers."""

    workflow_id: str
    workflow_run_id: str | None = None
    workflow_state_execution_id: str
    timer_command_id: str | None = None
    timer_command_index: Int32 | None = None


class WorkflowConfigUpdateRequest(WireStruct, frozen=True, kw_only=True):
    """Changes settings of a running workflow."""

    workflow_id: str
    workflow_run_id: str | None = None
    workflow_config: WorkflowConfig


class TriggerContinueAsNewRequest(WireStruct, frozen=True, kw_only=True):
    """Makes a workflow continue as a new run."""

    workflow_id: str
    workflow_run_id: str | None = None


class WorkflowWaitForStateCompletionRequest(WireStruct, frozen=True, kw_only=True):
    """Waits for one execution of a state, named by its id or by state id and key."""

    workflow_id: str
    state_execution_id: str | None = None
    state_id: str | None = None
    wait_for_key: str | None = None
    wait_time_seconds: Int32 | None = None


class WorkflowWaitForStateCompletionResponse(WireStruct, frozen=True, kw_only=True):
    """What the execution left."""

    state_completion_output: StateCompletionOutput | None = None


class WorkflowDumpRequest(WireStruct, frozen=True, kw_only=True):
    """Reads one page of a run's internal state; pages count from 0."""

    workflow_id: str
    workflow_run_id: str
    page_size_in_bytes: Int32
    page_num: Int32


class WorkflowDumpResponse(WireStruct, frozen=True, kw_only=True):
    """One page of a run's internal state. Pages with different checksums do not belong together."""

    checksum: str
    total_pages: Int32
    json_data: str


class HealthInfo(WireStruct, frozen=True, kw_only=True):
    """Answer of the health check."""

    condition: str | None = None
    hostname: str | None = None
    duration: Int32 | None = None
    """Seconds that the check took."""
