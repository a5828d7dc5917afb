import asyncio
import base64
import errno
import gzip
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp import web

from iwf_interpreter.worker_addresses import WorkerAddresses
from iwf_interpreter.worker_client import USER_AGENT, WorkerClient, WorkerClientOptions
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut
from iwf_models import (
    ChannelInfo,
    CommandRequest,
    CommandWaitingType,
    Context,
    EncodedObject,
    SignalCommand,
    StateDecision,
    StateMovement,
    WireStruct,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)

pytestmark = pytest.mark.anyio

CONTEXT = Context(workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1)
WAIT_UNTIL = WorkflowStateStartRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S")
EXECUTE = WorkflowStateDecideRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S")
END_OF_EXECUTE = codec.encode(EXECUTE)[-20:]
RPC = WorkflowWorkerRpcRequest(
    context=CONTEXT,
    workflow_type="T",
    rpc_name="n",
    signal_channel_infos={"c": ChannelInfo(size=1)},
    internal_channel_infos={},
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Connection = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Call = Callable[[WorkerClient, str], Awaitable[WireStruct]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def worker(handler: Handler) -> AsyncGenerator[str]:
    """A worker on a free port that answers every request with `handler`; yields its URL."""
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_worker(connection: Connection) -> AsyncGenerator[str]:
    """A worker that does not keep to HTTP; yields its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await connection(reader, writer)
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def answering(**answer: object) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(**answer)  # pyright: ignore[reportArgumentType]

    return handler


async def wait_until(client: WorkerClient, url: str) -> WorkflowStateStartResponse:
    return await client.wait_until(url, WAIT_UNTIL, timeout_seconds=10)


async def execute(client: WorkerClient, url: str) -> WorkflowStateDecideResponse:
    return await client.execute(url, EXECUTE, timeout_seconds=10)


async def rpc(client: WorkerClient, url: str) -> WorkflowWorkerRpcResponse:
    return await client.rpc(url, RPC, timeout_seconds=10)


ALL_CALLS = [
    pytest.param(wait_until, id="wait-until"),
    pytest.param(execute, id="execute"),
    pytest.param(rpc, id="rpc"),
]


async def failure(
    handler: Handler, call: Call, options: WorkerClientOptions | None = None
) -> WorkerCallError:
    async with worker(handler) as url, WorkerClient(options) as client:
        with pytest.raises(WorkerCallError) as caught:
            await call(client, url)
    return caught.value


@pytest.mark.parametrize(
    ("call", "path", "request_sent", "answer"),
    [
        pytest.param(
            wait_until,
            "/api/v1/workflowState/start",
            WAIT_UNTIL,
            WorkflowStateStartResponse(
                command_request=CommandRequest(
                    command_waiting_type=CommandWaitingType.ALL_COMPLETED,
                    signal_commands=[SignalCommand(signal_channel_name="c")],
                )
            ),
            id="wait-until",
        ),
        pytest.param(
            execute,
            "/api/v1/workflowState/decide",
            EXECUTE,
            WorkflowStateDecideResponse(
                state_decision=StateDecision(next_states=[StateMovement(state_id="S2")])
            ),
            id="execute",
        ),
        pytest.param(
            rpc,
            "/api/v1/workflowWorker/rpc",
            RPC,
            WorkflowWorkerRpcResponse(output=EncodedObject(encoding="json", data="é")),
            id="rpc",
        ),
    ],
)
async def test_a_call_posts_its_request_and_returns_the_answer(
    call: Call, path: str, request_sent: WireStruct, answer: WireStruct
) -> None:
    received: list[tuple[str, str, bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        received.append((request.method, request.raw_path, await request.read()))
        return web.Response(body=codec.encode(answer), content_type="application/json")

    async with worker(handler) as url, WorkerClient() as client:
        returned = await call(client, url)

    assert returned == answer
    assert received == [("POST", path, codec.encode(request_sent))]


@pytest.mark.parametrize("call", ALL_CALLS)
async def test_every_call_has_json_headers_a_user_agent_and_the_default_headers(call: Call) -> None:
    received: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        received.append(request)
        return web.Response(status=500)

    options = WorkerClientOptions(default_headers={"Authorization": "Bearer t", "content-TYPE": "text/plain"})
    await failure(handler, call, options)

    headers = received[0].headers
    assert headers["User-Agent"] == USER_AGENT
    assert headers["Authorization"] == "Bearer t"
    assert headers.getall("Content-Type") == ["application/json"]
    assert headers.getall("Accept") == ["application/json"]
    assert "gzip" in headers["Accept-Encoding"]


async def test_a_default_header_can_replace_the_user_agent() -> None:
    received: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        received.append(request)
        return web.Response()

    options = WorkerClientOptions(default_headers={"User-Agent": "mine"})
    async with worker(handler) as url, WorkerClient(options) as client:
        await wait_until(client, url)

    assert received[0].headers.getall("User-Agent") == ["mine"]


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        pytest.param("/", "/api/v1/workflowState/start", id="slash"),
        pytest.param("/some/prefix//", "/some/prefix/api/v1/workflowState/start", id="prefix"),
    ],
)
async def test_a_path_in_the_workers_url_is_kept(suffix: str, path: str) -> None:
    received: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        received.append(request.raw_path)
        return web.Response()

    async with worker(handler) as url, WorkerClient() as client:
        await wait_until(client, url + suffix)

    assert received == [path]


async def test_the_workers_url_is_rewritten_at_the_call() -> None:
    async with worker(answering()) as url:
        addresses = WorkerAddresses(
            loopback_host="127.0.0.1", placeholder="$PORT$", placeholder_value=url.rpartition(":")[2]
        )
        async with WorkerClient(WorkerClientOptions(addresses=addresses)) as client:
            answer = await wait_until(client, "http://localhost:$PORT$")

    assert answer == WorkflowStateStartResponse()


async def test_a_proxy_is_given_the_workers_url_and_its_credentials() -> None:
    received: list[tuple[str, str, str]] = []

    async def proxy(request: web.Request) -> web.Response:
        headers = request.headers
        received.append((request.raw_path, headers["Host"], headers["Proxy-Authorization"]))
        return web.Response()

    async with worker(proxy) as url:
        proxies = {"http": url.replace("http://", "http://user:secret@")}
        options = WorkerClientOptions(addresses=WorkerAddresses(proxies=proxies))
        async with WorkerClient(options) as client:
            await wait_until(client, "http://orders.example:8802/w")

    credentials = base64.b64encode(b"user:secret").decode()
    assert received == [
        (
            "http://orders.example:8802/w/api/v1/workflowState/start",
            "orders.example:8802",
            f"Basic {credentials}",
        )
    ]


async def test_calls_in_a_row_share_one_connection() -> None:
    ports: set[int] = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async with worker(handler) as url, WorkerClient() as client:
        for _ in range(3):
            await wait_until(client, url)

    assert len(ports) == 1


async def test_calls_to_one_host_wait_for_a_free_connection() -> None:
    running = 0
    most_running = 0
    arrived = anyio.Event()
    go_on = anyio.Event()

    async def handler(request: web.Request) -> web.Response:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        if running == 2:
            arrived.set()
        await go_on.wait()
        running -= 1
        return web.Response()

    async with (
        worker(handler) as url,
        WorkerClient(WorkerClientOptions(max_connections_per_host=2)) as client,
    ):
        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(wait_until, client, url)
            await arrived.wait()
            go_on.set()

    assert most_running == 2


async def test_cookies_of_a_worker_are_not_sent_back() -> None:
    cookies: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "a=b; Path=/"})

    async with worker(handler) as url, WorkerClient() as client:
        await wait_until(client, url)
        await wait_until(client, url)

    assert cookies == [None, None]


async def test_a_request_of_several_megabytes_arrives_whole() -> None:
    received: list[bytes] = []

    async def handler(request: web.Request) -> web.Response:
        received.append(await request.read())
        return web.Response()

    request = msgspec.structs.replace(WAIT_UNTIL, state_input=EncodedObject(data="x" * 3_000_000))
    async with worker(handler) as url, WorkerClient() as client:
        await client.wait_until(url, request, timeout_seconds=30)

    assert received == [codec.encode(request)]


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/problem+json", "text/plain", "image/png"]
)
async def test_the_content_type_of_an_answer_does_not_matter(content_type: str) -> None:
    handler = answering(body=b'{"output":{"data":"1"}}', headers={"Content-Type": content_type})

    async with worker(handler) as url, WorkerClient() as client:
        answer = await rpc(client, url)

    assert answer == WorkflowWorkerRpcResponse(output=EncodedObject(data="1"))


async def test_a_compressed_answer_is_decompressed() -> None:
    body = gzip.compress(b'{"output":{"data":"1"}}')
    handler = answering(body=body, headers={"Content-Encoding": "gzip"})

    async with worker(handler) as url, WorkerClient() as client:
        answer = await rpc(client, url)

    assert answer == WorkflowWorkerRpcResponse(output=EncodedObject(data="1"))


async def test_an_answer_in_pieces_is_put_together() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b'{"output":', b'{"data":"', b"x" * 300_000, b'"}}'):
            await response.write(piece)
        return response

    async with worker(handler) as url, WorkerClient() as client:
        answer = await rpc(client, url)

    assert answer == WorkflowWorkerRpcResponse(output=EncodedObject(data="x" * 300_000))


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        pytest.param(wait_until, WorkflowStateStartResponse(), id="wait-until"),
        pytest.param(rpc, WorkflowWorkerRpcResponse(), id="rpc"),
    ],
)
@pytest.mark.parametrize("body", [pytest.param(b"", id="empty"), pytest.param(b"{}", id="empty-object")])
async def test_an_empty_body_asks_for_nothing(call: Call, answer: WireStruct, body: bytes) -> None:
    async with worker(answering(body=body)) as url, WorkerClient() as client:
        assert await call(client, url) == answer


async def test_an_empty_body_of_execute_is_a_failure() -> None:
    error = await failure(answering(), execute)

    assert error.state_api_text() == "statusCode: 200, responseBody: , errMsg: the body is empty"


async def test_nulls_and_unknown_fields_of_an_answer_are_ignored() -> None:
    body = (
        b'{"commandRequest":null,"upsertSearchAttributes":null,"recordEvents":[{"key":"k","value":null}],'
        b'"localActivityInput":null,"newField":{"deep":[1]}}'
    )

    async with worker(answering(body=body)) as url, WorkerClient() as client:
        answer = await wait_until(client, url)

    assert answer == codec.decode(b'{"recordEvents":[{"key":"k"}]}', WorkflowStateStartResponse)


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


async def test_a_cancelled_call_closes_its_connection() -> None:
    called = anyio.Event()
    closed = anyio.Event()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(END_OF_EXECUTE)
        called.set()
        assert await reader.read() == b""
        closed.set()

    async with raw_worker(connection) as url, WorkerClient() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(execute, client, url)
            await called.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            await closed.wait()


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


async def test_a_client_cannot_be_used_outside_of_its_context() -> None:
    client = WorkerClient()

    with pytest.raises(RuntimeError, match="outside of its context"):
        await execute(client, "http://127.0.0.1:1")

    async with client:
        pass
    with pytest.raises(RuntimeError, match="outside of its context"):
        await execute(client, "http://127.0.0.1:1")
