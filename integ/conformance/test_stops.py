"""Stopping a workflow, also one that is busy and one whose worker is gone."""

from typing import Any

import pytest

from conformance.flows import Flow
from conformance.replies import FOREVER, SKIP, SKIPS, decide, to
from iwf_testkit import Answer, dead_end, go_to, wait_for

pytestmark = pytest.mark.anyio

STOPS = [
    pytest.param({}, {"workflowStatus": "CANCELED"}, id="default"),
    pytest.param({"stopType": "CANCEL", "reason": "why"}, {"workflowStatus": "CANCELED"}, id="cancel"),
    pytest.param(
        {"stopType": "TERMINATE", "reason": "why"}, {"workflowStatus": "TERMINATED"}, id="terminate"
    ),
    pytest.param(
        {"stopType": "FAIL", "reason": "why"},
        {
            "workflowStatus": "FAILED",
            "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
            "errorMessage": "why",
        },
        id="fail",
    ),
    pytest.param(
        {"stopType": "FAIL"},
        {"workflowStatus": "FAILED", "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"},
        id="fail-without-reason",
    ),
]


@pytest.mark.parametrize(("stop", "expected"), STOPS)
@pytest.mark.requirement("stop.cancel", "stop.terminate", "stop.fail")
async def test_stop_ends_a_workflow_that_waits(
    flow: Flow, stop: dict[str, str], expected: dict[str, Any]
) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("never",)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.ok("stop", workflowId=workflow_id, **stop)

    assert await flow.ended(workflow_id) == expected
    assert flow.counts("S2.execute") == [0]


@pytest.mark.parametrize(("stop", "expected"), STOPS[1:4])
@pytest.mark.requirement("stop.while-draining")
async def test_stop_ends_a_workflow_whose_worker_is_gone_and_that_is_to_continue(
    flow: Flow, stop: dict[str, str], expected: dict[str, Any]
) -> None:
    """An execution has completed, so with a threshold the run drains, waiting for a call that never ends."""
    flow.worker.script("S1.execute", go_to("Done", "Dead"))
    flow.worker.script("Done.execute", decide(to("_SYS_DEAD_END"), data={"done": "1"}))
    flow.worker.script("Dead.waitUntil", Answer(drop=True))

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, done="1")
    await flow.worker.wait_for_calls("Dead.waitUntil", 2)
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.ok("stop", workflowId=workflow_id, **stop)

    assert await flow.ended(workflow_id, wait_seconds=5) == expected


@pytest.mark.requirement("stop.while-draining")
async def test_forced_completion_does_not_wait_for_a_call_of_another_thread(flow: Flow) -> None:
    flow.worker.script("S1.execute", decide(to("Dead"), to("Force", options=SKIP)))
    flow.worker.script("Dead.waitUntil", Answer(drop=True))
    forced = decide(to("_SYS_FORCE_COMPLETING_WORKFLOW", "forced"))
    flow.worker.script("Force.execute", Answer(status=500), forced)

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == [("Force-1", "forced")]


@pytest.mark.requirement("stop.cancel")
async def test_cancel_during_a_failing_call_is_no_failure(flow: Flow) -> None:
    flow.worker.script("S1.execute", Answer(status=500))

    workflow_id, _ = await flow.start(stateOptions=SKIPS)
    await flow.worker.wait_for_calls("S1.execute", 2)
    await flow.ok("stop", workflowId=workflow_id)

    assert await flow.ended(workflow_id) == {"workflowStatus": "CANCELED"}


@pytest.mark.requirement("stop.results-of-others")
async def test_stopped_workflow_has_no_results(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B"))
    flow.worker.script("A.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", "a"), data={"a": "1"}))
    flow.worker.script("B.waitUntil", wait_for(timers=(FOREVER,)))
    flow.worker.script("B.execute", dead_end())

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, a="1")
    await flow.ok("stop", workflowId=workflow_id, stopType="CANCEL")

    assert await flow.ended(workflow_id) == {"workflowStatus": "CANCELED"}
