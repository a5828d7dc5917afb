"""Signals and updates, as the core is told of them; their bodies are JSON.

A signal that a person has sent by hand may be anything: a user's message is kept whatever it is, a system
signal without sense is ignored. JSON keys of system signals are read in any case, since people type them.
An update without sense is refused before it comes to the history.
"""

from typing import Any, TypeVar

import msgspec

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
from iwf_models import EncodedObject, WorkflowConfigUpdateRequest, codec

T = TypeVar("T", bound=msgspec.Struct)


def signal_event(name: str, body: bytes | None) -> facts.Event | None:
    """What a signal tells the core; `None` when it tells nothing."""
    if not name.startswith(SYSTEM_PREFIX):
        return facts.SignalReceived(channel_name=name, value=_message(body))
    match name:
        case SystemSignal.EXECUTE_RPC:
            changes = _read(body, RpcSignal)
            return None if changes is None else facts.RpcWritten(changes=changes)
        case SystemSignal.FAIL_WORKFLOW:
            stop = _read(body, FailSignal)
            return facts.FailRequested(reason=None if stop is None else stop.reason)
        case SystemSignal.SKIP_TIMER:
            skip = _read(body, SkipTimerSignal)
            if skip is None:
                return None
            return facts.TimerSkipped(
                execution_id=skip.state_execution_id,
                command_id=skip.command_id,
                command_index=skip.command_index,
            )
        case SystemSignal.UPDATE_CONFIG:
            update = _read(body, WorkflowConfigUpdateRequest)
            return None if update is None else facts.ConfigUpdated(config=update.workflow_config)
        case SystemSignal.CONTINUE_AS_NEW:
            return facts.ContinueAsNewRequested()
        case _:
            return None


def raw_message(data: bytes) -> EncodedObject:
    """A user's message that is no JSON of ours."""
    return EncodedObject(encoding="raw", data=data.decode(errors="replace"))


def update_event(
    update_id: str, name: str, argument: bytes | None
) -> facts.LockedRpcRequested | facts.StateWaitRequested:
    """What an update tells the core; raises `ValueError` with a text for its client if it makes no sense."""
    given = b"{}" if argument is None else argument
    try:
        match name:
            case UpdateType.LOCKED_RPC:
                return facts.LockedRpcRequested(
                    update_id=update_id, request=codec.decode(given, LockedRpcRequest)
                )
            case UpdateType.WAIT_FOR_STATE:
                return facts.StateWaitRequested(update_id=update_id, target=codec.decode(given, StateTarget))
            case _:
                known = ", ".join(UpdateType)
                raise ValueError(f"unknown update {name!r}, known are {known}")
    except msgspec.DecodeError as error:
        raise ValueError(f"bad argument of update {name!r}: {error}") from error


def _message(body: bytes | None) -> EncodedObject:
    if body is None:
        return EncodedObject()
    try:
        return codec.decode(body, EncodedObject)
    except msgspec.DecodeError:
        return raw_message(body)


def _read(body: bytes | None, type_: type[T]) -> T | None:
    if body is None:
        return None
    try:
        given = codec.decode(body, dict[str, msgspec.Raw])
        if given.keys() <= set(type_.__struct_encode_fields__):
            return codec.decode(body, type_)
        # Unknown keys are ignored, as everywhere.
        names = {name.lower(): name for name in type_.__struct_encode_fields__}
        values = codec.decode(body, dict[str, Any])
        return msgspec.convert({names.get(key.lower(), key): value for key, value in values.items()}, type_)
    except msgspec.DecodeError:
        return None
