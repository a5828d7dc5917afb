"""Signals and updates in Temporal's own form; what they mean is `iwf_interpreter.loop.messages`."""

from temporalio.api.common.v1 import Payloads
from temporalio.api.update.v1 import Input

from iwf_interpreter.contract import SYSTEM_PREFIX
from iwf_interpreter.core import events as facts
from iwf_interpreter.loop import messages
from iwf_interpreter.temporal import payloads


def signal_event(name: str, arguments: Payloads) -> facts.Event | None:
    """What a signal tells the core; `None` when it tells nothing."""
    if not arguments.payloads:
        return messages.signal_event(name, None)
    payload = arguments.payloads[0]
    try:
        body = payloads.raw(payload)
    except payloads.UnknownEncoding:
        if name.startswith(SYSTEM_PREFIX):
            return messages.signal_event(name, None)
        return facts.SignalReceived(channel_name=name, value=messages.raw_message(payload.data))
    return messages.signal_event(name, body)


def update_event(update_id: str, request: Input) -> facts.LockedRpcRequested | facts.StateWaitRequested:
    """What an update tells the core; raises `ValueError` with a text for its client if it makes no sense."""
    arguments = request.args.payloads
    try:
        argument = payloads.raw(arguments[0]) if arguments else None
    except payloads.UnknownEncoding as error:
        raise ValueError(f"bad argument of update {request.name!r}: {error}") from error
    return messages.update_event(update_id, request.name, argument)
