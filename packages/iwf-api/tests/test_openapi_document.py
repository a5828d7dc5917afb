"""The server's OpenAPI document against the published one, and against what the server does.

`idl_facts.json` holds the facts of the published document; the same command takes those of the server's own.
"""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import msgspec
import pytest

from iwf_api import errors
from iwf_api.documentation import openapi_document
from iwf_api.routes import ROUTES, ApiRoute
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import DataAttributesAnswer, StateCompletionAnswer
from iwf_interpreter.engine import EngineError, WaitTimedOut
from iwf_models import EncodedObject, ErrorResponse, KeyValue, WorkflowDumpResponse, codec
from scripted_engine import FOREVER, ScriptedEngine

Post = Callable[[str, object], Awaitable[httpx.Response]]

ROOT = Path(__file__).parents[3]
PUBLISHED: dict[str, Any] = json.loads(
    (ROOT / "packages" / "iwf-models" / "tests" / "idl_facts.json").read_text()
)

SAME_TYPE = {
    # The document declares no format for most integers; all SDKs are generated with 32 bits for those.
    "integer": "integer/int32",
    # Python has no single precision; a double holds every value of one.
    "number/float": "number/double",
}
NEVER_SENT = {
    "IwfEvent": "a hook inside the server",
    "IwfEventError": "part of IwfEvent",
    "EventType": "part of IwfEvent",
}
ADDED_FIELDS = {
    "WorkflowConfig": {"countHeldMessages": "boolean", "keepExecutingStateIdsOnClose": "boolean"},
    "SignalResult": {"signalValues": "array of EncodedObject"},
    "InterStateChannelResult": {"values": "array of EncodedObject"},
}
"""Optional fields of ours, which `docs/wire-models.md` explains."""
ADDED_STATUSES = {
    "413": "every body has a limit",
    "500": "the published document has no word for what nobody expected",
}
PREFIX = "/api/v1/workflow/"
EACH_ROUTE = [pytest.param(route, id=route.path.removeprefix(PREFIX)) for route in ROUTES]
WORKER_PATHS = ("POST /api/v1/workflowState/", "POST /api/v1/workflowWorker/")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of the server's document."""
    folder = tmp_path_factory.mktemp("facts")
    (folder / "document.yaml").write_bytes(codec.encode(openapi_document()))
    command = [sys.executable, ROOT / "tools" / "idl_facts.py", "extract", "document.yaml", "facts.json"]
    subprocess.run(command, cwd=folder, timeout=30, check=True)
    return json.loads((folder / "facts.json").read_text())


def test_operations_are_the_published_ones_with_the_same_models(own: dict[str, Any]) -> None:
    expected = {
        name: {
            "request": facts["request"],
            "responses": facts["responses"] | dict.fromkeys(added_statuses(name), "ErrorResponse"),
        }
        for name, facts in PUBLISHED["operations"].items()
    }
    assert own["operations"] == expected


def added_statuses(operation: str) -> dict[str, str]:
    """Of operations that are served here and read a body."""
    return {} if operation.startswith(("GET ", *WORKER_PATHS)) else ADDED_STATUSES


def test_enumerations_have_the_published_values(own: dict[str, Any]) -> None:
    expected = {name: values for name, values in PUBLISHED["enums"].items() if name not in NEVER_SENT}
    assert own["enums"] == expected


def test_models_have_the_published_fields_types_and_required_flags(own: dict[str, Any]) -> None:
    expected = {
        name: {
            field: {"type": SAME_TYPE.get(facts["type"], facts["type"]), "required": facts["required"]}
            for field, facts in model.items()
        }
        | {field: {"type": type_, "required": False} for field, type_ in ADDED_FIELDS.get(name, {}).items()}
        for name, model in PUBLISHED["models"].items()
        if name not in NEVER_SENT
    }
    assert own["models"] == expected


def test_every_reference_leads_somewhere() -> None:
    text = codec.encode(openapi_document()).decode()
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert names <= set(openapi_document()["components"]["schemas"])
    assert set(openapi_document()["components"]["schemas"]) <= names


@pytest.mark.parametrize("route", EACH_ROUTE)
def test_table_has_the_models_that_the_operation_takes_and_returns(route: ApiRoute[Any]) -> None:
    hints = get_type_hints(route.operation)

    assert hints["request"] is route.request_type
    assert hints["return"] == (type(None) if route.response_type is None else route.response_type)


def test_documented_statuses_are_those_of_the_error_table() -> None:
    """Those of unknown paths and wrong methods belong to no operation."""
    documented = {status for route in ROUTES for status in route.errors}

    assert documented == {answer.status for answer in errors.ANSWERS.values()} - {404, 405}


QUERY_ANSWERS: dict[str, object] = {
    "dataobjects/get": DataAttributesAnswer(data_attributes=[KeyValue(key="a", value=EncodedObject())]),
    "internal/dump": WorkflowDumpResponse(checksum="c", total_pages=1, json_data="{}"),
    "waitForStateCompletion": StateCompletionAnswer(completed=True),
}
REQUESTS: dict[str, Any] = {
    "workflowId": "w",
    "workflowRunId": "r",
    "iwfWorkflowType": "Order",
    "workflowTimeoutSeconds": 10,
    "iwfWorkerUrl": "http://127.0.0.1:1",
    "signalChannelName": "c",
    "rpcName": "R",
    "query": "",
    "resetType": "BEGINNING",
    "workflowStateExecutionId": "S-1",
    "workflowConfig": {},
    "pageSizeInBytes": 0,
    "pageNum": 0,
    "stateExecutionId": "S-1",
    "timerCommandId": "t",
    "extStoreId": "s",
    "extPath": "20260131$w/o",
}
NO_SUCCESS_HERE = {
    "rpc": "needs a worker",
    "timer/skip": "needs a run with a timer",
    "encodedobject/load": "needs a store",
}


@pytest.mark.anyio
@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_answers_are_of_the_documented_models(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any]
) -> None:
    name = route.path.removeprefix(PREFIX)
    if name in NO_SUCCESS_HERE:
        return
    engine.script("query", QUERY_ANSWERS.get(name))

    answer = await post(name, REQUESTS)

    assert answer.status_code == 200, answer.text
    if route.response_type is None:
        assert answer.json() == {}
    else:
        assert codec.encode(codec.decode(answer.content, route.response_type)) == answer.content


@pytest.mark.anyio
@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_statuses_that_every_operation_documents_are_answered(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post], route: ApiRoute[Any]
) -> None:
    name = route.path.removeprefix(PREFIX)
    for method in ("start", "signal", "query", "describe", "wait", "cancel", "search", "reset", "update"):
        engine.script(method, EngineError("down"))
    post = post_with(ApiSettings(max_request_bytes=1000))

    answers = [await post(name, body) for body in ({}, "x" * 1000, REQUESTS)]

    expected = [400, 413, 400 if name == "encodedobject/load" else 500]
    assert [answer.status_code for answer in answers] == expected
    for answer in answers:
        error = codec.decode(answer.content, ErrorResponse)
        assert error.detail
        assert error.sub_status


@pytest.mark.anyio
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if 420 in route.errors], ids=lambda route: route.path
)
async def test_operation_that_documents_420_waits(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post], route: ApiRoute[Any]
) -> None:
    name = route.path.removeprefix(PREFIX)
    engine.script("query", StateCompletionAnswer(completed=False) if "State" in name else WaitTimedOut("w"))
    engine.script("wait", WaitTimedOut("w"))
    engine.script("update", FOREVER)

    answer = await post_with(ApiSettings(max_wait_seconds=1))(name, REQUESTS)

    assert answer.status_code == 420


def each_needed_field() -> list[Any]:
    return [
        pytest.param(route, name, id=f"{route.path.removeprefix(PREFIX)}-{name}")
        for route in ROUTES
        for name in route.not_empty
    ]


def with_value(request: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A request with one field set, however deep; `[]` stands for the only item of a list."""
    name, _, rest = path.partition(".")
    inner = value if not rest else with_value({"key": "k", "valueType": "INT"}, rest, value)
    if name.endswith("[]"):
        return {**request, name.removesuffix("[]"): [inner]}
    return {**request, name: inner}


@pytest.mark.anyio
@pytest.mark.parametrize(("route", "field"), each_needed_field())
@pytest.mark.parametrize("value", ["", None], ids=["empty", "missing"])
async def test_field_that_must_not_be_empty_is_refused_when_it_is(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any], field: str, value: str | None
) -> None:
    answer = await post(route.path.removeprefix(PREFIX), with_value(REQUESTS, field, value))

    assert answer.status_code == 400
    assert [call[0] for call in engine.calls if call[0] != "search_attribute_types"] == []


@pytest.mark.anyio
@pytest.mark.parametrize("route", EACH_ROUTE)
async def test_other_required_texts_may_be_empty(
    engine: ScriptedEngine, post: Post, route: ApiRoute[Any]
) -> None:
    """What the document does not forbid is taken: the request gets past its checks to the engine."""
    info = msgspec.inspect.type_info(route.request_type)
    assert isinstance(info, msgspec.inspect.StructType)
    texts = [
        field.encode_name
        for field in info.fields
        if field.required
        and isinstance(field.type, msgspec.inspect.StrType)
        and field.encode_name not in route.not_empty
    ]
    name = route.path.removeprefix(PREFIX)
    engine.script("query", QUERY_ANSWERS.get(name))

    answer = await post(name, {**REQUESTS, **dict.fromkeys(texts, "")})

    assert not answer.json().get("detail", "").startswith("invalid request schema")
