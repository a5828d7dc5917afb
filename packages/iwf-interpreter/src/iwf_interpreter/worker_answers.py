"""Which answers of a worker can be applied.

An answer that was decoded may still ask for what cannot be done. It is refused here, as a failure of the call
that is repeated like any other, because the run that applies an answer has no way to refuse it. Pure checks,
first fault only; the rules are in `docs/worker-calls.md`.

Decisions that contradict themselves are not refused here: they fail the workflow (`docs/interpreter.md`),
since repeating the call would not help.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain

from iwf_interpreter.contract import RESERVED_STATE_PREFIX, SYSTEM_PREFIX
from iwf_interpreter.core import attribute_values
from iwf_interpreter.worker_errors import InvalidWorkerAnswer
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    StateDecision,
    StateMovement,
    WireStruct,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
    codec,
    compat,
)

MAX_RECOVERIES = 50
"""Depth of state options within state options. What can be read can be too deep to be written again."""

MAX_STATE_ID_BYTES = 240
"""The engine knows calls by the state's id with a few characters more. The development server takes ids of
255 bytes, a Temporal server with its defaults 1000."""

MAX_MESSAGES = 1000
"""The most messages that a command may wait for."""


def check_wait_until(answer: WorkflowStateStartResponse, *, registered: Mapping[str, str] | None) -> None:
    """Make sure that an answer of waitUntil can be applied.

    Args:
        answer: The decoded answer.
        registered: The engine's type by search attribute, `None` when unknown.

    Raises:
        InvalidWorkerAnswer: It cannot.
    """
    try:
        _check_search_attributes(answer.upsert_search_attributes, registered)
        _check_data_attributes("upsertDataObjects", answer.upsert_data_objects)
        _check_keys("upsertStateLocals", answer.upsert_state_locals)
        _check_keys("recordEvents", answer.record_events)
        _check_publishings(answer.publish_to_inter_state_channel)
        if answer.command_request is not None:
            _check_command_request(answer.command_request)
    except ValueError as error:
        raise _invalid(error, answer) from error


def check_execute(answer: WorkflowStateDecideResponse, *, registered: Mapping[str, str] | None) -> None:
    """Make sure that an answer of execute can be applied. State locals have no effect and are not checked.

    Args:
        answer: The decoded answer.
        registered: The engine's type by search attribute, `None` when unknown.

    Raises:
        InvalidWorkerAnswer: It cannot.
    """
    try:
        _check_search_attributes(answer.upsert_search_attributes, registered)
        _check_data_attributes("upsertDataObjects", answer.upsert_data_objects)
        _check_keys("recordEvents", answer.record_events)
        _check_publishings(answer.publish_to_inter_state_channel)
        _check_state_decision(answer.state_decision)
    except ValueError as error:
        raise _invalid(error, answer) from error


def check_rpc(answer: WorkflowWorkerRpcResponse, *, registered: Mapping[str, str] | None) -> None:
    """Make sure that an answer of an RPC can be applied. State locals have no effect and are not checked.

    Args:
        answer: The decoded answer.
        registered: The engine's type by search attribute, `None` when unknown.

    Raises:
        InvalidWorkerAnswer: It cannot, or it closes the workflow, which an RPC must not do.
    """
    try:
        _check_search_attributes(answer.upsert_search_attributes, registered)
        _check_data_attributes("upsertDataAttributes", answer.upsert_data_attributes)
        _check_keys("recordEvents", answer.record_events)
        _check_publishings(answer.publish_to_inter_state_channel)
        if answer.state_decision is not None:
            _check_rpc_decision(answer.state_decision)
    except ValueError as error:
        raise _invalid(error, answer) from error


def check_state_id(state_id: str) -> None:
    """Make sure that a state can be called by this id, whether it is from a worker or from a client.

    Raises:
        ValueError: It is longer than `MAX_STATE_ID_BYTES`. An engine would refuse the call then, for ever.
    """
    size = len(state_id.encode())
    if size > MAX_STATE_ID_BYTES:
        raise ValueError(
            f"stateId {state_id[:50]!r}... has {size} bytes, at most {MAX_STATE_ID_BYTES} are allowed"
        )


def check_state_options(options: WorkflowStateOptions) -> None:
    """Make sure that options of a state can be used, whether from a worker or from a client.

    Raises:
        ValueError: A limit is negative, and the text names the field of the wire; a state id is too long; or
            more than `MAX_RECOVERIES` states are nested by `executeApiFailureProceedStateOptions`.
    """
    nested: WorkflowStateOptions | None = options
    for _ in range(MAX_RECOVERIES):
        check_state_id(nested.execute_api_failure_proceed_state_id or "")
        nested = nested.execute_api_failure_proceed_state_options
        if nested is None:
            break
    else:
        raise ValueError(f"executeApiFailureProceedStateOptions is nested more than {MAX_RECOVERIES} deep")
    _check_not_negative(options, "")


def _invalid(
    error: ValueError,
    answer: WorkflowStateStartResponse | WorkflowStateDecideResponse | WorkflowWorkerRpcResponse,
) -> InvalidWorkerAnswer:
    return InvalidWorkerAnswer(str(error), codec.encode(answer).decode())


def _check_search_attributes(
    attributes: Iterable[SearchAttribute] | None, registered: Mapping[str, str] | None
) -> None:
    for attribute in attributes or ():
        attribute_values.check(attribute, registered=registered)


def _check_keys(field: str, items: Iterable[KeyValue] | None) -> None:
    for item in items or ():
        if not item.key:
            raise ValueError(f"an entry of {field} has no key")


def _check_data_attributes(field: str, items: Iterable[KeyValue] | None) -> None:
    _check_keys(field, items)
    for item in items or ():
        if item.key and item.key.startswith(SYSTEM_PREFIX):
            raise ValueError(f"key {item.key!r} of {field} begins with {SYSTEM_PREFIX}, which is reserved")


def _check_publishings(publishings: Iterable[InterStateChannelPublishing] | None) -> None:
    for publishing in publishings or ():
        if not publishing.channel_name:
            raise ValueError("a message of publishToInterStateChannel names no channel")


def _check_command_request(request: CommandRequest) -> None:
    """Without commands there is nothing to wait for, and the rest of the request is not looked at."""
    timers = request.timer_commands or ()
    signals = request.signal_commands or ()
    internals = request.inter_state_channel_commands or ()
    for signal in signals:
        _check_channel(signal.signal_channel_name, signal.at_least, signal.at_most)
    for internal in internals:
        _check_channel(internal.channel_name, internal.at_least, internal.at_most)
    ids = [command.command_id for command in chain(timers, signals, internals)]
    if not ids:
        return
    waiting_type = compat.command_waiting_type(request)
    if waiting_type is None:
        raise ValueError("there are commands, but no commandWaitingType")
    if waiting_type is CommandWaitingType.ANY_COMBINATION_COMPLETED:
        combinations = [combination.command_ids or [] for combination in request.command_combinations or ()]
        _check_combinations(combinations, ids)


def _check_channel(name: str, at_least: int | None, at_most: int | None) -> None:
    if not name:
        raise ValueError("a command names no channel")
    lower = 1 if at_least is None else at_least
    upper = max(1, lower) if at_most is None else at_most
    if not 1 <= lower <= MAX_MESSAGES:
        raise ValueError(
            f"atLeast of the command for channel {name!r} must be from 1 to {MAX_MESSAGES}, not {lower}"
        )
    if upper < lower:
        raise ValueError(f"atMost of the command for channel {name!r} must be at least {lower}, not {upper}")


def _check_combinations(combinations: list[list[str]], ids: list[str | None]) -> None:
    """A combination that can never be complete would let its state wait for ever."""
    if not combinations:
        raise ValueError("ANY_COMBINATION_COMPLETED needs commandCombinations")
    if not all(ids):
        raise ValueError("ANY_COMBINATION_COMPLETED needs a commandId in every command")
    available = Counter(ids)
    for combination in combinations:
        if not combination:
            raise ValueError("a combination of commandCombinations is empty")
        for command_id, count in Counter(combination).items():
            if count > available[command_id]:
                raise ValueError(
                    f"a combination has commandId {command_id!r} {count} times, "
                    f"but {available[command_id]} commands have it"
                )


def _check_state_decision(decision: StateDecision | None) -> None:
    # Very old SDKs meant "complete" by an empty decision; it is more likely a mistake.
    if decision is None or not decision.next_states:
        raise ValueError("stateDecision has no nextStates")
    for movement in decision.next_states:
        _check_movement(movement)
    if decision.conditional_close is not None:
        _check_conditional_close(decision.conditional_close)


def _check_rpc_decision(decision: StateDecision) -> None:
    next_states = decision.next_states or ()
    if decision.conditional_close is not None or any(
        movement.state_id.startswith(RESERVED_STATE_PREFIX) for movement in next_states
    ):
        raise ValueError("an RPC cannot close the workflow or end a thread of states")
    for movement in next_states:
        _check_movement(movement)


def _check_movement(movement: StateMovement) -> None:
    if not movement.state_id:
        raise ValueError("an entry of nextStates has no stateId")
    check_state_id(movement.state_id)
    if movement.state_options is not None:
        check_state_options(movement.state_options)


def _check_conditional_close(close: WorkflowConditionalClose) -> None:
    if close.conditional_close_type is None:
        raise ValueError("conditionalClose has no conditionalCloseType")
    looks_at_all = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY
    if close.conditional_close_type is not looks_at_all and not close.channel_name:
        raise ValueError(f"conditionalClose of type {close.conditional_close_type} has no channelName")


def _check_not_negative(part: WireStruct, path: str) -> None:
    """Every number in the options of a state is a limit of something."""
    for field, name in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
        value = getattr(part, field)
        if isinstance(value, WireStruct):
            _check_not_negative(value, f"{path}{name}.")
        elif isinstance(value, int | float) and value < 0:
            raise ValueError(f"{path}{name} is negative: {value}")
