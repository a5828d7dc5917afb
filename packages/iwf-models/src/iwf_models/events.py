"""Events that an in-process observer of the server receives. They never travel over HTTP."""

from enum import StrEnum

from iwf_models._base import Int64, WireStruct
from iwf_models.common import SearchAttribute


class EventType(StrEnum):
    """What happened. `ATTEMPT` events tell of one call of a worker, `EE` events of all its attempts."""

    STATE_EXECUTE_ATTEMPT_FAIL_EVENT = "STATE_EXECUTE_ATTEMPT_FAIL_EVENT"
    STATE_EXECUTE_ATTEMPT_SUCC_EVENT = "STATE_EXECUTE_ATTEMPT_SUCC_EVENT"
    STATE_EXECUTE_EE_COMPLETE_EVENT = "STATE_EXECUTE_EE_COMPLETE_EVENT"
    STATE_EXECUTE_EE_FAIL_EVENT = "STATE_EXECUTE_EE_FAIL_EVENT"
    STATE_EXECUTE_EE_START_EVENT = "STATE_EXECUTE_EE_START_EVENT"
    STATE_WAIT_UNTIL_ATTEMPT_FAIL_EVENT = "STATE_WAIT_UNTIL_ATTEMPT_FAIL_EVENT"
    STATE_WAIT_UNTIL_ATTEMPT_SUCC_EVENT = "STATE_WAIT_UNTIL_ATTEMPT_SUCC_EVENT"
    STATE_WAIT_UNTIL_EE_COMPLETE_EVENT = "STATE_WAIT_UNTIL_EE_COMPLETE_EVENT"
    STATE_WAIT_UNTIL_EE_FAIL_EVENT = "STATE_WAIT_UNTIL_EE_FAIL_EVENT"
    STATE_WAIT_UNTIL_EE_START_EVENT = "STATE_WAIT_UNTIL_EE_START_EVENT"
    WORKFLOW_COMPLETE_EVENT = "WORKFLOW_COMPLETE_EVENT"
    WORKFLOW_FAIL_EVENT = "WORKFLOW_FAIL_EVENT"
    WORKFLOW_START_EVENT = "WORKFLOW_START_EVENT"
    RPC_EXECUTION_EVENT = "RPC_EXECUTION_EVENT"


class IwfEventError(WireStruct, frozen=True, kw_only=True):
    """The failure that an event reports. An unnamed part of `IwfEvent` in the published document."""

    type: str | None = None
    details: str | None = None


class IwfEvent(WireStruct, frozen=True, kw_only=True):
    """One event of a workflow. Fields that do not apply to its type are absent."""

    event_type: EventType
    workflow_type: str
    workflow_id: str
    workflow_run_id: str
    state_id: str | None = None
    state_execution_id: str | None = None
    rpc_name: str | None = None
    start_timestamp_in_ms: Int64 | None = None
    """Unix milliseconds, unlike all other timestamps of the wire."""
    end_timestamp_in_ms: Int64 | None = None
    """Unix milliseconds."""
    error: IwfEventError | None = None
    search_attributes: list[SearchAttribute] | None = None
