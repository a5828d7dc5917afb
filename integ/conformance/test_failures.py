"""Calls that fail: how often they are made, what the workflow then says, and the policies to go on."""

import pytest

from conformance.flows import Flow
from conformance.replies import COMPLETE, SKIPS, decide, to
from iwf_models import RetryPolicy, WorkflowStateOptions
from iwf_testkit import Answer, go_to, graceful_complete, wait_for

pytestmark = pytest.mark.anyio

FAILURE = "STATE_API_FAIL_ERROR_TYPE"


@pytest.mark.parametrize(
    ("policy", "calls"),
    [
        pytest.param({"maximumAttempts": 1}, 1, id="one-attempt"),
        pytest.param({"maximumAttemptsDurationSeconds": 1}, 1, id="one-second"),
        pytest.param({"maximumAttempts": 2}, 2, id="two-attempts"),
    ],
)
@pytest.mark.requirement("failures.text", "failures.as-often-as-the-policy-says")
async def test_wait_until_is_called_as_often_as_the_policy_says(
    flow: Flow, policy: dict[str, int], calls: int
) -> None:
    """The pause before a second attempt, one second, leaves no time for it within a second."""
    flow.worker.script("S1.waitUntil", Answer(status=400))

    workflow_id, _ = await flow.start(stateOptions={"waitUntilApiRetryPolicy": policy})
    result = await flow.ended(workflow_id)

    message = result.pop("errorMessage")
    assert result == {"workflowStatus": "FAILED", "errorType": FAILURE}
    assert message.startswith("statusCode: 400, responseBody: {}, errMsg: 400 Bad Request")
    assert [request.context.attempt for request in flow.waits("S1")] == list(range(1, calls + 1))


@pytest.mark.requirement("failures.timeout-text")
async def test_attempt_that_runs_out_of_time_is_told_in_the_words_of_the_engine(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", Answer(delay_seconds=5))

    workflow_id, _ = await flow.start(
        stateOptions={"waitUntilApiTimeoutSeconds": 1, "waitUntilApiRetryPolicy": {"maximumAttempts": 1}}
    )
    result = await flow.ended(workflow_id)

    assert result["errorType"] == FAILURE
    assert result["errorMessage"].startswith("activity error ")
    assert "activity StartToClose timeout" in result["errorMessage"]
    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 0]


@pytest.mark.requirement("failures.proceed-wait-until")
async def test_failed_wait_until_goes_on_to_execute_where_the_policy_says_so(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", Answer(status=500))
    flow.worker.script("S1.execute", graceful_complete("done"))

    workflow_id, _ = await flow.start(
        stateOptions={
            "waitUntilApiRetryPolicy": {"maximumAttempts": 1},
            "waitUntilApiFailurePolicy": "PROCEED_ON_FAILURE",
        }
    )

    assert await flow.completed(workflow_id) == [("S1-1", "done")]
    (request,) = flow.executes("S1")
    results = request.command_results
    assert results is not None
    assert (results.state_wait_until_failed, results.state_start_api_succeeded) == (True, False)
    assert (results.timer_results, results.signal_results, results.inter_state_channel_results) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize("options", [pytest.param(SKIPS, id="skip"), pytest.param({}, id="wait-until")])
@pytest.mark.requirement("failures.proceed-execute")
async def test_failed_execute_goes_on_to_the_recovery_state_once(
    flow: Flow, options: dict[str, object]
) -> None:
    flow.worker.script("S1.execute", Answer(status=500))

    workflow_id, _ = await flow.start(
        stateInput={"data": "in"},
        stateOptions={
            **options,
            "executeApiRetryPolicy": {"maximumAttempts": 1},
            "executeApiFailurePolicy": "PROCEED_TO_CONFIGURED_STATE",
            "executeApiFailureProceedStateId": "Recover",
            "executeApiFailureProceedStateOptions": {"skipWaitUntil": True},
        },
    )

    assert await flow.completed(workflow_id) == []
    assert flow.counts("S1.execute", "Recover.waitUntil", "Recover.execute") == [1, 0, 1]
    (request,) = flow.executes("Recover")
    assert request.state_input is not None
    assert request.state_input.data == "in"


@pytest.mark.requirement("failures.drop-outputs")
async def test_failure_of_a_call_drops_the_outputs_so_far(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B"))
    flow.worker.script("A.execute", decide(to(COMPLETE, "a"), publish=[("a", "")]))
    flow.worker.script("B.waitUntil", wait_for(channels=("a",)))
    options = WorkflowStateOptions(wait_until_api_retry_policy=RetryPolicy(maximum_attempts=1))
    flow.worker.script("B.execute", decide(to("Fails", options=options)))
    flow.worker.script("Fails.waitUntil", Answer(status=501, text="no", content_type="text/plain"))

    workflow_id, _ = await flow.start()
    result = await flow.ended(workflow_id)

    message = result.pop("errorMessage")
    assert result == {"workflowStatus": "FAILED", "errorType": FAILURE}
    assert message.startswith("statusCode: 501, responseBody: no, errMsg: 501 Not Implemented")


@pytest.mark.requirement("failures.attempts")
async def test_attempts_count_up_and_share_the_time_of_the_first(flow: Flow) -> None:
    flow.worker.script("S1.execute", Answer(status=500), Answer(drop=True), graceful_complete("ok"))

    workflow_id, _ = await flow.start(
        stateOptions={**SKIPS, "executeApiRetryPolicy": {"backoffCoefficient": 1}}
    )

    assert await flow.completed(workflow_id) == [("S1-1", "ok")]
    contexts = [request.context for request in flow.executes("S1")]
    assert [context.attempt for context in contexts] == [1, 2, 3]
    assert len({context.first_attempt_timestamp for context in contexts}) == 1
