"""How deep a body may be nested and how long its names may be, in themselves and as answers."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from iwf_api.limits import is_deeper, too_long
from iwf_api.settings import ApiSettings, ConnectionLimits
from iwf_models import WorkflowStartRequest, codec
from scripted_engine import ScriptedEngine

START: dict[str, Any] = {
    "workflowId": "w",
    "iwfWorkflowType": "T",
    "workflowTimeoutSeconds": 1,
    "iwfWorkerUrl": "http://127.0.0.1:1",
}
Post = Callable[[str, object], Awaitable[httpx.Response]]


def nested(levels: int, *, opening: str = "[", closing: str = "]", inside: str = "") -> str:
    return opening * levels + inside + closing * levels


def ladder(levels: int) -> str:
    """Each level has an empty neighbour."""
    text = "[]"
    for _ in range(levels - 1):
        text = f"[[],{text}]"
    return text


def tree(levels: int) -> str:
    """Each level branches."""
    text = "{}"
    for _ in range(levels - 1):
        text = '{"a":' + text + ',"b":' + text + "}"
    return text


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        pytest.param("1", 0, id="number"),
        pytest.param("[" + "[],{}," * 500 + "1]", 2, id="wide"),
        pytest.param(nested(8), 8, id="lists-few-levels"),
        pytest.param(nested(9), 9, id="lists-more-levels"),
        pytest.param(nested(400), 400, id="lists-many-levels"),
        pytest.param(nested(70, opening='{"a":', closing="}", inside="1"), 70, id="objects"),
        pytest.param(nested(35, opening='[{"a":', closing="}]", inside="[]"), 71, id="both"),
        pytest.param(ladder(100), 100, id="ladder"),
        pytest.param(tree(12), 12, id="tree"),
        pytest.param("[" + ",".join([nested(50)] * 20) + "]", 51, id="comb"),
        pytest.param("[" + ",".join([nested(20), nested(60), nested(30)]) + "]", 61, id="middle"),
        pytest.param(json.dumps(["[" * 300, {"{" * 100: "]}"}]), 2, id="brackets-in-texts"),
        pytest.param(json.dumps(['\\"[' * 100, "\\", '"', "[" * 100, '\\\\"[[' * 40]), 1, id="escapes"),
        pytest.param(json.dumps(["\\" * 7 + '"' * 5 + "[" * 100, ["é[" * 100]]), 2, id="backslashes"),
    ],
)
@pytest.mark.parametrize("limit", [8, 11, 64])
def test_depth_is_that_of_lists_and_objects_inside_each_other(text: str, depth: int, limit: int) -> None:
    assert is_deeper(text.encode(), limit) is (depth > limit)
    assert not is_deeper(text.encode(), max(8, depth))
    if depth > 8:
        assert is_deeper(text.encode(), depth - 1)


@pytest.mark.anyio
@pytest.mark.parametrize("levels", [62, 63, 200, 2_000, 100_000])
@pytest.mark.parametrize(
    ("field", "opening", "closing"),
    [
        pytest.param("unknown", "[", "]", id="lists-in-an-unknown-field"),
        pytest.param("unknown", '{"a":', "}", id="objects-in-an-unknown-field"),
        pytest.param("stateInput", '{"a":', "}", id="objects-in-a-known-field"),
        pytest.param(
            "stateOptions", '{"executeApiFailureProceedStateOptions":', "}", id="options-of-options"
        ),
    ],
)
async def test_body_that_is_nested_too_deeply_is_refused(
    engine: ScriptedEngine, post: Post, field: str, opening: str, closing: str, levels: int
) -> None:
    inside = nested(levels, opening=opening, closing=closing, inside="{}")

    answer = await post("start", (json.dumps(START)[:-1] + f', "{field}": {inside}}}').encode())

    if levels == 62:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["subStatus"]) == (400, "UNCATEGORIZED_SUB_STATUS")
        assert answer.json()["detail"].startswith("invalid request schema: JSON is nested ")
        assert engine.calls == []


LONG = "n" * 11
TOO_LONG: list[Any] = [
    pytest.param("start", {**START, "workflowId": LONG}, "workflowId", id="workflow"),
    pytest.param("start", {**START, "iwfWorkflowType": LONG}, "iwfWorkflowType", id="type"),
    pytest.param("start", {**START, "startStateId": LONG}, "startStateId", id="start-state"),
    pytest.param(
        "start",
        {**START, "stateOptions": {"executeApiFailureProceedStateId": LONG}},
        "stateOptions.executeApiFailureProceedStateId",
        id="state-to-proceed-to",
    ),
    pytest.param(
        "start",
        {**START, "stateOptions": {"dataAttributesLoadingPolicy": {"lockingKeys": ["k", LONG]}}},
        "stateOptions.dataAttributesLoadingPolicy.lockingKeys[1]",
        id="key-to-lock",
    ),
    pytest.param(
        "start",
        {**START, "workflowStartOptions": {"dataAttributes": [{"key": "k"}, {"key": LONG}]}},
        "workflowStartOptions.dataAttributes[1].key",
        id="initial-data-attribute",
    ),
    pytest.param("signal", {"workflowId": "w", "signalChannelName": LONG}, "signalChannelName", id="signal"),
    pytest.param(
        "publishToInternalChannel",
        {"workflowId": "w", "messages": [{"channelName": LONG}]},
        "messages[0].channelName",
        id="channel",
    ),
    pytest.param("rpc", {"workflowId": "w", "rpcName": LONG}, "rpcName", id="rpc"),
    pytest.param("get", {"workflowId": "w", "workflowRunId": LONG}, "workflowRunId", id="run"),
    pytest.param("dataobjects/get", {"workflowId": "w", "keys": ["k", LONG]}, "keys[1]", id="keys"),
    pytest.param(
        "searchattributes/get",
        {"workflowId": "w", "keys": [{"key": LONG, "valueType": "INT"}]},
        "keys[0].key",
        id="search-attribute",
    ),
    pytest.param(
        "reset", {"workflowId": "w", "resetType": "STATE_ID", "stateId": LONG}, "stateId", id="state"
    ),
    pytest.param(
        "waitForStateCompletion", {"workflowId": "w", "stateExecutionId": LONG}, "stateExecutionId", id="wait"
    ),
    pytest.param(
        "timer/skip",
        {"workflowId": "w", "workflowStateExecutionId": LONG},
        "workflowStateExecutionId",
        id="state-execution",
    ),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("endpoint", "body", "path"), TOO_LONG)
async def test_name_that_is_too_long_is_refused_by_its_path(
    engine: ScriptedEngine,
    post_with: Callable[[ApiSettings], Post],
    endpoint: str,
    body: dict[str, object],
    path: str,
) -> None:
    answer = await post_with(ApiSettings(max_id_length=10))(endpoint, body)

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "detail": f"invalid request schema: {path} has 11 characters, at most 10 are allowed",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )
    assert engine.calls == []


@pytest.mark.anyio
@pytest.mark.parametrize(("length", "status"), [(1000, 200), (1001, 400)])
async def test_ids_have_a_thousand_characters_at_most(post: Post, length: int, status: int) -> None:
    """Characters, not bytes, since that is what people count."""
    answer = await post("start", {**START, "workflowId": "é" * length})

    assert answer.status_code == status


def test_values_may_be_long() -> None:
    request = {
        **START,
        "stateInput": {"data": "x" * 100, "encoding": "e" * 100},
        "workflowStartOptions": {
            "dataAttributes": [{"key": "k", "value": {"data": "x" * 100}}],
            "searchAttributes": [{"key": "k", "valueType": "KEYWORD_ARRAY", "stringArrayValue": ["v" * 100]}],
        },
    }

    assert too_long(codec.decode(json.dumps(request).encode(), WorkflowStartRequest), 40) is None


@pytest.mark.parametrize(
    ("settings", "wrong", "message"),
    [
        (ApiSettings, {"max_request_bytes": 0}, "max_request_bytes must be from 1 to 2147483647, not 0"),
        (ApiSettings, {"max_json_depth": 7}, "max_json_depth must be from 8 to 500, not 7"),
        (ApiSettings, {"max_id_length": 0}, "max_id_length must be from 1 to 100000, not 0"),
        (ConnectionLimits, {"max_head_bytes": 1}, "max_head_bytes must be from 1024 to 16777216, not 1"),
        (ConnectionLimits, {"max_headers": 0}, "max_headers must be from 1 to 10000, not 0"),
        (ConnectionLimits, {"head_seconds": 0}, "head_seconds must be from 0.1 to 3600, not 0"),
        (ConnectionLimits, {"body_seconds": 3601}, "body_seconds must be from 0.1 to 3600, not 3601"),
        (ConnectionLimits, {"answer_seconds": -1}, "answer_seconds must be from 0.1 to 3600, not -1"),
    ],
)
def test_limit_out_of_its_range_is_refused(
    settings: type[ApiSettings | ConnectionLimits], wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**wrong)
