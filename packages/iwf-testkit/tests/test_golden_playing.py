"""Playing scenarios: a client's steps and a worker's script against a tiny server."""

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import anyio
import httpx
import msgspec
import pytest

from iwf_testkit.golden import CallsMissing, Case, Player, Recording, Scenario, Unplayable, WorkerServer
from iwf_testkit.golden.places import Json
from iwf_testkit.golden.scenarios import Variant
from memory_stage import OnItsLoop

Message = MutableMapping[str, Any]

API = "/api/v1/workflow/"


class TinyServer:
    """Knows workflows of one state: a start is answered when waitUntil and execute have been called."""

    def __init__(self) -> None:
        self.refused: list[bytes] = []
        self.requests: list[tuple[str, Any]] = []
        self.workflows: dict[str, dict[str, Any]] = {}

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        content = (await receive()).get("body", b"")
        path = str(scope["path"]).removeprefix(API)
        try:
            body = msgspec.json.decode(content)
        except msgspec.DecodeError:
            self.refused.append(content)
            return await self._send(send, 400, b"text/plain", b"that is no JSON")
        self.requests.append((path, body))
        status, answer = await self._answer(path, body)
        return await self._send(send, status, b"application/json; charset=utf-8", msgspec.json.encode(answer))

    async def _send(
        self, send: Callable[[Message], Awaitable[None]], status: int, content_type: bytes, body: bytes
    ) -> None:
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str, body: Any) -> tuple[int, Any]:
        if body is None:
            return 400, {"detail": "what?"}
        if path == "start":
            return 200, await self.start(body)
        workflow = self.workflows.get(body["workflowId"])
        if workflow is None:
            return 400, {"detail": "what is that?", "subStatus": "WORKFLOW_NOT_EXISTS_SUB_STATUS"}
        match path:
            case "get":
                return 200, {"workflowRunId": workflow["run"], "workflowStatus": workflow["status"]}
            case "rpc":
                request = {"context": self._context(body["workflowId"]), "rpcName": body["rpcName"]}
                return 200, await self._call(workflow["url"], "workflowWorker/rpc", request)
            case "stop":
                workflow["status"] = "TERMINATED"
                return 200, {}
            case _:
                return 200, {"objects": []}

    async def start(self, body: Any) -> Any:
        workflow_id, url = body["workflowId"], body["iwfWorkerUrl"]
        workflow = {"run": str(uuid4()), "url": url, "status": "RUNNING"}
        self.workflows[workflow_id] = workflow
        if "startStateId" in body:
            context = {**self._context(workflow_id), "stateExecutionId": "S1-1", "firstAttemptTimestamp": 0}
            request = {"context": context, "workflowStateId": body["startStateId"]}
            await self._call(url, "workflowState/start", request)
            await self._call(url, "workflowState/decide", request)
            workflow["status"] = "COMPLETED"
        return {"workflowRunId": workflow["run"]}

    def _context(self, workflow_id: str) -> dict[str, Any]:
        return {"workflowId": workflow_id, "workflowRunId": self.workflows[workflow_id]["run"]}

    async def _call(self, url: str, path: str, request: Any) -> Any:
        content = msgspec.json.encode(request)
        headers = {"Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}/api/v1/{path}", data=content, headers=headers) as answer,
        ):
            return {"status": answer.status, "text": await answer.text()}


BODY: dict[str, Json] = {"workflowId": "{{id}}", "iwfWorkerUrl": "{{worker}}"}
START: dict[str, Json] = {"do": "call", "path": "start", "label": "start", "body": BODY}
"""Of a workflow that stays open."""
RUN: dict[str, Json] = {**START, "body": {**BODY, "startStateId": "S1"}}
"""Of one with a state."""
GET: dict[str, Json] = {"do": "call", "path": "get", "label": "get", "body": {"workflowId": "{{id}}"}}


@pytest.fixture
def server() -> TinyServer:
    return TinyServer()


@pytest.fixture
def player(server: TinyServer) -> OnItsLoop:
    return OnItsLoop(lambda: opened_player(server))


@asynccontextmanager
async def opened_player(server: TinyServer) -> AsyncGenerator[Player]:
    http = httpx.AsyncClient(transport=httpx.ASGITransport(server), base_url="http://tiny")
    async with WorkerServer() as workers, http:
        yield Player(http, workers, clock=lambda: 1700000000.0)


def case(*steps: Json, variant: Variant = "base", **fields: Json) -> Case:
    """A scenario as if it had been read from a file."""
    scenario = msgspec.convert({"name": "a/one", "about": "x", "steps": steps, **fields}, Scenario)
    return Case(scenario=scenario, variant=variant)


def calls_of(recording: Recording) -> dict[str, list[str]]:
    return {name: [call["api"] for call in calls] for name, calls in recording.worker["<id>"].items()}


async def test_a_play_records_answers_worker_calls_and_the_end(player: Player) -> None:
    recording = await player.play(case(RUN, ordered=True))

    context = {
        "workflowId": "<id>",
        "workflowRunId": "<uuid-1>",
        "stateExecutionId": "S1-1",
        "firstAttemptTimestamp": 0,
    }
    body = {"context": context, "workflowStateId": "S1"}
    assert recording == Recording(
        answers={"start": {"status": 200, "body": {"workflowRunId": "<uuid-1>"}}},
        worker={"<id>": {"S1-1": [{"api": "waitUntil", "body": body}, {"api": "execute", "body": body}]}},
        order=["S1-1 waitUntil", "S1-1 execute"],
        final={
            "<id>": {
                "get": {"status": 200, "body": {"workflowRunId": "<uuid-1>", "workflowStatus": "COMPLETED"}},
                "dataobjects": {"status": 200, "body": {}},
            }
        },
    )


async def test_plays_at_once_do_not_see_each_other(player: Player) -> None:
    recordings: list[Recording] = []

    async def play() -> None:
        recordings.append(await player.play(case(RUN)))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(play)

    assert all(recording == recordings[0] for recording in recordings)


@pytest.mark.parametrize(
    ("variant", "own", "sent"),
    [
        pytest.param("base", None, None, id="base-adds-nothing"),
        pytest.param("can1", None, {"continueAsNewThreshold": 1}, id="variant"),
        pytest.param(
            "can1local",
            {"optimizeActivity": False},
            {"continueAsNewThreshold": 1, "optimizeActivity": False},
            id="fields-of-the-scenario-win",
        ),
    ],
)
async def test_a_variant_adds_to_the_config_of_every_start(
    player: Player, server: TinyServer, variant: Variant, own: Json, sent: Json
) -> None:
    options: Json = {} if own is None else {"workflowStartOptions": {"workflowConfigOverride": own}}

    await player.play(case({**START, "body": {**BODY, **options}}, variant=variant))

    body = server.requests[0][1]
    assert body.get("workflowStartOptions", {}).get("workflowConfigOverride") == sent


async def test_a_gate_holds_the_worker_until_a_step_opens_it(player: Player, server: TinyServer) -> None:
    worker = {"S1.execute": [{"gate": "g"}]}

    recording = await player.play(
        case(
            {**RUN, "background": True},
            {"do": "await", "call": "S1.waitUntil", "done": True},
            {"do": "await", "call": "S1.execute"},
            GET,
            {"do": "open", "gate": "g"},
            {"do": "join", "label": "start"},
            {"do": "closed", "workflow": "{{id}}"},
            worker=worker,
        )
    )

    assert recording.answers["get"]["body"]["workflowStatus"] == "RUNNING"
    assert list(recording.answers) == ["start", "get"]


async def test_a_worker_call_that_never_comes_ends_the_play(player: Player, server: TinyServer) -> None:
    with pytest.raises(CallsMissing, match=r"1 calls of 'S9\.execute'"):
        await player.play(case(START, {"do": "await", "call": "S9.execute"}))

    assert [path for path, _ in server.requests] == ["start", "stop"]


async def test_a_workflow_that_does_not_close_ends_the_play(player: Player) -> None:
    with pytest.raises(Unplayable, match="did not close within 30 seconds"):
        await player.play(case(START, {"do": "closed", "workflow": "{{id}}"}))


async def test_a_play_takes_no_longer_than_its_limit(player: Player) -> None:
    with pytest.raises(Unplayable, match="not finished within 90 seconds"):
        await player.play(case({"do": "settle", "ms": 100_000}))


async def test_open_workflows_are_terminated_and_closed_ones_left_alone(
    player: Player, server: TinyServer
) -> None:
    other: Json = {**START, "label": "other", "body": {**BODY, "workflowId": "{{id}}-2"}}

    await player.play(case(RUN, other, cleanup=["helper-{{id}}"]))

    stopped = [body["workflowId"] for path, body in server.requests if path == "stop"]
    prefix = server.requests[0][1]["workflowId"]
    assert stopped == [f"{prefix}-2", f"helper-{prefix}"]


async def test_patience_stretches_pauses(player: Player) -> None:
    player.patience = 3
    began = anyio.current_time()

    await player.play(case({"do": "settle", "ms": 10_000}))

    assert 30 <= anyio.current_time() - began < 31


async def test_a_call_is_repeated_until_its_answer_fits(player: Player, server: TinyServer) -> None:
    condition = {"status": 200, "not": {"body": {"workflowRunId": "{{run}}"}}}
    steps = {**START, "save": {"run": "workflowRunId"}}, {**GET, "until": condition}

    recording = await play_while_a_run_follows(player, server, case(*steps))

    assert recording.answers["get"]["body"]["workflowRunId"] == "<uuid-2>"


async def test_an_answer_that_never_fits_is_recorded_as_such(player: Player) -> None:
    condition = {"body": {"workflowStatus": "COMPLETED"}}

    recording = await player.play(case(START, {**GET, "until": condition}))

    assert recording.answers["get"]["until"] == "never reached"


async def test_a_new_run_is_waited_for(player: Player, server: TinyServer) -> None:
    steps = (
        {**START, "save": {"first": "workflowRunId"}},
        {"do": "newRun", "workflow": "{{id}}", "than": "{{first}}", "save": {"second": "workflowRunId"}},
        {**GET, "body": {"workflowId": "{{id}}", "workflowRunId": "{{second}}"}},
    )

    await play_while_a_run_follows(player, server, case(*steps))

    (workflow,) = server.workflows.values()
    asked = [body["workflowRunId"] for _, body in server.requests if "workflowRunId" in body]
    assert asked == [workflow["run"]]


async def play_while_a_run_follows(player: Player, server: TinyServer, case: Case) -> Recording:
    async def follow() -> None:
        await anyio.sleep(3)
        (workflow,) = server.workflows.values()
        workflow["run"] = str(uuid4())

    recordings: list[Recording] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        recordings.append(await player.play(case))
    return recordings[0]


async def test_calls_at_once_are_counted_by_outcome(player: Player) -> None:
    get = {**GET, "times": 3, "body": {"workflowId": "{{id}}-{{n}}"}}
    first: Json = {**START, "body": {**BODY, "workflowId": "{{id}}-1"}}

    recording = await player.play(case(first, get))

    assert recording.answers["get"] == {
        "status": "several",
        "counts": {"200": 1, "400 WORKFLOW_NOT_EXISTS_SUB_STATUS": 2},
    }


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        pytest.param("status", {"start": {"status": 200}}, id="status-only"),
        pytest.param("nothing", {}, id="nothing"),
    ],
)
async def test_less_of_an_answer_is_recorded(player: Player, record: str, answers: Json) -> None:
    recording = await player.play(case({**START, "record": record}))

    assert recording.answers == answers


@pytest.mark.parametrize(
    ("bounds", "elapsed"),
    [pytest.param([2, 4], "as expected", id="within"), pytest.param([0, 1], "3.0 s", id="too-long")],
)
async def test_the_time_of_a_call_is_checked(player: Player, bounds: Json, elapsed: str) -> None:
    worker = {"S1.execute": [{"delayMs": 3000}]}

    recording = await player.play(case({**RUN, "elapsed": bounds}, worker=worker))

    assert recording.answers["start"]["elapsed"] == elapsed


async def test_a_call_without_answer_is_given_up(player: Player) -> None:
    worker = {"S1.execute": [{"delayMs": 30_000}]}

    recording = await player.play(case({**RUN, "timeout": 5}, worker=worker))

    assert recording.answers["start"] == {"status": "no answer in time"}


async def test_a_server_that_is_not_there_ends_the_play(player: Player) -> None:
    class Nowhere(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

    async with httpx.AsyncClient(transport=Nowhere(), base_url="http://nowhere") as http:
        with pytest.raises(Unplayable, match="not reachable"):
            await Player(http, player.workers).play(case(START))


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        pytest.param({"path": "get", "raw": "{{id}}{"}, b"<id>{", id="raw"),
        pytest.param({"path": "/", "method": "GET"}, b"", id="without-body"),
    ],
)
async def test_a_request_may_be_no_json_and_so_may_its_answer(
    player: Player, server: TinyServer, call: dict[str, Json], sent: bytes
) -> None:
    recording = await player.play(case(START, {"do": "call", "label": "odd", **call}))

    prefix: str = server.requests[0][1]["workflowId"]
    assert [content.replace(prefix.encode(), b"<id>") for content in server.refused] == [sent]
    assert recording.answers["odd"] == {"status": 400, "text": "<text>", "contentType": "text/plain"}


async def test_a_start_that_is_no_object_is_sent_as_it_is(player: Player, server: TinyServer) -> None:
    recording = await player.play(case({**START, "body": None}, variant="can1"))

    assert server.requests == [("start", None)]
    assert recording.answers["start"]["status"] == 400


async def test_what_is_read_at_the_end_can_be_chosen(player: Player, server: TinyServer) -> None:
    search = {"Custom": "INT"}

    recording = await player.play(case(START, final=[{"workflow": "{{id}}-2"}], search=search))

    assert {name: read["status"] for name, read in recording.final["<id>-2"].items()} == {
        "get": 400,
        "dataobjects": 400,
        "searchattributes": 400,
    }
    (request,) = [body for path, body in server.requests if path == "searchattributes/get"]
    assert request["keys"] == [{"key": "Custom", "valueType": "INT"}]


async def test_a_worker_url_with_a_path_shows_in_the_recording(player: Player) -> None:
    start: dict[str, Json] = {**RUN, "body": {**RUN["body"], "iwfWorkerUrl": "{{worker}}/below"}}

    recording = await player.play(case(start))

    assert calls_of(recording) == {
        "S1-1": ["/below/api/v1/workflowState/start", "/below/api/v1/workflowState/decide"]
    }
