"""Signals and updates, as the core is told of them.

A signal that a person has sent by hand may be anything: a user's message is kept whatever it is, a system
signal without sense is ignored. JSON keys of system signals are read in any case, since people type them.
An update without sense is refused before it comes to the history.
"""

from typing import Any, TypeVar

import msgspec
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.update.v1 import Input

from iwf_interpreter.contract import (
    SYSTEM_PREFIX,
    FailSignal,
    LockedRpcRequest,
    RpcSignal,
    SkipTimerSignal,
    StateTarget,
    SystemSignal,
    UpdateType,
)
from iwf_interpreter.core import events as facts
from iwf_interpreter.temporal import payloads
from iwf_models import EncodedObject, WorkflowConfigUpdateRequest

_NO_KEYS: dict[str, msgspec.Raw] = {}
_NO_VALUES: dict[str, Any] = {}

T = TypeVar("T", bound=msgspec.Struct)


def signal_event(name: str, arguments: Payloads) -> facts.Event | None:
    """What a signal tells the core; `None` when it tells nothing."""
    payload = arguments.payloads[0] if arguments.payloads else None
    if not name.startswith(SYSTEM_PREFIX):
        return facts.SignalReceived(channel_name=name, value=_message(payload))
    match name:
        case SystemSignal.EXECUTE_RPC:
            changes = _body(payload, RpcSignal)
            return None if changes is None else facts.RpcWritten(changes=changes)
        case SystemSignal.FAIL_WORKFLOW:
            stop = _body(payload, FailSignal)
            return facts.FailRequested(reason=None if stop is None else stop.reason)
        case SystemSignal.SKIP_TIMER:
            skip = _body(payload, SkipTimerSignal)
            if skip is None:
                return None
            return facts.TimerSkipped(
                execution_id=skip.state_execution_id,
                command_id=skip.command_id,
                command_index=skip.command_index,
            )
        case SystemSignal.UPDATE_CONFIG:
            update = _body(payload, WorkflowConfigUpdateRequest)
            return None if update is None else facts.ConfigUpdated(config=update.workflow_config)
        case SystemSignal.CONTINUE_AS_NEW:
            return facts.ContinueAsNewRequested()
        case _:
            return None


def update_event(update_id: str, request: Input) -> facts.LockedRpcRequested | facts.StateWaitRequested:
    """What an update tells the core; raises `ValueError` with a text for its client if it makes no sense."""
    arguments = request.args.payloads
    argument = arguments[0] if arguments else payloads.encode_raw(b"{}")
    try:
        match request.name:
            case UpdateType.LOCKED_RPC:
                return facts.LockedRpcRequested(
                    update_id=update_id, request=payloads.decode(argument, LockedRpcRequest)
                )
            case UpdateType.WAIT_FOR_STATE:
                return facts.StateWaitRequested(
                    update_id=update_id, target=payloads.decode(argument, StateTarget)
                )
            case _:
                known = ", ".join(UpdateType)
                raise ValueError(f"unknown update {request.name!r}, known are {known}")
    except msgspec.DecodeError as error:
        raise ValueError(f"bad argument of update {request.name!r}: {error}") from error


def _message(payload: Payload | None) -> EncodedObject:
    if payload is None:
        return EncodedObject()
    value = payloads.decode_or(payload, EncodedObject, None)
    if value is None:
        return EncodedObject(encoding="raw", data=payload.data.decode(errors="replace"))
    return value


def _body(payload: Payload | None, type_: type[T]) -> T | None:
    if payload is None:
        return None
    given = payloads.decode_or(payload, dict[str, msgspec.Raw], _NO_KEYS)
    if given.keys() <= set(type_.__struct_encode_fields__):
        return payloads.decode_or(payload, type_, None)
    return _in_any_case(payload, type_)


def _in_any_case(payload: Payload, type_: type[T]) -> T | None:
    """Read a body whose top-level keys may have another case; unknown ones are ignored, as everywhere."""
    names = {name.lower(): name for name in type_.__struct_encode_fields__}
    given = payloads.decode_or(payload, dict[str, Any], _NO_VALUES)
    try:
        return msgspec.convert({names.get(key.lower(), key): value for key, value in given.items()}, type_)
    except msgspec.ValidationError:
        return None
