from datetime import timedelta
from typing import Any

import anyio
import msgspec
import pytest

from iwf_interpreter.engine import WaitTimedOut, WorkflowNotFound, WorkflowOutcome
from iwf_interpreter.temporal import TemporalEngine, outcomes
from iwf_models import WorkflowRetryPolicy, WorkflowStatus, codec
from toy_interpreter import FAILURE_DETAIL, FAILURE_TYPE, ORDER, OUTPUT, order, started

pytestmark = pytest.mark.anyio

COMPLETED = WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=msgspec.Raw(codec.encode(OUTPUT)))
FAILED = WorkflowOutcome(
    status=WorkflowStatus.FAILED,
    failure_type=FAILURE_TYPE,
    failure_details=msgspec.Raw(codec.encode(FAILURE_DETAIL)),
    failure_message="message",
)
FAILED_UNTYPED = WorkflowOutcome(status=WorkflowStatus.FAILED, failure_message="message")
RUNNING = WorkflowOutcome(status=WorkflowStatus.RUNNING)
UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"


@pytest.mark.parametrize(
    ("ordered", "outcome"),
    [
        pytest.param("complete", COMPLETED, id="completed"),
        pytest.param("fail", FAILED, id="failed"),
        pytest.param("fail-untyped", FAILED_UNTYPED, id="failed-without-type"),
    ],
)
async def test_an_ended_run_tells_how_it_ended(
    engine: TemporalEngine, workflow_id: str, ordered: str, outcome: WorkflowOutcome
) -> None:
    run_id = await engine.start(started(workflow_id, ordered))

    waited = await engine.wait(workflow_id, run_id, 20)
    read = await engine.outcome(workflow_id, run_id)

    assert plain(waited) == plain(outcome)
    assert plain(read) == plain(outcome)


async def test_a_cancelled_run_is_canceled(engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await engine.start(started(workflow_id))
    await engine.cancel(workflow_id, run_id)

    assert await engine.wait(workflow_id, run_id, 20) == WorkflowOutcome(status=WorkflowStatus.CANCELED)


async def test_a_terminated_run_is_terminated(idle_engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await idle_engine.start(started(workflow_id))
    await idle_engine.terminate(workflow_id, run_id, "because")

    assert await idle_engine.wait(workflow_id, run_id, 20) == WorkflowOutcome(
        status=WorkflowStatus.TERMINATED
    )


async def test_a_run_beyond_its_time_limit_is_timed_out(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    run_id = await idle_engine.start(started(workflow_id, timeout_seconds=1))

    assert await idle_engine.wait(workflow_id, run_id, 20) == WorkflowOutcome(status=WorkflowStatus.TIMEOUT)


async def test_an_open_run_is_running_at_once(idle_engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await idle_engine.start(started(workflow_id))

    with anyio.fail_after(1):
        assert await idle_engine.outcome(workflow_id, run_id) == RUNNING


async def test_a_wait_ends_at_its_deadline(idle_engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await idle_engine.start(started(workflow_id))
    begun = anyio.current_time()

    with pytest.raises(WaitTimedOut):
        await idle_engine.wait(workflow_id, run_id, 0.5)

    assert 0.4 < anyio.current_time() - begun < 2


async def test_a_wait_goes_on_after_a_poll_without_an_answer(
    idle_engine: TemporalEngine, workflow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server answers a second before the deadline.
    monkeypatch.setattr(outcomes, "_LONG_POLL_TIMEOUT", timedelta(seconds=1.5))
    run_id = await idle_engine.start(started(workflow_id, timeout_seconds=1))

    assert await idle_engine.wait(workflow_id, run_id, 20) == WorkflowOutcome(status=WorkflowStatus.TIMEOUT)


async def test_a_wait_can_be_cancelled(idle_engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await idle_engine.start(started(workflow_id))

    with anyio.move_on_after(0.2) as scope:
        await idle_engine.wait(workflow_id, run_id, 60)

    assert scope.cancelled_caught


async def test_a_wait_ends_when_the_run_ends(engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await engine.start(started(workflow_id))
    outcomes: list[WorkflowOutcome] = []

    async def wait() -> None:
        outcomes.append(await engine.wait(workflow_id, run_id, 20))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await engine.signal(workflow_id, run_id, ORDER, order("complete"))

    assert [plain(outcome) for outcome in outcomes] == [plain(COMPLETED)]


async def test_a_wait_follows_a_run_that_continues_as_new(engine: TemporalEngine, workflow_id: str) -> None:
    first = await engine.start(started(workflow_id, "continue"))
    await engine.signal(workflow_id, await run_after(engine, workflow_id, first), ORDER, order("complete"))

    outcome = await engine.wait(workflow_id, first, 20)

    assert plain(outcome) == plain(COMPLETED)
    assert await engine.outcome(workflow_id, first) == WorkflowOutcome(status=WorkflowStatus.CONTINUED_AS_NEW)


async def test_a_wait_follows_a_workflow_retry(engine: TemporalEngine, workflow_id: str) -> None:
    retries = WorkflowRetryPolicy(initial_interval_seconds=1, maximum_attempts=2)
    first = await engine.start(started(workflow_id, "fail-first", retry_policy=retries))

    outcome = await engine.wait(workflow_id, first, 20)

    assert plain(outcome) == plain(COMPLETED)
    assert plain(await engine.outcome(workflow_id, first)) == plain(FAILED)


async def test_a_wait_follows_a_cron_schedule_until_it_ends(engine: TemporalEngine, workflow_id: str) -> None:
    first = await engine.start(started(workflow_id, "complete", cron_schedule="@every 1s"))
    await run_after(engine, workflow_id, first)
    await engine.terminate(workflow_id, "", "enough")

    outcome = await engine.wait(workflow_id, first, 20)

    assert outcome == WorkflowOutcome(status=WorkflowStatus.TERMINATED)
    assert plain(await engine.outcome(workflow_id, first)) == plain(COMPLETED)


@pytest.mark.parametrize(
    "run_id",
    [
        pytest.param("", id="unknown-workflow"),
        pytest.param(UNKNOWN_RUN, id="unknown-run"),
        pytest.param("not-a-run", id="malformed-run"),
    ],
)
async def test_nothing_is_known_of_a_workflow_that_does_not_exist(
    idle_engine: TemporalEngine, workflow_id: str, run_id: str
) -> None:
    if run_id:
        await idle_engine.start(started(workflow_id))

    with pytest.raises(WorkflowNotFound):
        await idle_engine.outcome(workflow_id, run_id)
    with pytest.raises(WorkflowNotFound):
        await idle_engine.wait(workflow_id, run_id, 20)


async def run_after(engine: TemporalEngine, workflow_id: str, first: str) -> str:
    """The workflow's current run, as soon as that is not its first one any more."""
    with anyio.fail_after(10):
        while (run_id := (await engine.describe(workflow_id, "")).run_id) == first:
            await anyio.sleep(0.05)
    return run_id


def plain(outcome: WorkflowOutcome) -> Any:
    """An outcome with its JSON decoded, since the same JSON can be written in several ways."""
    return msgspec.json.decode(msgspec.json.encode(outcome))
