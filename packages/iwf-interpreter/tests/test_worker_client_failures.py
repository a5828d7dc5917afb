import asyncio
import errno
import gzip
import os
import socket
from contextlib import ExitStack

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp import web

from http_workers import (
    ALL_CALLS,
    END_OF_EXECUTE,
    EXECUTE,
    RPC,
    WAIT_UNTIL,
    Call,
    answering,
    execute,
    failure,
    raw_worker,
    wait_until,
    worker,
)
from iwf_interpreter.worker_client import WorkerClient, WorkerClientOptions
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut
from iwf_models import (
    EncodedObject,
    WorkflowStateStartResponse,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_empty_body_of_execute_is_a_failure() -> None:
    error = await failure(answering(), execute)

    assert error.state_api_text() == "statusCode: 200, responseBody: , errMsg: the body is empty"


@pytest.mark.parametrize("call", ALL_CALLS)
@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"hello", "hello", id="no-json"),
        pytest.param(b"null", "null", id="null"),
        pytest.param(b"[]", "[]", id="list"),
        pytest.param(b"{} {}", "{} {}", id="two-documents"),
        pytest.param(b'{"recordEvents":{}}', '{"recordEvents":{}}', id="wrong-type"),
        pytest.param(b'{"recordEvents":[null]}', '{"recordEvents":[null]}', id="null-in-list"),
        pytest.param(
            b'{"upsertSearchAttributes":[{"valueType":"NEW"}]}',
            '{"upsertSearchAttributes":[{"valueType":"NEW"}]}',
            id="unknown-enum-value",
        ),
        pytest.param(
            b'{"recordEvents":[{"key":"\xff"}]}',
            '{"recordEvents":[{"key":"\N{REPLACEMENT CHARACTER}"}]}',
            id="no-utf-8",
        ),
        pytest.param(b'{"x":' * 5000, '{"x":' * 5000, id="deeply-nested"),
    ],
)
async def test_a_200_that_is_not_the_expected_model_is_a_failure(call: Call, body: bytes, text: str) -> None:
    error = await failure(answering(body=body), call)

    assert (error.status, error.body) == (200, text)
    assert error.reason


@pytest.mark.parametrize("call", ALL_CALLS)
@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        pytest.param(201, "{}", "201 Created", id="created"),
        pytest.param(204, "", "204 No Content", id="no-content"),
        pytest.param(400, '{"detail":"D"}', "400 Bad Request (D)", id="bad-request-with-detail"),
        pytest.param(400, '{"detail":""}', "400 Bad Request", id="bad-request-with-empty-detail"),
        pytest.param(400, '{"errorType":"E"}', "400 Bad Request", id="bad-request-without-detail"),
        pytest.param(400, '{"detail":5}', "400 Bad Request", id="bad-request-with-odd-detail"),
        pytest.param(400, "nonsense", "400 Bad Request", id="bad-request-with-text"),
        pytest.param(404, "not found", "404 Not Found", id="not-found"),
        pytest.param(429, "slow down", "429 Too Many Requests", id="too-many-requests"),
        pytest.param(500, '{"detail":"D","errorType":"T"}', "500 Internal Server Error", id="server-error"),
        pytest.param(501, "", "501 Not Implemented", id="empty-body"),
    ],
)
async def test_any_other_status_is_a_failure(call: Call, status: int, body: str, reason: str) -> None:
    error = await failure(answering(status=status, text=body), call)

    assert (error.status, error.body, error.reason) == (status, body, reason)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    error = await failure(handler, execute)

    assert error.status == status
    assert paths == ["/api/v1/workflowState/decide"]


@pytest.mark.parametrize(
    ("status_line", "reason"),
    [
        pytest.param(b"HTTP/1.1 520 Odd One", "520 Odd One", id="own-phrase"),
        pytest.param(b"HTTP/1.1 500 ", "500", id="no-phrase"),
    ],
)
async def test_the_reason_is_the_status_line_of_the_worker(status_line: bytes, reason: str) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(END_OF_EXECUTE)
        writer.write(status_line + b"\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_worker(connection) as url, WorkerClient() as client:
        with pytest.raises(WorkerCallError) as caught:
            await execute(client, url)

    assert caught.value.reason == reason


async def test_an_error_answer_is_read_while_the_request_is_still_being_sent() -> None:
    """A worker may refuse a large request after its head."""
    done = anyio.Event()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await done.wait()

    request = msgspec.structs.replace(EXECUTE, state_input=EncodedObject(data="x" * 30_000_000))
    async with raw_worker(connection) as url, WorkerClient() as client:
        with pytest.raises(WorkerCallError) as caught:
            await client.execute(url, request, timeout_seconds=30)
        done.set()

    assert (caught.value.status, caught.value.body) == (413, "big")


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with WorkerClient() as client:
            with pytest.raises(WorkerCallError) as caught:
                await execute(client, f"http://127.0.0.1:{port}")

    assert (caught.value.status, caught.value.body) == (0, "")
    assert caught.value.reason == f"{os.strerror(errno.ECONNREFUSED)} (127.0.0.1:{port})"


async def test_a_worker_that_does_not_take_the_connection() -> None:
    """The limit for connecting is not the time limit of the call, so this is a failure to report."""
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):  # More than the kernel queues for a listener that accepts none.
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        async with WorkerClient(WorkerClientOptions(connect_timeout_seconds=0.05)) as client:
            with pytest.raises(WorkerCallError) as caught:
                await execute(client, f"http://127.0.0.1:{listening.getsockname()[1]}")

    assert not isinstance(caught.value, WorkerCallTimedOut)
    assert "timeout" in caught.value.reason


async def test_a_host_without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[object]:
        raise OSError(None, "no such host")

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    async with WorkerClient() as client:
        with pytest.raises(WorkerCallError) as caught:
            await execute(client, "http://orders.invalid:8802")

    assert caught.value.reason == "no such host (orders.invalid:8802)"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", id="half-a-body"),
        pytest.param(b"SSH-2.0-x\r\n", id="no-http"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd", id="no-gzip"
        ),
    ],
)
async def test_a_broken_answer_counts_as_none(answer: bytes) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(END_OF_EXECUTE)
        writer.write(answer)
        await writer.drain()

    async with raw_worker(connection) as url, WorkerClient() as client:
        with pytest.raises(WorkerCallError) as caught:
            await execute(client, url)

    assert not isinstance(caught.value, WorkerCallTimedOut)
    assert (caught.value.status, caught.value.body) == (0, "")
    assert caught.value.reason


@pytest.mark.parametrize(
    "worker_url",
    [
        "",
        "orders",
        "orders:8802",
        "ftp://orders",
        "http://",
        "http://orders:port",
        "http://[::1",
        "http://:1",
    ],
)
async def test_a_url_that_cannot_be_called_is_a_failure(worker_url: str) -> None:
    async with WorkerClient() as client:
        with pytest.raises(WorkerCallError) as caught:
            await execute(client, worker_url)

    assert caught.value.status == 0
    assert caught.value.reason


async def test_a_header_that_cannot_be_sent_is_a_failure() -> None:
    options = WorkerClientOptions(default_headers={"X-Token": "a\r\nb"})

    error = await failure(answering(), wait_until, options)

    assert error.status == 0
    assert error.reason


@pytest.mark.parametrize("call", ["wait_until", "execute", "rpc"])
async def test_the_time_limit_ends_a_call(call: str) -> None:
    hold = anyio.Event()

    async def handler(request: web.Request) -> web.Response:
        await hold.wait()
        return web.Response()

    request = {"wait_until": WAIT_UNTIL, "execute": EXECUTE, "rpc": RPC}[call]
    async with worker(handler) as url, WorkerClient() as client:
        with anyio.fail_after(5), pytest.raises(WorkerCallTimedOut) as caught:
            await getattr(client, call)(url, request, timeout_seconds=0.05)
        hold.set()

    assert caught.value.reason == "no answer from the worker within 0.05 seconds"


async def test_the_time_limit_covers_the_body_of_the_answer() -> None:
    hold = anyio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{")
        await hold.wait()
        return response

    async with worker(handler) as url, WorkerClient() as client:
        with anyio.fail_after(5), pytest.raises(WorkerCallTimedOut):
            await client.execute(url, EXECUTE, timeout_seconds=0.05)
        hold.set()


@pytest.mark.parametrize(
    ("size", "reason"),
    [pytest.param(1000, None, id="at-the-limit"), pytest.param(1001, "body exceeds 1000 bytes", id="beyond")],
)
async def test_an_answer_may_not_exceed_the_limit(size: int, reason: str | None) -> None:
    body = b'{"x":"' + b"x" * (size - 8) + b'"}'
    options = WorkerClientOptions(max_response_bytes=1000)

    if reason is None:
        async with worker(answering(body=body)) as url, WorkerClient(options) as client:
            assert await wait_until(client, url) == WorkflowStateStartResponse()
    else:
        error = await failure(answering(body=body), wait_until, options)
        assert (error.status, error.body, error.reason) == (200, body[:1000].decode(), reason)


async def test_the_limit_counts_decompressed_bytes() -> None:
    body = gzip.compress(b" " * 50_000_000)
    options = WorkerClientOptions(max_response_bytes=1000)

    error = await failure(answering(body=body, headers={"Content-Encoding": "gzip"}), wait_until, options)

    assert error.reason == "body exceeds 1000 bytes"


async def test_a_long_error_answer_keeps_its_status_and_its_beginning() -> None:
    options = WorkerClientOptions(max_response_bytes=1000)

    error = await failure(answering(status=500, text="x" * 1_000_000), wait_until, options)

    assert (error.status, error.body) == (500, "x" * 1000)
    assert error.reason == "500 Internal Server Error"


async def test_an_endless_answer_is_not_read_to_the_end() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10_000)

    error = await failure(handler, execute, WorkerClientOptions(max_response_bytes=100_000))

    assert error.reason == "body exceeds 100000 bytes"
