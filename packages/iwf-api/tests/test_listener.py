"""The socket, and an application served on it inside a task group."""

import socket

import anyio
import httpx
import pytest
from starlette.types import Receive, Scope, Send

from iwf_api.draining import LongPollDrain
from iwf_api.listener import CannotListen, base_url, is_loopback, listen, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class SlowApp:
    """Answers once it may."""

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.may_answer = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.called.set()
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


@pytest.mark.parametrize(
    ("host", "url", "loopback"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:{}", True, id="loopback"),
        pytest.param("localhost", "http://127.0.0.1:{}", True, id="name"),
        pytest.param("0.0.0.0", "http://127.0.0.1:{}", False, id="all-interfaces"),
    ],
)
def test_socket_tells_where_it_is_reached(host: str, url: str, loopback: bool) -> None:
    with listen(host, 0, flag="--port") as listening:
        assert base_url(listening) == url.format(listening.getsockname()[1])
        assert is_loopback(listening) is loopback


class BoundSocket(socket.socket):
    """A socket that says it is bound to an address, which this machine need not have."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host

    def getsockname(self) -> tuple[str, int, int, int]:
        return self.host, 8801, 0, 0


@pytest.mark.parametrize(
    ("host", "loopback"),
    [pytest.param("::1", True, id="loopback"), pytest.param("::", False, id="all-interfaces")],
)
def test_ipv6_address_stands_in_brackets(host: str, loopback: bool) -> None:
    with BoundSocket(host) as listening:
        assert base_url(listening) == "http://[::1]:8801"
        assert is_loopback(listening) is loopback


def test_unknown_host_cannot_be_listened_on() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 'no\.such\.host\.invalid': "):
        listen("no.such.host.invalid", 0, flag="--port")


async def test_request_in_progress_is_answered_before_the_end() -> None:
    app = SlowApp()
    listening = listen("127.0.0.1", 0, flag="--port")
    answers: list[int] = []

    async def call(url: str) -> None:
        async with httpx.AsyncClient() as http:
            answers.append((await http.get(url)).status_code)

    async with anyio.create_task_group() as tasks:
        async with serving(app, listening, drain_seconds=5):
            tasks.start_soon(call, base_url(listening))
            await app.called.wait()
            tasks.start_soon(_set_later, app.may_answer)

    assert answers == [200]


async def test_request_that_does_not_end_in_time_is_answered_so() -> None:
    app = SlowApp()
    listening = listen("127.0.0.1", 0, flag="--port")
    answers: list[httpx.Response] = []

    async def call(url: str) -> None:
        async with httpx.AsyncClient() as http:
            answers.append(await http.get(url))

    async with anyio.create_task_group() as tasks:
        async with serving(LongPollDrain(app), listening, drain_seconds=1):
            tasks.start_soon(call, base_url(listening))
            await app.called.wait()

    assert answers[0].status_code == 500
    assert answers[0].json()["subStatus"] == "UNCATEGORIZED_SUB_STATUS"


async def test_socket_is_closed_after_cancellation() -> None:
    app = SlowApp()
    listening = listen("127.0.0.1", 0, flag="--port")
    address = listening.getsockname()

    with anyio.CancelScope() as scope:
        async with serving(app, listening, drain_seconds=1):
            scope.cancel()
            await anyio.sleep_forever()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


async def _set_later(event: anyio.Event) -> None:
    await anyio.lowlevel.checkpoint()
    event.set()
