"""State decisions: what a decision means, and which ones contradict themselves.

A decision is the list of next states, or one of the reserved ids that close the thread or the workflow,
or a conditional close with next states for the case that its condition is not met
(`docs/interpreter.md`). A decision that contradicts itself fails the workflow.
"""

from collections.abc import Sequence
from enum import StrEnum

from iwf_interpreter.core.state import ExecutionState
from iwf_models import StateMovement, WorkflowConditionalClose, WorkflowConditionalCloseType


class ClosingState(StrEnum):
    """Reserved state ids: decisions rather than states."""

    GRACEFUL_COMPLETE = "_SYS_GRACEFUL_COMPLETING_WORKFLOW"
    FORCE_COMPLETE = "_SYS_FORCE_COMPLETING_WORKFLOW"
    FORCE_FAIL = "_SYS_FORCE_FAILING_WORKFLOW"
    DEAD_END = "_SYS_DEAD_END"


_CLOSING_STATES = {closing.value: closing for closing in ClosingState}


def closing_state(movement: StateMovement) -> ClosingState | None:
    """The reserved id that a movement goes to, if it does."""
    return _CLOSING_STATES.get(movement.state_id)


def contradiction(next_states: Sequence[StateMovement]) -> str | None:
    """Why these next states cannot be meant together, or `None` when they can."""
    if len(next_states) < 2:
        return None
    for movement in next_states:
        if closing_state(movement) is not None:
            return f"invalid state decision: {movement.state_id} closes and cannot go with other next states"
    return None


def closing_otherwise(next_states: Sequence[StateMovement]) -> str | None:
    """Why these cannot be the next states of a conditional close that is not met."""
    for movement in next_states:
        if closing_state(movement) is not None:
            return f"invalid state decision: {movement.state_id} closes and cannot follow an unmet condition"
    return None


def is_met(state: ExecutionState, condition: WorkflowConditionalClose) -> bool:
    """Whether the channels that a conditional close looks at are empty."""
    name = condition.channel_name or ""
    match condition.conditional_close_type:
        case WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY:
            return name not in state.internal_channels
        case WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY:
            return name not in state.signal_channels
        case _:
            return not state.internal_channels and not state.signal_channels
