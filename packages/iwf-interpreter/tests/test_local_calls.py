"""Calls in place: made once, kept until they are recorded, and never a reason to stop."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from scripted_loop import ScriptedWorker, attempts, decision

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core import CallExecute, CallRpc, CallWaitUntil
from iwf_interpreter.loop import local
from iwf_interpreter.loop.history import LocalFailure, LocalResult
from iwf_interpreter.loop.local import LocalCalls
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut
from iwf_models import (
    Context,
    EncodedObject,
    KeyValue,
    RetryPolicy,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)

pytestmark = pytest.mark.anyio

NOW_MS = 1_700_000_000_500
PATIENCE = 5.0


def context(name: str) -> Context:
    return Context(
        workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1, state_execution_id=name
    )


def wait_until(execution_id: str = "S-1") -> CallWaitUntil:
    return CallWaitUntil(
        call_id=f"wu/{execution_id}",
        worker_url="http://w",
        request=WorkflowStateStartRequest(
            context=context(execution_id), workflow_type="T", workflow_state_id="S"
        ),
        timeout_seconds=3,
        retry_policy=RetryPolicy(),
        local=True,
    )


def execute(execution_id: str = "S-1") -> CallExecute:
    return CallExecute(
        call_id=f"ex/{execution_id}",
        worker_url="http://w",
        request=WorkflowStateDecideRequest(
            context=context(execution_id), workflow_type="T", workflow_state_id="S"
        ),
        timeout_seconds=3,
        retry_policy=RetryPolicy(),
        local=True,
    )


def rpc(update_id: str = "u") -> CallRpc:
    return CallRpc(
        call_id=f"rpc/{update_id}",
        worker_url="http://w",
        request=WorkflowWorkerRpcRequest(context=context(""), workflow_type="T", rpc_name="pay"),
        timeout_seconds=7.5,
    )


class Making:
    """Calls in place of the run `r`."""

    def __init__(self, calls: LocalCalls, work: TaskGroup) -> None:
        self.calls = calls
        self._work = work

    def start(
        self, call: CallWaitUntil | CallExecute | CallRpc, run_id: str = "r", previous: str = ""
    ) -> None:
        self.calls.start(self._work, run_id, previous, call, lambda: NOW_MS)

    async def take(self, run_id: str = "r", seconds: float = PATIENCE) -> LocalResult | None:
        """The next result, which the task in hand takes in."""
        done = await self.calls.next_done(run_id, seconds)
        if done is None:
            return None
        assert done.size_bytes == len(codec.encode(done.result))
        self.calls.taken(run_id, done.result.call_id)
        return done.result


@asynccontextmanager
async def making(worker: ScriptedWorker, max_concurrent: int = 10) -> AsyncGenerator[Making]:
    async with anyio.create_task_group() as work:
        yield Making(LocalCalls(attempts(worker), max_concurrent), work)
        work.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("call", "name", "answer", "result"),
    [
        pytest.param(
            wait_until(),
            "S-1",
            WorkflowStateStartResponse(),
            LocalResult(call_id="wu/S-1", wait_until=WorkflowStateStartResponse()),
            id="wait-until",
        ),
        pytest.param(
            execute(),
            "S-1",
            decision("T"),
            LocalResult(call_id="ex/S-1", execute=decision("T")),
            id="execute",
        ),
        pytest.param(
            rpc(),
            "pay",
            WorkflowWorkerRpcResponse(output=EncodedObject(data="o")),
            LocalResult(call_id="rpc/u", rpc=WorkflowWorkerRpcResponse(output=EncodedObject(data="o"))),
            id="rpc",
        ),
    ],
)
async def test_answer_becomes_the_result(call: Any, name: str, answer: Any, result: LocalResult) -> None:
    worker = ScriptedWorker()
    worker.answer(name, answer)

    async with making(worker) as run:
        run.start(call)
        assert await run.take() == result


async def test_worker_is_told_that_it_is_the_first_attempt() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until())
        await run.take()

    ((_, request),) = worker.calls
    assert (request.context.attempt, request.context.first_attempt_timestamp) == (1, 1_700_000_000)
    assert worker.timeouts == [3]


REFUSED = WorkerCallError(status=500, body="x" * 600, reason="500 " + "y" * 60)
TOO_LATE = WorkerCallTimedOut(3)


def failure(text: str, *, timed_out: bool = False) -> LocalFailure:
    return LocalFailure(
        error_type="STATE_API_FAIL_ERROR_TYPE", text=text, timed_out=timed_out, started_at=1_700_000_000
    )


@pytest.mark.parametrize(
    ("call", "error", "expected"),
    [
        pytest.param(
            wait_until(),
            REFUSED,
            failure(f"statusCode: 500, responseBody: {'x' * 500}..., errMsg: 500 {'y' * 46}..."),
            id="status",
        ),
        pytest.param(
            wait_until(),
            TOO_LATE,
            failure(
                "activity error (type: StateApiWaitUntil, activityID: wu/S-1): "
                "activity StartToClose timeout (type: StartToClose)",
                timed_out=True,
            ),
            id="wait-until-timeout",
        ),
        pytest.param(
            execute(),
            TOO_LATE,
            failure(
                "activity error (type: StateApiExecute, activityID: ex/S-1): "
                "activity StartToClose timeout (type: StartToClose)",
                timed_out=True,
            ),
            id="execute-timeout",
        ),
        pytest.param(execute(), RuntimeError("our bug"), failure("RuntimeError: our bug"), id="bug"),
    ],
)
async def test_failed_attempt_of_a_state_is_a_result_with_the_reason(
    call: Any, error: Exception, expected: LocalFailure
) -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", error)

    async with making(worker) as run:
        run.start(call)
        assert await run.take() == LocalResult(call_id=call.call_id, failure=expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            WorkerCallError(status=0, body="", reason="refused"),
            RpcFailure(detail="refused", worker_detail="", worker_error_type="", worker_status=0),
            id="no-answer",
        ),
        pytest.param(
            TOO_LATE,
            RpcFailure(
                detail="no answer from the worker within 3 seconds",
                worker_detail="",
                worker_error_type="",
                worker_status=0,
            ),
            id="timeout",
        ),
        pytest.param(
            RuntimeError("our bug"),
            RpcFailure(
                detail="RuntimeError: our bug", worker_detail="", worker_error_type="", worker_status=0
            ),
            id="bug",
        ),
    ],
)
async def test_failed_rpc_is_a_result_for_its_client(error: Exception, expected: RpcFailure) -> None:
    worker = ScriptedWorker()
    worker.answer("pay", error)

    async with making(worker) as run:
        run.start(rpc())
        assert await run.take() == LocalResult(call_id="rpc/u", rpc_failure=expected)


async def test_bug_in_an_attempt_does_not_disturb_other_calls() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", RuntimeError("our bug"))

    async with making(worker) as run:
        run.start(wait_until("S-1"))
        run.start(wait_until("S-2"))
        await run.take()
        worker.answer("S-2", WorkflowStateStartResponse())
        second = await run.take()

    assert second == LocalResult(call_id="wu/S-2", wait_until=WorkflowStateStartResponse())


async def test_result_stays_the_next_until_it_is_taken() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until())
        first = await run.calls.next_done("r", PATIENCE)
        again = await run.calls.next_done("r", PATIENCE)
        run.calls.taken("r", "wu/S-1")
        gone = await run.calls.next_done("r", PATIENCE)

    assert first is not None
    assert (again, gone) == (first, None)


async def test_result_is_kept_and_the_call_not_made_again_until_it_is_recorded() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse(), WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until())
        first = await run.take()
        run.start(wait_until())
        again = await run.take()
        made = len(worker.calls)
        run.calls.recorded("r", ["wu/S-1"])
        run.start(wait_until())
        await run.take()

    assert first is not None
    assert (again, made, len(worker.calls)) == (first, 1, 2)


async def test_call_in_flight_is_waited_for_and_not_made_a_second_time() -> None:
    worker = ScriptedWorker()

    async with making(worker) as run:
        run.start(wait_until())
        await worker.until_called(1)
        gave_up = await run.take(seconds=0)
        run.start(wait_until())
        worker.answer("S-1", WorkflowStateStartResponse())
        result = await run.take()

    assert gave_up is None
    assert result is not None
    assert len(worker.calls) == 1


async def test_results_come_in_the_order_in_which_they_ended() -> None:
    worker = ScriptedWorker()

    async with making(worker) as run:
        run.start(wait_until("S-1"))
        run.start(wait_until("S-2"))
        worker.answer("S-2", WorkflowStateStartResponse())
        await run.calls.next_done("r", PATIENCE)
        worker.answer("S-1", WorkflowStateStartResponse())
        await anyio.wait_all_tasks_blocked()
        results = [await run.take(), await run.take()]

    assert [result and result.call_id for result in results] == ["wu/S-2", "wu/S-1"]


@pytest.mark.parametrize("run_id", ["r", "unknown"])
async def test_nobody_waits_when_no_call_is_being_made(run_id: str) -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until())
        await run.take()
        with anyio.fail_after(PATIENCE):
            assert await run.take(run_id, seconds=3600) is None


async def test_calls_of_runs_are_apart() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse(), WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until(), "r")
        run.start(wait_until(), "q")
        await anyio.wait_all_tasks_blocked()
        run.calls.drop("r")
        other = await run.take("q")
        gone = await run.take("r", seconds=0)

    assert other is not None
    assert gone is None
    assert len(worker.calls) == 2


async def test_run_that_continues_another_has_what_that_one_did_not_record() -> None:
    """S-1 is done, S-2 in flight; neither is called a second time."""
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until("S-1"))
        run.start(wait_until("S-2"))
        await run.take()
        run.start(wait_until("S-1"), "next", "r")
        run.start(wait_until("S-2"), "next", "r")
        first = await run.take("next")
        worker.answer("S-2", WorkflowStateStartResponse())
        second = await run.take("next")

    assert [result and result.call_id for result in (first, second)] == ["wu/S-1", "wu/S-2"]
    assert len(worker.calls) == 2


async def test_call_of_a_run_that_has_ended_does_no_harm() -> None:
    worker = ScriptedWorker()

    async with making(worker) as run:
        run.start(wait_until())
        await worker.until_called(1)
        run.calls.drop("r")
        worker.answer("S-1", WorkflowStateStartResponse())
        run.start(wait_until("S-2"))
        worker.answer("S-2", WorkflowStateStartResponse())
        result = await run.take()

    assert result is not None
    assert result.call_id == "wu/S-2"


async def test_recording_what_is_unknown_changes_nothing() -> None:
    worker = ScriptedWorker()

    async with making(worker) as run:
        run.calls.recorded("r", ["wu/S-1"])
        run.start(wait_until())
        await worker.until_called(1)
        run.calls.recorded("r", ["wu/S-9"])
        worker.answer("S-1", WorkflowStateStartResponse())
        assert await run.take() is not None


async def test_calls_beyond_the_limit_wait_for_a_free_place() -> None:
    worker = ScriptedWorker()

    async with making(worker, max_concurrent=1) as run:
        run.start(wait_until("S-1"))
        run.start(wait_until("S-2"))
        await worker.until_called(1)
        await anyio.wait_all_tasks_blocked()
        at_first = len(worker.calls)
        worker.answer("S-1", WorkflowStateStartResponse())
        await worker.until_called(2)

    assert at_first == 1


async def test_oldest_runs_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "MAX_RUNS", 2)
    worker = ScriptedWorker()
    worker.answer("S-1", *(WorkflowStateStartResponse() for _ in range(3)))

    async with making(worker) as run:
        for run_id in "abc":
            run.start(wait_until(), run_id)
            await run.calls.next_done(run_id, PATIENCE)
        kept = [await run.take(run_id, seconds=0) for run_id in "abc"]

    assert [result is None for result in kept] == [True, False, False]


LONG = "x" * 2_000_000


async def test_answer_of_a_state_that_cannot_be_recorded_is_a_failed_attempt() -> None:
    worker = ScriptedWorker()
    item = KeyValue(key="d", value=EncodedObject(data=LONG))
    worker.answer("S-1", WorkflowStateStartResponse(upsert_data_objects=[item]))

    async with making(worker) as run:
        run.start(wait_until())
        result = await run.take()

    assert result is not None
    assert result.failure is not None
    assert result.failure.text.endswith("bytes, the limit is 2000000")


async def test_answer_of_an_rpc_that_cannot_be_recorded_is_its_failure() -> None:
    worker = ScriptedWorker()
    worker.answer("pay", WorkflowWorkerRpcResponse(output=EncodedObject(data=LONG)))

    async with making(worker) as run:
        run.start(rpc())
        result = await run.take()

    assert result is not None
    assert result.rpc_failure is not None
    assert result.rpc_failure.detail.endswith("bytes, the limit is 2000000")
