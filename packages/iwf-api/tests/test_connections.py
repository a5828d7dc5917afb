"""Clients that send too much, too slowly, or nothing that is HTTP, on raw sockets."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from starlette.types import ASGIApp, Receive, Scope, Send

from iwf_api.app import create_app
from iwf_api.listener import listen, serving
from iwf_api.settings import ApiSettings, ConnectionLimits
from iwf_interpreter.worker_client import WorkerClient
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

LIMITS = ConnectionLimits(
    max_head_bytes=4096, max_headers=20, head_seconds=0.3, body_seconds=0.3, answer_seconds=0.3
)
PATIENT = ConnectionLimits(max_head_bytes=4096, max_headers=20)
MAX_REQUEST_BYTES = 100_000
BODY = b'{"workflowId":"w","signalChannelName":"c"}'
SIGNAL = b"POST /api/v1/workflow/signal HTTP/1.1\r\nhost: iwf\r\n"
WHOLE = SIGNAL + b"content-length: %d\r\n\r\n" % len(BODY) + BODY


class Server:
    """The application, some paths of its own, and what it needs to look inside."""

    def __init__(self, port: int, app: ASGIApp, engine: ScriptedEngine) -> None:
        self.port = port
        self.engine = engine
        self.called = anyio.Event()
        self.may_answer = anyio.Event()
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope.get("path"):
            case "/slow":
                self.called.set()
                await self.may_answer.wait()
                await respond(send, b"slow")
            case "/big":
                await respond(send, bytes(32 * 1024 * 1024))
            case _:
                await self._app(scope, receive, send)


async def respond(send: Send, body: bytes) -> None:
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def server_with(limits: ConnectionLimits) -> AsyncGenerator[Server]:
    """A server that must have no task left of its clients once they are gone."""
    async with WorkerClient() as worker:
        engine = ScriptedEngine()
        settings = ApiSettings(max_request_bytes=MAX_REQUEST_BYTES)
        listening = listen("127.0.0.1", 0, flag="--port")
        app = create_app(engine, worker, settings)
        server = Server(listening.getsockname()[1], app, engine)
        async with serving(server, listening, drain_seconds=5, limits=limits):
            before = len(anyio.get_running_tasks())
            yield server
            with anyio.fail_after(5):
                while len(anyio.get_running_tasks()) > before:
                    await anyio.sleep(0.02)


@pytest.fixture
async def impatient(anyio_backend: str) -> AsyncGenerator[Server]:
    async with server_with(LIMITS) as server:
        yield server


@pytest.fixture
async def patient(anyio_backend: str) -> AsyncGenerator[Server]:
    async with server_with(PATIENT) as server:
        yield server


async def connect(server: Server) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", server.port)


async def received(stream: SocketStream) -> bytes:
    """Everything until the server closes the connection."""
    text = b""
    with anyio.fail_after(10):
        while True:
            try:
                text += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return text


async def exchange(server: Server, *chunks: bytes) -> bytes:
    """Send, and read until the server closes the connection."""
    async with await connect(server) as stream:
        for chunk in chunks:
            await stream.send(chunk)
        return await received(stream)


def answers(text: bytes) -> list[tuple[int, Any]]:
    """Status and JSON body of each answer in a text."""
    found: list[tuple[int, Any]] = []
    while text:
        head, _, text = text.partition(b"\r\n\r\n")
        status, length = int(head.split()[1]), 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        found.append((status, json.loads(text[:length]) if length else None))
        text = text[length:]
    return found


def refusal(detail: str) -> tuple[int, Any]:
    return 400, {"detail": detail, "subStatus": "UNCATEGORIZED_SUB_STATUS"}


TOO_SLOW = refusal("the request came too slowly")
NOT_HTTP = refusal("the request is not HTTP")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"POST /api/v1", id="request-line"),
        pytest.param(SIGNAL, id="headers"),
        pytest.param(SIGNAL + b"content-length: 10\r\n\r\n{}", id="body"),
        pytest.param(SIGNAL + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", id="chunked-body"),
    ],
)
async def test_request_that_does_not_come_to_its_end_is_refused(impatient: Server, sent: bytes) -> None:
    assert answers(await exchange(impatient, sent)) == [TOO_SLOW]
    assert impatient.engine.calls == []


async def test_request_that_trickles_is_refused(impatient: Server) -> None:
    async def trickle(stream: SocketStream) -> None:
        while True:
            await stream.send(b"a")
            await anyio.sleep(0.05)

    async with await connect(impatient) as stream, anyio.create_task_group() as tasks:
        await stream.send(SIGNAL)
        tasks.start_soon(trickle, stream)

        assert answers(await received(stream)) == [TOO_SLOW]

        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["silent", "empty-lines"])
async def test_connection_that_asks_nothing_is_closed(impatient: Server, sent: bytes) -> None:
    assert await exchange(impatient, sent) == b""


async def another_client_is_cut_off(server: Server) -> None:
    """Return once somebody else would have lost patience."""
    assert answers(await exchange(server, b"POST")) == [TOO_SLOW]


async def test_connection_may_stay_silent_for_a_while(patient: Server) -> None:
    async with await connect(patient) as stream:
        with anyio.move_on_after(1.2) as scope:
            await stream.receive()

    assert scope.cancelled_caught


async def test_client_that_is_fast_has_all_the_time_that_it_needs(impatient: Server) -> None:
    """At 16 KiB a second, 90,000 bytes may take more than 5 seconds."""
    length = 90_000
    padding = b" " * (length - len(BODY))
    async with await connect(impatient) as stream:
        await stream.send(SIGNAL + b"connection: close\r\ncontent-length: %d\r\n\r\n" % length)
        await stream.send(BODY + padding[:-1])
        await another_client_is_cut_off(impatient)
        await stream.send(padding[-1:])

        assert answers(await received(stream)) == [(200, {})]


async def test_request_that_is_carried_out_may_take_its_time(impatient: Server) -> None:
    async with await connect(impatient) as stream:
        await stream.send(b"GET /slow HTTP/1.1\r\nconnection: close\r\n\r\n")
        await another_client_is_cut_off(impatient)
        impatient.may_answer.set()

        assert (await received(stream)).endswith(b"slow")


async def test_client_that_does_not_read_its_answer_loses_it(impatient: Server) -> None:
    async with await connect(impatient) as stream:
        await stream.send(b"GET /big HTTP/1.1\r\n\r\n")
        for _ in range(2):
            await another_client_is_cut_off(impatient)

        # No more arrives than the buffers of the network hold, since the rest has been thrown away.
        assert len(await received(stream)) < 32 * 1024 * 1024


async def test_head_without_end_is_cut_off(patient: Server) -> None:
    """No more is taken than the limit and what one read brings."""
    async with await connect(patient) as stream:
        assert await sent_until_cut_off(stream, b"a" * 65536) < 20 * 1024 * 1024


async def sent_until_cut_off(stream: SocketStream, chunk: bytes) -> int:
    """Send the same thing again and again until the server does not take it; returns how much it was."""
    sent = 0
    with anyio.fail_after(10), suppress(anyio.BrokenResourceError):
        while True:
            await stream.send(chunk)
            sent += len(chunk)
    return sent


async def test_headers_behind_a_body_are_limited_too(patient: Server) -> None:
    head = SIGNAL + b"transfer-encoding: chunked\r\n\r\n"
    async with await connect(patient) as stream:
        await stream.send(head + b"%x\r\n%b\r\n" % (len(BODY), BODY) + b"0\r\n")

        assert await sent_until_cut_off(stream, b"x: 1\r\n" * 1000) < 20 * 1024 * 1024
    assert patient.engine.calls == []


async def test_body_of_the_smallest_chunks_is_read(patient: Server) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY + b" " * 10_000)
    async with await connect(patient) as stream:
        await stream.send(SIGNAL + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n")
        for start in range(0, len(chunks), 1000):
            await stream.send(chunks[start : start + 1000])
        await stream.send(b"0\r\n\r\n")

        assert answers(await received(stream)) == [(200, {})]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", id="tls"),
        pytest.param(b"hello\r\n\r\n", id="text"),
        pytest.param(b"POST http://[ HTTP/1.1\r\n\r\n", id="address"),
        pytest.param(SIGNAL + b"content-length: -1\r\n\r\n", id="negative-length"),
        pytest.param(SIGNAL + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}", id="two-lengths"),
        pytest.param(
            SIGNAL + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", id="length-and-chunked"
        ),
        pytest.param(SIGNAL + b"transfer-encoding: chunked\r\n\r\nzz\r\n", id="chunk-size"),
    ],
)
async def test_what_is_not_http_is_refused(patient: Server, sent: bytes) -> None:
    assert answers(await exchange(patient, sent)) == [NOT_HTTP]
    assert patient.engine.calls == []


async def test_chunked_body_is_read(patient: Server) -> None:
    half = len(BODY) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:half], BODY[half:], b""))

    text = await exchange(
        patient, SIGNAL + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n", chunks
    )

    assert answers(text) == [(200, {})]
    assert len(patient.engine.calls) == 1


async def test_chunked_body_over_the_limit_is_refused(patient: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    text = await exchange(
        patient, SIGNAL + b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n", chunk, chunk
    )

    assert [status for status, _ in answers(text)] == [413]


async def test_client_that_asks_first_is_told_to_go_on(patient: Server) -> None:
    async with await connect(patient) as stream:
        head = b"expect: 100-continue\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(BODY)
        await stream.send(SIGNAL + head)
        assert answers(await stream.receive()) == [(100, None)]
        await stream.send(BODY)

        assert answers(await received(stream)) == [(200, {})]


async def test_client_that_asks_first_is_told_that_it_is_too_much(patient: Server) -> None:
    async with await connect(patient) as stream:
        head = b"expect: 100-continue\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % 10**9
        await stream.send(SIGNAL + head)

        assert [status for status, _ in answers(await received(stream))] == [413]


@pytest.mark.parametrize("how", ["fast", "stops"])
async def test_client_that_goes_on_after_a_refusal_is_cut_off(impatient: Server, how: str) -> None:
    async with await connect(impatient) as stream:
        await stream.send(SIGNAL + b"content-length: %d\r\n\r\n" % 10**11)
        assert [status for status, _ in answers(await stream.receive())] == [413]

        if how == "fast":
            await sent_until_cut_off(stream, bytes(65536))
        else:
            assert await received(stream) == b""


async def test_connection_stays_usable_after_a_refused_body_was_sent_whole(patient: Server) -> None:
    length = MAX_REQUEST_BYTES + 1
    async with await connect(patient) as stream:
        await stream.send(SIGNAL + b"content-length: %d\r\n\r\n" % length + b" " * length)
        await stream.send(WHOLE.replace(b"host: iwf", b"connection: close"))

        assert [status for status, _ in answers(await received(stream))] == [413, 200]


async def test_more_than_was_announced_is_no_second_request(patient: Server) -> None:
    text = await exchange(patient, WHOLE + b"garbage\r\n\r\n")

    # The answer may find the refusal of what follows sent behind it, never in its place.
    assert answers(text)[0] == (200, {})
    assert len(patient.engine.calls) == 1


async def test_pipelined_requests_are_answered_in_order(patient: Server) -> None:
    async with await connect(patient) as stream:
        await stream.send(
            b"GET /slow HTTP/1.1\r\n\r\n" + WHOLE + b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n"
        )
        await patient.called.wait()
        patient.may_answer.set()
        text = await received(stream)

    assert [part[:3] for part in text.split(b"HTTP/1.1 ")[1:]] == [b"200"] * 3
    assert text.index(b"slow") < text.index(b"{}") < text.index(b"iWF server")


async def test_request_is_answered_before_the_garbage_behind_it(patient: Server) -> None:
    async with await connect(patient) as stream:
        await stream.send(b"GET /slow HTTP/1.1\r\n\r\n")
        await patient.called.wait()
        await stream.send(b"garbage\r\n\r\n")
        await stream.send(b"more garbage\r\n\r\n")
        await exchange(patient, WHOLE.replace(b"host: iwf", b"connection: close"))
        patient.may_answer.set()
        text = await received(stream)

    assert text.startswith(b"HTTP/1.1 200")
    assert text.endswith(b"slow")


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /api", id="request-line"),
        pytest.param(SIGNAL + b"content-length: 10\r\n\r\n{}", id="body"),
    ],
)
async def test_client_that_stops_sending_is_left(patient: Server, sent: bytes) -> None:
    async with await connect(patient) as stream:
        await stream.send(sent)
        await stream.send_eof()

        assert await received(stream) == b""
    assert patient.engine.calls == []


async def test_clients_that_vanish_leave_nothing_behind(patient: Server) -> None:
    for sent in (b"", b"POST", SIGNAL, SIGNAL + b"content-length: 10\r\n\r\n{}", WHOLE):
        async with await connect(patient) as stream:
            await stream.send(sent)
    text = await exchange(patient, WHOLE.replace(b"host: iwf", b"connection: close"))

    assert answers(text) == [(200, {})]


async def test_wish_to_speak_another_protocol_is_ignored(patient: Server) -> None:
    upgrade = b"connection: upgrade, close\r\nupgrade: h2c\r\ncontent-length: %d\r\n\r\n" % len(BODY)

    assert answers(await exchange(patient, SIGNAL + upgrade + BODY)) == [(200, {})]
