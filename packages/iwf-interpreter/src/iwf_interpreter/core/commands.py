"""What a run asks of the engine: the output of `Interpreter.settle`.

Order matters: an engine carries commands out in the order given, and a replay must give the same ones
in the same order. A command that closes the run is always the last.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.contract import (
    InterpreterInput,
    InterpreterOutput,
    LockedRpcAnswer,
    SnapshotPageQuery,
    StateCompletionAnswer,
    UpdateError,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_models import (
    EncodedObject,
    RetryPolicy,
    StateCompletionOutput,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowWorkerRpcRequest,
)


class EarlierAttempts(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of a call that were made before the engine got it."""

    count: int
    first_attempt_at: int
    """Unix seconds."""


class CallWaitUntil(msgspec.Struct, frozen=True, kw_only=True):
    """Call a state's waitUntil and report `WaitUntilAnswered` or `WaitUntilFailed`."""

    call_id: str
    """Unique in the run: `wu/` and the state execution id."""
    worker_url: str
    request: WorkflowStateStartRequest
    """Complete but for `context.attempt` and `context.firstAttemptTimestamp`."""
    timeout_seconds: int
    """Limit of one attempt."""
    retry_policy: RetryPolicy
    """Every field is set: see `docs/worker-calls.md` for the defaults."""
    local: bool = False
    """Make one attempt at once and in place, and report `LocalCallFailed` when it fails."""
    earlier: EarlierAttempts | None = None


class CallExecute(msgspec.Struct, frozen=True, kw_only=True):
    """Call a state's execute and report `ExecuteAnswered` or `ExecuteFailed`."""

    call_id: str
    """Unique in the run: `ex/` and the state execution id."""
    worker_url: str
    request: WorkflowStateDecideRequest
    """Complete but for `context.attempt` and `context.firstAttemptTimestamp`."""
    timeout_seconds: int
    retry_policy: RetryPolicy
    local: bool = False
    earlier: EarlierAttempts | None = None


class CallRpc(msgspec.Struct, frozen=True, kw_only=True):
    """Call a worker's RPC once, at once and in place, and report `RpcAnswered`."""

    call_id: str
    """Unique in the run: `rpc/` and the update id."""
    worker_url: str
    request: WorkflowWorkerRpcRequest
    timeout_seconds: float


class LoadSnapshotPage(msgspec.Struct, frozen=True, kw_only=True):
    """Read a page of the state that a closed run has left, and report `SnapshotPageLoaded`."""

    call_id: str
    """`snapshot/`, the number of the attempt to read it all, and the number of the page."""
    workflow_id: str
    run_id: str
    query: SnapshotPageQuery


class StartTimer(msgspec.Struct, frozen=True, kw_only=True):
    """Report `TimerFired` after `delay_ms` milliseconds; at most one timer is open at a time."""

    timer_id: str
    delay_ms: int
    execution_id: str
    """The state execution whose timer is the earliest."""


class CancelTimer(msgspec.Struct, frozen=True, kw_only=True):
    """The timer is no longer needed."""

    timer_id: str


class SetSearchAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """Write these attributes to the engine's index; at most one such command per batch."""

    values: dict[str, EngineValue]


class SetMemo(msgspec.Struct, frozen=True, kw_only=True):
    """Write these data attributes to the memo; at most one such command per batch."""

    values: dict[str, EncodedObject]


class AcceptUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The run takes an update on: `LockedRpcRequested` or `StateWaitRequested` of this batch."""

    update_id: str


class AnswerUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """End an update that was accepted, in this batch or an earlier one."""

    update_id: str
    result: LockedRpcAnswer | StateCompletionAnswer


class FailUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """End an update that was accepted without having done anything for it."""

    update_id: str
    error: UpdateError
    text: str


class ContinueAsNew(msgspec.Struct, frozen=True, kw_only=True):
    """Close the run and let a new one go on from its state."""

    input: InterpreterInput
    search_attributes: dict[str, EngineValue]
    """All that the index shows: engines do not carry it over by themselves."""
    memo: dict[str, EncodedObject]
    timeout_seconds: int | None
    """What is left of the chain's time, at least 1; for engines that give each run a time of its own.

    The retry policy and the cron schedule, which no engine carries over by itself, are in the input.
    """


class CompleteRun(msgspec.Struct, frozen=True, kw_only=True):
    """Close the run as completed."""

    output: InterpreterOutput


class FailRun(msgspec.Struct, frozen=True, kw_only=True):
    """Close the run as failed."""

    error_type: WorkflowErrorType
    text: str | None = None
    """The `errorMessage` of the workflow, if any."""
    outputs: list[StateCompletionOutput] | None = None
    """The `results` of the workflow; only when a state decided to fail it."""


class CancelRun(msgspec.Struct, frozen=True, kw_only=True):
    """Close the run as canceled."""


StateCall: TypeAlias = CallWaitUntil | CallExecute
Call: TypeAlias = StateCall | CallRpc | LoadSnapshotPage
UpdateEnd: TypeAlias = AnswerUpdate | FailUpdate
Close: TypeAlias = CompleteRun | FailRun | CancelRun | ContinueAsNew
Command: TypeAlias = (
    Call | StartTimer | CancelTimer | SetSearchAttributes | SetMemo | AcceptUpdate | UpdateEnd | Close
)
