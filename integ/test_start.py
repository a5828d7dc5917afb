"""Starting a workflow on a real engine: every option, and what is refused."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

from typing import Any

import anyio
import pytest

from iwf_testkit import go_to, graceful_complete, wait_for
from scenario import (
    ALREADY_STARTED,
    NOT_EXISTS,
    UNCATEGORIZED,
    Scenario,
    closed,
    idle,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_start_refuses_a_running_id(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    reply = await scenario.post(
        "start",
        {
            "workflowId": workflow_id,
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": scenario.worker.url,
            "workflowTimeoutSeconds": 10,
        },
    )

    refused(reply, ALREADY_STARTED)


@pytest.mark.parametrize(
    ("policy", "after_success", "after_failure"),
    [
        pytest.param(None, True, True, id="absent"),
        pytest.param({"idReusePolicy": "ALLOW_IF_NO_RUNNING"}, True, True, id="no-running"),
        pytest.param(
            {"idReusePolicy": "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY"}, False, True, id="previous-abnormal"
        ),
        pytest.param({"idReusePolicy": "DISALLOW_REUSE"}, False, False, id="disallow"),
        pytest.param({"workflowIDReusePolicy": "REJECT_DUPLICATE"}, False, False, id="legacy"),
        pytest.param(
            {"idReusePolicy": "ALLOW_IF_NO_RUNNING", "workflowIDReusePolicy": "REJECT_DUPLICATE"},
            True,
            True,
            id="new-name-wins",
        ),
    ],
)
async def test_id_reuse_policy_decides_about_a_closed_id(
    scenario: Scenario, policy: dict[str, str] | None, after_success: bool, after_failure: bool
) -> None:
    succeeded = await closed(scenario)
    failed = await idle(scenario)
    await scenario.ok("stop", workflowId=failed, stopType="TERMINATE")

    for workflow_id, allowed in ((succeeded, after_success), (failed, after_failure)):
        reply = await scenario.post(
            "start",
            {
                "workflowId": workflow_id,
                "iwfWorkflowType": "Test",
                "iwfWorkerUrl": scenario.worker.url,
                "workflowTimeoutSeconds": 10,
                "workflowStartOptions": policy,
            },
        )
        if allowed:
            assert reply.status == 200
        else:
            refused(reply, ALREADY_STARTED)


async def test_terminate_if_running_replaces_the_workflow(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    _, second = await scenario.start(
        workflow_id, workflowStartOptions={"idReusePolicy": "ALLOW_TERMINATE_IF_RUNNING"}
    )

    assert (await scenario.ok("get", workflowId=workflow_id))["workflowRunId"] == second


async def test_start_is_idempotent_for_one_request_id(scenario: Scenario) -> None:
    options: dict[str, Any] = {
        "workflowAlreadyStartedOptions": {"ignoreAlreadyStartedError": True, "requestId": "r1"}
    }
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, first = await scenario.start(workflowStartOptions=options)

    _, again = await scenario.start(workflow_id, workflowStartOptions=options)
    options["workflowAlreadyStartedOptions"]["requestId"] = "r2"
    other = await scenario.post(
        "start",
        {
            "workflowId": workflow_id,
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": scenario.worker.url,
            "workflowTimeoutSeconds": 10,
            "workflowStartOptions": options,
        },
    )

    assert again == first
    refused(other, ALREADY_STARTED)


async def test_start_delay_holds_the_first_state_back(scenario: Scenario) -> None:
    started = anyio.current_time()
    workflow_id, _ = await scenario.start(workflowStartOptions={"workflowStartDelaySeconds": 2})

    result = await scenario.result(workflow_id)

    assert result["workflowStatus"] == "COMPLETED"
    assert anyio.current_time() - started > 1.5


async def test_reading_during_the_start_delay_says_why_it_cannot(scenario: Scenario) -> None:
    workflow_id, _ = await scenario.start(workflowStartOptions={"workflowStartDelaySeconds": 600})

    reply = await scenario.post("dataobjects/get", {"workflowId": workflow_id})
    await scenario.ok("stop", workflowId=workflow_id, stopType="TERMINATE")

    refused(reply, UNCATEGORIZED)
    assert "start delay" in reply.body["detail"]


async def test_cron_keeps_the_workflow_id_and_runs_again(scenario: Scenario) -> None:
    workflow_id, run_id = await scenario.start(
        workflowTimeoutSeconds=0, workflowStartOptions={"cronSchedule": "@every 1s"}
    )

    calls = await scenario.worker.wait_for_calls("S1.execute", 2)
    await scenario.ok("stop", workflowId=workflow_id, stopType="TERMINATE")

    assert run_id
    # Each run is a workflow of its own: SDKs build idempotency keys from these two ids.
    keys = [(call.request.context.workflow_run_id, call.request.context.state_execution_id) for call in calls]
    assert len(set(keys)) == 2


async def test_workflow_retry_starts_the_failed_workflow_again(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("_SYS_FORCE_FAILING_WORKFLOW"), graceful_complete("second"))

    workflow_id, _ = await scenario.start(
        workflowStartOptions={"retryPolicy": {"initialIntervalSeconds": 1, "maximumAttempts": 2}}
    )

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"


async def test_workflow_timeout_ends_the_workflow(scenario: Scenario) -> None:
    workflow_id = await idle(scenario, workflowTimeoutSeconds=1)

    assert (await scenario.result(workflow_id))["workflowStatus"] == "TIMEOUT"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"workflowTimeoutSeconds": -1}, "workflowTimeoutSeconds", id="timeout"),
        pytest.param(
            {"workflowStartOptions": {"workflowStartDelaySeconds": -1}},
            "workflowStartDelaySeconds",
            id="delay",
        ),
        pytest.param(
            {"workflowStartOptions": {"cronSchedule": "1 2", "workflowStartDelaySeconds": 1}},
            "cronSchedule",
            id="cron-and-delay",
        ),
        pytest.param({"workflowStartOptions": {"cronSchedule": "not a cron"}}, "ron", id="cron"),
        pytest.param(
            {
                "workflowStartOptions": {
                    "searchAttributes": [{"key": "Nowhere", "valueType": "INT", "integerValue": 1}]
                }
            },
            "Nowhere",
            id="unregistered",
        ),
        pytest.param(
            {
                "workflowStartOptions": {
                    "searchAttributes": [
                        {"key": "IwfWorkflowType", "valueType": "KEYWORD", "stringValue": "x"}
                    ]
                }
            },
            "IwfWorkflowType",
            id="system-attribute",
        ),
        pytest.param(
            {
                "workflowStartOptions": {
                    "searchAttributes": [
                        {"key": "CustomDatetimeField", "valueType": "DATETIME", "stringValue": "soon"}
                    ]
                }
            },
            "soon",
            id="datetime",
        ),
        pytest.param(
            {"workflowStartOptions": {"dataAttributes": [{"key": "__IwfSystem_WorkerUrl"}]}},
            "__IwfSystem_WorkerUrl",
            id="system-key",
        ),
        pytest.param(
            {"startStateId": "S1", "stateOptions": {"executeApiRetryPolicy": {"maximumAttempts": -1}}},
            "maximumAttempts",
            id="retry-policy",
        ),
        pytest.param({"startStateId": "S" * 241}, "startStateId", id="state-id"),
    ],
)
async def test_start_refuses_what_can_never_run(
    scenario: Scenario, fields: dict[str, object], named: str
) -> None:
    request = {
        "workflowId": scenario.new_id(),
        "iwfWorkflowType": "Test",
        "iwfWorkerUrl": scenario.worker.url,
        "workflowTimeoutSeconds": 10,
        **fields,
    }

    reply = await scenario.post("start", request)
    afterwards = await scenario.post("get", {"workflowId": request["workflowId"]})

    refused(reply, UNCATEGORIZED)
    assert named in reply.body["detail"]
    refused(afterwards, NOT_EXISTS)


async def test_state_with_the_longest_id_is_called(scenario: Scenario) -> None:
    workflow_id, _ = await scenario.start(state_id="S" * 240)

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"
