"""What can happen to a run: the inputs of `Interpreter.apply`.

Events are facts that an engine has recorded. They carry no time of their own: every event of a batch
happens at the time of the batch, which `apply` and `settle` are given.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.contract import InterpreterInput, RpcSignal
from iwf_models import EncodedObject, WorkflowStateDecideResponse, WorkflowStateStartResponse


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The run began: always its first event."""

    workflow_id: str
    run_id: str
    first_run_id: str
    """Id of the chain's first run: what workers see as `context.workflowRunId`."""
    started_at: int
    """Unix seconds of the start of the chain's first run: `context.workflowStartedTimestamp`."""
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


class CancelRequested(msgspec.Struct, frozen=True, kw_only=True):
    """The engine was asked to cancel the run."""


Event: TypeAlias = (
    Started
    | WaitUntilAnswered
    | WaitUntilFailed
    | ExecuteAnswered
    | ExecuteFailed
    | SignalReceived
    | RpcWritten
    | TimerFired
    | FailRequested
    | CancelRequested
)
