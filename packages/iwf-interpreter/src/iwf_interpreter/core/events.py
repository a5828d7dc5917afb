"""What can happen to a run: the inputs of `Interpreter.apply`.

Events are facts that an engine has recorded. They carry no time of their own: every event of a batch
happens at the time of the batch, which `apply` and `settle` are given.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.contract import (
    InterpreterInput,
    LockedRpcRequest,
    RpcFailure,
    RpcSignal,
    SnapshotPage,
    StateTarget,
)
from iwf_models import (
    EncodedObject,
    WorkflowConfig,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The run began: always its first event."""

    workflow_id: str
    run_id: str
    first_run_id: str
    """Id of the chain's first run: what workers see as `context.workflowRunId`."""
    started_at_ms: int
    """Unix milliseconds of the start of this run."""
    previous_run_id: str = ""
    """The run that this one continues, if it does."""
    deadline_ms: int | None = None
    """Unix milliseconds at which the engine ends the whole chain, if it has a time limit."""
    input: InterpreterInput


class WaitUntilAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The worker answered waitUntil, and the answer passed the checks of `docs/worker-calls.md`."""

    execution_id: str
    answer: WorkflowStateStartResponse


class WaitUntilFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The engine gave up calling waitUntil."""

    execution_id: str
    error_type: str
    """A `WorkflowErrorType`."""
    text: str


class ExecuteAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The worker answered execute, and the answer passed the checks of `docs/worker-calls.md`."""

    execution_id: str
    answer: WorkflowStateDecideResponse


class ExecuteFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The engine gave up calling execute."""

    execution_id: str
    error_type: str
    """A `WorkflowErrorType`."""
    text: str


class LocalCallFailed(msgspec.Struct, frozen=True, kw_only=True):
    """The one attempt of a call that was to be made at once and in place has failed."""

    call_id: str
    error_type: str
    """A `WorkflowErrorType`."""
    text: str
    timed_out: bool
    started_at: int
    """Unix seconds of the attempt: the first one of the call."""


class SignalReceived(msgspec.Struct, frozen=True, kw_only=True):
    """A message for a signal channel."""

    channel_name: str
    value: EncodedObject


class RpcWritten(msgspec.Struct, frozen=True, kw_only=True):
    """An RPC, or one of the write endpoints, changes the run: all parts at once."""

    changes: RpcSignal


class TimerFired(msgspec.Struct, frozen=True, kw_only=True):
    """The engine timer of that id came due."""

    timer_id: str


class FailRequested(msgspec.Struct, frozen=True, kw_only=True):
    """A client stops the workflow as failed (`stopType` `FAIL`)."""

    reason: str | None = None


class TimerSkipped(msgspec.Struct, frozen=True, kw_only=True):
    """A client lets a timer command complete now. An id that is not empty wins over the index."""

    execution_id: str
    command_id: str | None = None
    command_index: int | None = None


class ConfigUpdated(msgspec.Struct, frozen=True, kw_only=True):
    """A client changes settings of the run: every field that is present replaces the run's."""

    config: WorkflowConfig


class ContinueAsNewRequested(msgspec.Struct, frozen=True, kw_only=True):
    """A client wants the run to continue as new."""


class ContinueAsNewSuggested(msgspec.Struct, frozen=True, kw_only=True):
    """The engine finds the history long."""


class LockedRpcRequested(msgspec.Struct, frozen=True, kw_only=True):
    """A client calls an RPC that locks attributes, and the run has taken it on."""

    update_id: str
    request: LockedRpcRequest


class RpcAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """The call of a locked RPC's worker is over: exactly one of the two is set."""

    update_id: str
    answer: WorkflowWorkerRpcResponse | None = None
    failure: RpcFailure | None = None


class StateWaitRequested(msgspec.Struct, frozen=True, kw_only=True):
    """A client waits for the completion of a state execution."""

    update_id: str
    target: StateTarget


class SnapshotPageLoaded(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the state that the run takes over from the one before."""

    page_number: int
    page: SnapshotPage


class CancelRequested(msgspec.Struct, frozen=True, kw_only=True):
    """The engine was asked to cancel the run."""


Event: TypeAlias = (
    Started
    | WaitUntilAnswered
    | WaitUntilFailed
    | ExecuteAnswered
    | ExecuteFailed
    | LocalCallFailed
    | SignalReceived
    | RpcWritten
    | TimerFired
    | TimerSkipped
    | ConfigUpdated
    | ContinueAsNewRequested
    | ContinueAsNewSuggested
    | LockedRpcRequested
    | RpcAnswered
    | StateWaitRequested
    | SnapshotPageLoaded
    | FailRequested
    | CancelRequested
)
