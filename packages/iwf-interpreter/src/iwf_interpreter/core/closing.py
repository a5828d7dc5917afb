"""How runs end: what decisions and conditional closes lead to, and the end that follows.

The causes are collected in the state while a batch is applied. At its end the first of them, by a fixed
priority, closes the run: cancelled, failed by a client, failed, completed at once, completed because nothing
is left to do, continued as new (`docs/interpreter.md`).
"""

from iwf_interpreter.contract import InterpreterOutput
from iwf_interpreter.core.commands import CancelRun, CompleteRun, FailRun
from iwf_interpreter.core.decisions import (
    ClosingState,
    closing_otherwise,
    closing_state,
    contradiction,
    is_met,
)
from iwf_interpreter.core.state import ExecutionState, Failure, PendingClose
from iwf_models import (
    EncodedObject,
    StateCompletionOutput,
    StateDecision,
    WorkflowConditionalCloseType,
    WorkflowErrorType,
)


def decide(state: ExecutionState, execution_id: str, state_id: str, decision: StateDecision | None) -> None:
    """Carry out a decision; a conditional close waits for the end of the batch."""
    next_states = (decision and decision.next_states) or []
    if decision is not None and decision.conditional_close is not None:
        state.pending_closes.append(
            PendingClose(
                execution_id=execution_id, condition=decision.conditional_close, otherwise=next_states
            )
        )
        return
    wrong = contradiction(next_states)
    if wrong is not None:
        fail(state, WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE, wrong)
        return
    closing = closing_state(next_states[0]) if next_states else ClosingState.GRACEFUL_COMPLETE
    if closing is None:
        state.queue += next_states
        return
    output = next_states[0].state_input if next_states else None
    match closing:
        case ClosingState.GRACEFUL_COMPLETE:
            _collect(state, execution_id, state_id, output)
            state.graceful = True
        case ClosingState.FORCE_COMPLETE:
            _collect(state, execution_id, state_id, output)
            state.forced = True
        case ClosingState.FORCE_FAIL:
            _collect(state, execution_id, state_id, output)
            fail(state, WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE, None)
        case ClosingState.DEAD_END:
            pass


def close_conditionally(state: ExecutionState) -> None:
    """Decide the conditional closes of the batch, in the order in which they came up.

    An unmet one queues its next states. Once the workflow is completed at once, the rest has no effect.
    """
    pending, state.pending_closes = state.pending_closes, []
    for close in pending:
        if not state.forced:
            _close_conditionally(state, close)


def fail(state: ExecutionState, error_type: WorkflowErrorType, text: str | None) -> None:
    """Let the run fail, unless it does so already."""
    state.failure = state.failure or Failure(error_type=error_type, text=text)


def final_close(state: ExecutionState) -> CompleteRun | FailRun | CancelRun | None:
    """The end of the workflow, if it has come: the first cause by a fixed priority."""
    if state.cancel_requested:
        return CancelRun()
    failure = state.client_failure or state.failure
    if failure is not None:
        by_decision = failure.error_type is WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE
        return FailRun(
            error_type=failure.error_type,
            text=failure.text,
            outputs=list(state.outputs) if by_decision else None,
        )
    nothing_left = not state.executions and not state.queue
    if state.forced or (state.graceful and nothing_left):
        return CompleteRun(output=InterpreterOutput(state_completion_outputs=list(state.outputs) or None))
    return None


def _close_conditionally(state: ExecutionState, pending: PendingClose) -> None:
    if not is_met(state, pending.condition):
        wrong = closing_otherwise(pending.otherwise)
        if wrong is None:
            state.queue += pending.otherwise
        else:
            fail(state, WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE, wrong)
        return
    state_id = pending.execution_id.rpartition("-")[0]
    _collect(state, pending.execution_id, state_id, pending.condition.close_input)
    graceful = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY
    if pending.condition.conditional_close_type is graceful:
        state.graceful = True
    else:
        state.forced = True


def _collect(state: ExecutionState, execution_id: str, state_id: str, output: EncodedObject | None) -> None:
    if output is not None:
        state.outputs.append(
            StateCompletionOutput(
                completed_state_id=state_id,
                completed_state_execution_id=execution_id,
                completed_state_output=output,
            )
        )
