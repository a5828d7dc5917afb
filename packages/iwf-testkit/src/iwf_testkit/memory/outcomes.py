"""How runs and updates end, as the API service is told."""

from collections.abc import Sequence

import anyio
import msgspec

from iwf_interpreter.contract import InterpreterOutput, LockedRpcAnswer, StateCompletionAnswer
from iwf_interpreter.core import commands
from iwf_interpreter.engine import EngineError, WorkflowOutcome
from iwf_models import WorkflowStatus, codec


class Update:
    """An update that a run has taken on, and what becomes of it."""

    def __init__(self) -> None:
        self.over = anyio.Event()
        self.result: LockedRpcAnswer | StateCompletionAnswer | None = None
        self.error: EngineError | None = None

    def end(
        self, result: LockedRpcAnswer | StateCompletionAnswer | None, error: EngineError | None = None
    ) -> None:
        """Set the outcome, once."""
        if not self.over.is_set():
            self.result, self.error = result, error
            self.over.set()


def outcome_of(command: commands.Close) -> WorkflowOutcome:
    """How a run ends with a command, as clients are told."""
    match command:
        case commands.CompleteRun():
            return WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=_raw(command.output))
        case commands.FailRun():
            detail = command.text if command.outputs is None else command.outputs
            return WorkflowOutcome(
                status=WorkflowStatus.FAILED,
                failure_type=command.error_type,
                failure_details=None if detail is None else _raw(detail),
                failure_message=command.text or "",
            )
        case commands.CancelRun():
            return WorkflowOutcome(status=WorkflowStatus.CANCELED)
        case commands.ContinueAsNew():
            return WorkflowOutcome(status=WorkflowStatus.CONTINUED_AS_NEW)


def _raw(value: InterpreterOutput | str | Sequence[object]) -> msgspec.Raw:
    return msgspec.Raw(codec.encode(value))
