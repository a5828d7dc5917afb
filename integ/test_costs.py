"""What workflows cost on Temporal: history events and billable actions, which are exact figures."""

import pytest
from temporalio.api.enums.v1 import EventType

from iwf_interpreter.temporal import Connection
from iwf_models import WorkflowStateOptions
from iwf_testkit import go_to, graceful_complete, wait_for
from scenario import Scenario, history

pytestmark = pytest.mark.anyio

_ACTIONS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
    }
)
"""Events that stand for one billable action each; attempts beyond the first of a call count too."""


async def cost(connection: Connection, workflow_id: str, run_id: str) -> tuple[int, int]:
    """Events and actions of a run in which no call was repeated."""
    events = await history(connection, workflow_id, run_id)
    return len(events), sum(event.event_type in _ACTIONS for event in events)


async def test_two_states_with_wait_until(scenario: Scenario, connection: Connection) -> None:
    scenario.worker.script("S1.execute", go_to("S2"))

    workflow_id, run_id = await scenario.start()
    await scenario.result(workflow_id)

    assert await cost(connection, workflow_id, run_id) == (29, 5)


async def test_two_states_that_skip_wait_until(scenario: Scenario, connection: Connection) -> None:
    scenario.worker.script("S1.execute", go_to("S2", options=WorkflowStateOptions(skip_wait_until=True)))

    workflow_id, run_id = await scenario.start(stateOptions={"skipWaitUntil": True})
    await scenario.result(workflow_id)

    assert await cost(connection, workflow_id, run_id) == (17, 3)


async def test_timer_that_loses_costs_its_cancelling(scenario: Scenario, connection: Connection) -> None:
    waits = {"without": wait_for(signals=("go",)), "with": wait_for(timers=(3600,), signals=("go",))}
    costs: dict[str, tuple[int, int]] = {}
    for name, wait in waits.items():
        scenario.worker.script("S1.waitUntil", wait)
        scenario.worker.script("S1.execute", graceful_complete())
        workflow_id, run_id = await scenario.start()
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
        await scenario.result(workflow_id)
        costs[name] = await cost(connection, workflow_id, run_id)

    # Started and cancelled: two events, one action.
    assert costs["with"] == (costs["without"][0] + 2, costs["without"][1] + 1)


async def test_writing_rpc(scenario: Scenario, connection: Connection) -> None:
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await scenario.start()
    await scenario.worker.wait_for_calls("S1.waitUntil")
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
    before = await cost(connection, workflow_id, run_id)

    await scenario.ok("dataobjects/set", workflowId=workflow_id, objects=[{"key": "d"}])
    await scenario.ok("dataobjects/get", workflowId=workflow_id)

    events, actions = await cost(connection, workflow_id, run_id)
    assert (events - before[0], actions - before[1]) == (4, 1)
