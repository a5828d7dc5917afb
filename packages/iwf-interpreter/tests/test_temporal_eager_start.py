from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)
from temporalio.service import RPCError, RPCStatusCode, WorkflowService

from iwf_interpreter.engine import WorkflowAlreadyStarted
from iwf_interpreter.temporal import Connection, TemporalEngine
from toy_interpreter import started

pytestmark = pytest.mark.anyio


class Slots:
    """An interpreter in this process that keeps what it is given."""

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self.tasks: list[PollWorkflowTaskQueueResponse] = []

    def has_slot(self) -> bool:
        return self.free

    def accept(self, response: PollWorkflowTaskQueueResponse) -> None:
        self.tasks.append(response)


async def test_a_first_task_is_handed_to_a_free_interpreter_of_this_process(
    connection: Connection, workflow_id: str
) -> None:
    slots = Slots(free=True)
    engine = TemporalEngine(connection, task_queue="eager", eager=slots)

    run_id = await engine.start(started(workflow_id))

    assert [task.workflow_execution.run_id for task in slots.tasks] == [run_id]
    assert slots.tasks[0].task_token
    await engine.terminate(workflow_id, run_id, "test")


@pytest.mark.parametrize(
    ("free", "request_parts"),
    [
        pytest.param(False, {}, id="no-free-slot"),
        pytest.param(True, {"start_delay_seconds": 60}, id="start-delay"),
        pytest.param(True, {"cron_schedule": "@every 1h"}, id="cron"),
    ],
)
async def test_a_first_task_is_left_to_the_queue_otherwise(
    connection: Connection, workflow_id: str, free: bool, request_parts: dict[str, Any]
) -> None:
    slots = Slots(free=free)
    engine = TemporalEngine(connection, task_queue="eager", eager=slots)

    run_id = await engine.start(started(workflow_id, **request_parts))

    assert not slots.tasks
    await engine.terminate(workflow_id, run_id, "test")


class FlakyStarts(WorkflowService):
    """The real service, but the answer to the first start gets lost."""

    def __init__(self, service: WorkflowService) -> None:
        self.real = service
        self.starts: list[tuple[str, bool, bool]] = []

    async def start_workflow_execution(
        self,
        req: StartWorkflowExecutionRequest,
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},
        timeout: timedelta | None = None,
    ) -> StartWorkflowExecutionResponse:
        self.starts.append((req.request_id, req.request_eager_execution, retry))
        response = await self.real.start_workflow_execution(req, retry, metadata, timeout)
        if len(self.starts) == 1:
            raise RPCError("connection lost", RPCStatusCode.UNAVAILABLE, b"")
        return response


class FlakyConnection(Connection):
    """A connection with such a service."""

    def __init__(self, connection: Connection) -> None:
        self.flaky = FlakyStarts(connection.service)
        self._real = connection

    @property
    def service(self) -> WorkflowService:
        return self.flaky

    @property
    def namespace(self) -> str:
        return self._real.namespace

    @property
    def identity(self) -> str:
        return self._real.identity


async def test_an_eager_start_whose_answer_is_lost_is_asked_for_again_and_happens_once(
    connection: Connection, workflow_id: str
) -> None:
    flaky = FlakyConnection(connection)
    engine = TemporalEngine(flaky, task_queue="eager", eager=Slots(free=True))

    run_id = await engine.start(started(workflow_id))

    (first, *eager_once), (second, *retried_after) = flaky.flaky.starts
    assert first == second
    assert (eager_once, retried_after) == ([True, False], [False, True])
    idle = TemporalEngine(connection, task_queue="eager")
    assert (await idle.describe(workflow_id, "")).run_id == run_id
    await idle.terminate(workflow_id, run_id, "test")


async def test_an_eager_start_that_is_refused_is_not_asked_for_again(
    connection: Connection, workflow_id: str
) -> None:
    flaky = FlakyConnection(connection)
    first = await TemporalEngine(connection, task_queue="eager").start(started(workflow_id))

    with pytest.raises(WorkflowAlreadyStarted):
        await TemporalEngine(flaky, task_queue="eager", eager=Slots(free=True)).start(started(workflow_id))

    assert len(flaky.flaky.starts) == 1
    await TemporalEngine(connection, task_queue="eager").terminate(workflow_id, first, "test")
