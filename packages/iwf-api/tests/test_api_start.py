"""Starting a workflow: what the engine is asked for, what is refused first, and what a taken id gives."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.core.versions import NEWEST_VERSION
from iwf_interpreter.engine import EngineError, StartRequest, WorkflowAlreadyStarted
from iwf_models import (
    EncodedObject,
    ExecutingStateIdMode,
    IDReusePolicy,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowConfig,
    WorkflowRetryPolicy,
    WorkflowStateOptions,
)
from scripted_engine import RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

REQUEST: dict[str, Any] = {
    "workflowId": "w",
    "iwfWorkflowType": "Order",
    "workflowTimeoutSeconds": 10,
    "iwfWorkerUrl": "http://worker",
}
WORKER_URL_MEMO = {"__IwfSystem_WorkerUrl": EncodedObject(data="http://worker")}
TYPE_ATTRIBUTE = SearchAttribute(
    key="IwfWorkflowType", value_type=SearchAttributeValueType.KEYWORD, string_value="Order"
)
MINIMAL = StartRequest(
    workflow_id="w",
    input=InterpreterInput(
        iwf_workflow_type="Order",
        iwf_worker_url="http://worker",
        config=ApiSettings().default_workflow_config,
        interpreter_version=NEWEST_VERSION,
    ),
    timeout_seconds=10,
    id_reuse_policy=IDReusePolicy.ALLOW_IF_NO_RUNNING,
    memo=WORKER_URL_MEMO,
    search_attributes=[TYPE_ATTRIBUTE],
)


def started(engine: ScriptedEngine) -> StartRequest:
    [(request,)] = engine.calls_of("start")
    assert isinstance(request, StartRequest)
    return request


def with_options(**options: object) -> dict[str, Any]:
    return {**REQUEST, "workflowStartOptions": options}


async def test_minimal_request_starts_a_run_and_answers_its_id(engine: ScriptedEngine, post: Post) -> None:
    answer = await post("start", REQUEST)

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-1"})
    assert started(engine) == MINIMAL


async def test_every_option_reaches_the_engine(engine: ScriptedEngine, post: Post) -> None:
    engine.script("search_attribute_types", {"Color": "Keyword"})

    await post(
        "start",
        {
            **REQUEST,
            "startStateId": "S1",
            "stateInput": {"encoding": "json", "data": "1"},
            "stateOptions": {"skipWaitUntil": True},
            "waitForCompletionStateIds": ["S1"],
            "waitForCompletionStateExecutionIds": ["S1-1"],
            "workflowStartOptions": {
                "idReusePolicy": "DISALLOW_REUSE",
                "cronSchedule": "* * * * *",
                "retryPolicy": {"maximumAttempts": 3},
                "searchAttributes": [{"key": "Color", "valueType": "KEYWORD", "stringValue": "red"}],
                "dataAttributes": [{"key": "a", "value": {"data": "1"}}],
            },
        },
    )

    color = SearchAttribute(key="Color", value_type=SearchAttributeValueType.KEYWORD, string_value="red")
    assert started(engine) == msgspec.structs.replace(
        MINIMAL,
        input=msgspec.structs.replace(
            MINIMAL.input,
            start_state_id="S1",
            state_input=EncodedObject(encoding="json", data="1"),
            state_options=WorkflowStateOptions(skip_wait_until=True),
            wait_for_completion_state_ids=["S1"],
            wait_for_completion_state_execution_ids=["S1-1"],
            init_search_attributes=[color],
            init_data_attributes=[KeyValue(key="a", value=EncodedObject(data="1"))],
            retry_policy=WorkflowRetryPolicy(maximum_attempts=3),
            cron_schedule="* * * * *",
        ),
        id_reuse_policy=IDReusePolicy.DISALLOW_REUSE,
        cron_schedule="* * * * *",
        retry_policy=WorkflowRetryPolicy(maximum_attempts=3),
        search_attributes=[color, TYPE_ATTRIBUTE],
    )


async def test_start_delay_reaches_the_engine(engine: ScriptedEngine, post: Post) -> None:
    await post("start", with_options(workflowStartDelaySeconds=7))

    assert started(engine) == msgspec.structs.replace(MINIMAL, start_delay_seconds=7)


@pytest.mark.parametrize("state_id", [None, ""], ids=["absent", "empty"])
async def test_state_input_and_options_without_a_state_are_dropped(
    engine: ScriptedEngine, post: Post, state_id: str | None
) -> None:
    await post(
        "start",
        {
            **REQUEST,
            "startStateId": state_id,
            "stateInput": {"data": "1"},
            "stateOptions": {"waitUntilApiTimeoutSeconds": -1},
        },
    )

    assert started(engine) == MINIMAL


async def test_legacy_reuse_policy_is_understood(engine: ScriptedEngine, post: Post) -> None:
    await post("start", with_options(workflowIDReusePolicy="TERMINATE_IF_RUNNING"))

    assert started(engine).id_reuse_policy is IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING


@pytest.mark.parametrize(
    ("options", "memo"),
    [
        pytest.param({"dataAttributes": [{"key": "a"}]}, {}, id="not-asked-for"),
        pytest.param(
            {
                "useMemoForDataAttributes": True,
                "dataAttributes": [{"key": "a", "value": {"data": "1"}}, {"key": "b"}],
            },
            {
                "__IwfSystem_UseMemoForDataAttributes": EncodedObject(data="true"),
                "a": EncodedObject(data="1"),
                "b": EncodedObject(),
            },
            id="data-attributes",
        ),
        pytest.param(
            {"workflowAlreadyStartedOptions": {"ignoreAlreadyStartedError": False, "requestId": "r"}},
            {"__IwfSystem_WorkflowRequestId": EncodedObject(data="r")},
            id="request-id",
        ),
        pytest.param(
            {"workflowAlreadyStartedOptions": {"ignoreAlreadyStartedError": True}}, {}, id="no-request-id"
        ),
    ],
)
async def test_memo_holds_what_later_calls_read(
    engine: ScriptedEngine, post: Post, options: dict[str, object], memo: dict[str, EncodedObject]
) -> None:
    await post("start", with_options(**options))

    assert started(engine).memo == {**WORKER_URL_MEMO, **memo}


async def test_run_knows_the_id_of_its_request_for_the_runs_that_continue_it(
    engine: ScriptedEngine, post: Post
) -> None:
    await post(
        "start",
        with_options(workflowAlreadyStartedOptions={"ignoreAlreadyStartedError": False, "requestId": "r"}),
    )

    assert started(engine).input.request_id == "r"


@pytest.mark.parametrize(
    ("override", "merged"),
    [
        pytest.param(
            {}, WorkflowConfig(continue_as_new_threshold=50, optimize_activity=True), id="nothing-overridden"
        ),
        pytest.param(
            {"continueAsNewThreshold": 0, "optimizeActivity": False},
            WorkflowConfig(continue_as_new_threshold=0, optimize_activity=False),
            id="zero-and-false-count",
        ),
        pytest.param(
            {"executingStateIdMode": "DISABLED"},
            WorkflowConfig(
                continue_as_new_threshold=50,
                optimize_activity=True,
                executing_state_id_mode=ExecutingStateIdMode.DISABLED,
            ),
            id="added",
        ),
        pytest.param(
            {"optimizeActivity": None},
            WorkflowConfig(continue_as_new_threshold=50, optimize_activity=True),
            id="null-does-not-count",
        ),
    ],
)
async def test_config_is_merged_field_by_field(
    engine: ScriptedEngine,
    post_with: Callable[[ApiSettings], Post],
    override: dict[str, object],
    merged: WorkflowConfig,
) -> None:
    default = WorkflowConfig(continue_as_new_threshold=50, optimize_activity=True)
    post = post_with(ApiSettings(default_workflow_config=default))

    await post("start", with_options(workflowConfigOverride=override))

    assert started(engine).input.config == merged


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        pytest.param(
            {"workflowTimeoutSeconds": -1}, "workflowTimeoutSeconds must not be negative", id="timeout"
        ),
        pytest.param(
            {"workflowStartOptions": {"workflowStartDelaySeconds": -1}},
            "workflowStartOptions.workflowStartDelaySeconds must not be negative",
            id="delay",
        ),
        pytest.param(
            {"workflowStartOptions": {"workflowConfigOverride": {"continueAsNewThreshold": -1}}},
            "workflowStartOptions.workflowConfigOverride.continueAsNewThreshold must not be negative",
            id="threshold",
        ),
        pytest.param(
            {"workflowStartOptions": {"workflowConfigOverride": {"continueAsNewPageSizeInBytes": -1}}},
            "workflowStartOptions.workflowConfigOverride.continueAsNewPageSizeInBytes must not be negative",
            id="page-size",
        ),
        *(
            pytest.param(
                {"workflowStartOptions": {"retryPolicy": {name: -1}}},
                f"workflowStartOptions.retryPolicy.{name} must not be negative",
                id=name,
            )
            for name in (
                "initialIntervalSeconds",
                "backoffCoefficient",
                "maximumIntervalSeconds",
                "maximumAttempts",
            )
        ),
        pytest.param(
            {"workflowStartOptions": {"cronSchedule": "* * * * *", "workflowStartDelaySeconds": 1}},
            "cronSchedule and workflowStartDelaySeconds cannot be combined",
            id="cron-and-delay",
        ),
        pytest.param(
            {"workflowStartOptions": {"dataAttributes": [{"key": "__IwfSystem_WorkerUrl"}]}},
            "'__IwfSystem_WorkerUrl' is reserved for the server",
            id="reserved-key",
        ),
        pytest.param(
            {"workflowStartOptions": {"searchAttributes": [{"key": "Unknown", "valueType": "INT"}]}},
            "search attribute 'Unknown' with value None is not registered with the engine",
            id="unregistered-search-attribute",
        ),
        pytest.param(
            {
                "workflowStartOptions": {
                    "searchAttributes": [{"key": "IwfWorkflowType", "valueType": "KEYWORD"}]
                }
            },
            "belongs to the server and cannot be written",
            id="search-attribute-of-the-server",
        ),
        pytest.param(
            {"startStateId": "S1", "stateOptions": {"waitUntilApiTimeoutSeconds": -1}},
            "stateOptions: ",
            id="state-options",
        ),
    ],
)
async def test_what_cannot_be_started_is_refused_before_the_engine_is_asked(
    engine: ScriptedEngine, post: Post, change: dict[str, object], detail: str
) -> None:
    answer = await post("start", {**REQUEST, **change})

    assert (answer.status_code, answer.json()["subStatus"]) == (400, "UNCATEGORIZED_SUB_STATUS")
    assert detail in answer.json()["detail"]
    assert engine.calls_of("start") == []


async def test_search_attributes_are_not_checked_by_an_engine_that_does_not_tell(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("search_attribute_types", None)

    answer = await post("start", with_options(searchAttributes=[{"key": "Unknown", "valueType": "INT"}]))

    assert answer.status_code == 200


REQUEST_ID = "__IwfSystem_WorkflowRequestId"


@pytest.mark.parametrize(
    ("options", "description", "status"),
    [
        pytest.param(None, None, 400, id="no-options"),
        pytest.param({"ignoreAlreadyStartedError": False}, None, 400, id="not-ignored"),
        pytest.param({"ignoreAlreadyStartedError": True}, None, 200, id="ignored"),
        pytest.param(
            {"ignoreAlreadyStartedError": True, "requestId": "r"},
            msgspec.structs.replace(RUNNING, memo={REQUEST_ID: EncodedObject(data="r")}),
            200,
            id="same-request",
        ),
        pytest.param(
            {"ignoreAlreadyStartedError": True, "requestId": "r"},
            msgspec.structs.replace(RUNNING, memo={REQUEST_ID: EncodedObject(data="other")}),
            400,
            id="other-request",
        ),
        pytest.param(
            {"ignoreAlreadyStartedError": False, "requestId": "r"}, None, 400, id="request-id-not-ignored"
        ),
        pytest.param(
            {"ignoreAlreadyStartedError": True, "requestId": "r"},
            RUNNING,
            400,
            id="started-without-request-id",
        ),
        pytest.param(
            {"ignoreAlreadyStartedError": True, "requestId": "r"}, EngineError("no"), 400, id="describe-fails"
        ),
    ],
)
async def test_started_workflow_is_an_answer_only_for_the_same_start(
    engine: ScriptedEngine,
    post: Post,
    options: dict[str, object] | None,
    description: object,
    status: int,
) -> None:
    engine.script("start", WorkflowAlreadyStarted("w", "run-0"))
    engine.script("describe", description)

    answer = await post("start", with_options(workflowAlreadyStartedOptions=options))

    expected = {
        200: {"workflowRunId": "run-0"},
        400: {
            "detail": "workflow 'w' is already started, run 'run-0'",
            "subStatus": "WORKFLOW_ALREADY_STARTED_SUB_STATUS",
        },
    }
    assert (answer.status_code, answer.json()) == (status, expected[status])
    assert engine.calls_of("describe") == ([] if description is None else [("w", "run-0")])
