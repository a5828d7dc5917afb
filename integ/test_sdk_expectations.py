"""What SDKs send: bodies as each of them writes them are taken as they are meant.

The tests name the lines of `docs/compatibility.md` that they show, by letter and number.
"""

import pytest
from iwf.client_options import ClientOptions

from iwf_api import cli
from iwf_api.settings import ApiSettings
from iwf_models import (
    WorkflowStartRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from java_style import count_nulls, with_nulls
from raw_worker import GO_NIL, Json, RawAnswer, RawWorker, completes_with
from scenario import Scenario, idle, refused

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("sdk.default-address")
def test_server_listens_by_default_where_sdks_look(capsys: pytest.CaptureFixture[str]) -> None:
    """A1."""
    with pytest.raises(SystemExit):
        cli.main(["start", "--help"])

    assert "port of the API, default 8801" in " ".join(capsys.readouterr().out.split())
    assert ClientOptions.local_default().server_url == "http://localhost:8801"


@pytest.mark.requirement("sdk.worker-address")
async def test_worker_is_called_under_the_path_of_its_address(scenario: Scenario) -> None:
    """A2: Java's samples have a path, and users add slashes."""
    async with RawWorker() as worker:
        assert worker.url.endswith("/worker/")
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url)
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="r")
        await scenario.result(workflow_id)

        assert sorted(worker.requests) == ["execute S1", "rpc r", "waitUntil S1"]


@pytest.mark.requirement("sdk.read-timeout")
def test_longest_wait_ends_before_clients_stop_reading() -> None:
    """A3: Python and Java read for 60 seconds; the answer needs time to arrive as well."""
    assert ApiSettings().max_wait_seconds <= ClientOptions.local_default().api_timeout - 2


@pytest.mark.requirement("sdk.wait-time")
@pytest.mark.parametrize("wait", [{}, {"waitTimeSeconds": None}, {"waitTimeSeconds": 20}])
async def test_wait_is_answered_at_the_end_with_or_without_a_time(
    scenario: Scenario, wait: dict[str, object]
) -> None:
    """A4: only Python's waitForStateCompletion, and Java if configured, send a time."""
    workflow_id, run_id = await scenario.start()

    result = await scenario.ok("getWithWait", workflowId=workflow_id, **wait)
    state = await scenario.ok(
        "waitForStateCompletion", workflowId=workflow_id, stateExecutionId="S1-1", **wait
    )

    assert result == {"workflowRunId": run_id, "workflowStatus": "COMPLETED"}
    assert state["stateCompletionOutput"]["completedStateExecutionId"] == "S1-1"


@pytest.mark.requirement("sdk.worker-errors")
@pytest.mark.parametrize(
    ("answer", "original"),
    [
        pytest.param(RawAnswer(status=500, text="Traceback"), ("Traceback", "", 500), id="python"),
        pytest.param(
            RawAnswer(status=501, text='{"detail":"d","errorType":"e"}', content_type="application/json"),
            ("d", "e", 501),
            id="go",
        ),
        pytest.param(
            RawAnswer(
                status=501,
                text='{"detail":null,"errorType":"java.lang.RuntimeException"}',
                content_type="application/json",
            ),
            ("", "java.lang.RuntimeException", 501),
            id="java",
        ),
        pytest.param(RawAnswer(status=404, text="not found"), ("not found", "", 404), id="typescript"),
    ],
)
async def test_errors_of_every_kind_of_worker_reach_the_client(
    scenario: Scenario, answer: RawAnswer, original: tuple[str, str, int]
) -> None:
    """A6."""
    async with RawWorker() as worker:
        worker.script("rpc r", answer)
        worker.script("execute S1", answer)
        options = {"skipWaitUntil": True, "executeApiRetryPolicy": {"maximumAttempts": 1}}
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url, stateOptions=options)
        result = await scenario.result(workflow_id)
        reply = await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "r"})

    detail, error_type, status = original
    refused(reply, "WORKER_API_ERROR", status=420)
    assert reply.body["originalWorkerErrorDetail"] == detail
    assert reply.body["originalWorkerErrorType"] == error_type
    assert reply.body["originalWorkerErrorStatus"] == status
    assert result["errorType"] == "STATE_API_FAIL_ERROR_TYPE"
    assert f"statusCode: {status}, responseBody: {answer.text}" in result["errorMessage"]


@pytest.mark.requirement("sdk.no-run-id")
@pytest.mark.parametrize("run", [{"workflowRunId": ""}, {"workflowRunId": None}, {}])
async def test_current_run_is_meant_by_an_empty_null_or_absent_run_id(
    scenario: Scenario, run: dict[str, object]
) -> None:
    """S1."""
    workflow_id = await idle(scenario)

    get = await scenario.ok("get", workflowId=workflow_id, **run)
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="r", **run)
    await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go", **run)

    assert get["workflowStatus"] == "RUNNING"
    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"


@pytest.mark.requirement("sdk.explicit-nulls")
async def test_java_start_and_java_worker_full_of_nulls_are_as_if_nothing_was_there(
    scenario: Scenario,
) -> None:
    """S2, and the same of the three worker answers."""
    async with RawWorker() as worker:
        worker.script("waitUntil S1", with_nulls(WorkflowStateStartResponse, {"commandRequest": {}}))
        decision: Json = {"stateDecision": {"nextStates": [{"stateId": "S2", "stateOptions": {}}]}}
        worker.script("execute S1", with_nulls(WorkflowStateDecideResponse, decision))
        worker.script("waitUntil S2", with_nulls(WorkflowStateStartResponse, {}))
        worker.script("execute S2", with_nulls(WorkflowStateDecideResponse, completes_with(None)))
        worker.script("rpc r", with_nulls(WorkflowWorkerRpcResponse, {"stateDecision": {}}))
        request = with_nulls(
            WorkflowStartRequest,
            {
                "workflowId": scenario.new_id(),
                "iwfWorkflowType": "Test",
                "iwfWorkerUrl": worker.url,
                "workflowTimeoutSeconds": 60,
                "startStateId": "S1",
                "stateOptions": {
                    "executeApiRetryPolicy": {},
                    "dataAttributesLoadingPolicy": {},
                    "executeApiFailureProceedStateOptions": {},
                },
                "workflowStartOptions": {
                    "retryPolicy": {"maximumAttempts": 1},
                    "workflowConfigOverride": {},
                    "searchAttributes": [{"key": "CustomIntField", "valueType": "INT", "integerValue": 1}],
                    "dataAttributes": [{"key": "d"}],
                },
            },
        )
        assert count_nulls(request) > 60
        await scenario.ok("start", **request)
        rpc = await scenario.ok("rpc", workflowId=request["workflowId"], rpcName="r")
        result = await scenario.result(request["workflowId"])

        assert (rpc, result["workflowStatus"]) == ({}, "COMPLETED")
        calls = ["execute S1", "execute S2", "rpc r", "waitUntil S1", "waitUntil S2"]
        assert sorted(worker.requests) == calls


@pytest.mark.requirement("sdk.null-values")
@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        pytest.param({}, {}, id="python-omits"),
        pytest.param({"stateInput": None}, {}, id="java-null"),
        pytest.param({"stateInput": GO_NIL}, {"stateInput": GO_NIL}, id="go-empty-object"),
    ],
)
async def test_null_input_reaches_the_worker_as_it_was_written(
    scenario: Scenario, sent: Json, seen: Json
) -> None:
    """S3 for inputs."""
    async with RawWorker() as worker:
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url, **sent)
        rpc_input = {"input" if name == "stateInput" else name: value for name, value in sent.items()}
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="r", **rpc_input)
        await scenario.result(workflow_id)

        for key in ("waitUntil S1", "execute S1"):
            (request,) = worker.requests[key]
            assert {name: value for name, value in request.items() if name == "stateInput"} == seen
        (request,) = worker.requests["rpc r"]
        assert [request["input"]] if "input" in request else [] == [*seen.values()]


@pytest.mark.requirement("sdk.null-values")
@pytest.mark.parametrize("sent", [{}, {"signalValue": None}, {"signalValue": GO_NIL}])
async def test_null_signal_is_an_empty_value(scenario: Scenario, sent: dict[str, object]) -> None:
    """S3 for signals: a state that got one always finds a value, which may be empty."""
    async with RawWorker() as worker:
        command = {"commandId": "c", "signalChannelName": "go"}
        waits = {"commandWaitingType": "ALL_COMPLETED", "signalCommands": [command]}
        worker.script("waitUntil S1", {"commandRequest": waits})
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url)
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go", **sent)
        await scenario.result(workflow_id)

        (request,) = worker.requests["execute S1"]
        assert request["commandResults"]["signalResults"] == [
            {**command, "signalRequestStatus": "RECEIVED", "signalValue": {}}
        ]


@pytest.mark.requirement("sdk.encodings")
@pytest.mark.parametrize(
    "value",
    [
        {"encoding": "json", "data": "1"},
        {"encoding": "json/plain", "data": '"text"'},
        {"encoding": "binary/plain", "data": "AAEC"},
        {"encoding": "binary/null"},
        {"encoding": "builtinGolangJson", "data": '{"A":1}'},
        {"data": "no label"},
        {"encoding": "", "data": ""},
    ],
)
async def test_values_are_opaque_and_keep_their_label(scenario: Scenario, value: dict[str, str]) -> None:
    """S4 and W7: from the start to the worker, back, and to the client."""
    async with RawWorker() as worker:
        worker.script("execute S1", completes_with(value))
        workflow_id, _ = await scenario.start(
            iwfWorkerUrl=worker.url,
            stateInput=value,
            workflowStartOptions={"dataAttributes": [{"key": "d", "value": value}]},
        )
        result = await scenario.result(workflow_id)
        attributes = await scenario.ok("dataobjects/get", workflowId=workflow_id)

        (request,) = worker.requests["execute S1"]
        assert request["stateInput"] == value
        assert request["DataObjects"] == [{"key": "d", "value": value}]
        assert [entry["completedStateOutput"] for entry in result["results"]] == [value]
        assert attributes == {"objects": [{"key": "d", "value": value}]}
