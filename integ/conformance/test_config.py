"""Changing a running workflow's configuration, and telling it to continue as new."""

import pytest

from conformance.flows import WITHOUT_THRESHOLD, Flow, under, until
from conformance.histories import config, scheduled_activities
from conformance.replies import decide, rpc_answer, to
from iwf_interpreter.temporal import Connection
from iwf_testkit import dead_end, go_to, wait_for
from scenario import NOT_EXISTS, refused

pytestmark = pytest.mark.anyio


async def idle(flow: Flow) -> tuple[str, str]:
    """A workflow that waits for the signal "go" once and for all; its id and first run id."""
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    ids = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    return ids


@pytest.mark.requirement("config.update")
async def test_updates_of_two_fields_are_both_kept_and_change_nothing_else(
    flow: Flow, connection: Connection
) -> None:
    workflow_id, _ = await idle(flow)
    before = await config(connection, workflow_id)

    await flow.ok(
        "config/update", workflowId=workflow_id, workflowConfig={"executingStateIdMode": "DISABLED"}
    )
    await flow.ok(
        "config/update", workflowId=workflow_id, workflowConfig={"continueAsNewPageSizeInBytes": 5000}
    )

    expected = {**before, "executingStateIdMode": "DISABLED", "continueAsNewPageSizeInBytes": 5000}

    async def both_are_there() -> bool:
        return await config(connection, workflow_id) == expected

    await until(both_are_there)
    assert before == {"continueAsNewThreshold": 100, **flow.variant.config}


@pytest.mark.requirement("config.update", "continue.keeps-config")
async def test_updated_configuration_is_that_of_the_next_run_too(flow: Flow, connection: Connection) -> None:
    workflow_id, run_id = await idle(flow)
    await flow.ok("config/update", workflowId=workflow_id, workflowConfig={"optimizeTimer": True})
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.next_run(workflow_id, run_id)

    assert (await config(connection, workflow_id))["optimizeTimer"] is True


@under(*WITHOUT_THRESHOLD)
@pytest.mark.requirement("config.update", "continue.threshold")
async def test_lowered_threshold_makes_a_run_continue(flow: Flow) -> None:
    """What the run has done already counts."""
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))

    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    assert await flow.status(workflow_id, run_id) == "RUNNING"
    await flow.ok("config/update", workflowId=workflow_id, workflowConfig={"continueAsNewThreshold": 2})
    await flow.next_run(workflow_id, run_id)
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == []
    assert flow.counts("S1.execute", "S2.waitUntil", "S2.execute") == [1, 1, 1]


@under("plain")
@pytest.mark.requirement("config.update", "local.on-and-off")
async def test_local_calls_can_be_switched_on_for_a_running_workflow(
    flow: Flow, connection: Connection
) -> None:
    flow.worker.script("S1.execute", go_to("S2"))

    workflow_id, run_id = await idle(flow)
    await flow.ok("config/update", workflowId=workflow_id, workflowConfig={"optimizeActivity": True})
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    # Only the waitUntil before the update was made by the engine.
    assert await scheduled_activities(connection, workflow_id, run_id) == ["wu/S1-1"]


@pytest.mark.requirement("continue.trigger")
async def test_trigger_makes_an_idle_run_continue_once_each(flow: Flow) -> None:
    workflow_id, run_id = await idle(flow)
    for _ in range(3):
        await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
        run_id, before = await flow.next_run(workflow_id, run_id), run_id
        assert await flow.status(workflow_id, before) == "CONTINUED_AS_NEW"
        assert await flow.status(workflow_id) == "RUNNING"
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == []
    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 1]


@pytest.mark.requirement("continue.trigger")
async def test_trigger_works_without_any_state(flow: Flow) -> None:
    flow.worker.script("rpc.start", rpc_answer("S2"))

    workflow_id, run_id = await flow.start(state_id=None)
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.next_run(workflow_id, run_id)
    await flow.rpc(workflow_id, "start")

    assert await flow.completed(workflow_id) == []


@under("plain")
@pytest.mark.requirement("config.closed", "continue.trigger")
async def test_closed_workflow_can_be_neither_configured_nor_continued(flow: Flow) -> None:
    workflow_id, _ = await flow.start()
    await flow.completed(workflow_id)

    request = {"workflowId": workflow_id, "workflowConfig": {"optimizeTimer": True}}
    refused(await flow.post("config/update", request), NOT_EXISTS)
    refused(await flow.post("triggerContinueAsNew", {"workflowId": workflow_id}), NOT_EXISTS)


@under("plain")
@pytest.mark.requirement("continue.threshold")
async def test_threshold_of_zero_never_makes_a_run_continue(flow: Flow) -> None:
    flow.worker.script("S1.execute", *(go_to("S1") for _ in range(30)), decide(to("S2")))
    flow.worker.script("S2.execute", dead_end())

    workflow_id, run_id = await flow.start(config={"continueAsNewThreshold": 0})
    await flow.worker.wait_for_calls("S2.execute", timeout_seconds=30)

    assert (await flow.ok("get", workflowId=workflow_id))["workflowRunId"] == run_id
