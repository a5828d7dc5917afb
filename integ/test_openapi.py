"""Generated requests: whatever a client sends, the answer is one that the server's OpenAPI document has.

The requests of each operation are made from its schema, one in five to break it. Those that fit are aimed:
names, ids and URLs are replaced by those of workflows that exist, so that they get beyond the first check.
`IWF_SCHEMATHESIS_EXAMPLES` says how many requests each operation gets. By default it is a few, the same each
time; from 100 on, some must succeed.
"""

import os
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Self, cast
from uuid import uuid4

import anyio.to_thread
import httpx
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import checks as general
from schemathesis.specs.openapi import checks as conformance_checks

from iwf_api.dev.ports import free_port
from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_api.documentation import WORKER, openapi_document
from iwf_api.listener import base_url, listen
from iwf_api.server import ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_interpreter.temporal import InterpreterOptions, ProtocolOptions
from iwf_models import ErrorResponse, KeyValue, WorkflowWorkerRpcResponse, codec
from iwf_testkit import Answer, FakeWorker, go_to, memory_server, value, wait_for

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1200)]

ASKED_EXAMPLES = os.environ.get("IWF_SCHEMATHESIS_EXAMPLES")
EXAMPLES = int(ASKED_EXAMPLES or 5)
PREFIX = "/api/v1/workflow/"
# Its types are generic in ways that it does not fill in.
conformance = cast("Any", conformance_checks)
CHECKS: list[Any] = [
    cast("Any", general).not_a_server_error,
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
]

DOCUMENT = openapi_document()
SERVED = [
    pytest.param(path, method, id=path.removeprefix(PREFIX))
    for path, item in DOCUMENT["paths"].items()
    for method in ("get", "post")
    if method in item and item[method]["tags"] != [WORKER.name]
]
SETTINGS = ApiSettings(max_wait_seconds=5)
NEVER_200 = {"encodedobject/load"}
"""There is no store."""

SEARCH_ATTRIBUTES: list[dict[str, Any]] = [
    {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "a"},
    {"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1},
    {"key": "CustomDatetimeField", "valueType": "DATETIME", "stringValue": "2024-11-12T16:00:01-08:00"},
    {"key": "CustomKeywordArrayField", "valueType": "KEYWORD_ARRAY", "stringArrayValue": ["a", "b"]},
]
ENGINE_TYPES = {"KEYWORD": "Keyword", "INT": "Int", "DATETIME": "Datetime", "KEYWORD_ARRAY": "KeywordList"}
WAITS = ("waitTimeSeconds", "timeoutSeconds")
LOADING = [
    {"persistenceLoadingType": "LOAD_NONE"},
    {"persistenceLoadingType": "LOAD_PARTIAL_WITHOUT_LOCKING", "partialLoadingKeys": ["a"]},
    {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["a"]},
    {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK", "lockingKeys": ["b"]},
]


class World:
    """What to aim at: a workflow that runs, whatever requests do to it, and one that has closed."""

    def __init__(self, url: str, worker: FakeWorker) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url + PREFIX, timeout=30)
        self.worker_url = worker.url
        self.closed_port = f"http://127.0.0.1:{free_port()}"
        self.running_id = f"running-{uuid4()}"
        self.run_id = ""
        self.closed_id = f"closed-{uuid4()}"
        wait = wait_for(timers=(3600,), signals=("go",), channels=("inside",))
        write = [KeyValue(key="r", value=value("1"))]
        close = go_to("_SYS_FORCE_COMPLETING_WORKFLOW")
        worker.script("BEGIN.execute", go_to("WAIT"))
        worker.script("WAIT.waitUntil", wait)
        worker.script("rpc.read", WorkflowWorkerRpcResponse(output=value("1")))
        worker.script("rpc.write", WorkflowWorkerRpcResponse(upsert_data_attributes=write))
        worker.script("rpc.fail", Answer(status=501, text="no"))
        worker.script("rpc.move", WorkflowWorkerRpcResponse(state_decision=go_to("WAIT").state_decision))
        worker.script("rpc.close", WorkflowWorkerRpcResponse(state_decision=close.state_decision))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """Call an endpoint that must succeed."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def start(self, workflow_id: str, state_id: str) -> str:
        answer = self.post(
            "start",
            workflowId=workflow_id,
            iwfWorkflowType="Test",
            iwfWorkerUrl=self.worker_url,
            workflowTimeoutSeconds=0,
            startStateId=state_id,
            workflowStartOptions={"dataAttributes": [{"key": "a", "value": {"data": "1"}}]},
        )
        return answer["workflowRunId"]

    def prepare(self) -> None:
        """Undo what the last request did: one workflow runs and waits in its second state, one is closed."""
        if not self.run_id:
            self.start(self.closed_id, "END")
        if self.post("get", workflowId=self.closed_id)["workflowStatus"] == "RUNNING":
            self.http.post("stop", json={"workflowId": self.closed_id, "stopType": "TERMINATE"})
        if self.run_id:
            found = self.post("get", workflowId=self.running_id)
            if found["workflowStatus"] == "RUNNING":
                self.run_id = found["workflowRunId"]
                return
        self.run_id = self.start(self.running_id, "BEGIN")
        self.post("waitForStateCompletion", workflowId=self.running_id, stateExecutionId="BEGIN-1")

    def values(self) -> Mapping[str, list[object]]:
        """What fields of requests are aimed at."""
        ids = [self.running_id] * 4 + [self.closed_id] * 2 + ["never-was"]
        return {
            "workflowId": [*ids],
            "workflowRunId": ["", self.run_id],
            "iwfWorkflowType": ["Test"],
            "iwfWorkerUrl": [self.worker_url, self.closed_port],
            "workflowTimeoutSeconds": [0, 1, 3600],
            "startStateId": ["BEGIN", "WAIT", "END", ""],
            "stateOptions": [None, {"skipWaitUntil": True}],
            "workflowStartOptions": [
                None,
                {"searchAttributes": SEARCH_ATTRIBUTES, "dataAttributes": [{"key": "a"}]},
                {"workflowAlreadyStartedOptions": {"ignoreAlreadyStartedError": True}},
                {"idReusePolicy": "ALLOW_TERMINATE_IF_RUNNING", "useMemoForDataAttributes": True},
                {"cronSchedule": "* * * * *", "retryPolicy": {"maximumAttempts": 2}},
                {"workflowStartDelaySeconds": 1, "idReusePolicy": "DISALLOW_REUSE"},
            ],
            "signalChannelName": ["go", "other"],
            "messages": [[{"channelName": "inside", "value": {"data": "1"}}], [{"channelName": "x"}], []],
            "keys": [None, ["a", "none"], [{"key": "CustomIntField", "valueType": "INT"}]],
            "objects": [[{"key": "a", "value": {"data": "2"}}, {"key": "b"}]],
            "searchAttributes": [SEARCH_ATTRIBUTES],
            "rpcName": ["read", "write", "fail", "move", "close"],
            "dataAttributesLoadingPolicy": [None, *LOADING],
            "searchAttributesLoadingPolicy": [None, *LOADING],
            "timeoutSeconds": [1],
            "waitTimeSeconds": [1],
            "stateExecutionId": ["BEGIN-1", "WAIT-1", "NONE-1"],
            "stateId": ["BEGIN", "WAIT"],
            "historyEventId": [4, 3, 1000],
            "historyEventTime": ["1s", "2024-11-12T16:00:01Z"],
            "workflowStateExecutionId": ["WAIT-1"],
            "timerCommandId": ["", "none"],
            "timerCommandIndex": [0, 1],
            "workflowConfig": [{"continueAsNewThreshold": 5}, {"optimizeActivity": True}, {}],
            "query": ["", f"WorkflowId = '{self.running_id}'", "ExecutionStatus = 'Running'", "a ="],
            "nextPageToken": [""],
            "extPath": [f"20260131${self.running_id}/{uuid4()}"],
            "pageSizeInBytes": [0, 7],
            "pageNum": [0, 1, 1000],
        }


@pytest.fixture(scope="module")
async def temporal_world(temporal: TemporalDevServer) -> AsyncGenerator[World]:
    """A server on Temporal."""
    options = ServerOptions(
        address=temporal.address,
        namespace="default",
        interpreter=InterpreterOptions(task_queue="iwf-openapi", protocol=ProtocolOptions(poll_seconds=3.0)),
        api=SETTINGS,
    )
    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with FakeWorker() as worker, running(options, listening):
            with World(base_url(listening), worker) as world:
                yield world


@pytest.fixture(scope="module")
async def memory_world(anyio_backend: str) -> AsyncGenerator[World]:
    """A server in memory, at the pace of real time."""
    types = {attribute["key"]: ENGINE_TYPES[attribute["valueType"]] for attribute in SEARCH_ATTRIBUTES}
    async with (
        FakeWorker() as worker,
        memory_server(search_attributes=types, settings=SETTINGS, port=0) as server,
    ):
        with World(server.url, worker) as world:
            yield world


def aimed(draw: st.DrawFn, body: dict[str, Any], fields: Mapping[str, Any], world: World) -> dict[str, Any]:
    """A body with most of its fields replaced, and some set that it lacks."""
    values = world.values()
    result = {name: whole(part) for name, part in body.items()}
    for name in fields:
        wanted = 10 if name in WAITS else 9 if name in body else 5
        if name in values and draw(st.integers(1, 10)) <= wanted:
            result[name] = draw(st.sampled_from(values[name]))
    if "iwfWorkerUrl" in fields:
        # The workflow that others are aimed at keeps its worker.
        result["workflowId"] = draw(st.sampled_from([f"new-{uuid4()}", "again-1", "again-2"]))
    return result


def whole(part: Any) -> Any:
    """Integers as such: 1.0 is one to JSON Schema, and not to any of the server's clients."""
    if isinstance(part, dict):
        return {name: whole(inner) for name, inner in cast("dict[str, Any]", part).items()}
    if isinstance(part, list):
        return [whole(inner) for inner in cast("list[Any]", part)]
    return int(part) if isinstance(part, float) and part.is_integer() else part


@st.composite
def cases(draw: st.DrawFn, operation: Any, world: World) -> Any:
    """A request for an operation."""
    has_body = "requestBody" in operation.definition.raw
    if has_body and draw(st.integers(1, 5)) == 5:
        return draw(operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))
    case = draw(operation.as_strategy())
    if has_body:
        content = operation.definition.raw["requestBody"]["content"]["application/json"]
        model = content["schema"]["$ref"].rpartition("/")[2]
        fields = DOCUMENT["components"]["schemas"][model]["properties"]
        case.body = aimed(draw, case.body, fields, world)
    return case


@pytest.mark.requirement("openapi.answers")
@pytest.mark.parametrize(("path", "method"), SERVED)
async def test_every_answer_on_temporal_is_documented(temporal_world: World, path: str, method: str) -> None:
    await anyio.to_thread.run_sync(check_answers, temporal_world, path, method)


@pytest.mark.requirement("openapi.answers")
@pytest.mark.parametrize(("path", "method"), SERVED)
async def test_every_answer_in_memory_is_documented(memory_world: World, path: str, method: str) -> None:
    await anyio.to_thread.run_sync(check_answers, memory_world, path, method)


def check_answers(world: World, path: str, method: str) -> None:
    """Send requests: no 5xx, no other status than the documented ones, no other body."""
    operation = cast("Any", schemathesis.openapi.from_dict(DOCUMENT))[path][method]
    statuses = Counter[int]()

    @settings(
        max_examples=EXAMPLES,
        derandomize=ASKED_EXAMPLES is None,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(cases(operation, world))
    def check(case: Any) -> None:
        world.prepare()
        answer = case.call(base_url=world.url)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code != 200:
            error = codec.decode(answer.content, ErrorResponse)
            assert error.detail
            assert error.sub_status
        elif "content" not in operation.definition.raw["responses"]["200"]:
            assert msgspec.json.decode(answer.content) == {}
        statuses[answer.status_code] += 1

    check()

    print(f"{path}: {dict(statuses)}")
    assert sum(statuses.values()) >= (EXAMPLES if method == "post" else 1)
    if EXAMPLES >= 100:
        assert (200 in statuses) is (path.removeprefix(PREFIX) not in NEVER_200)
