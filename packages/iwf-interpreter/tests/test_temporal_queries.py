from typing import Any
from uuid import uuid4

import anyio
import pytest

from iwf_interpreter.contract import DataAttributesAnswer, DataAttributesQuery, QueryType, TimerInfosAnswer
from iwf_interpreter.engine import (
    EngineError,
    InvalidArgument,
    QueryFailed,
    WaitTimedOut,
    WorkflowNotFound,
)
from iwf_interpreter.temporal import Connection, TemporalEngine
from iwf_models import (
    WorkflowRetryPolicy,
)
from toy_interpreter import ANSWER, QUERY_FAILURE, started, toy_worker

pytestmark = pytest.mark.anyio

UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"


async def ask(
    engine: TemporalEngine, workflow_id: str, run_id: str = "", *keys: str, seconds: float = 10
) -> DataAttributesAnswer:
    argument = DataAttributesQuery(keys=list(keys))
    return await engine.query(
        workflow_id, run_id, QueryType.GET_DATA_ATTRIBUTES, argument, DataAttributesAnswer, seconds
    )


async def test_an_open_run_answers_a_query(engine: TemporalEngine, workflow_id: str) -> None:
    await engine.start(started(workflow_id))

    assert await ask(engine, workflow_id) == ANSWER


async def test_a_closed_run_answers_a_query(engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await engine.start(started(workflow_id, "fail"))
    await engine.wait(workflow_id, run_id, 20)

    assert await ask(engine, workflow_id, run_id) == ANSWER


async def test_a_query_may_have_no_argument(engine: TemporalEngine, workflow_id: str) -> None:
    await engine.start(started(workflow_id))

    assert await engine.query(workflow_id, "", QueryType.DEBUG_DUMP, None, str, 10) == "whole"


async def test_a_query_that_the_run_refuses_has_failed(engine: TemporalEngine, workflow_id: str) -> None:
    await engine.start(started(workflow_id))

    with pytest.raises(QueryFailed, match=QUERY_FAILURE):
        await ask(engine, workflow_id, "", "fail")


async def test_a_query_that_the_run_does_not_know_has_failed(
    engine: TemporalEngine, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))

    with pytest.raises(QueryFailed, match=QueryType.GET_CURRENT_TIMER_INFOS):
        await engine.query(workflow_id, "", QueryType.GET_CURRENT_TIMER_INFOS, None, TimerInfosAnswer, 10)


async def test_an_answer_of_another_kind_is_an_engine_error(engine: TemporalEngine, workflow_id: str) -> None:
    await engine.start(started(workflow_id))

    with pytest.raises(EngineError, match="cannot be read"):
        await engine.query(workflow_id, "", QueryType.DEBUG_DUMP, None, int, 10)


async def test_a_query_asked_before_the_first_task_is_answered_with_it(
    connection: Connection, temporal_address: str, workflow_id: str
) -> None:
    """Temporal takes one such query by default and refuses the others, which are asked again."""
    queue = f"slow-{uuid4()}"
    engine = TemporalEngine(connection, task_queue=queue)
    await engine.start(started(workflow_id))
    answers: list[DataAttributesAnswer] = []

    async def read() -> None:
        answers.append(await ask(engine, workflow_id))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert answers == []
        async with toy_worker(temporal_address, queue):
            with anyio.fail_after(9):
                while len(answers) < 5:
                    await anyio.sleep(0.01)

    assert answers == [ANSWER] * 5


async def test_a_query_that_nobody_answers_ends_when_its_time_is_over(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id))

    with anyio.fail_after(5), pytest.raises(WaitTimedOut, match="did not answer a query"):
        await ask(idle_engine, workflow_id, seconds=1)


@pytest.mark.parametrize(
    "request_parts",
    [
        pytest.param({"start_delay_seconds": 60}, id="start-delay"),
        pytest.param({"cron_schedule": "0 0 1 1 *"}, id="cron"),
    ],
)
async def test_a_run_that_starts_later_cannot_be_read_before(
    idle_engine: TemporalEngine, workflow_id: str, request_parts: dict[str, Any]
) -> None:
    await idle_engine.start(started(workflow_id, **request_parts))

    with pytest.raises(InvalidArgument, match="start delay"):
        await ask(idle_engine, workflow_id)


async def test_a_run_that_is_retried_in_a_moment_answers_when_it_has_started(
    engine: TemporalEngine, workflow_id: str
) -> None:
    retries = WorkflowRetryPolicy(initial_interval_seconds=1, maximum_attempts=2)
    first = await engine.start(started(workflow_id, "fail-first", retry_policy=retries))
    with anyio.fail_after(5):
        while (await engine.describe(workflow_id, "")).run_id == first:
            await anyio.sleep(0.02)

    assert await ask(engine, workflow_id) == ANSWER


async def test_a_run_that_is_retried_much_later_cannot_be_read_before(
    engine: TemporalEngine, workflow_id: str
) -> None:
    retries = WorkflowRetryPolicy(initial_interval_seconds=30, maximum_attempts=2)
    first = await engine.start(started(workflow_id, "fail-first", retry_policy=retries))
    with anyio.fail_after(5):
        while (await engine.describe(workflow_id, "")).run_id == first:
            await anyio.sleep(0.02)

    with pytest.raises(InvalidArgument, match="start delay"):
        await ask(engine, workflow_id, seconds=2)


async def test_a_run_that_closed_before_it_started_has_nothing_to_read(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id, start_delay_seconds=60))
    await idle_engine.terminate(workflow_id, "", "test")

    with pytest.raises(InvalidArgument, match="closed before it could start"):
        await ask(idle_engine, workflow_id)


@pytest.mark.parametrize(
    "run_id",
    [
        pytest.param("", id="unknown-workflow"),
        pytest.param(UNKNOWN_RUN, id="unknown-run"),
        pytest.param("not-a-run", id="malformed-run"),
    ],
)
async def test_a_workflow_that_does_not_exist_cannot_be_read(
    idle_engine: TemporalEngine, workflow_id: str, run_id: str
) -> None:
    if run_id:
        await idle_engine.start(started(workflow_id))

    with pytest.raises(WorkflowNotFound):
        await ask(idle_engine, workflow_id, run_id)
