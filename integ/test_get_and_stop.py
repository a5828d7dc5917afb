"""Reading where a workflow stands, waiting for its end, and stopping it."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import anyio
import pytest

from iwf_testkit import Answer, graceful_complete
from scenario import (
    NOT_EXISTS,
    Scenario,
    closed,
    idle,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_get_tells_status_and_results_on_demand(scenario: Scenario) -> None:
    running = await idle(scenario)
    scenario.worker.script("Done.execute", graceful_complete("out"))
    completed, run_id = await scenario.start(state_id="Done")
    await scenario.result(completed)

    assert (await scenario.ok("get", workflowId=running, needsResults=True))["workflowStatus"] == "RUNNING"
    assert await scenario.ok("get", workflowId=completed) == {
        "workflowRunId": run_id,
        "workflowStatus": "COMPLETED",
    }
    with_results = await scenario.ok("get", workflowId=completed, workflowRunId=run_id, needsResults=True)
    assert with_results["results"][0]["completedStateOutput"] == {"encoding": "json", "data": "out"}


async def test_get_with_wait_gives_up_in_time(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    started = anyio.current_time()
    reply = await scenario.post("getWithWait", {"workflowId": workflow_id, "waitTimeSeconds": 2})

    assert 0.9 < anyio.current_time() - started < 2.5
    refused(reply, "LONG_POLL_TIME_OUT_SUB_STATUS", status=420)
    assert (
        reply.body["detail"] == "workflow is still running, waiting has exceeded timeout limit, please retry"
    )


@pytest.mark.parametrize(
    ("fields", "status", "error_type", "message"),
    [
        pytest.param({}, "CANCELED", None, None, id="default"),
        pytest.param({"stopType": "CANCEL"}, "CANCELED", None, None, id="cancel"),
        pytest.param({"stopType": "TERMINATE", "reason": "r"}, "TERMINATED", None, None, id="terminate"),
        pytest.param(
            {"stopType": "FAIL", "reason": "enough"},
            "FAILED",
            "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
            "enough",
            id="fail",
        ),
        pytest.param(
            {"stopType": "FAIL"},
            "FAILED",
            "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
            None,
            id="fail-no-reason",
        ),
    ],
)
async def test_stop_ends_the_workflow(
    scenario: Scenario, fields: dict[str, str], status: str, error_type: str | None, message: str | None
) -> None:
    workflow_id = await idle(scenario)

    assert await scenario.ok("stop", workflowId=workflow_id, **fields) == {}
    result = await scenario.result(workflow_id)

    assert result["workflowStatus"] == status
    assert (result.get("errorType"), result.get("errorMessage")) == (error_type, message)
    assert "results" not in result


async def test_cancel_during_a_call_is_canceled_and_not_failed(scenario: Scenario) -> None:
    scenario.worker.script("S1.waitUntil", Answer(delay_seconds=3))
    workflow_id, _ = await scenario.start()
    await scenario.worker.wait_for_calls("S1.waitUntil")

    await scenario.ok("stop", workflowId=workflow_id)

    assert (await scenario.result(workflow_id))["workflowStatus"] == "CANCELED"


async def test_stopping_a_closed_workflow(scenario: Scenario) -> None:
    workflow_id = await closed(scenario)

    cancel = await scenario.post("stop", {"workflowId": workflow_id})
    terminate = await scenario.post("stop", {"workflowId": workflow_id, "stopType": "TERMINATE"})
    fail = await scenario.post("stop", {"workflowId": workflow_id, "stopType": "FAIL"})

    assert cancel.status == 200
    refused(terminate, NOT_EXISTS)
    refused(fail, NOT_EXISTS)
