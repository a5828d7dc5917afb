"""What a run asks of the engine: the output of `Interpreter.settle`.

Order matters: an engine carries commands out in the order given, and a replay must give the same ones
in the same order. A command that closes the run is always the last.
"""

from typing import TypeAlias

import msgspec

from iwf_interpreter.contract import InterpreterOutput
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_models import (
    EncodedObject,
    RetryPolicy,
    StateCompletionOutput,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
)


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


class CallExecute(msgspec.Struct, frozen=True, kw_only=True):
    """Call a state's execute and report `ExecuteAnswered` or `ExecuteFailed`."""

    call_id: str
    """Unique in the run: `ex/` and the state execution id."""
    worker_url: str
    request: WorkflowStateDecideRequest
    """Complete but for `context.attempt` and `context.firstAttemptTimestamp`."""
    timeout_seconds: int
    retry_policy: RetryPolicy


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


Call: TypeAlias = CallWaitUntil | CallExecute
Close: TypeAlias = CompleteRun | FailRun | CancelRun
Command: TypeAlias = Call | StartTimer | CancelTimer | SetSearchAttributes | SetMemo | Close
