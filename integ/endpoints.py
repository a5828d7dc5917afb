"""Every endpoint and every way in which a request can be wrong: what is sent, and the answers as a table.

The answers that are right are `endpoints.json`, made by a server, read by people and kept; the page
`docs/endpoints.md` (`endpoints_page.py`) shows them. Here is how a cell is made: the workflow that a request
is about, the request, and what is taken out of the answer because it differs from run to run. No engine is
named here: all of them must give the same table.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
import httpx
import msgspec

from iwf_api.routes import ROUTES
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    KeyValue,
    SignalCommand,
    TimerCommand,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import go_to, graceful_complete, value
from scenario import NOT_EXISTS, PREFIX, Reply, Scenario

HEALTH_CHECK = "/info/healthcheck"

UNKNOWN_RUN = "01940000-0000-7000-8000-000000000000"
UNKNOWN_WORKFLOW = "nobody"

CASES = {
    "ok": "a complete request for a running workflow; for `start`, for a new one",
    "nulls": "the same, but every optional field that the request can do without is null",
    "running workflow": "the id of `start` belongs to a running workflow",
    "closed workflow": "the workflow has completed",
    "nulls, closed": "the workflow has completed, and fields are null as above",
    "older run": "`workflowRunId` is a closed run of a workflow that has been started again",
    "unknown workflow": "there is no workflow of this id",
    "unknown run": "the workflow runs, and `workflowRunId` is none of its runs",
    "malformed run": "the workflow runs, and `workflowRunId` is no run id at all",
    "empty id": "`workflowId` is empty",
    "wrong type": "the first required field, or the first one, is a list",
    "no JSON": "the body ends in the middle",
    "wrong method": "GET instead of POST, or the other way round",
}
"""The columns of the table."""


class Cell(msgspec.Struct, frozen=True):
    """One answer."""

    status: int
    body: Any


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The workflow that a request is about."""

    workflow_id: str
    run_id: str = ""
    worker_url: str


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to one endpoint."""

    fields: Callable[[Target], Mapping[str, object]] = lambda target: {}
    """Beside the ids of workflow and run."""
    optional_but_needed: tuple[str, ...] = ()
    """Fields that stay when everything optional is null."""


ATTRIBUTE = {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "k"}
SEVEN = {"encoding": "json", "data": "7"}

ENDPOINTS: dict[str, Endpoint] = {
    "start": Endpoint(
        fields=lambda target: {
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": target.worker_url,
            "workflowTimeoutSeconds": 60,
            "startStateId": "S1",
        }
    ),
    "signal": Endpoint(fields=lambda target: {"signalChannelName": "other", "signalValue": SEVEN}),
    "rpc": Endpoint(fields=lambda target: {"rpcName": "ping", "timeoutSeconds": 10}),
    "get": Endpoint(fields=lambda target: {"needsResults": True}),
    "getWithWait": Endpoint(fields=lambda target: {"waitTimeSeconds": 1}),
    "stop": Endpoint(fields=lambda target: {"stopType": "TERMINATE", "reason": "r"}),
    "publishToInternalChannel": Endpoint(
        fields=lambda target: {"messages": [{"channelName": "c", "value": SEVEN}]}
    ),
    "dataobjects/get": Endpoint(fields=lambda target: {"keys": ["d"]}),
    "dataobjects/set": Endpoint(fields=lambda target: {"objects": [{"key": "d", "value": SEVEN}]}),
    "searchattributes/get": Endpoint(
        fields=lambda target: {"keys": [{"key": "CustomKeywordField", "valueType": "KEYWORD"}]}
    ),
    "searchattributes/set": Endpoint(fields=lambda target: {"searchAttributes": [ATTRIBUTE]}),
    "search": Endpoint(
        fields=lambda target: {"query": f"WorkflowId = '{target.workflow_id}'", "pageSize": 10}
    ),
    "reset": Endpoint(fields=lambda target: {"resetType": "BEGINNING", "reason": "r"}),
    "timer/skip": Endpoint(
        fields=lambda target: {"workflowStateExecutionId": "S2-1", "timerCommandId": "t"},
        optional_but_needed=("timerCommandId",),
    ),
    "config/update": Endpoint(fields=lambda target: {"workflowConfig": {"continueAsNewThreshold": 50}}),
    "triggerContinueAsNew": Endpoint(),
    "waitForStateCompletion": Endpoint(
        fields=lambda target: {"stateExecutionId": "S1-1", "waitTimeSeconds": 20},
        optional_but_needed=("stateExecutionId",),
    ),
    "internal/dump": Endpoint(fields=lambda target: {"pageSizeInBytes": 0, "pageNum": 0}),
    "encodedobject/load": Endpoint(
        fields=lambda target: {"encoding": "json", "extStoreId": "s", "extPath": "20260101$w/u"},
        optional_but_needed=("extStoreId", "extPath"),
    ),
    HEALTH_CHECK: Endpoint(),
}

MODELS = {route.path.removeprefix(PREFIX): route.request_type for route in ROUTES}


def cases(name: str) -> list[str]:
    """The cases that an endpoint has."""
    if name == HEALTH_CHECK:
        return ["ok", "wrong method"]
    absent = set[str]()
    names = {field.encode_name for field in msgspec.structs.fields(MODELS[name])}
    if "workflowId" not in names:
        absent |= {"closed workflow", "nulls, closed", "unknown workflow", "empty id"}
    if "workflowRunId" not in names:
        absent |= {"older run", "unknown run", "malformed run"}
    absent |= {"unknown workflow"} if name == "start" else {"running workflow"}
    if name == "getWithWait":
        # It would wait as long as the server lets it.
        absent |= {"nulls"}
    return [case for case in CASES if case not in absent]


class Producer:
    """Makes the cells of the table with a server."""

    def __init__(self, scenario: Scenario, http: httpx.AsyncClient) -> None:
        self._scenario = scenario
        self._http = http
        worker = scenario.worker
        worker.script("S1.execute", go_to("S2"))
        worker.script("S2.waitUntil", _waits())
        worker.script("S2.execute", graceful_complete('"done"'))
        worker.script("rpc.ping", WorkflowWorkerRpcResponse(output=value('"pong"')))

    async def cell(self, name: str, case: str) -> Cell:
        """Make one cell."""
        if name == HEALTH_CHECK or case == "wrong method":
            path = name if name == HEALTH_CHECK else PREFIX + name
            posts = (name == HEALTH_CHECK) == (case == "wrong method")
            answer = await self._http.request("POST" if posts else "GET", self._scenario.server.url + path)
            return _normalised(answer.status_code, answer.json(), {})
        target, known = await self._target(name, case)
        body = msgspec.json.encode(request(name, case, target))
        if case == "no JSON":
            body = body[:20]
        reply = await self.post(name, body)
        if name == "search" and reply.status == 200:
            with anyio.fail_after(10):
                while not reply.body["workflowExecutions"]:
                    await anyio.sleep(0.05)
                    reply = await self.post(name, body)
        return _normalised(reply.status, reply.body, known)

    async def post(self, name: str, body: bytes) -> Reply:
        """Call an endpoint with a body that need not be JSON."""
        return await self._scenario.post(name, None, raw=body)

    async def _target(self, name: str, case: str) -> tuple[Target, dict[str, str]]:
        """The workflow of a case, and what its ids are called in the table."""
        scenario = self._scenario
        workflow_id, run_id = scenario.new_id(), ""
        asked_run_id = {"unknown run": UNKNOWN_RUN, "malformed run": "not-a-run-id"}.get(case, "")
        known = {workflow_id: "<workflow id>", scenario.worker.url: "<worker URL>"}
        if case == "unknown workflow":
            workflow_id = UNKNOWN_WORKFLOW
        elif case == "empty id":
            workflow_id = ""
        elif case in {"closed workflow", "nulls, closed", "older run"}:
            run_id = await self._closed(workflow_id)
            known[run_id] = "<run id>"
            if case == "older run":
                asked_run_id = run_id
                known[run_id] = "<older run id>"
                known[await self._running(workflow_id)] = "<run id>"
        elif case not in {"wrong type", "no JSON"} and (name != "start" or case == "running workflow"):
            run_id = await self._running(workflow_id)
            known[run_id] = "<run id>"
        target = Target(workflow_id=workflow_id, run_id=asked_run_id, worker_url=scenario.worker.url)
        return target, known

    async def _running(self, workflow_id: str) -> str:
        """Start a workflow that has done S1 and waits in S2 for a signal or a timer."""
        scenario = self._scenario
        options = {
            "dataAttributes": [{"key": "d", "value": {"encoding": "json", "data": "1"}}],
            "searchAttributes": [ATTRIBUTE],
        }
        _, run_id = await scenario.start(workflow_id, workflowStartOptions=options)

        async def waits() -> bool:
            read = await scenario.ok("dataobjects/get", workflowId=workflow_id, keys=["waits"])
            return "objects" in read

        await _until(waits)
        return run_id

    async def _closed(self, workflow_id: str) -> str:
        run_id = await self._running(workflow_id)
        await self._scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
        await self._scenario.result(workflow_id)
        return run_id


def request(name: str, case: str, target: Target) -> dict[str, object]:
    """The body of one case."""
    endpoint, fields = ENDPOINTS[name], msgspec.structs.fields(MODELS[name])
    names = {field.encode_name for field in fields}
    body = {"workflowId": target.workflow_id, "workflowRunId": target.run_id, **endpoint.fields(target)}
    body = {key: body[key] for key in body if key in names}
    required = next((field.encode_name for field in fields if field.required), fields[0].encode_name)
    if case == "wrong type":
        return {**body, required: [7]}
    if case.startswith("nulls"):
        dropped = {field.encode_name for field in fields if not field.required}
        return {**body, **dict.fromkeys(dropped - {*endpoint.optional_but_needed})}
    return body


def _waits() -> WorkflowStateStartResponse:
    """Waits for a signal or a timer, and says so in a data attribute that is set with the waiting."""
    return WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=CommandWaitingType.ANY_COMPLETED,
            signal_commands=[SignalCommand(signal_channel_name="go")],
            timer_commands=[TimerCommand(command_id="t", duration_seconds=3600)],
        ),
        upsert_data_objects=[KeyValue(key="waits", value=EncodedObject(data="1"))],
    )


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(10):
        while not await condition():
            await anyio.sleep(0.02)


_RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REPLACED = {"checksum": "<checksum>", "jsonData": "<JSON>", "hostname": "<host name>"}


def _normalised(status: int, body: dict[str, Any], known: Mapping[str, str]) -> Cell:
    """An answer without what differs from run to run, or from engine to engine."""
    text = msgspec.json.encode(body).decode()
    for found, name in known.items():
        text = text.replace(found, name)
    text = _RUN_ID.sub("<new run id>", text.replace(UNKNOWN_RUN, "<unknown run id>"))
    body = msgspec.json.decode(text)
    body |= {key: name for key, name in _REPLACED.items() if key in body}
    if body.get("subStatus") == NOT_EXISTS and body["detail"] != "WorkflowId is not set on request.":
        body["detail"] = "<text of the engine>"
    return Cell(status, body)
