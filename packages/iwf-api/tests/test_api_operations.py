"""Every operation but start and rpc: what the engine is asked for, and what becomes of its answer."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest
from scripted_engine import RUNNING, ScriptedEngine

from iwf_api.operations.service import Service
from iwf_api.settings import ApiSettings, QueryRetryPolicy
from iwf_interpreter.contract import (
    DataAttributesAnswer,
    DataAttributesQuery,
    FailSignal,
    QueryType,
    RpcSignal,
    SystemSignal,
)
from iwf_interpreter.engine import QueryFailed, SearchPage, WaitTimedOut, WorkflowNotFound, WorkflowOutcome
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowStatus,
)

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

STATUSES = list(WorkflowStatus)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


# signal, publishToInternalChannel, stop


@pytest.mark.parametrize(
    ("value", "body"),
    [
        pytest.param({"signalValue": {"data": "1"}}, EncodedObject(data="1"), id="value"),
        pytest.param({"signalValue": {}}, EncodedObject(), id="empty-value"),
        pytest.param({}, EncodedObject(), id="no-value"),
    ],
)
async def test_signal_is_sent_to_its_channel(
    engine: ScriptedEngine, post: Post, value: dict[str, object], body: EncodedObject
) -> None:
    answer = await post(
        "signal", {"workflowId": "w", "workflowRunId": "r", "signalChannelName": "c", **value}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [("signal", "w", "r", "c", body)]


@pytest.mark.parametrize("name", [*SystemSignal, "__IwfSystem_Anything"])
async def test_signal_of_the_server_cannot_be_sent(engine: ScriptedEngine, post: Post, name: str) -> None:
    answer = await post("signal", {"workflowId": "w", "signalChannelName": name})

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "detail": f"signal channel '{name}' is reserved for the server",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )
    assert engine.calls == []


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        pytest.param(
            [{"channelName": "a", "value": {"data": "1"}}, {"channelName": "b"}],
            [
                InterStateChannelPublishing(channel_name="a", value=EncodedObject(data="1")),
                InterStateChannelPublishing(channel_name="b"),
            ],
            id="two",
        ),
        pytest.param([], [], id="none"),
        pytest.param(None, None, id="null"),
    ],
)
async def test_published_messages_travel_together(
    engine: ScriptedEngine, post: Post, body: object, messages: list[InterStateChannelPublishing] | None
) -> None:
    answer = await post("publishToInternalChannel", {"workflowId": "w", "messages": body})

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [
        ("signal", "w", "", SystemSignal.EXECUTE_RPC, RpcSignal(inter_state_channel_publishing=messages))
    ]


FAIL = SystemSignal.FAIL_WORKFLOW


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        pytest.param({}, ("cancel", "w", ""), id="no-type"),
        pytest.param({"stopType": "CANCEL", "workflowRunId": "r"}, ("cancel", "w", "r"), id="cancel"),
        pytest.param(
            {"stopType": "TERMINATE", "reason": "why"}, ("terminate", "w", "", "why"), id="terminate"
        ),
        pytest.param(
            {"stopType": "TERMINATE"},
            ("terminate", "w", "", "terminated through the iWF API"),
            id="terminate-without-reason",
        ),
        pytest.param(
            {"stopType": "FAIL", "reason": "why"},
            ("signal", "w", "", FAIL, FailSignal(reason="why")),
            id="fail",
        ),
        pytest.param({"stopType": "FAIL"}, ("signal", "w", "", FAIL, FailSignal()), id="fail-without-reason"),
    ],
)
async def test_stop_does_what_its_type_says(
    engine: ScriptedEngine, post: Post, request_: dict[str, object], call: tuple[object, ...]
) -> None:
    answer = await post("stop", {"workflowId": "w", **request_})

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [call]


# get, getWithWait

COMPLETED = WorkflowOutcome(
    status=WorkflowStatus.COMPLETED,
    result=raw(
        {
            "stateCompletionOutputs": [
                {
                    "completedStateId": "S1",
                    "completedStateExecutionId": "S1-1",
                    "completedStateOutput": {"data": "1"},
                }
            ]
        }
    ),
)
RESULTS = [
    {"completedStateId": "S1", "completedStateExecutionId": "S1-1", "completedStateOutput": {"data": "1"}}
]


def failed(type_: str | None, details: object = None, message: str = "") -> WorkflowOutcome:
    return WorkflowOutcome(
        status=WorkflowStatus.FAILED,
        failure_type=type_,
        failure_details=None if details is None else raw(details),
        failure_message=message,
    )


OUTCOMES = [
    pytest.param(COMPLETED, {"workflowStatus": "COMPLETED", "results": RESULTS}, id="completed"),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=raw({})),
        {"workflowStatus": "COMPLETED"},
        id="completed-without-outputs",
    ),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=raw({"stateCompletionOutputs": []})),
        {"workflowStatus": "COMPLETED"},
        id="completed-with-no-outputs",
    ),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED),
        {"workflowStatus": "COMPLETED"},
        id="completed-without-result",
    ),
    *(
        pytest.param(WorkflowOutcome(status=status), {"workflowStatus": status}, id=status.lower())
        for status in (WorkflowStatus.TIMEOUT, WorkflowStatus.TERMINATED, WorkflowStatus.CANCELED)
    ),
    pytest.param(
        failed("STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE", RESULTS),
        {
            "workflowStatus": "FAILED",
            "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
            "results": RESULTS,
        },
        id="failed-by-a-state",
    ),
    pytest.param(
        failed("STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"),
        {"workflowStatus": "FAILED", "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"},
        id="failed-by-a-state-without-output",
    ),
    *(
        pytest.param(
            failed(type_, "why", "other text"),
            {"workflowStatus": "FAILED", "errorType": type_, "errorMessage": "why"},
            id=type_.lower(),
        )
        for type_ in (
            "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
            "STATE_API_FAIL_ERROR_TYPE",
            "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE",
            "RPC_ACQUIRE_LOCK_FAILURE",
            "SERVER_INTERNAL_ERROR_TYPE",
        )
    ),
    pytest.param(
        failed("STATE_API_FAIL_ERROR_TYPE", message="text"),
        {"workflowStatus": "FAILED", "errorType": "STATE_API_FAIL_ERROR_TYPE", "errorMessage": "text"},
        id="failed-without-details",
    ),
    pytest.param(
        failed("CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE", ""),
        {"workflowStatus": "FAILED", "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"},
        id="failed-with-empty-message",
    ),
    pytest.param(
        failed("Surprise", {"any": "details"}, "text"),
        {
            "workflowStatus": "FAILED",
            "errorType": "SERVER_INTERNAL_ERROR_TYPE",
            "errorMessage": "Surprise: text",
        },
        id="failed-by-unknown-type",
    ),
    pytest.param(
        failed(None, message="text"),
        {
            "workflowStatus": "FAILED",
            "errorType": "SERVER_INTERNAL_ERROR_TYPE",
            "errorMessage": "unknown failure: text",
        },
        id="failed-without-type",
    ),
]


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES)
async def test_get_tells_how_a_run_ended(
    engine: ScriptedEngine, post: Post, outcome: WorkflowOutcome, expected: dict[str, object]
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=outcome.status))
    engine.script("outcome", outcome)

    answer = await post("get", {"workflowId": "w", "needsResults": True})

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-1", **expected})
    assert engine.calls == [("describe", "w", ""), ("outcome", "w", "run-1")]


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES)
async def test_get_with_wait_tells_how_the_chain_ended(
    engine: ScriptedEngine, post: Post, outcome: WorkflowOutcome, expected: dict[str, object]
) -> None:
    engine.script("wait", outcome)

    answer = await post("getWithWait", {"workflowId": "w", "workflowRunId": "r"})

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-1", **expected})
    assert engine.calls_of("describe") == [("w", "r")]
    assert engine.calls_of("wait")[0][:2] == ("w", "run-1")


@pytest.mark.parametrize("status", STATUSES)
async def test_get_without_results_does_not_read_the_outcome(
    engine: ScriptedEngine, post: Post, status: WorkflowStatus
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=status))

    answer = await post("get", {"workflowId": "w"})

    assert answer.json() == {"workflowRunId": "run-1", "workflowStatus": status}
    assert engine.calls == [("describe", "w", "")]


@pytest.mark.parametrize("status", [WorkflowStatus.RUNNING, WorkflowStatus.CONTINUED_AS_NEW])
async def test_get_of_a_run_without_outcome_has_no_results(
    engine: ScriptedEngine, post: Post, status: WorkflowStatus
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=status))

    answer = await post("get", {"workflowId": "w", "needsResults": True})

    assert answer.json() == {"workflowRunId": "run-1", "workflowStatus": status}
    assert engine.calls == [("describe", "w", "")]


async def test_wait_without_end_is_a_long_poll_that_timed_out(engine: ScriptedEngine, post: Post) -> None:
    engine.script("wait", WaitTimedOut())

    answer = await post("getWithWait", {"workflowId": "w"})

    assert (answer.status_code, answer.json()) == (
        420,
        {
            "detail": "workflow is still running, waiting has exceeded timeout limit, please retry",
            "subStatus": "LONG_POLL_TIME_OUT_SUB_STATUS",
        },
    )


@pytest.mark.parametrize(
    ("requested", "seconds"),
    [
        pytest.param(10, 9.75, id="less-than-limit"),
        pytest.param(58, 57.75, id="limit"),
        pytest.param(59, 57.75, id="more-than-limit"),
        pytest.param(0, 57.75, id="zero"),
        pytest.param(-1, 57.75, id="negative"),
        pytest.param(None, 57.75, id="absent"),
    ],
)
async def test_wait_counts_from_the_start_of_the_second(
    engine: ScriptedEngine, requested: int | None, seconds: float
) -> None:
    service = Service(engine=engine, worker=WorkerClient(), settings=ApiSettings(), clock=lambda: 1000.25)

    assert service.wait_seconds(requested) == seconds


# dataobjects

KEPT = {
    "__IwfSystem_WorkerUrl": EncodedObject(data="http://worker"),
    "__IwfSystem_UseMemoForDataAttributes": EncodedObject(data="true"),
    "b": EncodedObject(data="2"),
    "a": EncodedObject(data="1"),
}
WITH_MEMO = msgspec.structs.replace(RUNNING, memo=KEPT)
FROM_RUN = DataAttributesAnswer(data_attributes=[KeyValue(key="q", value=EncodedObject(data="0"))])
FROM_RUN_JSON = {"objects": [{"key": "q", "value": {"data": "0"}}]}


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        pytest.param(["q", "x"], ["q", "x"], id="keys"),
        pytest.param([], None, id="no-keys"),
        pytest.param(None, None, id="null"),
    ],
)
async def test_data_attributes_are_asked_of_the_run(
    engine: ScriptedEngine, post: Post, keys: list[str] | None, asked: list[str] | None
) -> None:
    engine.script("query", FROM_RUN)

    answer = await post("dataobjects/get", {"workflowId": "w", "workflowRunId": "r", "keys": keys})

    assert (answer.status_code, answer.json()) == (200, FROM_RUN_JSON)
    assert engine.calls == [
        ("query", "w", "r", QueryType.GET_DATA_ATTRIBUTES, DataAttributesQuery(keys=asked))
    ]


async def test_no_data_attributes_are_no_list(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", DataAttributesAnswer(data_attributes=[]))

    assert (await post("dataobjects/get", {"workflowId": "w"})).json() == {}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(None, ["a", "b"], id="all"),
        pytest.param(["b"], ["b"], id="some"),
        pytest.param(["b", "unknown", "__IwfSystem_WorkerUrl"], ["b"], id="unknown-and-reserved"),
    ],
)
async def test_data_attributes_are_read_from_the_memo(
    engine: ScriptedEngine, post: Post, keys: list[str] | None, expected: list[str]
) -> None:
    engine.script("describe", WITH_MEMO)

    answer = await post(
        "dataobjects/get", {"workflowId": "w", "keys": keys, "useMemoForDataAttributes": True}
    )

    assert answer.json() == {"objects": [{"key": key, "value": {"data": KEPT[key].data}} for key in expected]}
    assert engine.calls == [("describe", "w", "")]


async def test_workflow_without_memo_is_asked_instead(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", FROM_RUN)

    answer = await post("dataobjects/get", {"workflowId": "w", "useMemoForDataAttributes": True})

    assert answer.json() == FROM_RUN_JSON


async def test_workflow_without_memo_is_an_error_where_settings_say_so(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post]
) -> None:
    post = post_with(ApiSettings(fail_at_memo_incompatibility=True))

    answer = await post("dataobjects/get", {"workflowId": "w", "useMemoForDataAttributes": True})

    assert (answer.status_code, answer.json()) == (
        500,
        {
            "detail": "workflow 'w' was started without data attributes in its memo",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )
    assert engine.calls_of("query") == []


QUICK = ApiSettings(
    query_workflow_failed_retry_policy=QueryRetryPolicy(maximum_attempts=3, initial_interval_seconds=0)
)


async def test_query_that_failed_is_asked_again(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post]
) -> None:
    engine.script("query", QueryFailed("early"), QueryFailed("early"), FROM_RUN)

    answer = await post_with(QUICK)("dataobjects/get", {"workflowId": "w"})

    assert (answer.status_code, answer.json()) == (200, FROM_RUN_JSON)


@pytest.mark.parametrize(
    ("failure", "attempts", "status"),
    [
        pytest.param(QueryFailed("early"), 3, 500, id="too-often"),
        pytest.param(WorkflowNotFound("none"), 1, 400, id="final-failure"),
    ],
)
async def test_query_is_not_asked_for_ever(
    engine: ScriptedEngine,
    post_with: Callable[[ApiSettings], Post],
    failure: Exception,
    attempts: int,
    status: int,
) -> None:
    engine.script("query", failure)

    answer = await post_with(QUICK)("dataobjects/get", {"workflowId": "w"})

    assert (answer.status_code, answer.json()["detail"]) == (status, str(failure))
    assert len(engine.calls_of("query")) == attempts


async def test_query_ends_at_the_deadline(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post]
) -> None:
    engine.script("query", QueryFailed("early"))
    slow = QueryRetryPolicy(initial_interval_seconds=60)
    post = post_with(ApiSettings(max_wait_seconds=1, query_workflow_failed_retry_policy=slow))

    answer = await post("dataobjects/get", {"workflowId": "w"})

    assert (answer.status_code, answer.json()["detail"]) == (500, "early")
    assert len(engine.calls_of("query")) == 1


async def test_data_attributes_are_written_by_one_signal(engine: ScriptedEngine, post: Post) -> None:
    answer = await post(
        "dataobjects/set",
        {
            "workflowId": "w",
            "workflowRunId": "r",
            "objects": [{"key": "a", "value": {"data": "1"}}, {"key": "b"}],
        },
    )

    assert (answer.status_code, answer.json()) == (200, {})
    written = [KeyValue(key="a", value=EncodedObject(data="1")), KeyValue(key="b")]
    assert engine.calls == [
        ("signal", "w", "r", SystemSignal.EXECUTE_RPC, RpcSignal(upsert_data_objects=written))
    ]


async def test_reserved_data_attribute_is_not_written(engine: ScriptedEngine, post: Post) -> None:
    answer = await post("dataobjects/set", {"workflowId": "w", "objects": [{"key": "__IwfSystem_x"}]})

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "the data attribute key '__IwfSystem_x' is reserved for the server",
    )
    assert engine.calls == []


# searchattributes

INDEXED = msgspec.structs.replace(
    RUNNING,
    search_attributes={
        "Size": msgspec.Raw(b"5"),
        "Color": msgspec.Raw(b'"red"'),
        "Gone": msgspec.Raw(b"null"),
        "IwfWorkflowType": msgspec.Raw(b'"Order"'),
        "BuildIds": msgspec.Raw(b'["x"]'),
    },
    search_attribute_types={
        "Size": "Int",
        "Color": "Keyword",
        "Gone": "Int",
        "IwfWorkflowType": "Keyword",
        "BuildIds": "KeywordList",
    },
)
REGISTERED = {"Size": "Int", "Color": "Keyword", "Gone": "Int", "IwfWorkflowType": "Keyword"}
COLOR = {"key": "Color", "valueType": "KEYWORD", "stringValue": "red"}
SIZE = {"key": "Size", "valueType": "INT", "integerValue": 5}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(
            [{"key": "Size", "valueType": "INT"}, {"key": "Color", "valueType": "KEYWORD"}],
            {"searchAttributes": [SIZE, COLOR]},
            id="in-the-order-of-the-request",
        ),
        pytest.param(
            [{"key": "Size", "valueType": "DOUBLE"}],
            {"searchAttributes": [{"key": "Size", "valueType": "DOUBLE", "doubleValue": 5.0}]},
            id="as-another-number",
        ),
        pytest.param(
            [{"key": "IwfWorkflowType", "valueType": "KEYWORD"}],
            {
                "searchAttributes": [
                    {"key": "IwfWorkflowType", "valueType": "KEYWORD", "stringValue": "Order"}
                ]
            },
            id="of-the-server-by-name",
        ),
        pytest.param([{"key": "Unknown", "valueType": "INT"}], {}, id="unknown"),
        pytest.param([{"key": "Gone", "valueType": "INT"}], {}, id="removed"),
        pytest.param([], {"searchAttributes": [COLOR, SIZE]}, id="all-of-the-user"),
        pytest.param(None, {"searchAttributes": [COLOR, SIZE]}, id="null"),
    ],
)
async def test_search_attributes_are_read_from_the_index(
    engine: ScriptedEngine, post: Post, keys: object, expected: dict[str, object]
) -> None:
    engine.script("describe", INDEXED)
    engine.script("search_attribute_types", REGISTERED)

    answer = await post("searchattributes/get", {"workflowId": "w", "workflowRunId": "r", "keys": keys})

    assert (answer.status_code, answer.json()) == (200, expected)
    assert engine.calls_of("describe") == [("w", "r")]


async def test_all_search_attributes_are_read_where_the_engine_does_not_tell_which_are_registered(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("describe", INDEXED)
    engine.script("search_attribute_types", None)

    answer = await post("searchattributes/get", {"workflowId": "w"})

    keys = [attribute["key"] for attribute in answer.json()["searchAttributes"]]
    assert keys == ["BuildIds", "Color", "Size"]


async def test_search_attribute_of_another_type_cannot_be_read(engine: ScriptedEngine, post: Post) -> None:
    engine.script("describe", INDEXED)

    answer = await post(
        "searchattributes/get", {"workflowId": "w", "keys": [{"key": "Color", "valueType": "INT"}]}
    )

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "detail": "search attribute 'Color': 'red' cannot be read as INT",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )


async def test_search_attributes_are_written_by_one_signal(engine: ScriptedEngine, post: Post) -> None:
    engine.script("search_attribute_types", REGISTERED)

    answer = await post("searchattributes/set", {"workflowId": "w", "searchAttributes": [COLOR]})

    assert (answer.status_code, answer.json()) == (200, {})
    color = SearchAttribute(key="Color", value_type=SearchAttributeValueType.KEYWORD, string_value="red")
    assert engine.calls_of("signal") == [
        ("w", "", SystemSignal.EXECUTE_RPC, RpcSignal(upsert_search_attributes=[color]))
    ]


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        pytest.param({"valueType": "INT"}, "has no key", id="no-key"),
        pytest.param({"key": "Size"}, "has no value type", id="no-type"),
        pytest.param(
            {"key": "Size", "valueType": "INT", "stringValue": "x"}, "another type's field", id="field"
        ),
        pytest.param({"key": "Size", "valueType": "DOUBLE"}, "registered with the engine as Int", id="type"),
        pytest.param({"key": "Unknown", "valueType": "INT"}, "is not registered", id="unknown"),
        pytest.param(
            {"key": "IwfWorkflowType", "valueType": "KEYWORD"}, "belongs to the server", id="system"
        ),
    ],
)
async def test_nothing_is_written_when_one_search_attribute_is_refused(
    engine: ScriptedEngine, post: Post, attribute: dict[str, Any], reason: str
) -> None:
    engine.script("search_attribute_types", REGISTERED)

    answer = await post("searchattributes/set", {"workflowId": "w", "searchAttributes": [COLOR, attribute]})

    assert answer.status_code == 400
    assert reason in answer.json()["detail"]
    assert engine.calls_of("signal") == []


# search


@pytest.mark.parametrize(
    ("page_size", "asked"),
    [
        pytest.param(None, 1000, id="absent"),
        pytest.param(0, 1000, id="zero"),
        pytest.param(-5, 1000, id="negative"),
        pytest.param(2, 2, id="given"),
    ],
)
async def test_search_lists_runs(
    engine: ScriptedEngine, post: Post, page_size: int | None, asked: int
) -> None:
    engine.script("search", SearchPage(executions=[("w", "r")], next_page_token=b""))

    answer = await post("search", {"query": "x = 1", "pageSize": page_size})

    assert (answer.status_code, answer.json()) == (
        200,
        {"workflowExecutions": [{"workflowId": "w", "workflowRunId": "r"}], "nextPageToken": ""},
    )
    assert engine.calls == [("search", "x = 1", asked, b"")]


async def test_search_that_finds_nothing_has_an_empty_list(post: Post) -> None:
    assert (await post("search", {"query": ""})).json() == {"workflowExecutions": [], "nextPageToken": ""}


@pytest.mark.parametrize("token", [b"\x00", b"\xff\xfe\xfd", bytes(range(256))], ids=["one", "three", "all"])
async def test_token_leads_to_the_next_page(engine: ScriptedEngine, post: Post, token: bytes) -> None:
    engine.script("search", SearchPage(executions=[], next_page_token=token))
    first = await post("search", {"query": ""})

    await post("search", {"query": "", "nextPageToken": first.json()["nextPageToken"]})

    assert engine.calls_of("search")[1] == ("", 1000, token)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:-1], id="cut"),
        pytest.param(lambda text: "A" + text[1:], id="changed"),
        pytest.param(lambda text: text + "AAAA", id="longer"),
        pytest.param(lambda text: "%" + text, id="not-base64"),
        pytest.param(lambda text: "é", id="not-ascii"),
        pytest.param(lambda text: "A", id="too-short-for-base64"),
        pytest.param(lambda text: "AAAAAA", id="checksum-of-nothing"),
    ],
)
async def test_damaged_token_is_refused(
    engine: ScriptedEngine, post: Post, damage: Callable[[str], str]
) -> None:
    engine.script("search", SearchPage(executions=[], next_page_token=b"next page"))
    token = (await post("search", {"query": ""})).json()["nextPageToken"]

    answer = await post("search", {"query": "", "nextPageToken": damage(token)})

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "nextPageToken is not one that a search returned",
    )
    assert len(engine.calls_of("search")) == 1
