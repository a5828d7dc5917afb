"""Data attributes and search attributes: where they are read, and how they are written."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from iwf_api.settings import ApiSettings, QueryRetryPolicy
from iwf_interpreter.contract import (
    DataAttributesAnswer,
    DataAttributesQuery,
    QueryType,
    RpcSignal,
    SystemSignal,
)
from iwf_interpreter.engine import QueryFailed, WorkflowNotFound
from iwf_models import (
    EncodedObject,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
)
from scripted_engine import RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

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
