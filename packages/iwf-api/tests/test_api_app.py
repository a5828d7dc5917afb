"""The application around the endpoints: other paths, errors of every class, clients that go away."""

import socket
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import anyio
import httpx
import pytest
from anyio import create_memory_object_stream
from starlette.types import Message

from iwf_api import errors
from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.engine import EngineError
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import codec
from scripted_engine import FOREVER, ScriptedEngine

pytestmark = pytest.mark.anyio


def client(engine: ScriptedEngine) -> httpx.AsyncClient:
    app = create_app(engine, WorkerClient(), ApiSettings())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://iwf")


def subclasses(cls: type[Exception]) -> Iterator[type[Exception]]:
    yield cls
    for subclass in cls.__subclasses__():
        yield from subclasses(subclass)


@pytest.mark.parametrize("path", ["/info/healthcheck", "/info/healthcheck/"])
async def test_health_check_names_the_host(engine: ScriptedEngine, path: str) -> None:
    async with client(engine) as http:
        answer = await http.get(path)

    expected = {"condition": "OK", "hostname": socket.gethostname(), "duration": 0}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_root_says_where_the_api_is(engine: ScriptedEngine) -> None:
    async with client(engine) as http:
        answer = await http.get("/")

    assert (answer.status_code, answer.text) == (200, "iWF server: the API is under /api/v1/workflow\n")


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        pytest.param("GET", "/nowhere", 404, "there is no endpoint '/nowhere'", id="unknown"),
        pytest.param(
            "POST",
            "/api/v1/workflow/START",
            404,
            "there is no endpoint '/api/v1/workflow/START'",
            id="case-matters",
        ),
        pytest.param(
            "GET",
            "/api/v1/workflow/start",
            405,
            "GET is not allowed for '/api/v1/workflow/start'",
            id="get-of-endpoint",
        ),
        pytest.param(
            "POST",
            "/info/healthcheck",
            405,
            "POST is not allowed for '/info/healthcheck'",
            id="post-of-health-check",
        ),
    ],
)
async def test_what_is_not_served_is_a_json_error(
    engine: ScriptedEngine, method: str, path: str, status: int, detail: str
) -> None:
    async with client(engine) as http:
        answer = await http.request(method, path)

    assert (answer.status_code, answer.json()) == (
        status,
        {"detail": detail, "subStatus": "UNCATEGORIZED_SUB_STATUS"},
    )


async def test_refused_method_is_answered_with_the_allowed_one(engine: ScriptedEngine) -> None:
    async with client(engine) as http:
        answer = await http.get("/api/v1/workflow/start")

    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        pytest.param(ZeroDivisionError("division by zero"), "division by zero", id="with-text"),
        pytest.param(RuntimeError(), "RuntimeError", id="without-text"),
    ],
)
async def test_error_that_nobody_expected_is_a_json_500_and_logged(
    engine: ScriptedEngine, caplog: pytest.LogCaptureFixture, error: Exception, detail: str
) -> None:
    engine.script("describe", error)

    async with client(engine) as http:
        answer = await http.post("/api/v1/workflow/get", json={"workflowId": "w"})

    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": detail, "subStatus": "UNCATEGORIZED_SUB_STATUS"},
    )
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.parametrize("root", [EngineError, errors.ApiError])
def test_every_error_has_its_own_answer(root: type[Exception]) -> None:
    assert [cls for cls in subclasses(root) if cls not in errors.ANSWERS] == []


def test_subclass_of_an_error_is_answered_like_its_base() -> None:
    class Special(errors.InvalidRequest):
        pass

    assert errors.answer(Special("no")) == errors.answer(errors.InvalidRequest("no"))


class Exchange:
    """One request, whose client can go away."""

    def __init__(self, path: str, body: object) -> None:
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [],
            "scheme": "http",
            "server": ("iwf", 80),
        }
        self.sent: list[Message] = []
        self._to_app, self.receive_stream = create_memory_object_stream[Message](2)
        self._to_app.send_nowait({"type": "http.request", "body": codec.encode(body)})

    def disconnect(self) -> None:
        self._to_app.send_nowait({"type": "http.disconnect"})

    async def receive(self) -> Message:
        return await self.receive_stream.receive()

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self._to_app.close()
        self.receive_stream.close()


@pytest.mark.parametrize(
    ("path", "body", "method"),
    [
        pytest.param("getWithWait", {"workflowId": "w"}, "wait", id="getWithWait"),
        pytest.param("rpc", {"workflowId": "w", "rpcName": "R"}, "query", id="rpc"),
    ],
)
async def test_client_that_goes_away_ends_the_operation(
    engine: ScriptedEngine, path: str, body: object, method: str
) -> None:
    engine.script(method, FOREVER)
    app = create_app(engine, WorkerClient(), ApiSettings())
    exchange = Exchange(f"/api/v1/workflow/{path}", body)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, exchange.scope, exchange.receive, exchange.send)
            await engine.waiting.wait()
            exchange.disconnect()
    exchange.close()

    assert (engine.cancelled, exchange.sent) == ([method], [])


async def test_client_that_goes_away_in_the_middle_of_its_request_starts_nothing(
    engine: ScriptedEngine,
) -> None:
    app = create_app(engine, WorkerClient(), ApiSettings())
    messages: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b'{"workflowId":"w"}', "more_body": True},
    ]
    exchange = Exchange("/api/v1/workflow/stop", {})

    async def receive() -> Message:
        return messages.pop()

    await app(exchange.scope, receive, exchange.send)
    exchange.close()

    assert (engine.calls, exchange.sent) == ([], [])


async def test_body_in_pieces_is_put_together(engine: ScriptedEngine) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b'{"workflowId"'
        yield b':"w"}'

    async with client(engine) as http:
        answer = await http.post("/api/v1/workflow/stop", content=pieces())

    assert (answer.status_code, engine.calls) == (200, [("cancel", "w", "")])
