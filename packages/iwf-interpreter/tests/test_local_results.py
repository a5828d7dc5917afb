"""Calls in place: what their attempts are told, and what becomes of answers and failures."""

from typing import Any

import pytest

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core import CallExecute, CallRpc
from iwf_interpreter.loop.history import LocalFailure, LocalResult
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut
from iwf_models import (
    EncodedObject,
    KeyValue,
    RetryPolicy,
    WorkflowStateDecideRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)
from local_calls import context, making, wait_until
from scripted_loop import ScriptedWorker, decision

pytestmark = pytest.mark.anyio


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
