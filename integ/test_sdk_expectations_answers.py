"""How SDKs read answers: what they need is there, and what they fail on is not.

The tests name the lines of `docs/compatibility.md` that they show, by letter and number. That no answer holds
a null, and that all are JSON, is checked by every call of a scenario (R1, R2).
"""

import pytest

from iwf_models import ErrorSubStatus, WorkflowErrorType, WorkflowStatus
from iwf_testkit import force_fail
from raw_worker import GO_NIL, RawAnswer, RawWorker, completes_with
from scenario import Scenario

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("sdk.known-enums")
def test_statuses_and_error_types_are_those_that_sdks_know() -> None:
    """R3: an unknown value makes Python, Go and Java fail to read the whole answer."""
    known = "RUNNING COMPLETED FAILED TIMEOUT TERMINATED CANCELED CONTINUED_AS_NEW"
    assert " ".join(WorkflowStatus) == known
    assert {*WorkflowErrorType} == {
        "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
        "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
        "STATE_API_FAIL_ERROR_TYPE",
        "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE",
        "RPC_ACQUIRE_LOCK_FAILURE",
        "SERVER_INTERNAL_ERROR_TYPE",
    }
    assert {*ErrorSubStatus} == {
        "UNCATEGORIZED_SUB_STATUS",
        "WORKFLOW_ALREADY_STARTED_SUB_STATUS",
        "WORKFLOW_NOT_EXISTS_SUB_STATUS",
        "WORKER_API_ERROR",
        "LONG_POLL_TIME_OUT_SUB_STATUS",
    }


@pytest.mark.requirement("sdk.start-answer")
async def test_start_always_answers_a_run_id(scenario: Scenario) -> None:
    """R5: also where the workflow was there before."""
    workflow_id, run_id = await scenario.start(None, None)
    options = {"workflowAlreadyStartedOptions": {"ignoreAlreadyStartedError": True}}
    again = await scenario.start(workflow_id, None, workflowStartOptions=options)

    assert run_id
    assert again == (workflow_id, run_id)


@pytest.mark.requirement("sdk.uncompleted")
@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        pytest.param({"stopType": "CANCEL"}, {"workflowStatus": "CANCELED"}, id="canceled"),
        pytest.param({"stopType": "TERMINATE"}, {"workflowStatus": "TERMINATED"}, id="terminated"),
        pytest.param(
            {"stopType": "FAIL", "reason": "why"},
            {
                "workflowStatus": "FAILED",
                "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
                "errorMessage": "why",
            },
            id="failed-by-client",
        ),
        pytest.param(
            {"stopType": "FAIL", "reason": ""},
            {"workflowStatus": "FAILED", "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"},
            id="failed-without-reason",
        ),
    ],
)
async def test_stopped_workflow_tells_status_and_error(
    scenario: Scenario, stop: dict[str, str], expected: dict[str, str]
) -> None:
    """R6 for workflows that a client stopped."""
    workflow_id, run_id = await scenario.start(None, None)
    await scenario.ok("stop", workflowId=workflow_id, **stop)

    assert await scenario.result(workflow_id) == {"workflowRunId": run_id, **expected}


@pytest.mark.requirement("sdk.uncompleted")
async def test_failed_and_timed_out_workflows_tell_status_and_error(scenario: Scenario) -> None:
    """R6 for workflows that end by themselves."""
    scenario.worker.script("Fails.execute", force_fail('"output"'))
    failed, failed_run = await scenario.start(state_id="Fails")
    late, late_run = await scenario.start(None, None, workflowTimeoutSeconds=1)

    output = {"encoding": "json", "data": '"output"'}
    entry = {
        "completedStateId": "Fails",
        "completedStateExecutionId": "Fails-1",
        "completedStateOutput": output,
    }
    assert await scenario.result(failed) == {
        "workflowRunId": failed_run,
        "workflowStatus": "FAILED",
        "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
        "results": [entry],
    }
    assert await scenario.result(late) == {"workflowRunId": late_run, "workflowStatus": "TIMEOUT"}


@pytest.mark.requirement("sdk.uncompleted")
async def test_call_with_no_time_left_for_another_attempt_fails_its_workflow(scenario: Scenario) -> None:
    """R6: not a timeout, although no retry policy ends the attempts; Python's tests tell the two apart."""
    async with RawWorker() as worker:
        worker.script("execute S1", RawAnswer(status=500, text="no"))
        options = {"skipWaitUntil": True}
        workflow_id, run_id = await scenario.start(
            iwfWorkerUrl=worker.url, workflowTimeoutSeconds=2, stateOptions=options
        )
        result = await scenario.result(workflow_id)

    assert result == {
        "workflowRunId": run_id,
        "workflowStatus": "FAILED",
        "errorType": "STATE_API_FAIL_ERROR_TYPE",
        "errorMessage": "statusCode: 500, responseBody: no, errMsg: 500 Internal Server Error",
    }


@pytest.mark.requirement("sdk.counting-results")
@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        pytest.param(None, None, id="without-output"),
        pytest.param(GO_NIL, [GO_NIL], id="go-nil"),
        pytest.param({"data": "1"}, [{"data": "1"}], id="value"),
    ],
)
async def test_results_have_one_entry_for_each_output(
    scenario: Scenario, output: object, outputs: list[object] | None
) -> None:
    """R7 and R8: without any there is no list, since Python and Java count entries."""
    async with RawWorker() as worker:
        worker.script("execute S1", completes_with(output))
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url)
        result = await scenario.result(workflow_id)

    entries = result.get("results")
    assert outputs == (None if entries is None else [entry["completedStateOutput"] for entry in entries])


@pytest.mark.requirement("sdk.missing-lists")
async def test_lists_of_attributes_are_left_out_when_empty(scenario: Scenario) -> None:
    """R8: Java raises for a missing list, which its tests expect of workflows without attributes."""
    workflow_id, _ = await scenario.start(None, None)

    assert await scenario.ok("dataobjects/get", workflowId=workflow_id) == {}
    assert await scenario.ok("searchattributes/get", workflowId=workflow_id) == {}
    keys = [{"key": "CustomIntField", "valueType": "INT"}]
    assert await scenario.ok("searchattributes/get", workflowId=workflow_id, keys=keys) == {}


@pytest.mark.requirement("sdk.search-answer")
async def test_search_answers_list_and_token_even_when_nothing_is_found(scenario: Scenario) -> None:
    """R9."""
    found = await scenario.ok("search", query="WorkflowId = 'nobody'")

    assert found == {"workflowExecutions": [], "nextPageToken": ""}
