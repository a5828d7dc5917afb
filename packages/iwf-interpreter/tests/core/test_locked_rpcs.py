"""RPCs that lock attributes: taken on or refused, queued, called once, answered, ended."""

from typing import Any

import pytest

from core_driver import (
    QUIET,
    START_MS,
    Driver,
    calls,
    executed,
    only,
    signal,
    started_by_rpc,
    state,
    value,
    waited,
)
from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, RpcFailure, StateTarget, UpdateError
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CallRpc,
    CompleteRun,
    ContinueAsNewRequested,
    FailUpdate,
    Interpreter,
    LockedRpcRequested,
    RpcAnswered,
    SetSearchAttributes,
    StateWaitRequested,
    UnexpectedEvent,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    ChannelInfo,
    Context,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SearchAttribute,
    SearchAttributeValueType,
    StateDecision,
    StateMovement,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)

DEAD_END = state(ClosingState.DEAD_END)
FAILURE = RpcFailure(detail="no", worker_detail="really", worker_error_type="Boom", worker_status=500)
STATUS = SearchAttribute(key="status", value_type=SearchAttributeValueType.KEYWORD, string_value="open")


def locking(*keys: str) -> PersistenceLoadingPolicy:
    return PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
        locking_keys=list(keys),
    )


def rpc(update_id: str = "u1", *keys: str, **fields: Any) -> LockedRpcRequested:
    """A locked RPC that wants these data attributes, `a` unless said."""
    request = LockedRpcRequest(
        rpc_name="pay", data_attributes_loading_policy=locking(*keys or ("a",)), **fields
    )
    return LockedRpcRequested(update_id=update_id, request=request)


def answered(update_id: str = "u1", **fields: Any) -> RpcAnswered:
    return RpcAnswered(update_id=update_id, answer=WorkflowWorkerRpcResponse(**fields))


def holder() -> StateMovement:
    """A state whose execute call holds the lock of `a`."""
    return state("S1", skip_wait_until=True, execute_api_data_attributes_loading_policy=locking("a"))


def test_rpc_that_gets_its_locks_is_accepted_and_its_worker_called(run: Driver) -> None:
    run.start(
        init_data_attributes=[KeyValue(key=key, value=value(key)) for key in ("b", "a")],
        init_search_attributes=[STATUS],
    )
    run.batch(signal("c", "1"))

    commands = run.batch(rpc(input=value("in"), timeout_seconds=7))

    assert commands == [
        AcceptUpdate(update_id="u1"),
        CallRpc(
            call_id="rpc/u1",
            worker_url="http://worker:8802",
            timeout_seconds=7.0,
            request=WorkflowWorkerRpcRequest(
                context=Context(
                    workflow_id="order-1",
                    workflow_run_id="run-1",
                    workflow_started_timestamp=1_700_000_000,
                ),
                workflow_type="Order",
                rpc_name="pay",
                input=value("in"),
                search_attributes=[STATUS],
                data_attributes=[KeyValue(key="a", value=value("a"))],
                signal_channel_infos={"c": ChannelInfo(size=1)},
                internal_channel_infos={},
            ),
        ),
    ]


def test_answer_is_applied_as_a_whole_and_returned(run: Driver) -> None:
    run.start(init_search_attributes=[STATUS])
    run.batch(rpc())

    commands = run.in_place(
        answered(
            output=value("out"),
            upsert_data_attributes=[KeyValue(key="a", value=value("2"))],
            upsert_search_attributes=[
                SearchAttribute(
                    key="status", value_type=SearchAttributeValueType.KEYWORD, string_value="paid"
                )
            ],
            publish_to_inter_state_channel=[InterStateChannelPublishing(channel_name="c", value=value("m"))],
            state_decision=StateDecision(next_states=[state("S2", skip_wait_until=True)]),
        )
    )

    assert only(commands, SetSearchAttributes).values == {"status": EngineValue("Keyword", "paid")}
    assert only(commands, AnswerUpdate) == AnswerUpdate(
        update_id="u1", result=LockedRpcAnswer(output=value("out"))
    )
    assert calls(commands) == ["ex/S2-1"]
    assert run.state.data_attributes == {"a": value("2")}
    assert run.state.internal_channels == {"c": [value("m")]}


def test_failed_rpc_writes_nothing_and_tells_why(run: Driver) -> None:
    run.start()
    run.batch(rpc())

    commands = run.in_place(RpcAnswered(update_id="u1", failure=FAILURE))

    assert commands == [AnswerUpdate(update_id="u1", result=LockedRpcAnswer(failure=FAILURE))]
    assert (run.state.operations, run.state.locked_rpcs, run.state.lock_tickets) == (0, {}, [])


def test_only_successful_rpcs_count_as_operations(run: Driver) -> None:
    run.start()
    run.batch(rpc("u1", "a"), rpc("u2", "b"))

    run.in_place(answered("u1"), RpcAnswered(update_id="u2", failure=FAILURE))

    assert run.state.operations == 1


def test_rpcs_wait_for_each_other_in_order(run: Driver) -> None:
    run.start()

    first = run.batch(rpc("u1"), rpc("u2", max_waiting=2), rpc("u3", max_waiting=2))
    second = run.in_place(answered("u1"))
    third = run.in_place(RpcAnswered(update_id="u2", failure=FAILURE))

    assert [calls(each) for each in (first, second, third)] == [["rpc/u1"], ["rpc/u2"], ["rpc/u3"]]


def test_rpc_that_waited_sees_what_the_one_before_has_written(run: Driver) -> None:
    run.start()
    run.batch(rpc("u1"), rpc("u2", max_waiting=1))

    commands = run.in_place(answered("u1", upsert_data_attributes=[KeyValue(key="a", value=value("new"))]))

    assert only(commands, CallRpc).request.data_attributes == [KeyValue(key="a", value=value("new"))]


def test_rpc_waits_for_the_lock_of_a_state_and_gets_it_first(run: Driver) -> None:
    run.start(holder())
    waiting = run.batch(rpc(max_waiting=1))

    commands = run.batch(executed("S1-1", DEAD_END))

    assert waiting == [AcceptUpdate(update_id="u1")]
    assert calls(commands) == ["rpc/u1"]


def test_state_waits_for_the_lock_of_an_rpc(run: Driver) -> None:
    run.start()
    run.batch(rpc())

    waiting = run.batch(started_by_rpc(holder()))
    after = run.in_place(answered())

    assert (calls(waiting), calls(after)) == ([], ["ex/S1-1"])


@pytest.mark.parametrize(
    ("request_", "seconds"),
    [
        pytest.param(rpc(), 60.0, id="default"),
        pytest.param(rpc(timeout_seconds=5), 5.0, id="own-limit"),
        pytest.param(rpc(timeout_seconds=5, expires_at_ms=START_MS + 1500), 1.5, id="deadline-is-sooner"),
        pytest.param(rpc(timeout_seconds=5, expires_at_ms=START_MS + 9000), 5.0, id="deadline-is-later"),
    ],
)
def test_worker_has_the_time_that_is_left(run: Driver, request_: LockedRpcRequested, seconds: float) -> None:
    run.start()

    assert only(run.batch(request_), CallRpc).timeout_seconds == seconds


def test_rpc_whose_client_has_gone_ends_without_a_call(run: Driver) -> None:
    run.start(holder())
    run.batch(rpc("u1", expires_at_ms=START_MS + 1000, max_waiting=2), rpc("u2", max_waiting=2))

    commands = run.batch(executed("S1-1", DEAD_END), at_ms=START_MS + 1000)

    assert only(commands, FailUpdate) == FailUpdate(
        update_id="u1",
        error=UpdateError.EXPIRED,
        text="the locks came free after the client's deadline",
    )
    assert calls(commands) == ["rpc/u2"]


def refusal(run: Driver, event: LockedRpcRequested | StateWaitRequested) -> UpdateError | None:
    before = run.interpreter.state
    error = run.interpreter.refusal(event)
    assert run.interpreter.state == before
    return error


def test_rpc_whose_locks_are_free_is_never_refused(run: Driver) -> None:
    run.start(holder())

    assert refusal(run, rpc("u1", "b")) is None


def test_rpc_that_would_wait_is_refused_when_none_may(run: Driver) -> None:
    run.start(holder())

    assert refusal(run, rpc()) is UpdateError.LOCKED


@pytest.mark.parametrize(
    ("max_waiting", "error"),
    [pytest.param(2, UpdateError.LOCKED, id="full"), pytest.param(3, None, id="one-more-fits")],
)
def test_rpc_that_would_wait_is_refused_when_too_many_wait(
    run: Driver, max_waiting: int, error: UpdateError | None
) -> None:
    """The one whose worker is being called does not wait."""
    run.start()
    run.batch(*(rpc(update_id, max_waiting=9) for update_id in ("u1", "u2", "u3")))

    assert refusal(run, rpc("u4", max_waiting=max_waiting)) is error


def test_run_that_drains_takes_rpcs_on_while_a_state_is_called(run: Driver) -> None:
    """They hold nothing up: the run cannot continue as new before that call is over."""
    run.start(state("S1"))
    run.batch(ContinueAsNewRequested())

    assert refusal(run, rpc()) is None
    assert calls(run.batch(rpc())) == ["rpc/u1"]


def test_run_that_drains_sends_rpcs_on_when_only_rpcs_keep_it(run: Driver) -> None:
    run.start()
    run.batch(rpc("u1", "a"))
    run.batch(ContinueAsNewRequested())

    assert refusal(run, rpc("u2", "b")) is UpdateError.ASK_AGAIN


def test_run_that_drains_takes_on_those_who_wait_for_a_state(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(ContinueAsNewRequested())
    wait = StateWaitRequested(update_id="u1", target=StateTarget(state_execution_id="S1-1"))

    assert refusal(run, wait) is None


def test_updates_of_a_run_without_state_are_sent_on() -> None:
    assert Interpreter().refusal(rpc()) is UpdateError.ASK_AGAIN


ENDED = FailUpdate(
    update_id="u2",
    error=UpdateError.ASK_AGAIN,
    text="the run continues as a new one, which will take the update",
)


def test_draining_ends_the_rpcs_that_wait_and_finishes_the_one_that_is_called(run: Driver) -> None:
    run.start()
    run.batch(rpc("u1"), rpc("u2", max_waiting=1))

    commands = run.batch(ContinueAsNewRequested())
    after = run.in_place(answered("u1", output=value("out")))

    assert commands == [ENDED]
    assert only(after, AnswerUpdate).update_id == "u1"
    _, first = run.successor(after)
    assert first == []


def test_rpcs_that_wait_when_the_last_call_of_a_state_ends_are_sent_on(run: Driver) -> None:
    run.start(state("S1"))
    run.batch(ContinueAsNewRequested())
    run.batch(rpc("u1"), rpc("u2", max_waiting=1))

    commands = run.batch(waited("S1-1"))

    assert commands == [ENDED]
    assert run.state.draining


def test_rpc_of_the_batch_in_which_the_run_continues_is_sent_on(run: Driver) -> None:
    run.start()

    commands = run.batch(rpc("u2"), ContinueAsNewRequested())

    assert commands[:2] == [AcceptUpdate(update_id="u2"), ENDED]
    new, _ = run.successor(commands)
    assert (new.state.locked_rpcs, new.state.lock_tickets) == ({}, [])


def test_answer_that_starts_states_keeps_a_graceful_run_open(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    run.batch(rpc())

    commands = run.batch(
        executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE)),
        answered("u1", state_decision=StateDecision(next_states=[state("S2")])),
    )

    assert calls(commands) == ["wu/S2-1"]


def test_workflow_completes_although_an_rpc_is_being_called(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    run.batch(rpc())

    commands = run.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE)))

    assert [type(command) for command in commands] == [CompleteRun]


def test_closing_decision_of_an_rpc_is_dropped(run: Driver) -> None:
    run.start()
    run.batch(rpc())

    commands = run.in_place(
        answered("u1", state_decision=StateDecision(next_states=[state(ClosingState.FORCE_COMPLETE)]))
    )

    assert [type(command) for command in commands] == [AnswerUpdate]


@pytest.mark.parametrize("update_id", ["u2", "unknown"])
def test_answer_of_an_rpc_that_is_not_called_is_refused(update_id: str) -> None:
    run = Driver()
    run.start(config=QUIET)
    run.batch(rpc("u1"), rpc("u2", max_waiting=1))

    with pytest.raises(UnexpectedEvent, match=update_id):
        run.batch(answered(update_id))
