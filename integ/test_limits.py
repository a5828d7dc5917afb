"""Limits of the engine, and what happens to a workflow that meets one."""

import anyio
import pytest
from temporalio.api.enums.v1 import EventType

from iwf_interpreter.temporal import Connection
from iwf_testkit import wait_for
from scenario import Scenario, history

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


async def test_call_that_is_too_large_suspends_the_run_until_it_is_smaller(
    scenario: Scenario, connection: Connection
) -> None:
    """The server would terminate the run for such a call; nothing is lost instead."""
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await scenario.start(workflowTimeoutSeconds=0)
    await scenario.worker.wait_for_calls("S1.waitUntil")
    large = {"data": "x" * 1_200_000}
    for key in ("a", "b"):
        await scenario.ok("dataobjects/set", workflowId=workflow_id, objects=[{"key": key, "value": large}])

    await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
    with anyio.fail_after(20):
        while not (failures := await failed_tasks(connection, workflow_id, run_id)):
            await anyio.sleep(0.05)
    await scenario.ok(
        "dataobjects/set", workflowId=workflow_id, objects=[{"key": "b", "value": {"data": "small"}}]
    )
    result = await scenario.result(workflow_id, wait_seconds=50)

    assert result["workflowStatus"] == "COMPLETED"
    assert "input of call 'ex/S1-1' has" in failures[0]


async def failed_tasks(connection: Connection, workflow_id: str, run_id: str) -> list[str]:
    """Why tasks of the run failed."""
    return [
        event.workflow_task_failed_event_attributes.failure.message
        for event in await history(connection, workflow_id, run_id)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
