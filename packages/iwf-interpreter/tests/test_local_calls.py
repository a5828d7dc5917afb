"""Calls in place: made once, kept until they are recorded, and never a reason to stop."""

import anyio
import pytest

from iwf_interpreter.loop import local
from iwf_models import (
    WorkflowStateStartResponse,
)
from local_calls import PATIENCE, making, wait_until
from scripted_loop import ScriptedWorker

pytestmark = pytest.mark.anyio


async def test_result_stays_the_next_until_it_is_taken() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    async with making(worker) as run:
        run.start(wait_until())
        first = await run.calls.next_done("r")
        again = await run.calls.next_done("r")
        run.calls.taken("r", "wu/S-1")
        gone = await run.calls.next_done("r")

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
        await run.calls.next_done("r")
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
            await run.calls.next_done(run_id)
        kept = [await run.take(run_id, seconds=0) for run_id in "abc"]

    assert [result is None for result in kept] == [True, False, False]
