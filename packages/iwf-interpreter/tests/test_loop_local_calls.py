"""Tasks of the loop while calls are made in place: patience, refusals, updates, stopping."""

import anyio
import pytest

from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, RpcSignal
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CallExecute,
    LockedRpcRequested,
    RpcWritten,
)
from iwf_interpreter.loop.dialect import QueryCall
from iwf_interpreter.loop.history import Border, Echo, Fact, LocalResult, Outgoing, UpdateRequest
from iwf_interpreter.worker_errors import WorkerCallError
from iwf_models import (
    EncodedObject,
    KeyValue,
    RetryPolicy,
    StateDecision,
    StateMovement,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
    codec,
)
from scripted_loop import (
    IN_PLACE,
    ScriptedDialect,
    ScriptedWorker,
    decision,
    looping,
    signal,
    started,
    task,
)

pytestmark = pytest.mark.anyio

START = [started(IN_PLACE), Border(1000, in_hand=True)]
FIRST = task(START)
COMPLETE = decision("_SYS_GRACEFUL_COMPLETING_WORKFLOW")


def names(outgoing: list[Outgoing]) -> list[str]:
    return [f"{found.kind} {found.id}" for found in map(Echo.of, outgoing)]


async def test_results_and_what_they_lead_to_are_answered_together() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)

    async with looping(dialect, worker):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")

    (answer,) = dialect.completed
    assert names(answer.outgoing) == ["local call wu/S1-1", "local call ex/S1-1", "close completed"]
    assert (answer.force_next, answer.keep_sticky) == (False, False)


async def test_task_is_answered_before_its_time_is_over_and_the_call_goes_on() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker, heartbeat_seconds=0, impatient_seconds=0):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        worker.answer("S1-1", WorkflowStateStartResponse())
        await worker.until_called(1)
        await anyio.wait_all_tasks_blocked()
        dialect.hand_out(task([Border(2000, in_hand=True)], first=4, previous=3, started=6))
        await dialect.until(2, "completed")
        worker.answer("S1-1", COMPLETE)

    first, second = dialect.completed
    assert (first.outgoing, first.force_next) == ([], True)
    assert names(second.outgoing) == ["local call wu/S1-1"]
    assert [name for name, _ in worker.calls] == ["S1-1", "S1-1"]
    assert not dialect.failed


async def test_task_that_keeps_something_else_waiting_is_answered_sooner() -> None:
    """S2 is called by the engine, since its only attempt may take long; S1 is called in place."""
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    once = WorkflowStateOptions(wait_until_api_retry_policy=RetryPolicy(maximum_attempts=1))
    other = StateDecision(next_states=[StateMovement(state_id="S2", state_options=once)])
    started_s2 = Fact(RpcWritten(changes=RpcSignal(state_decision=other)))

    async with looping(dialect, worker, impatient_seconds=0, heartbeat_seconds=3600):
        dialect.hand_out(task([started(IN_PLACE), started_s2, Border(1000, in_hand=True)]))
        await dialect.until(1, "completed")
        worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)

    assert names(dialect.completed[0].outgoing) == ["call wu/S2-1"]
    assert dialect.completed[0].force_next


async def test_task_that_keeps_nothing_waiting_is_kept_for_its_calls() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker, impatient_seconds=0, heartbeat_seconds=3600):
        dialect.hand_out(FIRST)
        await worker.until_called(1)
        await anyio.wait_all_tasks_blocked()
        at_first = len(dialect.completed)
        worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)
        await dialect.until(1, "completed")

    assert at_first == 0
    assert len(dialect.completed) == 1


async def test_result_that_was_refused_is_used_without_another_call() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)

    async with looping(dialect, worker):
        dialect.refuse_next = True
        dialect.hand_out(FIRST)
        await dialect.until(1, "refused")
        # The signal that came meanwhile voids the answer; nothing of the first task is in the history.
        dialect.hand_out(task([started(IN_PLACE), signal("1"), Border(1500, in_hand=True)], started=6))
        await dialect.until(1, "completed")

    (answer,) = dialect.completed
    assert names(answer.outgoing) == ["local call wu/S1-1", "local call ex/S1-1", "close completed"]
    assert len(worker.calls) == 2


async def test_recorded_results_are_not_kept() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("S1-1", WorkflowStateStartResponse(), WorkerCallError(status=500, body="", reason="no"))

    async with looping(dialect, worker) as loop:
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        kept = await loop._answering._local.next_done("r")  # pyright: ignore[reportPrivateUsage]

    assert names(dialect.completed[0].outgoing) == [
        "local call wu/S1-1",
        "local call ex/S1-1",
        "call ex/S1-1",
    ]
    assert kept is None
    call = dialect.completed[0].outgoing[-1]
    assert isinstance(call, CallExecute)
    assert not call.local


async def test_result_has_the_time_at_which_it_was_there() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)

    async with looping(dialect, worker):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")

    times = [sent.now_ms for sent in dialect.completed[0].outgoing if isinstance(sent, LocalResult)]
    assert 1000 <= times[0] <= times[1] < 6000


async def test_attached_queries_are_answered_with_a_heartbeat() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker, heartbeat_seconds=0, impatient_seconds=0):
        dialect.hand_out(task(START, attached_queries={"q": QueryCall("__stack_trace", None)}))
        await dialect.until(1, "completed")
        worker.answer("S1-1", WorkflowStateStartResponse(), COMPLETE)

    reply = dialect.completed[0].query_replies["q"]
    assert reply.answer is not None
    assert codec.decode(reply.answer, str) == "S1-1: WAIT_UNTIL"


def rpc_request() -> UpdateRequest:
    event = LockedRpcRequested(update_id="u", request=LockedRpcRequest(rpc_name="pay"))
    return UpdateRequest(update_id="u", event=event, message=None)


async def test_locked_rpc_is_accepted_called_and_answered_in_one_task() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("pay", WorkflowWorkerRpcResponse(output=EncodedObject(data="o")))

    async with looping(dialect, worker):
        dialect.hand_out(
            task([started(start_state_id=None), Border(1000, in_hand=True)], updates=[rpc_request()])
        )
        await dialect.until(1, "completed")

    (answer,) = dialect.completed
    accept, result, end = answer.outgoing
    assert (accept, end) == (
        AcceptUpdate(update_id="u"),
        AnswerUpdate(update_id="u", result=LockedRpcAnswer(output=EncodedObject(data="o"))),
    )
    assert isinstance(result, LocalResult)
    assert answer.refusals == {}


async def test_accepted_update_is_told_to_the_engine_before_its_slow_worker_answers() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker, impatient_seconds=0):
        dialect.hand_out(
            task([started(start_state_id=None), Border(1000, in_hand=True)], updates=[rpc_request()])
        )
        await dialect.until(1, "completed")
        worker.answer("pay", WorkflowWorkerRpcResponse())

    (answer,) = dialect.completed
    assert (answer.outgoing, answer.force_next) == ([AcceptUpdate(update_id="u")], True)


async def test_stopping_loop_starts_no_calls_in_place_and_leaves_them_to_others() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker) as loop:
        loop.stop()
        loop.accept(FIRST)
        await dialect.until(1, "completed")

    (answer,) = dialect.completed
    assert worker.calls == []
    assert (answer.outgoing, answer.force_next, answer.want_next, answer.keep_sticky) == (
        [],
        True,
        False,
        False,
    )


async def test_stopping_loop_waits_for_the_calls_that_it_makes() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()

    async with looping(dialect, worker) as loop:
        dialect.hand_out(FIRST)
        await worker.until_called(1)
        loop.stop()
        worker.answer("S1-1", WorkflowStateStartResponse())
        await dialect.until(1, "completed")

    assert names(dialect.completed[0].outgoing) == ["local call wu/S1-1"]
    assert len(worker.calls) == 1


async def test_result_for_which_there_is_no_room_comes_with_the_next_task() -> None:
    """Its attempt fails with S1, so the engine is asked for a call with a long input; then S2 ends."""
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    long = EncodedObject(data="x" * 1_200_000)
    other = StateDecision(next_states=[StateMovement(state_id="S2")])
    item = KeyValue(key="d", value=long)
    begin = [
        started(IN_PLACE, state_input=long),
        Fact(RpcWritten(changes=RpcSignal(state_decision=other))),
        Border(1000, in_hand=True),
    ]

    async with looping(dialect, worker, impatient_seconds=3600, heartbeat_seconds=3600):
        dialect.hand_out(task(begin))
        worker.answer("S1-1", WorkerCallError(status=500, body="", reason="no"))
        await worker.until_called(2)
        await anyio.wait_all_tasks_blocked()
        worker.answer("S2-1", WorkflowStateStartResponse(upsert_data_objects=[item]), COMPLETE)
        await dialect.until(1, "completed")
        echoes = [
            sent if isinstance(sent, LocalResult) else Echo.of(sent) for sent in dialect.completed[0].outgoing
        ]
        dialect.hand_out(task([*echoes, Border(2000, in_hand=True)], first=4, previous=3, started=6))
        await dialect.until(2, "completed")

    first, second = dialect.completed
    assert names(first.outgoing) == ["local call wu/S1-1", "call wu/S1-1"]
    assert first.force_next
    assert names(second.outgoing) == ["local call wu/S2-1", "local call ex/S2-1"]
    assert [name for name, _ in worker.calls] == ["S1-1", "S2-1", "S2-1"]
    assert not dialect.failed


async def test_call_whose_result_was_lost_is_made_again() -> None:
    """Results of runs that are left alone for long make room for others."""
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    async with looping(dialect, worker, heartbeat_seconds=0, impatient_seconds=0) as loop:
        dialect.hand_out(task([started(IN_PLACE), Border(1000, in_hand=True)]))
        await dialect.until(1, "completed")
        await worker.until_called(1)
        loop._answering._local.drop("r")  # pyright: ignore[reportPrivateUsage]
        dialect.hand_out(task([Border(2000, in_hand=True)], first=4, previous=3, started=6))
        await dialect.until(2, "completed")
        await worker.until_called(2)
        worker.answer("S1-1", WorkflowStateStartResponse(), WorkflowStateStartResponse())

    assert [name for name, _ in worker.calls] == ["S1-1", "S1-1"]
