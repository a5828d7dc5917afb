"""Which state executions have completed, and who waits for one.

Nothing is kept for it: an execution has completed when it was started and is not live. Only keys need a
record, of the first execution that completed with each (`docs/interpreter.md`).
"""

from iwf_interpreter.contract import StateCompletionAnswer, StateTarget
from iwf_interpreter.core.commands import AnswerUpdate
from iwf_interpreter.core.state import ExecutionState, StateExecution
from iwf_models import StateCompletionOutput


def note_key(state: ExecutionState, execution_id: str, execution: StateExecution) -> None:
    """Remember the key of an execution that has completed."""
    key = execution.movement.wait_for_key
    if key:
        state.completed_keys.setdefault(execution.movement.state_id, {}).setdefault(key, execution_id)


def completion(state: ExecutionState, target: StateTarget) -> StateCompletionAnswer:
    """Whether the target has completed, and with which output."""
    execution_id = _completed_execution(state, target)
    if execution_id is None:
        return StateCompletionAnswer(completed=False)
    output = next(
        (each for each in state.outputs if each.completed_state_execution_id == execution_id),
        StateCompletionOutput(
            completed_state_id=execution_id.rpartition("-")[0], completed_state_execution_id=execution_id
        ),
    )
    return StateCompletionAnswer(completed=True, output=output)


def answer_waits(state: ExecutionState) -> list[AnswerUpdate]:
    """Answers for those who wait for an execution that has completed."""
    answers = {update_id: completion(state, target) for update_id, target in state.state_waits.items()}
    done = [update_id for update_id, answer in answers.items() if answer.completed]
    for update_id in done:
        del state.state_waits[update_id]
    return [AnswerUpdate(update_id=update_id, result=answers[update_id]) for update_id in done]


def _completed_execution(state: ExecutionState, target: StateTarget) -> str | None:
    if target.wait_for_key:
        return state.completed_keys.get(target.state_id or "", {}).get(target.wait_for_key)
    execution_id = target.state_execution_id or ""
    state_id, _, number = execution_id.rpartition("-")
    if not number.isdecimal() or not 1 <= int(number) <= state.started_counts.get(state_id, 0):
        return None
    return None if execution_id in state.executions else execution_id
