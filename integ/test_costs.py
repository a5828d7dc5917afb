"""What workflows cost on Temporal: history events and billable actions, which are exact figures."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.temporal import Connection
from iwf_models import (
    EncodedObject,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import go_to, graceful_complete, wait_for
from scenario import Scenario, history

pytestmark = pytest.mark.anyio

_ACTIONS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
    }
)
"""Events that stand for one billable action each; attempts beyond the first of a call count too."""

QUIET = {"executingStateIdMode": "DISABLED"}
LOCAL = {**QUIET, "optimizeActivity": True}
SKIPPING = WorkflowStateOptions(skip_wait_until=True)


def costs(events: list[HistoryEvent]) -> tuple[int, int]:
    """Events and actions of a run in which no call was repeated."""
    actions = sum(event.event_type in _ACTIONS for event in events)
    # All markers of one task are one action.
    tasks_with_markers = {
        event.marker_recorded_event_attributes.workflow_task_completed_event_id
        for event in events
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED
    }
    return len(events), actions + len(tasks_with_markers)


async def cost(connection: Connection, workflow_id: str, run_id: str) -> tuple[int, int]:
    return costs(await history(connection, workflow_id, run_id))


def configured(config: dict[str, object]) -> dict[str, Any]:
    """The start options for a configuration."""
    return {"workflowStartOptions": {"workflowConfigOverride": config}}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(QUIET, (29, 5), id="regular"),
        # The index shows `[S1]`, `[S2]` and nothing.
        pytest.param({}, (32, 8), id="regular-with-executing-state-ids"),
        pytest.param(LOCAL, (9, 2), id="local"),
        pytest.param({"optimizeActivity": True}, (9, 2), id="local-with-executing-state-ids"),
    ],
)
async def test_two_states_with_wait_until(
    scenario: Scenario, connection: Connection, config: dict[str, object], expected: tuple[int, int]
) -> None:
    scenario.worker.script("S1.execute", go_to("S2"))

    workflow_id, run_id = await scenario.start(**configured(config))
    await scenario.result(workflow_id)

    assert await cost(connection, workflow_id, run_id) == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [pytest.param({}, (17, 3), id="regular"), pytest.param({"optimizeActivity": True}, (7, 2), id="local")],
)
async def test_two_states_that_skip_wait_until(
    scenario: Scenario, connection: Connection, config: dict[str, object], expected: tuple[int, int]
) -> None:
    scenario.worker.script("S1.execute", go_to("S2", options=SKIPPING))

    workflow_id, run_id = await scenario.start(stateOptions={"skipWaitUntil": True}, **configured(config))
    await scenario.result(workflow_id)

    assert await cost(connection, workflow_id, run_id) == expected


async def test_continuing_as_new_adds_the_next_run_and_nothing_else(
    scenario: Scenario, connection: Connection
) -> None:
    """Two states that skip waitUntil cost 17 events; over two runs 5 more: the end of the first run, and in
    the second its start and its first task, of three events."""
    scenario.worker.script("S1.execute", go_to("S2", options=SKIPPING))

    workflow_id, run_id = await scenario.start(
        stateOptions={"skipWaitUntil": True}, **configured({"continueAsNewThreshold": 1})
    )
    await scenario.result(workflow_id)

    events = await history(connection, workflow_id, run_id)
    following = events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    first, second = costs(events), await cost(connection, workflow_id, following)
    assert (first[0] + second[0], first[1] + second[1]) == (17 + 5, 3 + 1)


async def test_timer_that_loses_costs_its_cancelling(scenario: Scenario, connection: Connection) -> None:
    waits = {"without": wait_for(signals=("go",)), "with": wait_for(timers=(3600,), signals=("go",))}
    found: dict[str, tuple[int, int]] = {}
    for name, wait in waits.items():
        scenario.worker.script("S1.waitUntil", wait)
        scenario.worker.script("S1.execute", graceful_complete())
        workflow_id, run_id = await scenario.start()
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
        await scenario.result(workflow_id)
        found[name] = await cost(connection, workflow_id, run_id)

    # Started and cancelled: two events, one action.
    assert found["with"] == (found["without"][0] + 2, found["without"][1] + 1)


async def waiting(scenario: Scenario) -> tuple[str, str]:
    """A run that waits and has nothing else to do."""
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await scenario.start()
    await scenario.worker.wait_for_calls("S1.waitUntil")
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
    return workflow_id, run_id


async def test_writing_rpc(scenario: Scenario, connection: Connection) -> None:
    workflow_id, run_id = await waiting(scenario)
    scenario.worker.script(
        "rpc.write",
        WorkflowWorkerRpcResponse(
            upsert_data_attributes=[KeyValue(key="d", value=EncodedObject(data="1"))],
            output=EncodedObject(data="done"),
        ),
    )
    before = await cost(connection, workflow_id, run_id)

    await scenario.ok("rpc", workflowId=workflow_id, rpcName="write")
    await scenario.ok("dataobjects/get", workflowId=workflow_id)

    events, actions = await cost(connection, workflow_id, run_id)
    # The query that prepares an RPC is an action too, without an event.
    assert (events - before[0], actions - before[1] + 1) == (4, 2)


async def test_locked_rpc(scenario: Scenario, connection: Connection) -> None:
    workflow_id, run_id = await waiting(scenario)
    policy = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK", "lockingKeys": ["d"]}
    before = await cost(connection, workflow_id, run_id)

    await scenario.ok("rpc", workflowId=workflow_id, rpcName="locked", dataAttributesLoadingPolicy=policy)

    events, actions = await cost(connection, workflow_id, run_id)
    assert (events - before[0], actions - before[1]) == (6, 2)


async def test_completion_of_a_state_costs_nothing_when_nobody_waits(
    scenario: Scenario, connection: Connection
) -> None:
    found: list[tuple[int, int]] = []
    for registered in ([], ["S1-1"]):
        workflow_id, run_id = await scenario.start(waitForCompletionStateExecutionIds=registered)
        await scenario.result(workflow_id)
        found.append(await cost(connection, workflow_id, run_id))

    assert found[0] == found[1]


async def test_index_is_written_once_per_task_and_only_when_it_changes(
    scenario: Scenario, connection: Connection
) -> None:
    attribute = SearchAttribute(
        key="CustomIntField", value_type=SearchAttributeValueType.INT, integer_value=7
    )
    scenario.worker.script("S1.execute", go_to("S2", "S3", "S4"))
    scenario.worker.script("*.waitUntil", WorkflowStateStartResponse(upsert_search_attributes=[attribute]))

    workflow_id, run_id = await scenario.start()
    await scenario.result(workflow_id)

    events = await history(connection, workflow_id, run_id)
    upserts = [
        event.upsert_workflow_search_attributes_event_attributes
        for event in events
        if event.event_type == EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    ]
    tasks = [upsert.workflow_task_completed_event_id for upsert in upserts]
    assert len(tasks) == len(set(tasks))
    with_attribute = [
        upsert for upsert in upserts if "CustomIntField" in upsert.search_attributes.indexed_fields
    ]
    assert len(with_attribute) == 1
