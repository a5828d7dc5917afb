"""Long polls are answered when the server stops, everything else is left alone."""

from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from iwf_api.draining import LONG_POLLS, LongPollDrain
from iwf_api.errors import STILL_RUNNING
from iwf_models import ErrorResponse, ErrorSubStatus, codec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class WaitingApp:
    """Begins its answer when told to, and ends it when told to."""

    called: anyio.Event = field(default_factory=anyio.Event)
    begin: anyio.Event = field(default_factory=anyio.Event)
    begun: anyio.Event = field(default_factory=anyio.Event)
    end: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.called.set()
        await self.begin.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.set()
        await self.end.wait()
        await send({"type": "http.response.body", "body": b"done"})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _call(app: LongPollDrain, path: str, sent: list[Message]) -> None:
    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http", "path": path}, _nothing, send)


def _timed_out(sent: list[Any]) -> bool:
    expected = ErrorResponse(detail=STILL_RUNNING, sub_status=ErrorSubStatus.LONG_POLL_TIME_OUT_SUB_STATUS)
    return sent[0]["status"] == 420 and codec.decode(sent[1]["body"], ErrorResponse) == expected


@pytest.mark.parametrize("path", [*sorted(LONG_POLLS), "/api/v1/workflow/getWithWait/"])
async def test_long_poll_is_answered_as_timed_out(path: str) -> None:
    waiting, sent = WaitingApp(), list[Message]()
    app = LongPollDrain(waiting)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, app, path, sent)
        await waiting.called.wait()
        app.drain()

    assert _timed_out(sent)


async def test_long_poll_that_comes_later_is_answered_at_once() -> None:
    app, sent = LongPollDrain(WaitingApp()), list[Message]()
    app.drain()

    await _call(app, "/api/v1/workflow/getWithWait", sent)

    assert _timed_out(sent)


async def test_answer_that_has_begun_is_sent_to_its_end() -> None:
    waiting, sent = WaitingApp(), list[Message]()
    app = LongPollDrain(waiting)
    waiting.begin.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, app, "/api/v1/workflow/getWithWait", sent)
        await waiting.begun.wait()
        app.drain()
        waiting.end.set()

    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": []},
        {"type": "http.response.body", "body": b"done"},
    ]


async def test_other_requests_go_on() -> None:
    waiting, sent = WaitingApp(), list[Message]()
    app = LongPollDrain(waiting)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, app, "/api/v1/workflow/start", sent)
        await waiting.called.wait()
        app.drain()
        waiting.begin.set()
        waiting.end.set()

    assert sent[0]["status"] == 200


async def test_request_that_is_cut_off_is_answered_so() -> None:
    waiting, sent = WaitingApp(), list[Message]()
    app = LongPollDrain(waiting)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_call, app, "/api/v1/workflow/start", sent)
        await waiting.called.wait()
        tasks.cancel_scope.cancel()

    status, body = sent
    assert status["status"] == 500
    assert codec.decode(body["body"], ErrorResponse) == ErrorResponse(
        detail="the server stops, and could not answer in time",
        sub_status=ErrorSubStatus.UNCATEGORIZED_SUB_STATUS,
    )


async def test_answer_that_has_begun_is_not_answered_once_more() -> None:
    waiting, sent = WaitingApp(), list[Message]()

    async def send(message: Message) -> None:
        """As a server does that has been given the beginning of an answer already."""
        if sent:
            raise RuntimeError("the answer has begun")
        sent.append(message)

    async def call() -> None:
        await LongPollDrain(waiting)({"type": "http", "path": "/api/v1/workflow/start"}, _nothing, send)

    waiting.begin.set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await waiting.begun.wait()
        tasks.cancel_scope.cancel()

    assert [message["type"] for message in sent] == ["http.response.start"]
