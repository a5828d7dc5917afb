"""The simulated worker: answers from a program, each with tokens of its own.

A token is a value that occurs once: it names the call, the attempt and the position. So an effect that is
applied twice, lost, or taken from an attempt whose answer the engine dropped shows up as a value.
"""

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core.events import RpcAnswered
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    StateDecision,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit.simulator import programs
from iwf_testkit.simulator.programs import Decision, Effects, Program, StatePlan

_CLOSING = {
    programs.DEAD_END: "_SYS_DEAD_END",
    programs.GRACEFUL: "_SYS_GRACEFUL_COMPLETING_WORKFLOW",
    programs.FORCE_COMPLETE: "_SYS_FORCE_COMPLETING_WORKFLOW",
    programs.FORCE_FAIL: "_SYS_FORCE_FAILING_WORKFLOW",
}
_CONDITIONAL = {
    programs.CLOSE_ON_INTERNAL: WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY,
    programs.CLOSE_ON_SIGNAL: WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY,
    programs.CLOSE_ON_ALL: WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY,
}


def token(*parts: object) -> EncodedObject:
    """A value that occurs once; never in ASCII alone, so that pages may be cut inside it."""
    return EncodedObject(encoding="é", data="·".join(str(part) for part in parts))


def movement(program: Program, state_id: str, key: str | None, value: EncodedObject) -> StateMovement:
    """A movement with the state's own options."""
    options = program.plan(state_id).options
    return StateMovement(state_id=state_id, state_input=value, state_options=options, wait_for_key=key)


def wait_until_answer(program: Program, execution_id: str, attempt: int) -> WorkflowStateStartResponse:
    """What waitUntil answers."""
    plan, number = _plan(program, execution_id)
    source = f"wu/{execution_id}"
    return WorkflowStateStartResponse(
        command_request=plan.requests[(number - 1) % len(plan.requests)],
        upsert_data_objects=_data(plan.on_wait_until, source, attempt),
        upsert_search_attributes=_search(plan.on_wait_until, source, attempt),
        publish_to_inter_state_channel=publishing(plan.on_wait_until.publishes, source, attempt),
        upsert_state_locals=(
            [KeyValue(key="local", value=token(source, attempt, "local"))] if plan.keeps_locals else None
        ),
    )


def execute_answer(program: Program, execution_id: str, attempt: int) -> WorkflowStateDecideResponse:
    """What execute answers."""
    plan, number = _plan(program, execution_id)
    source = f"ex/{execution_id}"
    decision = (
        plan.decisions[(number - 1) % len(plan.decisions)]
        if number <= programs.EXECUTIONS
        else Decision(programs.DEAD_END)
    )
    return WorkflowStateDecideResponse(
        state_decision=_decision(program, decision, source, attempt),
        upsert_data_objects=_data(plan.on_execute, source, attempt),
        upsert_search_attributes=_search(plan.on_execute, source, attempt),
        publish_to_inter_state_channel=publishing(plan.on_execute.publishes, source, attempt),
    )


def publishing(
    channels: tuple[str, ...], source: str, attempt: int
) -> list[InterStateChannelPublishing] | None:
    """Messages for these channels, each with a token unless its channel is marked `-`."""
    return [
        InterStateChannelPublishing(
            channel_name=channel.removeprefix("-"),
            value=None if channel.startswith("-") else token(source, attempt, "message", position),
        )
        for position, channel in enumerate(channels)
    ] or None


def data_attributes(keys: tuple[str, ...], source: str, attempt: int) -> list[KeyValue] | None:
    """Writes of these data attributes."""
    return [KeyValue(key=key, value=token(source, attempt, key)) for key in keys] or None


def search_attributes(keys: tuple[str, ...], source: str, attempt: int) -> list[SearchAttribute] | None:
    """Writes of these search attributes; few different values, so that some change nothing."""
    return [
        SearchAttribute(
            key=key,
            value_type=SearchAttributeValueType.KEYWORD,
            string_value=f"{len(source) % 3}·{attempt % 2}",
        )
        for key in keys
    ] or None


def _plan(program: Program, execution_id: str) -> tuple[StatePlan, int]:
    state_id, _, number = execution_id.rpartition("-")
    return program.plan(state_id), int(number)


def _data(effects: Effects, source: str, attempt: int) -> list[KeyValue] | None:
    return data_attributes(effects.data_keys, source, attempt)


def _search(effects: Effects, source: str, attempt: int) -> list[SearchAttribute] | None:
    return search_attributes(effects.search_keys, source, attempt)


def _decision(program: Program, decision: Decision, source: str, attempt: int) -> StateDecision:
    output = token(source, attempt, "output") if decision.with_output else None
    closing = _CLOSING.get(decision.kind)
    if closing is not None:
        return StateDecision(next_states=[StateMovement(state_id=closing, state_input=output)])
    next_states = [
        movement(program, each.state_id, each.wait_for_key, token(source, attempt, "next", position))
        for position, each in enumerate(decision.next_states)
    ]
    if decision.kind == programs.CONTRADICTION:
        fails = StateMovement(state_id=_CLOSING[programs.FORCE_FAIL], state_input=output)
        return StateDecision(next_states=[*next_states, fails])
    kind = _CONDITIONAL.get(decision.kind)
    if kind is None:
        return StateDecision(next_states=next_states)
    return StateDecision(
        next_states=next_states,
        conditional_close=WorkflowConditionalClose(
            conditional_close_type=kind, channel_name=decision.channel, close_input=output
        ),
    )


def rpc_answer(program: Program, update_id: str, attempt: int) -> RpcAnswered:
    """What the worker of a locked RPC answers; the last digit of the update's id says what it writes."""
    kind = int(update_id.rpartition("-")[2]) % 4
    source = f"rpc/{update_id}"
    names = list(program.states)
    return RpcAnswered(
        update_id=update_id,
        answer=WorkflowWorkerRpcResponse(
            output=token(source, attempt, "output"),
            upsert_data_attributes=data_attributes(("a",), source, attempt),
            upsert_search_attributes=search_attributes(("A",), source, attempt) if kind == 1 else None,
            publish_to_inter_state_channel=publishing(("in",), source, attempt) if kind == 2 else None,
            state_decision=(
                StateDecision(
                    next_states=[movement(program, names[0], None, token(source, attempt, "next", 0))]
                )
                if kind == 3 and names
                else None
            ),
        ),
    )


def rpc_failure(update_id: str) -> RpcAnswered:
    """How the worker of a locked RPC fails."""
    failure = RpcFailure(detail="failed", worker_detail="", worker_error_type="", worker_status=500)
    return RpcAnswered(update_id=update_id, failure=failure)
