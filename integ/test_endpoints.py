"""Every endpoint against a real engine: what it does, and what it refuses."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from iwf_testkit import Answer, dead_end, go_to, graceful_complete, wait_for
from scenario import Reply, Scenario

pytestmark = pytest.mark.anyio

NOT_EXISTS = "WORKFLOW_NOT_EXISTS_SUB_STATUS"
ALREADY_STARTED = "WORKFLOW_ALREADY_STARTED_SUB_STATUS"
UNCATEGORIZED = "UNCATEGORIZED_SUB_STATUS"


async def eventually(
    call: Callable[[], Awaitable[Reply]], condition: Callable[[Reply], bool], within_seconds: float = 10
) -> Reply:
    """Repeat a call until its answer is as wished."""
    with anyio.fail_after(within_seconds):
        while True:
            reply = await call()
            if condition(reply):
                return reply
            await anyio.sleep(0.05)


async def idle(scenario: Scenario, **fields: Any) -> str:
    """A running workflow that waits for the signal "go"."""
    scenario.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await scenario.start(**fields)
    await scenario.worker.wait_for_calls("S1.waitUntil")
    return workflow_id


async def closed(scenario: Scenario) -> str:
    """A completed workflow."""
    workflow_id, _ = await scenario.start()
    await scenario.result(workflow_id)
    return workflow_id


def refused(reply: Reply, sub_status: str, *, status: int = 400) -> None:
    assert (reply.status, reply.body["subStatus"]) == (status, sub_status), reply


# start


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


# signal and publish


async def test_signal_without_a_value_is_an_empty_object(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
    await scenario.result(workflow_id)

    (call,) = scenario.worker.calls_of("S1.execute")
    (signal,) = call.request.command_results.signal_results
    assert signal.signal_value is not None


@pytest.mark.parametrize("name", ["__IwfSystem_ExecuteRpc", ""])
async def test_signal_refuses_reserved_and_empty_names(scenario: Scenario, name: str) -> None:
    workflow_id = await idle(scenario)

    refused(
        await scenario.post("signal", {"workflowId": workflow_id, "signalChannelName": name}), UNCATEGORIZED
    )


async def test_published_messages_reach_internal_channels_in_order(scenario: Scenario) -> None:
    scenario.worker.script("S1.waitUntil", wait_for(channels=("c",)))
    scenario.worker.script("S1.execute", go_to("S1"), graceful_complete())
    workflow_id, _ = await scenario.start()

    await scenario.ok(
        "publishToInternalChannel",
        workflowId=workflow_id,
        messages=[{"channelName": "c", "value": {"data": data}} for data in "12"],
    )
    await scenario.result(workflow_id)

    taken = [
        call.request.command_results.inter_state_channel_results[0].value.data
        for call in scenario.worker.calls_of("S1.execute")
    ]
    assert taken == ["1", "2"]


# get and getWithWait


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


# stop


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


# rpc


async def test_rpc_reads_and_writes_and_is_seen_by_the_next_one(scenario: Scenario) -> None:
    workflow_id = await idle(
        scenario, workflowStartOptions={"dataAttributes": [{"key": "d", "value": {"data": "0"}}]}
    )
    scenario.worker.script(
        "rpc.write",
        Answer(
            body={
                "output": {"data": "written"},
                "upsertDataAttributes": [{"key": "d", "value": {"data": "1"}}],
                "publishToInterStateChannel": [{"channelName": "c", "value": {"data": "m"}}],
                "stateDecision": {"nextStates": [{"stateId": "S2"}]},
            }
        ),
    )
    scenario.worker.script("S2.execute", dead_end())

    answer = await scenario.ok("rpc", workflowId=workflow_id, rpcName="write", input={"data": "in"})
    empty = await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")

    assert answer == {"output": {"data": "written"}}
    assert empty == {}
    first, second = scenario.worker.calls_of("rpc.write")[0], scenario.worker.calls_of("rpc.read")[0]
    assert first.request.input.data == "in"
    assert first.request.data_attributes[0].value.data == "0"
    assert second.request.data_attributes[0].value.data == "1"
    assert second.request.internal_channel_infos["c"].size == 1
    assert second.request.signal_channel_infos == {}
    await scenario.worker.wait_for_calls("S2.execute")


async def test_signals_sent_one_after_the_other_are_all_seen_by_an_rpc(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    for size in range(1, 11):
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="unread")
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
        seen = scenario.worker.calls_of("rpc.read")[-1].request.signal_channel_infos
        assert seen["unread"].size == size


async def test_failing_rpc_tells_what_the_worker_said(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    error = {"detail": "no", "errorType": "java.lang.RuntimeException"}
    scenario.worker.script("rpc.fail", Answer(status=501, body=error))

    reply = await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "fail"})

    assert reply == Reply(
        420,
        {
            "detail": "worker API error, status:501, errorType:java.lang.RuntimeException",
            "subStatus": "WORKER_API_ERROR",
            "originalWorkerErrorDetail": "no",
            "originalWorkerErrorType": "java.lang.RuntimeException",
            "originalWorkerErrorStatus": 501,
        },
    )
    assert len(scenario.worker.calls_of("rpc.fail")) == 1


async def test_rpc_that_takes_too_long_is_given_up(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    scenario.worker.script("rpc.slow", Answer(delay_seconds=5))

    reply = await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "slow", "timeoutSeconds": 2})

    refused(reply, "WORKER_API_ERROR", status=420)
    assert reply.body["originalWorkerErrorStatus"] == 0


async def test_rpc_cannot_close_the_workflow(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    decision = {"nextStates": [{"stateId": "_SYS_FORCE_COMPLETING_WORKFLOW"}]}
    scenario.worker.script("rpc.close", Answer(body={"stateDecision": decision}))

    refused(
        await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "close"}),
        "WORKER_API_ERROR",
        status=420,
    )
    assert (await scenario.ok("get", workflowId=workflow_id))["workflowStatus"] == "RUNNING"


async def test_rpc_on_a_closed_workflow_may_read_but_not_write(scenario: Scenario) -> None:
    workflow_id = await closed(scenario)
    scenario.worker.script("rpc.read", Answer(body={"output": {"data": "r"}}))
    scenario.worker.script("rpc.write", Answer(body={"upsertDataAttributes": [{"key": "d", "value": {}}]}))

    assert await scenario.ok("rpc", workflowId=workflow_id, rpcName="read") == {"output": {"data": "r"}}
    refused(await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "write"}), NOT_EXISTS)


async def test_locking_rpc_is_refused_clearly(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    policy = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK", "lockingKeys": ["d"]}

    reply = await scenario.post(
        "rpc", {"workflowId": workflow_id, "rpcName": "r", "dataAttributesLoadingPolicy": policy}
    )

    refused(reply, UNCATEGORIZED)
    assert "lock" in reply.body["detail"]


# data attributes


async def test_data_attributes_are_set_and_read(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    before = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    await scenario.ok(
        "dataobjects/set",
        workflowId=workflow_id,
        objects=[{"key": "b", "value": {"data": "2"}}, {"key": "a"}],
    )
    everything = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    some = await scenario.ok("dataobjects/get", workflowId=workflow_id, keys=["b", "unknown"])

    assert before == {}
    assert everything == {"objects": [{"key": "a"}, {"key": "b", "value": {"data": "2"}}]}
    assert some == {"objects": [{"key": "b", "value": {"data": "2"}}]}


async def test_data_attributes_of_a_closed_workflow_can_be_read_and_not_set(scenario: Scenario) -> None:
    workflow_id, _ = await scenario.start(
        workflowStartOptions={"dataAttributes": [{"key": "d", "value": {"data": "1"}}]}
    )
    await scenario.result(workflow_id)

    assert await scenario.ok("dataobjects/get", workflowId=workflow_id) == {
        "objects": [{"key": "d", "value": {"data": "1"}}]
    }
    refused(await scenario.post("dataobjects/set", {"workflowId": workflow_id, "objects": []}), NOT_EXISTS)


async def test_memo_mirrors_data_attributes_when_asked_to(scenario: Scenario) -> None:
    workflow_id = await idle(
        scenario,
        workflowStartOptions={
            "useMemoForDataAttributes": True,
            "dataAttributes": [{"key": "d", "value": {"data": "1"}}],
        },
    )
    await scenario.ok(
        "dataobjects/set", workflowId=workflow_id, objects=[{"key": "e", "value": {"data": "2"}}]
    )

    async def read() -> Reply:
        return await scenario.post(
            "dataobjects/get", {"workflowId": workflow_id, "useMemoForDataAttributes": True}
        )

    reply = await eventually(read, lambda reply: len(reply.body["objects"]) == 2)
    assert reply.body["objects"] == [
        {"key": "d", "value": {"data": "1"}},
        {"key": "e", "value": {"data": "2"}},
    ]


# search attributes


ATTRIBUTES = [
    {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "k"},
    {"key": "CustomTextField", "valueType": "TEXT", "stringValue": "some text"},
    {"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1},
    {"key": "CustomDoubleField", "valueType": "DOUBLE", "doubleValue": 1.5},
    {"key": "CustomBoolField", "valueType": "BOOL", "boolValue": True},
    {
        "key": "CustomDatetimeField",
        "valueType": "DATETIME",
        "stringValue": "2024-11-12T16:00:01.731455544-08:00",
    },
    {"key": "CustomKeywordArrayField", "valueType": "KEYWORD_ARRAY", "stringArrayValue": ["a", "b"]},
]
READ_ATTRIBUTES = [
    {**attribute, "stringValue": "2024-11-13T00:00:01.731455544Z"}
    if attribute["valueType"] == "DATETIME"
    else attribute
    for attribute in ATTRIBUTES
]
KEYS = [{"key": attribute["key"], "valueType": attribute["valueType"]} for attribute in ATTRIBUTES]


async def test_search_attributes_of_the_start_are_read_back_exactly(scenario: Scenario) -> None:
    workflow_id = await idle(scenario, workflowStartOptions={"searchAttributes": ATTRIBUTES})

    read = await scenario.ok("searchattributes/get", workflowId=workflow_id, keys=KEYS)
    everything = await scenario.ok("searchattributes/get", workflowId=workflow_id)

    assert read == {"searchAttributes": READ_ATTRIBUTES}
    assert everything == {"searchAttributes": sorted(READ_ATTRIBUTES, key=lambda item: item["key"])}


async def test_search_attributes_are_set_all_together(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    before = await scenario.ok("searchattributes/get", workflowId=workflow_id, keys=KEYS)
    await scenario.ok("searchattributes/set", workflowId=workflow_id, searchAttributes=ATTRIBUTES)

    async def read() -> Reply:
        return await scenario.post("searchattributes/get", {"workflowId": workflow_id, "keys": KEYS})

    reply = await eventually(read, lambda reply: "searchAttributes" in reply.body)
    assert before == {}
    assert reply.body == {"searchAttributes": READ_ATTRIBUTES}


async def test_bad_search_attribute_leaves_the_others_unset(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    bad = {"key": "CustomIntField", "valueType": "KEYWORD", "stringValue": "x"}

    reply = await scenario.post(
        "searchattributes/set", {"workflowId": workflow_id, "searchAttributes": [ATTRIBUTES[0], bad]}
    )
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")

    refused(reply, UNCATEGORIZED)
    assert "CustomIntField" in reply.body["detail"]
    (call,) = scenario.worker.calls_of("rpc.read")
    assert not call.request.search_attributes


async def test_search_attribute_read_as_another_kind_is_refused(scenario: Scenario) -> None:
    workflow_id = await idle(scenario, workflowStartOptions={"searchAttributes": ATTRIBUTES})

    reply = await scenario.post(
        "searchattributes/get",
        {"workflowId": workflow_id, "keys": [{"key": "CustomKeywordField", "valueType": "BOOL"}]},
    )

    refused(reply, UNCATEGORIZED)


# search


async def test_search_pages_through_runs(scenario: Scenario) -> None:
    marker = scenario.new_id()
    attribute = {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": marker}
    started = {
        (await scenario.start(workflowStartOptions={"searchAttributes": [attribute]}))[0] for _ in range(3)
    }
    request = {"query": f"CustomKeywordField = '{marker}'", "pageSize": 2}

    async def first_page() -> Reply:
        return await scenario.post("search", {**request, "pageSize": 1000})

    await eventually(first_page, lambda reply: len(reply.body["workflowExecutions"]) == 3)
    first = await scenario.ok("search", **request)
    last = await scenario.ok("search", **request, nextPageToken=first["nextPageToken"])

    found = [entry["workflowId"] for entry in (*first["workflowExecutions"], *last["workflowExecutions"])]
    assert set(found) == started
    assert len(found) == 3
    assert first["nextPageToken"]
    assert last["nextPageToken"] == ""


async def test_search_without_matches_is_an_empty_page(scenario: Scenario) -> None:
    assert await scenario.ok("search", query="WorkflowId = 'nobody'") == {
        "workflowExecutions": [],
        "nextPageToken": "",
    }


@pytest.mark.parametrize(
    "request_", [{"query": "this is no query ="}, {"query": "", "nextPageToken": "garbage"}]
)
async def test_bad_search_is_refused(scenario: Scenario, request_: dict[str, str]) -> None:
    refused(await scenario.post("search", request_), UNCATEGORIZED)


# every endpoint


ON_A_WORKFLOW = {
    "signal": {"signalChannelName": "c"},
    "publishToInternalChannel": {},
    "get": {},
    "getWithWait": {},
    "stop": {},
    "rpc": {"rpcName": "r"},
    "dataobjects/get": {},
    "dataobjects/set": {},
    "searchattributes/get": {},
    "searchattributes/set": {},
}


@pytest.mark.parametrize("path", ON_A_WORKFLOW)
@pytest.mark.parametrize("run_id", ["", "01940000-0000-7000-8000-000000000000", "not-a-run-id"])
async def test_unknown_workflow_or_run_does_not_exist(scenario: Scenario, path: str, run_id: str) -> None:
    request = {"workflowId": scenario.new_id(), "workflowRunId": run_id, **ON_A_WORKFLOW[path]}

    refused(await scenario.post(path, request), NOT_EXISTS)


@pytest.mark.parametrize("path", ON_A_WORKFLOW)
@pytest.mark.parametrize("workflow_id", ["", None])
async def test_missing_workflow_id_is_said_in_the_words_clients_know(
    scenario: Scenario, path: str, workflow_id: str | None
) -> None:
    reply = await scenario.post(path, {"workflowId": workflow_id, **ON_A_WORKFLOW[path]})

    refused(reply, NOT_EXISTS)
    assert reply.body["detail"] == "WorkflowId is not set on request."


@pytest.mark.parametrize(
    "path", ["signal", "publishToInternalChannel", "dataobjects/set", "searchattributes/set"]
)
async def test_writing_to_a_closed_workflow_is_refused(scenario: Scenario, path: str) -> None:
    workflow_id = await closed(scenario)

    refused(await scenario.post(path, {"workflowId": workflow_id, **ON_A_WORKFLOW[path]}), NOT_EXISTS)
