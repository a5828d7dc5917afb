"""Updates that tasks offer to a run: taken on or refused, the same live and in a replay."""

from iwf_interpreter.contract import (
    LockedRpcAnswer,
    LockedRpcRequest,
    RpcFailure,
    StateTarget,
    UpdateError,
)
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    ContinueAsNewRequested,
    ExecuteAnswered,
    LockedRpcRequested,
    StateWaitRequested,
)
from iwf_interpreter.loop.history import (
    Border,
    Echo,
    Fact,
    LocalResult,
    UpdateRequest,
)
from iwf_interpreter.loop.runs import Refusal, Run
from iwf_models import (
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    WorkflowStateOptions,
    WorkflowWorkerRpcResponse,
)
from run_stories import Story, answered
from scripted_loop import Items, decision, signal, started

LOCKING_A = PersistenceLoadingPolicy(
    persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
)


def rpc(update_id: str = "u") -> UpdateRequest:
    request = LockedRpcRequest(rpc_name="pay", data_attributes_loading_policy=LOCKING_A)
    return UpdateRequest(
        update_id=update_id, event=LockedRpcRequested(update_id=update_id, request=request), message=None
    )


def wait_for(execution_id: str, update_id: str = "u") -> UpdateRequest:
    event = StateWaitRequested(update_id=update_id, target=StateTarget(state_execution_id=execution_id))
    return UpdateRequest(update_id=update_id, event=event, message=None)


def test_update_is_part_of_the_batch_of_the_task_that_takes_it_on() -> None:
    story = Story()

    first = story.task(1000, started(start_state_id=None), updates=[rpc()])
    second = story.task(
        2000,
        results=[LocalResult(call_id="rpc/u", now_ms=2010, rpc=WorkflowWorkerRpcResponse())],
    )

    assert first == [AcceptUpdate(update_id="u")]
    assert second[1:] == [AnswerUpdate(update_id="u", result=LockedRpcAnswer())]
    story.replayed()


def test_failed_rpc_ends_its_update() -> None:
    story = Story()
    failure = RpcFailure(detail="no", worker_detail="", worker_error_type="", worker_status=500)

    outgoing = story.task(
        1000,
        started(start_state_id=None),
        updates=[rpc()],
        results=[LocalResult(call_id="rpc/u", now_ms=1010, rpc_failure=failure)],
    )

    assert outgoing[-1] == AnswerUpdate(update_id="u", result=LockedRpcAnswer(failure=failure))
    story.replayed()


def test_refused_update_alone_leaves_no_trace() -> None:
    story = Story()
    holding = WorkflowStateOptions(skip_wait_until=True, execute_api_data_attributes_loading_policy=LOCKING_A)
    story.task(1000, started(state_options=holding))
    story.task(1500, signal("1"))
    before = story.replayed().state

    refusals = story.run.feed([Border(2000, in_hand=True)], [rpc("u")])

    assert refusals == {
        "u": Refusal(
            UpdateError.LOCKED,
            "requested data or search attributes are being locked by other operations",
        )
    }
    assert not story.run.settled
    assert list(story.run.outgoing) == []
    assert (story.run.now_ms, story.run.state) == (1500, before)


def test_refused_update_beside_an_event_does_not_keep_it_from_counting() -> None:
    story = Story()
    story.task(1000, started(start_state_id=None), updates=[rpc("first")])

    story.task(2000, signal("1"), updates=[rpc("u")])

    assert list(story.refusals) == ["u"]
    assert story.run.settled
    assert len(story.run.state.signal_channels["c"]) == 1
    story.replayed()


def test_refused_update_beside_one_that_is_taken_on_counts_for_nothing() -> None:
    story = Story()

    outgoing = story.task(1000, started(start_state_id=None), updates=[rpc("u1"), rpc("u2")])

    assert list(story.refusals) == ["u2"]
    assert outgoing == [AcceptUpdate(update_id="u1")]
    story.replayed()


def test_update_without_sense_is_refused_with_its_problem() -> None:
    story = Story()
    story.task(1000, started(start_state_id=None))

    story.task(2000, updates=[UpdateRequest(update_id="u", event=None, problem="what is that", message=None)])

    assert story.refusals == {"u": Refusal(UpdateError.INVALID, "what is that")}
    assert not story.run.settled


def test_updates_of_a_draining_run_are_sent_on() -> None:
    story = Story()
    story.task(1000, started(start_state_id=None), updates=[rpc("first")])
    story.task(2000, Fact(ContinueAsNewRequested()))

    story.task(3000, updates=[rpc("u")])

    assert story.refusals["u"].error is UpdateError.ASK_AGAIN


def test_waiting_client_is_answered_in_a_later_task() -> None:
    story = Story()
    story.task(1000, started(), updates=[wait_for("S1-1")])
    story.task(2000, answered("S1-1"))

    outgoing = story.task(3000, Fact(ExecuteAnswered(execution_id="S1-1", answer=decision("S2"))))

    assert [Echo.of(command) for command in outgoing] == [
        Echo("call", "wu/S2-1"),
        Echo("update end", "u"),
    ]
    story.replayed()


def test_updates_that_the_history_holds_are_offered_with_the_others() -> None:
    """A reset has put `u1` there; no message comes for it."""
    run = Run(Items())

    refusals = run.feed(
        [started(start_state_id=None), Border(1000, in_hand=True, updates=[rpc("u1")])], [rpc("u2")]
    )

    assert [update.update_id for update in run.offered] == ["u1", "u2"]
    assert list(refusals) == ["u2"]
    run.feed([Echo("update accept", "u1"), signal("1"), Border(2000, in_hand=True)])
    assert list(run.offered) == []
