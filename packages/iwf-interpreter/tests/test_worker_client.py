import asyncio
import base64
import gzip

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
    rpc,
    wait_until,
    worker,
)
from iwf_interpreter.worker_addresses import WorkerAddresses
from iwf_interpreter.worker_client import USER_AGENT, WorkerClient, WorkerClientOptions
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    SignalCommand,
    StateDecision,
    StateMovement,
    WireStruct,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
    codec,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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


async def test_nulls_and_unknown_fields_of_an_answer_are_ignored() -> None:
    body = (
        b'{"commandRequest":null,"upsertSearchAttributes":null,"recordEvents":[{"key":"k","value":null}],'
        b'"localActivityInput":null,"newField":{"deep":[1]}}'
    )

    async with worker(answering(body=body)) as url, WorkerClient() as client:
        answer = await wait_until(client, url)

    assert answer == codec.decode(b'{"recordEvents":[{"key":"k"}]}', WorkflowStateStartResponse)


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


async def test_a_client_cannot_be_used_outside_of_its_context() -> None:
    client = WorkerClient()

    with pytest.raises(RuntimeError, match="outside of its context"):
        await execute(client, "http://127.0.0.1:1")

    async with client:
        pass
    with pytest.raises(RuntimeError, match="outside of its context"):
        await execute(client, "http://127.0.0.1:1")
