"""A bug of the server suspends a run and does not fail it: a fixed server goes on, with nothing lost."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import msgspec
import pytest
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent

from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_interpreter.temporal import Connection
from iwf_models import ChannelRequestStatus, CommandWaitingType, WorkflowStateDecideRequest
from iwf_testkit import FakeWorker, IwfServer, graceful_complete, wait_for
from scenario import Reply, Scenario, eventually, history
from tools.chaos.bugs import POISON
from tools.chaos.processes import ServerCommand, api_alone, server_process

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

NO_ANSWER = ("its tasks are not run or fail", "Workflow Task in failed state")
"""What a read of a suspended run is answered, by whichever of the two notices it first."""

UNHANDLED = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
NONDETERMINISM = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR


@pytest.fixture
async def fixed(temporal: TemporalDevServer, tmp_path: Path) -> ServerCommand:
    """A server without a bug, on a task queue of its own."""
    return ServerCommand(
        address=temporal.address,
        role="interpreter",
        task_queue=f"iwf-suspension-{uuid4()}",
        log=tmp_path / "server.log",
    )


@pytest.fixture
async def queue(fixed: ServerCommand) -> AsyncGenerator[Scenario]:
    """Workflows of that task queue; nobody runs them by itself."""
    async with (
        api_alone(fixed.address, fixed.task_queue) as url,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=70) as http,
    ):
        server = IwfServer(
            url=url, temporal_address=fixed.address, namespace="default", task_queue=fixed.task_queue
        )
        yield Scenario(server, worker, http)


def with_bug(command: ServerCommand, bug: str) -> ServerCommand:
    return msgspec.structs.replace(command, bug=bug)


def failures(events: Sequence[HistoryEvent]) -> list[tuple[int, str]]:
    """Cause and text of every failed task."""
    return [
        (
            event.workflow_task_failed_event_attributes.cause,
            event.workflow_task_failed_event_attributes.failure.message,
        )
        for event in events
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]


async def suspended(queue: Scenario, workflow_id: str) -> Reply:
    """Wait until the run is suspended; what a read of it is answered."""

    async def read() -> Reply:
        return await queue.post("dataobjects/get", {"workflowId": workflow_id})

    return await eventually(read, lambda reply: reply.status != 200, within_seconds=60)


async def is_running(queue: Scenario, workflow_id: str) -> bool:
    return (await queue.ok("get", workflowId=workflow_id))["workflowStatus"] == "RUNNING"


async def signal(queue: Scenario, workflow_id: str, channel: str, text: str) -> None:
    await queue.ok("signal", workflowId=workflow_id, signalChannelName=channel, signalValue={"data": text})


async def test_run_whose_code_raises_is_suspended_and_completed_by_a_fixed_server(
    queue: Scenario, fixed: ServerCommand, connection: Connection
) -> None:
    all_of_them = wait_for(signals=("early", POISON, "late"), waiting_type=CommandWaitingType.ALL_COMPLETED)
    queue.worker.script("S1.waitUntil", all_of_them)
    queue.worker.script("S1.execute", graceful_complete("done"))

    async with server_process(with_bug(fixed, "poison")) as broken:
        assert await broken.ready()
        workflow_id, run_id = await queue.start()
        await queue.worker.wait_for_calls("S1.waitUntil")
        await signal(queue, workflow_id, "early", "1")
        await signal(queue, workflow_id, POISON, "2")
        reply = await suspended(queue, workflow_id)
        await signal(queue, workflow_id, "late", "3")
        events = await history(connection, workflow_id, run_id)
        running = await is_running(queue, workflow_id)
        alive = broken.exit_code is None
    async with server_process(fixed):
        result = await queue.result(workflow_id, 50)

    # The first failure is that of a cached run's task, which the engine does not count as an attempt.
    assert set(failures(events)) == {(UNHANDLED, "ZeroDivisionError: planted on purpose")}
    assert len(failures(events)) <= 2
    assert running
    assert alive
    assert any(text in reply.body["detail"] for text in NO_ANSWER), reply
    assert result["workflowStatus"] == "COMPLETED"
    assert [call.key for call in queue.worker.calls] == ["S1-1.waitUntil", "S1-1.execute"]
    assert received(queue) == ["1", "2", "3"]
    assert failures(await history(connection, workflow_id, run_id)) == failures(events)


def received(queue: Scenario) -> list[str | None]:
    """The signals that the state's execute was given."""
    (call,) = queue.worker.calls_of("S1.execute")
    assert isinstance(call.request, WorkflowStateDecideRequest)
    assert call.request.command_results is not None
    return [
        result.signal_value and result.signal_value.data
        for result in call.request.command_results.signal_results or ()
        if result.signal_request_status is ChannelRequestStatus.RECEIVED
    ]


@pytest.mark.parametrize(
    ("bug", "shown", "asked"),
    [
        pytest.param("other-timers", "timer start '", "timer start 'other-", id="other-timer"),
        pytest.param("other-calls", "call 'wu/S1-1'", "call 'other-wu/S1-1'", id="other-call"),
    ],
)
async def test_history_that_another_core_has_made_suspends_until_that_one_is_back(
    queue: Scenario, fixed: ServerCommand, connection: Connection, bug: str, shown: str, asked: str
) -> None:
    queue.worker.script("S1.waitUntil", wait_for(timers=(3600,), signals=("go",)))
    queue.worker.script("S1.execute", graceful_complete("done"))

    async with server_process(fixed) as right:
        assert await right.ready()
        workflow_id, run_id = await queue.start(workflowTimeoutSeconds=600)
        await queue.worker.wait_for_calls("S1.waitUntil")
        right.stop()
        assert await right.wait() == 0
    async with server_process(with_bug(fixed, bug)) as changed:
        assert await changed.ready()
        await signal(queue, workflow_id, "go", "1")
        reply = await suspended(queue, workflow_id)
        events = await history(connection, workflow_id, run_id)
        running = await is_running(queue, workflow_id)
    async with server_process(fixed):
        result = await queue.result(workflow_id, 50)

    ((cause, text),) = failures(events)
    assert cause == NONDETERMINISM
    assert text.startswith(f"Nondeterminism: the history shows {shown}")
    assert f" where this interpreter asks for {asked}" in text
    assert any(text in reply.body["detail"] for text in NO_ANSWER), reply
    assert running
    assert result["workflowStatus"] == "COMPLETED"
    assert [call.key for call in queue.worker.calls] == ["S1-1.waitUntil", "S1-1.execute"]
