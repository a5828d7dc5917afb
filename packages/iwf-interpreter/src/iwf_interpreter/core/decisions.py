"""State decisions: what a decision means, and which ones contradict themselves.

A decision is the list of next states, or one of the reserved ids that close the thread or the workflow,
or a conditional close with next states for the case that its condition is not met
(`docs/interpreter.md`). A decision that contradicts itself fails the workflow.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from iwf_interpreter.core.state import ExecutionState, Waiting
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
    """Whether the channels that a conditional close looks at are empty.

    With `countHeldMessages` a channel is not empty either while a live state execution has one of its
    messages.
    """
    name = condition.channel_name or ""
    match condition.conditional_close_type:
        case WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY:
            return name not in state.internal_channels and not any(
                held == name for held in _held_internal(state)
            )
        case WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY:
            return name not in state.signal_channels and not any(
                held == name for held in _held_signals(state)
            )
        case _:
            return not (
                state.internal_channels
                or state.signal_channels
                or any(_held_internal(state))
                or any(_held_signals(state))
            )


def _held_signals(state: ExecutionState) -> Iterator[str]:
    """Names of the signal channels of which live executions have messages."""
    for waiting in _waits(state):
        for index, command in enumerate(waiting.request.signal_commands or ()):
            if index in waiting.signals:
                yield command.signal_channel_name


def _held_internal(state: ExecutionState) -> Iterator[str]:
    """Names of the internal channels of which live executions have messages."""
    for waiting in _waits(state):
        for index, command in enumerate(waiting.request.inter_state_channel_commands or ()):
            if index in waiting.internal:
                yield command.channel_name


def _waits(state: ExecutionState) -> Iterator[Waiting]:
    if state.config.count_held_messages:
        yield from state.waiting.values()
        for execution in state.executions.values():
            if execution.waited is not None:
                yield execution.waited
