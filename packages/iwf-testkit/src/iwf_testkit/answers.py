"""Short forms of what workers answer most: where to go next, what to wait for, how to end."""

from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelCommand,
    SignalCommand,
    StateDecision,
    StateMovement,
    TimerCommand,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
)


def value(data: str) -> EncodedObject:
    """A value as SDKs send it: JSON text with its encoding."""
    return EncodedObject(encoding="json", data=data)


def next_states(*movements: StateMovement) -> WorkflowStateDecideResponse:
    """An execute answer that goes to these states."""
    return WorkflowStateDecideResponse(state_decision=StateDecision(next_states=list(movements)))


def go_to(
    *state_ids: str, data: str | None = None, options: WorkflowStateOptions | None = None
) -> WorkflowStateDecideResponse:
    """An execute answer that goes to these states, all with the same input and options."""
    state_input = None if data is None else value(data)
    return next_states(
        *(
            StateMovement(state_id=state_id, state_input=state_input, state_options=options)
            for state_id in state_ids
        )
    )


def graceful_complete(data: str | None = None) -> WorkflowStateDecideResponse:
    """End this thread, and the workflow with the last one."""
    return go_to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", data=data)


def force_complete(data: str | None = None) -> WorkflowStateDecideResponse:
    """Complete the workflow now."""
    return go_to("_SYS_FORCE_COMPLETING_WORKFLOW", data=data)


def force_fail(data: str | None = None) -> WorkflowStateDecideResponse:
    """Fail the workflow now."""
    return go_to("_SYS_FORCE_FAILING_WORKFLOW", data=data)


def dead_end() -> WorkflowStateDecideResponse:
    """End this thread and nothing else."""
    return go_to("_SYS_DEAD_END")


def wait_for(
    *,
    timers: tuple[int, ...] = (),
    signals: tuple[str, ...] = (),
    channels: tuple[str, ...] = (),
    waiting_type: CommandWaitingType = CommandWaitingType.ANY_COMPLETED,
) -> WorkflowStateStartResponse:
    """A waitUntil answer that waits for timers (seconds), signal channels and internal channels."""
    return WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=waiting_type,
            timer_commands=[TimerCommand(duration_seconds=seconds) for seconds in timers] or None,
            signal_commands=[SignalCommand(signal_channel_name=name) for name in signals] or None,
            inter_state_channel_commands=[InterStateChannelCommand(channel_name=name) for name in channels]
            or None,
        )
    )
