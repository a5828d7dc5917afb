from collections.abc import Awaitable, Callable

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest

from iwf_interpreter.engine import InvalidArgument, WorkflowNotFound
from iwf_interpreter.temporal import Connection, TemporalEngine
from iwf_models import WorkflowStatus
from toy_interpreter import ORDER, order, started

pytestmark = pytest.mark.anyio

UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"

Change = Callable[[TemporalEngine, str, str], Awaitable[None]]


async def signal(engine: TemporalEngine, workflow_id: str, run_id: str) -> None:
    await engine.signal(workflow_id, run_id, ORDER, order("complete"))


async def cancel(engine: TemporalEngine, workflow_id: str, run_id: str) -> None:
    await engine.cancel(workflow_id, run_id)


async def terminate(engine: TemporalEngine, workflow_id: str, run_id: str) -> None:
    await engine.terminate(workflow_id, run_id, "test")


ALL_CHANGES = pytest.mark.parametrize("change", [signal, cancel, terminate])


@pytest.mark.parametrize("named", [True, False], ids=["named-run", "current-run"])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param(signal, WorkflowStatus.COMPLETED, id="signal"),
        pytest.param(cancel, WorkflowStatus.CANCELED, id="cancel"),
        pytest.param(terminate, WorkflowStatus.TERMINATED, id="terminate"),
    ],
)
async def test_a_change_reaches_its_run(
    engine: TemporalEngine, workflow_id: str, change: Change, status: WorkflowStatus, named: bool
) -> None:
    run_id = await engine.start(started(workflow_id))

    await change(engine, workflow_id, run_id if named else "")

    assert (await engine.wait(workflow_id, run_id, 20)).status is status


async def test_a_run_can_be_cancelled_twice(idle_engine: TemporalEngine, workflow_id: str) -> None:
    run_id = await idle_engine.start(started(workflow_id))

    await idle_engine.cancel(workflow_id, run_id)
    await idle_engine.cancel(workflow_id, run_id)

    assert (await idle_engine.describe(workflow_id, run_id)).status is WorkflowStatus.RUNNING


async def test_cancelling_a_closed_run_leaves_it_as_it_is(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    run_id = await idle_engine.start(started(workflow_id))
    await idle_engine.terminate(workflow_id, run_id, "test")

    await idle_engine.cancel(workflow_id, run_id)

    assert (await idle_engine.describe(workflow_id, run_id)).status is WorkflowStatus.TERMINATED


@pytest.mark.parametrize("change", [signal, terminate])
async def test_a_closed_run_takes_no_other_change(
    idle_engine: TemporalEngine, workflow_id: str, change: Change
) -> None:
    run_id = await idle_engine.start(started(workflow_id))
    await idle_engine.terminate(workflow_id, run_id, "test")

    with pytest.raises(WorkflowNotFound):
        await change(idle_engine, workflow_id, run_id)


@pytest.mark.parametrize(
    "run_id",
    [
        pytest.param("", id="unknown-workflow"),
        pytest.param(UNKNOWN_RUN, id="unknown-run"),
        pytest.param("not-a-run", id="malformed-run"),
    ],
)
@ALL_CHANGES
async def test_a_workflow_that_does_not_exist_cannot_be_changed(
    idle_engine: TemporalEngine, workflow_id: str, run_id: str, change: Change
) -> None:
    if run_id:
        await idle_engine.start(started(workflow_id))

    with pytest.raises(WorkflowNotFound):
        await change(idle_engine, workflow_id, run_id)


async def test_a_signal_without_a_name_is_an_invalid_argument(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id))

    with pytest.raises(InvalidArgument, match="SignalName"):
        await idle_engine.signal(workflow_id, "", "", order("complete"))


async def test_the_history_tells_why_and_by_whom_a_run_was_terminated(
    idle_engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    run_id = await idle_engine.start(started(workflow_id))

    await idle_engine.terminate(workflow_id, run_id, "wrong customer")

    history = await connection.service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=connection.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            maximum_page_size=1,
        )
    )
    event = history.history.events[0].workflow_execution_terminated_event_attributes
    assert (event.reason, event.identity) == ("wrong customer", connection.identity)
