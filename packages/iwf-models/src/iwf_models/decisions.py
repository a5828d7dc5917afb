"""What comes next: movements to states with their options, and conditional closing.

Fields only: checking and applying a decision is the interpreter's. `WorkflowStateOptions` has old and new
names for several of its settings side by side, because the wire does; `iwf_models.compat` says which one
counts.
"""

from enum import StrEnum

from iwf_models._base import Int32, WireStruct
from iwf_models.common import EncodedObject, PersistenceLoadingPolicy, RetryPolicy


class WaitUntilApiFailurePolicy(StrEnum):
    """What happens once waitUntil has used up its retries."""

    FAIL_WORKFLOW_ON_FAILURE = "FAIL_WORKFLOW_ON_FAILURE"
    PROCEED_ON_FAILURE = "PROCEED_ON_FAILURE"


class StartApiFailurePolicy(StrEnum):
    """Legacy form of `WaitUntilApiFailurePolicy`."""

    FAIL_WORKFLOW_ON_START_API_FAILURE = "FAIL_WORKFLOW_ON_START_API_FAILURE"
    PROCEED_TO_DECIDE_ON_START_API_FAILURE = "PROCEED_TO_DECIDE_ON_START_API_FAILURE"


class ExecuteApiFailurePolicy(StrEnum):
    """What happens once execute has used up its retries."""

    FAIL_WORKFLOW_ON_EXECUTE_API_FAILURE = "FAIL_WORKFLOW_ON_EXECUTE_API_FAILURE"
    PROCEED_TO_CONFIGURED_STATE = "PROCEED_TO_CONFIGURED_STATE"


class WorkflowStateOptions(WireStruct, frozen=True, kw_only=True):
    """How one state is executed. Read it through `iwf_models.compat` where a setting has two names."""

    skip_wait_until: bool | None = None
    wait_until_api_timeout_seconds: Int32 | None = None
    """Limit of one attempt."""
    execute_api_timeout_seconds: Int32 | None = None
    """Limit of one attempt."""
    wait_until_api_retry_policy: RetryPolicy | None = None
    execute_api_retry_policy: RetryPolicy | None = None
    wait_until_api_failure_policy: WaitUntilApiFailurePolicy | None = None
    execute_api_failure_policy: ExecuteApiFailurePolicy | None = None
    execute_api_failure_proceed_state_id: str | None = None
    """State to run instead, under `PROCEED_TO_CONFIGURED_STATE`."""
    execute_api_failure_proceed_state_options: "WorkflowStateOptions | None" = None
    """Options of that state."""
    data_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    wait_until_api_data_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    execute_api_data_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    search_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    wait_until_api_search_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    execute_api_search_attributes_loading_policy: PersistenceLoadingPolicy | None = None
    # From here on legacy names, sent by old SDKs only.
    skip_start_api: bool | None = None
    start_api_timeout_seconds: Int32 | None = None
    decide_api_timeout_seconds: Int32 | None = None
    start_api_retry_policy: RetryPolicy | None = None
    decide_api_retry_policy: RetryPolicy | None = None
    start_api_failure_policy: StartApiFailurePolicy | None = None
    data_objects_loading_policy: PersistenceLoadingPolicy | None = None


class StateMovement(WireStruct, frozen=True, kw_only=True):
    """Starts a state, or closes the workflow when the id is one of the reserved `_SYS_` ids."""

    state_id: str
    state_input: EncodedObject | None = None
    """Input of the state; the output of the workflow when the movement closes it."""
    state_options: WorkflowStateOptions | None = None
    wait_for_key: str | None = None
    """Name under which callers can wait for the completion of the execution."""


class WorkflowConditionalCloseType(StrEnum):
    """Condition under which the workflow closes instead of going on."""

    FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY = "FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY"
    FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY = "FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY"
    GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY = "GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY"


class WorkflowConditionalClose(WireStruct, frozen=True, kw_only=True):
    """Closes the workflow if channels hold no message."""

    conditional_close_type: WorkflowConditionalCloseType | None = None
    channel_name: str | None = None
    close_input: EncodedObject | None = None
    """Output of the workflow when it closes this way."""


class StateDecision(WireStruct, frozen=True, kw_only=True):
    """What a worker wants to happen next."""

    next_states: list[StateMovement] | None = None
    """With a conditional close, what happens when its condition is not met."""
    conditional_close: WorkflowConditionalClose | None = None
