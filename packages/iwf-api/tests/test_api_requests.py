"""What every endpoint does with a request that is not as it should be."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest
from msgspec import inspect

from iwf_api.routes import ROUTES, ApiRoute
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import DataAttributesAnswer
from iwf_models import (
    EncodedObject,
    KeyValue,
    PublishToInternalChannelRequest,
    WorkflowDumpResponse,
    WorkflowGetSearchAttributesRequest,
    WorkflowSetDataObjectsRequest,
    WorkflowSkipTimerRequest,
    WorkflowStartRequest,
)
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

REQUIRED: dict[str, Any] = {
    "workflowId": "w",
    "iwfWorkflowType": "Order",
    "workflowTimeoutSeconds": 10,
    "iwfWorkerUrl": "http://127.0.0.1:1",
    "signalChannelName": "c",
    "rpcName": "R",
    "query": "",
    "resetType": "BEGINNING",
    "workflowStateExecutionId": "S-1",
    "workflowConfig": {},
    "workflowRunId": "r",
    "pageSizeInBytes": 0,
    "pageNum": 0,
    "extStoreId": "s",
    "extPath": "20260131$w/o",
}
WRONG: dict[type[inspect.Type], object] = {
    inspect.StrType: 5,
    inspect.IntType: 1.0,
    inspect.BoolType: "true",
    inspect.ListType: {},
    inspect.StructType: [],
    inspect.EnumType: "NO_SUCH_VALUE",
}


def endpoint(route: ApiRoute[Any]) -> str:
    return route.path.removeprefix("/api/v1/workflow/")


def struct_fields(route: ApiRoute[Any]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(route.request_type)
    assert isinstance(info, inspect.StructType)
    return info.fields


def kind(field: inspect.Field) -> inspect.Type:
    """The type of a field, without the `None` of an optional one."""
    type_ = field.type
    return type_.types[0] if isinstance(type_, inspect.UnionType) else type_


def is_required(route: ApiRoute[Any], field: inspect.Field) -> bool:
    """Whether the endpoint needs a field; all fields of an object that is also a value are optional."""
    if route.request_type is EncodedObject:
        return field.encode_name in ("extStoreId", "extPath")
    return field.required


def request(route: ApiRoute[Any]) -> dict[str, Any]:
    """A request with the required fields only."""
    return {
        field.encode_name: REQUIRED[field.encode_name]
        for field in struct_fields(route)
        if is_required(route, field)
    }


def has_target(route: ApiRoute[Any]) -> bool:
    """Whether the endpoint is about one workflow."""
    return "workflow_id" in route.request_type.__struct_fields__


def each_field(*, only_required: bool = False) -> list[Any]:
    return [
        pytest.param(route, field, id=f"{endpoint(route)}-{field.encode_name}")
        for route in ROUTES
        for field in struct_fields(route)
        if is_required(route, field) or not only_required
    ]


EACH_ROUTE = [pytest.param(route, id=endpoint(route)) for route in ROUTES]


def assert_refused(answer: httpx.Response, route: ApiRoute[Any], *, names_workflow: bool) -> None:
    """The documented answer of a body that does not fit."""
    body = answer.json()
    if names_workflow or not has_target(route):
        assert body["detail"].startswith("invalid request schema: ")
        expected = "UNCATEGORIZED_SUB_STATUS"
    else:
        assert body["detail"] == "WorkflowId is not set on request."
        is_start = route.request_type is WorkflowStartRequest
        expected = "UNCATEGORIZED_SUB_STATUS" if is_start else "WORKFLOW_NOT_EXISTS_SUB_STATUS"
    assert (answer.status_code, body["subStatus"], sorted(body)) == (400, expected, ["detail", "subStatus"])
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("route", EACH_ROUTE)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="malformed"),
        pytest.param(b"{} {}", id="two-documents"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"5", id="number"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
        pytest.param(b"[" * 100_000, id="nested-too-deeply"),
    ],
)
async def test_body_that_is_no_object_is_refused(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any], body: bytes
) -> None:
    answer = await post(endpoint(route), body)

    assert_refused(answer, route, names_workflow=True)
    assert engine.calls == []


@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_empty_object_lacks_the_workflow_id_first_of_all(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any]
) -> None:
    answer = await post(endpoint(route), {})

    assert_refused(answer, route, names_workflow=False)
    assert engine.calls == []


@pytest.mark.parametrize(("route", "field"), each_field(only_required=True))
@pytest.mark.parametrize("how", ["missing", "null"])
async def test_required_field_must_be_there(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any], field: inspect.Field, how: str
) -> None:
    body = {**request(route), field.encode_name: None}
    if how == "missing":
        del body[field.encode_name]

    answer = await post(endpoint(route), body)

    assert_refused(answer, route, names_workflow=field.encode_name != "workflowId")
    if field.encode_name != "workflowId":
        assert field.encode_name in answer.json()["detail"]
    assert engine.calls == []


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_workflow_id_that_is_not_set_is_reported_in_the_words_that_clients_know(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any], value: str | None
) -> None:
    if not has_target(route):
        return

    answer = await post(endpoint(route), {**request(route), "workflowId": value})

    assert_refused(answer, route, names_workflow=False)
    assert engine.calls == []


@pytest.mark.parametrize(("route", "field"), each_field())
async def test_field_of_another_type_is_refused_by_its_name(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any], field: inspect.Field
) -> None:
    answer = await post(endpoint(route), {**request(route), field.encode_name: WRONG[type(kind(field))]})

    assert_refused(answer, route, names_workflow=True)
    assert f"$.{field.encode_name}" in answer.json()["detail"]
    assert engine.calls == []


@pytest.mark.parametrize(
    ("name", "body", "path"),
    [
        pytest.param("stop", {"stopType": "NOW"}, "$.stopType", id="stop-type"),
        pytest.param(
            "start",
            {"workflowStartOptions": {"idReusePolicy": "MAYBE"}},
            "$.workflowStartOptions.idReusePolicy",
            id="reuse-policy",
        ),
        pytest.param(
            "start",
            {"workflowStartOptions": {"searchAttributes": [{"key": "k", "valueType": "UUID"}]}},
            "$.workflowStartOptions.searchAttributes[0].valueType",
            id="value-type",
        ),
        pytest.param(
            "rpc",
            {"dataAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD"}},
            "$.dataAttributesLoadingPolicy.persistenceLoadingType",
            id="loading-type",
        ),
        pytest.param("signal", {"signalValue": {"data": 5}}, "$.signalValue.data", id="not-an-enum"),
        pytest.param("reset", {"resetType": ""}, "$.resetType", id="reset-type"),
    ],
)
async def test_wrong_value_inside_is_refused_by_its_path(
    post: Post, name: str, body: dict[str, object], path: str
) -> None:
    route = next(route for route in ROUTES if endpoint(route) == name)

    answer = await post(name, {**request(route), **body})

    assert_refused(answer, route, names_workflow=True)
    assert path in answer.json()["detail"]


@pytest.mark.parametrize(
    ("request_type", "body", "name"),
    [
        *(
            pytest.param(WorkflowStartRequest, {name: ""}, name, id=name)
            for name in ("iwfWorkflowType", "iwfWorkerUrl")
        ),
        *(
            pytest.param(
                WorkflowStartRequest,
                {"workflowStartOptions": {"dataAttributes": [{"key": "a"}, item]}},
                "workflowStartOptions.dataAttributes[1].key",
                id=f"initial-data-attribute-{id_}",
            )
            for id_, item in (("no-key", {}), ("empty-key", {"key": ""}))
        ),
        pytest.param(
            PublishToInternalChannelRequest,
            {"messages": [{"channelName": ""}]},
            "messages[0].channelName",
            id="channel",
        ),
        *(
            pytest.param(
                WorkflowSetDataObjectsRequest, {"objects": [item]}, "objects[0].key", id=f"data-{id_}"
            )
            for id_, item in (("no-key", {}), ("empty-key", {"key": ""}))
        ),
        pytest.param(
            WorkflowSkipTimerRequest,
            {"workflowStateExecutionId": ""},
            "workflowStateExecutionId",
            id="state-execution",
        ),
        pytest.param(
            WorkflowGetSearchAttributesRequest,
            {"keys": [{"valueType": "INT"}]},
            "keys[0].key",
            id="search-attribute-no-key",
        ),
        pytest.param(
            WorkflowGetSearchAttributesRequest,
            {"keys": [{"key": "a"}]},
            "keys[0].valueType",
            id="search-attribute-no-type",
        ),
    ],
)
async def test_value_that_must_not_be_empty_is_refused_by_its_path(
    engine: ScriptedEngine, post: Post, request_type: type[Any], body: dict[str, object], name: str
) -> None:
    route = next(route for route in ROUTES if route.request_type is request_type)

    answer = await post(endpoint(route), {**request(route), **body})

    detail = f"invalid request schema: {name} must be set and not be empty"
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)
    assert engine.calls == []


@pytest.mark.parametrize(
    ("name", "field"), [("signal", "signalChannelName"), ("rpc", "rpcName")], ids=["signal", "rpc"]
)
async def test_empty_name_is_refused(engine: ScriptedEngine, post: Post, name: str, field: str) -> None:
    answer = await post(name, {"workflowId": "w", field: ""})

    detail = f"invalid request schema: {field} must be set and not be empty"
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)
    assert engine.calls == []


QUERY_ANSWERS: dict[str, object] = {
    "dataobjects/get": DataAttributesAnswer(data_attributes=[KeyValue(key="a")]),
    "internal/dump": WorkflowDumpResponse(checksum="c", total_pages=1, json_data="{}"),
    "rpc": LookupError("taken"),
}
STATUSES_OF_BARE_REQUESTS = {
    # Fails in a way that shows that the request was taken.
    "rpc": 500,
    # One of several optional fields is needed.
    "timer/skip": 400,
    "waitForStateCompletion": 400,
    # There is no store.
    "encodedobject/load": 400,
}


@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_null_is_as_good_as_nothing_and_unknown_fields_are_ignored(
    post: Post, engine: ScriptedEngine, route: ApiRoute[Any]
) -> None:
    engine.script("query", QUERY_ANSWERS.get(endpoint(route)))
    optional = [field.encode_name for field in struct_fields(route) if not is_required(route, field)]

    bare = await post(endpoint(route), request(route))
    with_nulls = await post(
        endpoint(route), {**request(route), **dict.fromkeys(optional), "somethingNew": {"a": [1]}}
    )

    assert (with_nulls.status_code, with_nulls.content) == (bare.status_code, bare.content)
    assert with_nulls.status_code == STATUSES_OF_BARE_REQUESTS.get(endpoint(route), 200)
    assert b"null" not in with_nulls.content


async def test_body_over_the_limit_is_refused(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post]
) -> None:
    body = json.dumps({"workflowId": "w", "signalChannelName": "c"}).encode()
    post = post_with(ApiSettings(max_request_bytes=len(body)))

    fits = await post("signal", body)
    too_long = await post("signal", body + b" ")

    assert fits.status_code == 200
    assert (too_long.status_code, too_long.json()) == (
        413,
        {
            "detail": f"the request body is longer than {len(body)} bytes",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )
    assert len(engine.calls) == 1


@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_trailing_slash_is_served_like_the_path_without_it(post: Post, route: ApiRoute[Any]) -> None:
    without = await post(endpoint(route), {})
    with_slash = await post(endpoint(route) + "/", {})

    assert (with_slash.status_code, with_slash.content) == (without.status_code, without.content)


def test_requests_of_this_file_fit_their_models() -> None:
    for route in ROUTES:
        msgspec.convert(request(route), route.request_type)
