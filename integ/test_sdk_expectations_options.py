"""What SDKs send to choose how things are done: policies, options, RPCs, and the endpoints that they use.

The tests name the lines of `docs/compatibility.md` that they show, by letter and number.
"""

from typing import Any

import pytest

from iwf_models import WorkflowRpcRequest
from java_style import with_nulls
from raw_worker import COMPLETES, RawAnswer, RawWorker, completes_with
from scenario import ALREADY_STARTED, Scenario, closed, refused

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("sdk.reuse-policy")
@pytest.mark.parametrize(
    ("policy", "of_completed", "of_running"),
    [
        ("ALLOW_IF_NO_RUNNING", 200, 400),
        ("ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY", 400, 400),
        ("DISALLOW_REUSE", 400, 400),
        ("ALLOW_TERMINATE_IF_RUNNING", 200, 200),
    ],
)
async def test_reuse_policy_is_read_by_its_current_name(
    scenario: Scenario, policy: str, of_completed: int, of_running: int
) -> None:
    """S5."""
    completed, running = await closed(scenario), scenario.new_id()
    await scenario.start(running, None)

    for workflow_id, status in ((completed, of_completed), (running, of_running)):
        request = {
            "workflowId": workflow_id,
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": scenario.worker.url,
            "workflowTimeoutSeconds": 60,
            "workflowStartOptions": {"idReusePolicy": policy},
        }
        reply = await scenario.post("start", request)
        if status == 200:
            assert (reply.status, [*reply.body]) == (200, ["workflowRunId"])
        else:
            refused(reply, ALREADY_STARTED)


@pytest.mark.requirement("sdk.state-options")
async def test_state_options_are_read_by_their_current_names(scenario: Scenario) -> None:
    """S6."""
    async with RawWorker() as worker:
        worker.script("waitUntil S1", RawAnswer(status=500, text="no"))
        worker.script("execute S1", RawAnswer(status=500, text="no"))
        worker.script("execute Recovery", COMPLETES)
        workflow_id, _ = await scenario.start(
            iwfWorkerUrl=worker.url,
            stateOptions={
                "waitUntilApiTimeoutSeconds": 5,
                "executeApiTimeoutSeconds": 5,
                "waitUntilApiRetryPolicy": {"maximumAttempts": 1},
                "executeApiRetryPolicy": {"maximumAttempts": 2, "initialIntervalSeconds": 1},
                "waitUntilApiFailurePolicy": "PROCEED_ON_FAILURE",
                "executeApiFailurePolicy": "PROCEED_TO_CONFIGURED_STATE",
                "executeApiFailureProceedStateId": "Recovery",
                "executeApiFailureProceedStateOptions": {"skipWaitUntil": True},
            },
        )
        result = await scenario.result(workflow_id)

        assert result["workflowStatus"] == "COMPLETED"
        assert {key: len(requests) for key, requests in worker.requests.items()} == {
            "waitUntil S1": 1,
            "execute S1": 2,
            "execute Recovery": 1,
        }


@pytest.mark.requirement("sdk.needs-results")
@pytest.mark.parametrize("needs", [{}, {"needsResults": True}, {"needsResults": False}])
async def test_waiting_for_the_end_always_gives_results(scenario: Scenario, needs: dict[str, object]) -> None:
    """S7: TypeScript does not ask for them."""
    async with RawWorker() as worker:
        worker.script("execute S1", completes_with({"data": "1"}))
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url)
        result = await scenario.ok("getWithWait", workflowId=workflow_id, workflowRunId="", **needs)

    assert [entry["completedStateOutput"] for entry in result["results"]] == [{"data": "1"}]


@pytest.mark.requirement("sdk.rpc-extras")
@pytest.mark.parametrize(
    ("extras", "attributes"),
    [
        pytest.param(
            {"timeoutSeconds": 10, "searchAttributes": [], "useMemoForDataAttributes": False},
            {"searchAttributes", "dataAttributes"},
            id="python",
        ),
        pytest.param(
            {
                "dataAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD_ALL_WITHOUT_LOCKING"},
                "searchAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD_ALL_WITHOUT_LOCKING"},
            },
            {"searchAttributes", "dataAttributes"},
            id="go",
        ),
        pytest.param(
            {
                "timeoutSeconds": 10,
                "dataAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD_NONE"},
                "searchAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD_NONE"},
                "useMemoForDataAttributes": True,
                "searchAttributes": [{"key": "CustomIntField", "valueType": "INT"}],
            },
            set[str](),
            id="java",
        ),
    ],
)
async def test_rpc_extras_of_each_sdk_are_accepted(
    scenario: Scenario, extras: dict[str, Any], attributes: set[str]
) -> None:
    """S8: memo flag and list of keys change nothing, the policies count."""
    async with RawWorker() as worker:
        options = {
            "dataAttributes": [{"key": "d", "value": {"data": "1"}}],
            "searchAttributes": [{"key": "CustomIntField", "valueType": "INT", "integerValue": 1}],
        }
        workflow_id, _ = await scenario.start(
            None, None, iwfWorkerUrl=worker.url, workflowStartOptions=options
        )
        body = {"workflowId": workflow_id, "workflowRunId": "", "rpcName": "r", **extras}
        await scenario.ok("rpc", **with_nulls(WorkflowRpcRequest, body))

        (request,) = worker.requests["rpc r"]
        loaded = {name for name in ("searchAttributes", "dataAttributes") if request.get(name)}
        assert loaded == attributes


@pytest.mark.requirement("sdk.locking-rpc")
@pytest.mark.parametrize("kind", ["LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "LOAD_ALL_WITH_PARTIAL_LOCK"])
async def test_loading_policy_makes_an_rpc_a_locking_one(scenario: Scenario, kind: str) -> None:
    """S9: what it wrote is there when it returns."""
    async with RawWorker() as worker:
        written = {"output": {"data": "o"}, "upsertDataAttributes": [{"key": "d", "value": {"data": "2"}}]}
        worker.script("rpc r", written)
        workflow_id, _ = await scenario.start(None, None, iwfWorkerUrl=worker.url)
        policy = {"persistenceLoadingType": kind, "partialLoadingKeys": ["d"], "lockingKeys": ["d"]}
        answer = await scenario.ok(
            "rpc", workflowId=workflow_id, rpcName="r", dataAttributesLoadingPolicy=policy
        )
        attributes = await scenario.ok("dataobjects/get", workflowId=workflow_id)

    assert answer == {"output": {"data": "o"}}
    assert attributes == {"objects": [{"key": "d", "value": {"data": "2"}}]}


@pytest.mark.requirement("sdk.endpoints")
@pytest.mark.parametrize(
    "name",
    [
        "start",
        "get",
        "getWithWait",
        "signal",
        "stop",
        "reset",
        "search",
        "rpc",
        "timer/skip",
        "dataobjects/get",
        "dataobjects/set",
        "searchattributes/get",
        "searchattributes/set",
        "waitForStateCompletion",
        "config/update",
    ],
)
async def test_endpoint_that_an_sdk_uses_is_served(scenario: Scenario, name: str) -> None:
    """S10: an empty request is refused by the endpoint itself."""
    reply = await scenario.post(name, {})

    assert reply.status == 400
