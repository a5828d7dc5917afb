"""Resets: from which point a workflow runs again, and what comes with it."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType

from conformance.flows import WITHOUT_THRESHOLD, Flow, under
from conformance.histories import of_type
from conformance.replies import ALL, COMPLETE, FOREVER, await_commands, decide, rpc_answer, statuses, to
from iwf_interpreter.temporal import Connection
from iwf_testkit import go_to, wait_for
from scenario import NOT_EXISTS, UNCATEGORIZED, history, refused

pytestmark = pytest.mark.anyio

LOCKS = {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["k"]}


async def reset(flow: Flow, workflow_id: str, kind: str, **fields: Any) -> str:
    """Reset a workflow; the id of the new run."""
    reply = await flow.ok("reset", workflowId=workflow_id, resetType=kind, reason="again", **fields)
    return reply["workflowRunId"]


async def five_executions(flow: Flow) -> tuple[str, str]:
    """A completed workflow: S1, then S2 five times, the last of which completes."""
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.execute", go_to("S2"))
    flow.worker.script("S2-5.execute", decide(to(COMPLETE, "end")))
    workflow_id, run_id = await flow.start()
    assert await flow.completed(workflow_id) == [("S2-5", "end")]
    return workflow_id, run_id


@under("plain")
@pytest.mark.requirement("reset.state", "reset.state-execution")
async def test_resets_to_a_state_and_to_one_execution_of_it(flow: Flow) -> None:
    workflow_id, run_id = await five_executions(flow)

    second = await reset(flow, workflow_id, "STATE_ID", stateId="S2")
    assert await flow.completed(workflow_id) == [("S2-5", "end")]
    assert flow.counts("S1.execute", "S2.execute") == [1, 10]

    third = await reset(flow, workflow_id, "STATE_EXECUTION_ID", stateExecutionId="S2-4")
    assert await flow.completed(workflow_id) == [("S2-5", "end")]
    assert flow.counts("S1.execute", "S2.execute", "S2-4.execute") == [1, 12, 3]
    assert len({run_id, second, third}) == 3


@under("plain", "local")
@pytest.mark.requirement("reset.state", "reset.local-calls")
async def test_reset_finds_states_whose_calls_were_made_in_place(flow: Flow) -> None:
    """S2 is first called in a task that a signal begins, so nothing else is done again."""
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("end",)))
    flow.worker.script("S2.execute", decide(to(COMPLETE, "end")))
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id)
    await flow.signal(workflow_id, "go", "now")
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.rpc(workflow_id)
    await flow.signal(workflow_id, "end", "now")
    await flow.completed(workflow_id)

    await reset(flow, workflow_id, "STATE_EXECUTION_ID", stateExecutionId="S2-1")

    assert await flow.completed(workflow_id) == [("S2-1", "end")]
    assert flow.counts("S1.waitUntil", "S2.waitUntil", "S2.execute") == [1, 2, 2]


@under(*WITHOUT_THRESHOLD)
@pytest.mark.requirement("reset.beginning", "reset.signals-reapplied", "timers.stale-skips")
async def test_reset_to_the_beginning_applies_signals_and_skips_again(flow: Flow) -> None:
    timers = [("a", FOREVER), ("b", FOREVER), ("c", 1)]
    flow.worker.script("S1.waitUntil", await_commands(ALL, timers=timers, signals=[("", "go")]))
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id)
    for timer in ({"timerCommandId": "a"}, {"timerCommandIndex": 1}):
        await flow.ok("timer/skip", workflowId=workflow_id, workflowStateExecutionId="S1-1", **timer)
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    await reset(flow, workflow_id, "BEGINNING")
    await flow.completed(workflow_id)

    assert flow.counts("S1.waitUntil", "S1.execute") == [2, 2]
    again = flow.executes("S1")[1].command_results
    assert statuses(again) == ["FIRED", "FIRED", "FIRED", "RECEIVED"]


@under(*WITHOUT_THRESHOLD)
@pytest.mark.requirement("reset.skip-signals")
async def test_reset_that_skips_signals_waits_for_new_ones(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id)
    await flow.signal(workflow_id, "go", "old")
    await flow.completed(workflow_id)

    await reset(flow, workflow_id, "BEGINNING", skipSignalReapply=True)
    await flow.worker.wait_for_calls("S1.waitUntil", 2)
    await flow.rpc(workflow_id)
    assert await flow.status(workflow_id) == "RUNNING"
    await flow.signal(workflow_id, "go", "new")
    await flow.completed(workflow_id)

    values = [
        request.command_results.signal_results[0].signal_value
        for request in flow.executes("S1")
        if request.command_results and request.command_results.signal_results
    ]
    assert [item and item.data for item in values] == ["old", "new"]


@under(*WITHOUT_THRESHOLD)
@pytest.mark.requirement("reset.skip-signals", "stop.fail")
async def test_stop_with_fail_is_applied_again_unless_signals_are_skipped(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id)
    await flow.ok("stop", workflowId=workflow_id, stopType="FAIL", reason="enough")
    await flow.result(workflow_id)

    await reset(flow, workflow_id, "BEGINNING")
    assert (await flow.result(workflow_id))["errorMessage"] == "enough"

    await reset(flow, workflow_id, "BEGINNING", skipSignalReapply=True)
    await flow.signal(workflow_id, "go", "now")
    assert await flow.completed(workflow_id) == []


@pytest.mark.parametrize(
    ("skips", "counter"), [pytest.param(False, "1", id="reapplied"), pytest.param(True, None, id="skipped")]
)
@under(*WITHOUT_THRESHOLD)
@pytest.mark.requirement("reset.skip-updates")
async def test_locked_rpcs_after_the_point_are_applied_again_unless_updates_are_skipped(
    flow: Flow, skips: bool, counter: str | None
) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("rpc.write", rpc_answer(data={"k": "1"}))
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id, "write", dataAttributesLoadingPolicy=LOCKS)
    await flow.has_data(workflow_id, k="1")

    await reset(flow, workflow_id, "BEGINNING", skipUpdateReapply=skips)
    await flow.worker.wait_for_calls("S1.waitUntil", 2)

    if counter is None:
        await flow.rpc(workflow_id)
        assert await flow.ok("dataobjects/get", workflowId=workflow_id) == {}
    else:
        await flow.has_data(workflow_id, k=counter)
    assert flow.counts("rpc.write") == [1 if skips else 2]


@under("plain")
@pytest.mark.requirement("reset.event-id", "reset.event-time")
async def test_resets_to_an_event_and_to_a_time(flow: Flow, connection: Connection) -> None:
    workflow_id, run_id = await five_executions(flow)
    completed = of_type(
        await history(connection, workflow_id, run_id), EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    # The third task got the answer of S1's execute, and called S2.
    point = completed[2]

    await reset(flow, workflow_id, "HISTORY_EVENT_ID", historyEventId=point.event_id)
    assert await flow.completed(workflow_id) == [("S2-5", "end")]
    assert flow.counts("S1.execute", "S2.execute") == [1, 10]

    moment = point.event_time.ToJsonString()
    await reset(flow, workflow_id, "HISTORY_EVENT_TIME", historyEventTime=moment, workflowRunId=run_id)
    assert await flow.completed(workflow_id) == [("S2-5", "end")]
    assert flow.counts("S1.execute", "S2.execute") == [1, 15]


@under("local")
@pytest.mark.requirement("reset.local-calls", "reset.beginning", "reset.event-id", "reset.event-time")
async def test_every_reset_of_calls_that_share_a_task_makes_all_of_them_again(
    flow: Flow, connection: Connection
) -> None:
    """All calls were made in place, in the first task: a point within it is the task itself."""
    workflow_id, run_id = await five_executions(flow)
    (first, *_) = of_type(
        await history(connection, workflow_id, run_id), EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    points: list[tuple[str, dict[str, Any]]] = [
        ("BEGINNING", {}),
        ("STATE_ID", {"stateId": "S2"}),
        ("STATE_EXECUTION_ID", {"stateExecutionId": "S2-4"}),
        ("HISTORY_EVENT_ID", {"historyEventId": first.event_id}),
        ("HISTORY_EVENT_TIME", {"historyEventTime": first.event_time.ToJsonString()}),
    ]

    for times, (kind, point) in enumerate(points, start=2):
        await reset(flow, workflow_id, kind, workflowRunId=run_id, **point)
        assert await flow.completed(workflow_id) == [("S2-5", "end")]
        assert flow.counts("S1.execute", "S2.execute") == [times, 5 * times], kind


@pytest.mark.requirement("reset.any-run-of-the-chain", "reset.running")
async def test_run_that_was_continued_can_be_reset_by_itself(flow: Flow) -> None:
    """Whatever became of the runs before it: the state that it took over is its own."""
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S1.execute", decide(to(COMPLETE, "end"), data={"k": "ä€𝄞"}))
    workflow_id, run_id = await flow.start(workflowStartOptions={"dataAttributes": [{"key": "kept"}]})
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    second_run = await flow.next_run(workflow_id, run_id)
    await flow.rpc(workflow_id)

    new_run = await reset(flow, workflow_id, "BEGINNING", workflowRunId=second_run)
    await flow.signal(workflow_id, "go", "now")

    assert new_run not in (run_id, second_run)
    assert await flow.completed(workflow_id) == [("S1-1", "end")]
    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 1]
    answer = await flow.ok("dataobjects/get", workflowId=workflow_id)
    assert [item["key"] for item in answer["objects"]] == ["k", "kept"]


@under("plain")
@pytest.mark.requirement("reset.bad-requests")
async def test_reset_without_a_point_is_refused(flow: Flow) -> None:
    workflow_id, run_id = await flow.start()
    await flow.completed(workflow_id)

    for fields in (
        {},
        {"resetType": "HISTORY_EVENT_ID"},
        {"resetType": "HISTORY_EVENT_ID", "historyEventId": 10**6},
        {"resetType": "HISTORY_EVENT_ID", "historyEventId": 1},
        {"resetType": "HISTORY_EVENT_TIME"},
        {"resetType": "HISTORY_EVENT_TIME", "historyEventTime": "2199-01-01T00:00:00Z"},
        {"resetType": "STATE_ID"},
        {"resetType": "STATE_ID", "stateId": "S2"},
        {"resetType": "STATE_ID", "stateExecutionId": "S1-1"},
        {"resetType": "STATE_EXECUTION_ID", "stateExecutionId": "S1-2"},
    ):
        refused(await flow.post("reset", {"workflowId": workflow_id, **fields}), UNCATEGORIZED)
    other_run = {"workflowRunId": "00000000-0000-4000-8000-000000000000", "resetType": "BEGINNING"}
    refused(await flow.post("reset", {"workflowId": workflow_id, **other_run}), NOT_EXISTS)
    assert await flow.status(workflow_id, run_id) == "COMPLETED"
