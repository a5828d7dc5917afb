"""The messages of updates: requests that come with a task, and what answers them, in order."""

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Input, Meta, Rejection, Request, Response

from iwf_interpreter.contract import (
    LockedRpcAnswer,
    LockedRpcRequest,
    StateCompletionAnswer,
    StateTarget,
    UpdateError,
)
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CancelTimer,
    FailUpdate,
    LockedRpcRequested,
    StateWaitRequested,
)
from iwf_interpreter.loop.history import UpdateRequest
from iwf_interpreter.loop.runs import Refusal
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.update_messages import (
    acceptance_id,
    admitted_update,
    answers,
    end_id,
    update_requests,
)
from iwf_models import EncodedObject


def request(update_id: str = "u", name: str = "WaitForStateCompletion", argument: object = None) -> Request:
    given = StateTarget(state_execution_id="S-1") if argument is None else argument
    return Request(
        meta=Meta(update_id=update_id),
        input=Input(name=name, args=Payloads(payloads=[payloads.encode(given)])),
    )


def message(body: Request) -> Message:
    packed = AnyMessage()
    packed.Pack(body)
    update_id = body.meta.update_id
    return Message(id=f"{update_id}/request", protocol_instance_id=update_id, event_id=7, body=packed)


def offered(*update_ids: str) -> list[UpdateRequest]:
    return update_requests(message(request(update_id)) for update_id in update_ids)


def test_request_tells_the_core_what_is_wanted() -> None:
    given = message(request())

    assert update_requests([given]) == [
        UpdateRequest(
            update_id="u",
            event=StateWaitRequested(update_id="u", target=StateTarget(state_execution_id="S-1")),
            message=given,
        )
    ]


def test_request_without_sense_has_a_problem_instead() -> None:
    (found,) = update_requests([message(request(name="Other"))])

    assert (found.update_id, found.event) == ("u", None)
    assert found.problem.startswith("unknown update 'Other'")


def test_acceptance_names_the_request() -> None:
    (answer,) = answers(offered("u"), {}, [AcceptUpdate(update_id="u")])

    accepted = Acceptance()
    assert answer.body.Unpack(accepted)
    assert (answer.id, answer.protocol_instance_id) == (acceptance_id("u"), "u")
    assert accepted == Acceptance(
        accepted_request_message_id="u/request", accepted_request_sequencing_event_id=7
    )


def test_rejection_tells_why_and_that_it_is_final() -> None:
    refusal = Refusal(UpdateError.LOCKED, "too many wait")

    (answer,) = answers(offered("u"), {"u": refusal}, [])

    rejected = Rejection()
    assert answer.body.Unpack(rejected)
    assert (answer.id, answer.protocol_instance_id) == ("u/reject", "u")
    assert (rejected.rejected_request_message_id, rejected.rejected_request_sequencing_event_id) == (
        "u/request",
        7,
    )
    assert rejected.rejected_request == request()
    assert rejected.failure.message == "too many wait"
    assert rejected.failure.application_failure_info.type == "RPC_ACQUIRE_LOCK_FAILURE"
    assert rejected.failure.application_failure_info.non_retryable


@pytest.mark.parametrize(
    "result",
    [LockedRpcAnswer(output=EncodedObject(data="o")), StateCompletionAnswer(completed=True)],
    ids=["locked-rpc", "state-completion"],
)
def test_result_ends_an_update_that_was_accepted_before(
    result: LockedRpcAnswer | StateCompletionAnswer,
) -> None:
    (answer,) = answers([], {}, [AnswerUpdate(update_id="u", result=result)])

    response = Response()
    assert answer.body.Unpack(response)
    assert (answer.id, answer.protocol_instance_id, response.meta.update_id) == (end_id("u"), "u", "u")
    (found,) = response.outcome.success.payloads
    assert payloads.decode(found, type(result)) == result


def test_failure_ends_an_update_with_its_type() -> None:
    (answer,) = answers([], {}, [FailUpdate(update_id="u", error=UpdateError.ASK_AGAIN, text="later")])

    response = Response()
    assert answer.body.Unpack(response)
    assert response.outcome.failure.message == "later"
    assert response.outcome.failure.application_failure_info.type == "CONTINUES_AS_NEW"


def test_messages_follow_the_order_of_the_commands() -> None:
    """An update must be accepted before it is ended."""
    done = AnswerUpdate(update_id="u1", result=StateCompletionAnswer(completed=True))

    found = answers(
        offered("u1", "u2", "u3"),
        {"u3": Refusal(UpdateError.INVALID, "what")},
        [AcceptUpdate(update_id="u2"), AcceptUpdate(update_id="u1"), CancelTimer(timer_id="t"), done],
    )

    assert [each.id for each in found] == ["u3/reject", "u2/accept", "u1/accept", "u1/complete"]


def admitted(body: Request) -> HistoryEvent:
    event = HistoryEvent(event_id=5)
    event.workflow_execution_update_admitted_event_attributes.request.CopyFrom(body)
    return event


def test_update_that_a_reset_brings_along_is_answered_like_any_other() -> None:
    update = admitted_update(admitted(request()))

    (answer,) = answers([update], {}, [AcceptUpdate(update_id="u")])

    accepted = Acceptance()
    assert answer.body.Unpack(accepted)
    assert accepted == Acceptance(
        accepted_request_message_id="u/request", accepted_request_sequencing_event_id=5
    )


def test_rpc_that_a_reset_brings_along_waits_for_as_long_as_it_takes() -> None:
    """Its client has gone, and what it was to write is to be written all the same."""
    asked = LockedRpcRequest(rpc_name="pay", expires_at_ms=5, max_waiting=0)

    update = admitted_update(admitted(request(name="ExecuteOptimisticLockingRpcUpdate", argument=asked)))

    assert update.event == LockedRpcRequested(
        update_id="u", request=LockedRpcRequest(rpc_name="pay", max_waiting=1_000_000)
    )
