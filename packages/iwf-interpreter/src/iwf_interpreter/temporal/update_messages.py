"""The interpreter's side of updates: requests that come with a task, and the messages that answer them.

An update is accepted or rejected in the answer to the task that brings it, and ended in that answer or in a
later one. Acceptances and ends have a place among the commands: a command there names the message.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message as ProtobufMessage
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Meta, Outcome, Rejection, Request, Response

from iwf_interpreter.core import LockedRpcRequested, commands
from iwf_interpreter.loop.history import Outgoing, UpdateRequest
from iwf_interpreter.loop.runs import Refusal
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.messages import update_event

_NO_LIMIT = 1_000_000


def acceptance_id(update_id: str) -> str:
    """Id of the message that accepts an update."""
    return f"{update_id}/accept"


def end_id(update_id: str) -> str:
    """Id of the message that ends an update."""
    return f"{update_id}/complete"


def update_requests(messages: Iterable[Message]) -> list[UpdateRequest]:
    """The updates that came with a task."""
    return [_update_request(message) for message in messages]


def admitted_update(event: HistoryEvent) -> UpdateRequest:
    """The update of an event that a reset has put into the history: no message comes for it.

    Its client has gone long ago, so it waits for its locks for as long as it takes.
    """
    request = event.workflow_execution_update_admitted_event_attributes.request
    update_id = request.meta.update_id
    message = _message(f"{update_id}/request", update_id, request)
    message.event_id = event.event_id
    update = _update_request(message)
    if isinstance(update.event, LockedRpcRequested):
        patient = msgspec.structs.replace(update.event.request, expires_at_ms=None, max_waiting=_NO_LIMIT)
        asked = msgspec.structs.replace(update.event, request=patient)
        return msgspec.structs.replace(update, event=asked)
    return update


def answers(
    updates: Sequence[UpdateRequest], refusals: Mapping[str, Refusal], outgoing: Sequence[Outgoing]
) -> list[Message]:
    """The messages that go with the answer to a task.

    Args:
        updates: What the task has brought.
        refusals: Which of them are not taken on.
        outgoing: The commands that are sent.
    """
    requests = {update.update_id: _protocol_message(update) for update in updates}
    rejected = [_rejection(requests[update_id], refusal) for update_id, refusal in refusals.items()]
    return [*rejected, *_in_order(requests, outgoing)]


def _in_order(requests: Mapping[str, Message], outgoing: Sequence[Outgoing]) -> Iterable[Message]:
    for command in outgoing:
        match command:
            case commands.AcceptUpdate():
                yield _acceptance(requests[command.update_id])
            case commands.AnswerUpdate():
                outcome = Outcome(success=payloads.to_payloads(command.result))
                yield _end(command.update_id, outcome)
            case commands.FailUpdate():
                yield _end(command.update_id, Outcome(failure=_failure(command.error, command.text)))
            case _:
                pass


def _update_request(message: Message) -> UpdateRequest:
    request = Request()
    message.body.Unpack(request)
    update_id = request.meta.update_id
    try:
        event = update_event(update_id, request.input)
    except ValueError as error:
        return UpdateRequest(update_id=update_id, event=None, problem=str(error), message=message)
    return UpdateRequest(update_id=update_id, event=event, message=message)


def _protocol_message(update: UpdateRequest) -> Message:
    assert isinstance(update.message, Message)
    return update.message


def _rejection(message: Message, refusal: Refusal) -> Message:
    request = Request()
    message.body.Unpack(request)
    return _message(
        f"{message.protocol_instance_id}/reject",
        message.protocol_instance_id,
        Rejection(
            rejected_request_message_id=message.id,
            rejected_request_sequencing_event_id=message.event_id,
            rejected_request=request,
            failure=_failure(refusal.error, refusal.text),
        ),
    )


def _acceptance(message: Message) -> Message:
    return _message(
        acceptance_id(message.protocol_instance_id),
        message.protocol_instance_id,
        Acceptance(
            accepted_request_message_id=message.id, accepted_request_sequencing_event_id=message.event_id
        ),
    )


def _end(update_id: str, outcome: Outcome) -> Message:
    return _message(end_id(update_id), update_id, Response(meta=Meta(update_id=update_id), outcome=outcome))


def _failure(error_type: str, text: str) -> Failure:
    return Failure(
        message=text,
        application_failure_info=ApplicationFailureInfo(type=error_type, non_retryable=True),
    )


def _message(message_id: str, update_id: str, body: ProtobufMessage) -> Message:
    packed = AnyMessage()
    packed.Pack(body)
    return Message(id=message_id, protocol_instance_id=update_id, body=packed)
