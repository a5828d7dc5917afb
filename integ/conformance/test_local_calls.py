"""Calls of the worker that are first made in place: what a worker sees of it, and what is left behind."""

import anyio
import pytest
from temporalio.api.enums.v1 import EventType

from conformance.flows import LOCAL, Flow, under
from conformance.histories import chain, of_type, scheduled_activities
from conformance.replies import COMPLETE, FOREVER, SKIPS, decide, to
from iwf_interpreter.temporal import Connection
from iwf_testkit import Answer, go_to, graceful_complete, wait_for

pytestmark = pytest.mark.anyio


@under(*LOCAL)
@pytest.mark.requirement("local.no-activities")
async def test_calls_that_succeed_in_place_schedule_nothing(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.execute", graceful_complete("end"))

    workflow_id, run_id = await flow.start()

    assert await flow.completed(workflow_id) == [("S2-1", "end")]
    assert await scheduled_activities(connection, workflow_id, run_id) == []
    assert [call.key for call in flow.worker.calls] == [
        "S1-1.waitUntil",
        "S1-1.execute",
        "S2-1.waitUntil",
        "S2-1.execute",
    ]
    assert {call.request.context.attempt for call in flow.worker.calls} == {1}


@under("local")
@pytest.mark.requirement("local.one-task")
async def test_calls_in_place_of_one_workflow_share_a_task(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.execute", *(go_to("S1") for _ in range(9)), graceful_complete())

    workflow_id, run_id = await flow.start()
    await flow.completed(workflow_id)

    (events,) = await chain(connection, workflow_id, run_id)
    assert len(of_type(events, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)) == 1
    assert flow.counts("S1.waitUntil", "S1.execute") == [10, 10]


@under(*LOCAL)
@pytest.mark.requirement("local.fallback")
async def test_call_that_fails_in_place_goes_on_with_its_second_attempt(
    flow: Flow, connection: Connection
) -> None:
    flow.worker.script("S1.waitUntil", Answer(status=500), Answer(body={}))
    flow.worker.script("S1.execute", Answer(drop=True), Answer(status=501), decide(to(COMPLETE, "end")))

    workflow_id, run_id = await flow.start()

    assert await flow.completed(workflow_id) == [("S1-1", "end")]
    waits = [request.context for request in flow.waits("S1")]
    executes = [request.context for request in flow.executes("S1")]
    assert [context.attempt for context in waits] == [1, 2]
    assert [context.attempt for context in executes] == [1, 2, 3]
    assert len({context.first_attempt_timestamp for context in waits}) == 1
    assert len({context.first_attempt_timestamp for context in executes}) == 1
    assert await scheduled_activities(connection, workflow_id, run_id) == ["wu/S1-1", "ex/S1-1"]


@under(*LOCAL)
@pytest.mark.requirement("local.fallback", "failures.as-often-as-the-policy-says")
async def test_attempt_in_place_is_one_of_those_that_the_policy_allows(flow: Flow) -> None:
    flow.worker.script("S1.execute", Answer(status=500, text="broken", content_type="text/plain"))

    workflow_id, _ = await flow.start(
        stateOptions={**SKIPS, "executeApiRetryPolicy": {"maximumAttempts": 3, "backoffCoefficient": 1}}
    )
    result = await flow.result(workflow_id)

    assert result["errorType"] == "STATE_API_FAIL_ERROR_TYPE"
    assert result["errorMessage"].startswith(
        "statusCode: 500, responseBody: broken, errMsg: 500 Internal Server Error"
    )
    assert [request.context.attempt for request in flow.executes("S1")] == [1, 2, 3]


@under(*LOCAL)
@pytest.mark.requirement("local.text-not-cut")
async def test_text_of_a_failure_in_place_is_no_shorter_than_of_any_other(flow: Flow) -> None:
    flow.worker.script("S1.execute", Answer(status=500, text="ä" * 500, content_type="text/plain"))

    workflow_id, _ = await flow.start(stateOptions={**SKIPS, "executeApiRetryPolicy": {"maximumAttempts": 1}})
    result = await flow.result(workflow_id)

    assert f"responseBody: {'ä' * 500}, errMsg: 500" in result["errorMessage"]
    assert flow.counts("S1.execute") == [1]


@under("local", "local-continued")
@pytest.mark.requirement("local.slow-calls")
async def test_call_longer_than_an_attempt_in_place_gets_its_own_time_as_an_activity(
    flow: Flow, connection: Connection
) -> None:
    """The attempt in place is given up after five seconds; the second one answers at once."""
    flow.worker.script("S1.execute", Answer(delay_seconds=30), decide(to(COMPLETE, "end")))

    workflow_id, run_id = await flow.start(stateOptions=SKIPS)

    assert await flow.completed(workflow_id) == [("S1-1", "end")]
    assert [request.context.attempt for request in flow.executes("S1")] == [1, 2]
    assert await scheduled_activities(connection, workflow_id, run_id) == ["ex/S1-1"]


@under(*LOCAL)
@pytest.mark.requirement("local.no-repeated-calls")
async def test_signal_during_a_closing_call_in_place_repeats_no_call(flow: Flow) -> None:
    """The signal makes the engine refuse the end of the run, since the run has not seen it."""
    signalled = anyio.Event()
    flow.worker.script("S1.execute", Answer(body=decide(to(COMPLETE, "end")), gate=signalled))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.execute")
    await flow.signal(workflow_id, "unread", "1", "2")
    signalled.set()

    assert await flow.completed(workflow_id) == [("S1-1", "end")]
    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 1]


@under(*LOCAL)
@pytest.mark.requirement("local.no-repeated-calls", "stop.cancel")
async def test_cancel_during_a_call_in_place_calls_nothing_more(flow: Flow) -> None:
    stopped = anyio.Event()
    flow.worker.script("S1.execute", Answer(body=go_to("S2"), gate=stopped))
    flow.worker.script("S2.waitUntil", wait_for(timers=(FOREVER,)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.execute")
    await flow.ok("stop", workflowId=workflow_id)
    stopped.set()

    assert await flow.ended(workflow_id) == {"workflowStatus": "CANCELED"}
    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 1]
