from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from temporalio.api.common.v1 import RetryPolicy, WorkflowExecution
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
)

from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.engine import InvalidArgument, WorkflowAlreadyStarted
from iwf_interpreter.temporal import Connection, TemporalEngine
from iwf_interpreter.temporal.payloads import decode
from iwf_models import (
    EncodedObject,
    IDReusePolicy,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowRetryPolicy,
    WorkflowStatus,
)
from toy_interpreter import WAIT, interpreter_input, started

pytestmark = pytest.mark.anyio

Ending = Callable[[TemporalEngine, str], Awaitable[str]]


async def running(engine: TemporalEngine, workflow_id: str) -> str:
    return await engine.start(started(workflow_id))


async def completed(engine: TemporalEngine, workflow_id: str) -> str:
    run_id = await engine.start(started(workflow_id, "complete"))
    await engine.wait(workflow_id, run_id, 20)
    return run_id


async def failed(engine: TemporalEngine, workflow_id: str) -> str:
    run_id = await engine.start(started(workflow_id, "fail"))
    await engine.wait(workflow_id, run_id, 20)
    return run_id


async def terminated(engine: TemporalEngine, workflow_id: str) -> str:
    run_id = await engine.start(started(workflow_id))
    await engine.terminate(workflow_id, run_id, "test")
    return run_id


@pytest.mark.parametrize(
    ("policy", "before"),
    [
        pytest.param(IDReusePolicy.ALLOW_IF_NO_RUNNING, completed, id="no-running-completed"),
        pytest.param(IDReusePolicy.ALLOW_IF_NO_RUNNING, failed, id="no-running-failed"),
        pytest.param(IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY, failed, id="abnormal-failed"),
        pytest.param(IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY, terminated, id="abnormal-terminated"),
        pytest.param(IDReusePolicy.ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY, failed, id="abnormal-misspelt"),
        pytest.param(IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING, completed, id="terminate-completed"),
        pytest.param(IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING, running, id="terminate-running"),
    ],
)
async def test_an_id_is_used_again_where_its_policy_allows_it(
    engine: TemporalEngine, workflow_id: str, policy: IDReusePolicy, before: Ending
) -> None:
    first = await before(engine, workflow_id)

    second = await engine.start(started(workflow_id, id_reuse_policy=policy))

    assert second != first
    assert (await engine.describe(workflow_id, "")).run_id == second
    assert (await engine.describe(workflow_id, first)).status is not WorkflowStatus.RUNNING


@pytest.mark.parametrize(
    ("policy", "before"),
    [
        pytest.param(IDReusePolicy.ALLOW_IF_NO_RUNNING, running, id="no-running-running"),
        pytest.param(IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY, running, id="abnormal-running"),
        pytest.param(IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY, completed, id="abnormal-completed"),
        pytest.param(IDReusePolicy.DISALLOW_REUSE, running, id="disallow-running"),
        pytest.param(IDReusePolicy.DISALLOW_REUSE, completed, id="disallow-completed"),
        pytest.param(IDReusePolicy.DISALLOW_REUSE, failed, id="disallow-failed"),
    ],
)
async def test_a_refused_start_names_the_run_that_holds_the_id(
    engine: TemporalEngine, workflow_id: str, policy: IDReusePolicy, before: Ending
) -> None:
    first = await before(engine, workflow_id)

    with pytest.raises(WorkflowAlreadyStarted) as refused:
        await engine.start(started(workflow_id, id_reuse_policy=policy))

    assert (refused.value.workflow_id, refused.value.run_id) == (workflow_id, first)


async def test_a_start_gives_the_interpreter_its_input(engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await engine.start(started(workflow_id, "echo"))

    outcome = await engine.wait(workflow_id, run_id, 20)

    assert outcome.result is not None
    assert msgspec.json.decode(outcome.result, type=InterpreterInput) == interpreter_input("echo")


async def test_a_start_sets_what_the_request_asks_for(
    idle_engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    policy = WorkflowRetryPolicy(
        initial_interval_seconds=7,
        backoff_coefficient=1.5,
        maximum_interval_seconds=70,
        maximum_attempts=3,
    )
    run_id = await idle_engine.start(
        started(workflow_id, timeout_seconds=99, start_delay_seconds=50, retry_policy=policy)
    )

    event = await started_event(connection, workflow_id, run_id)

    assert event.workflow_execution_timeout.ToTimedelta() == timedelta(seconds=99)
    assert event.first_workflow_task_backoff.ToTimedelta() == timedelta(seconds=50)
    assert event.identity == connection.identity
    assert event.retry_policy == retry_policy(7, 1.5, 70, 3)


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        pytest.param(WorkflowRetryPolicy(), (1, 2.0, 100, 0), id="nothing-given"),
        pytest.param(WorkflowRetryPolicy(initial_interval_seconds=5), (5, 2.0, 100, 0), id="short-interval"),
        pytest.param(
            WorkflowRetryPolicy(initial_interval_seconds=200), (200, 2.0, 200, 0), id="long-interval"
        ),
    ],
)
async def test_missing_parts_of_a_retry_policy_are_filled_in(
    idle_engine: TemporalEngine,
    connection: Connection,
    workflow_id: str,
    policy: WorkflowRetryPolicy,
    sent: tuple[int, float, int, int],
) -> None:
    run_id = await idle_engine.start(started(workflow_id, retry_policy=policy))

    assert (await started_event(connection, workflow_id, run_id)).retry_policy == retry_policy(*sent)


async def test_without_a_retry_policy_or_a_time_limit_there_is_none(
    idle_engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    run_id = await idle_engine.start(started(workflow_id, timeout_seconds=0))

    event = await started_event(connection, workflow_id, run_id)

    assert not event.HasField("retry_policy")
    assert event.workflow_execution_timeout.ToTimedelta() == timedelta()
    await idle_engine.terminate(workflow_id, run_id, "test")


async def test_a_cron_start_waits_for_its_schedule_under_its_own_id(
    idle_engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    run_id = await idle_engine.start(started(workflow_id, cron_schedule="0 0 1 1 *"))

    event = await started_event(connection, workflow_id, run_id)

    assert event.cron_schedule == "0 0 1 1 *"
    assert event.first_workflow_task_backoff.seconds > 0
    assert (await idle_engine.describe(workflow_id, "")).run_id == run_id


async def test_the_engines_ui_shows_the_workflow_type(
    idle_engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id))

    described = await connection.service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=connection.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )

    assert decode(described.execution_config.user_metadata.summary, str) == WAIT


@pytest.mark.parametrize(
    ("request_parts", "text"),
    [
        pytest.param({"cron_schedule": "whenever"}, "CronSchedule", id="bad-cron"),
        pytest.param(
            {"retry_policy": WorkflowRetryPolicy(initial_interval_seconds=5, maximum_interval_seconds=1)},
            "MaximumInterval",
            id="bad-retry-policy",
        ),
        pytest.param(
            {
                "search_attributes": [
                    SearchAttribute(
                        key="Unheard", value_type=SearchAttributeValueType.KEYWORD, string_value="x"
                    )
                ]
            },
            "Unheard",
            id="unknown-search-attribute",
        ),
        pytest.param(
            {"memo": {"k": EncodedObject(data="x" * 5_000_000)}}, "larger than", id="oversize-message"
        ),
        pytest.param({"memo": {"k": EncodedObject(data="x" * 3_000_000)}}, "exceeds", id="oversize-memo"),
    ],
)
async def test_what_the_server_will_never_accept_is_an_invalid_argument(
    idle_engine: TemporalEngine, workflow_id: str, request_parts: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidArgument, match=text):
        await idle_engine.start(started(workflow_id, **request_parts))


async def started_event(
    connection: Connection, workflow_id: str, run_id: str
) -> WorkflowExecutionStartedEventAttributes:
    response = await connection.service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(
            namespace=connection.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            maximum_page_size=1,
        )
    )
    return response.history.events[0].workflow_execution_started_event_attributes


def retry_policy(initial: int, coefficient: float, maximum: int, attempts: int) -> RetryPolicy:
    policy = RetryPolicy(backoff_coefficient=coefficient, maximum_attempts=attempts)
    policy.initial_interval.seconds = initial
    policy.maximum_interval.seconds = maximum
    return policy
