"""Request lines and headers beyond the limits, in pieces that the test chooses."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from iwf_api.connections import Connection, ConnectionConfig
from iwf_api.settings import ConnectionLimits
from iwf_models import ErrorResponse, ErrorSubStatus, codec

pytestmark = pytest.mark.anyio

LINE = b"POST /api/v1/workflow/signal HTTP/1.1\r\nhost: iwf\r\n"
LONG = b"x: " + b"a" * 1000 + b"\r\n"
SHORT = b"x: 1\r\n"
TOO_MANY = "the request has more than 20 headers"
TOO_LONG = "request line and headers are longer than 4096 bytes"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class RecordingTransport(asyncio.Transport):
    """Takes what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


async def answer_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


def connected() -> tuple[Connection, RecordingTransport]:
    config = ConnectionConfig(answer_nothing, log_config=None, lifespan="off", access_log=False)
    config.limits = ConnectionLimits(max_head_bytes=4096, max_headers=20)
    connection, transport = Connection(config, ServerState(), {}), RecordingTransport()
    connection.connection_made(transport)
    return connection, transport


def detail(written: bytes) -> str:
    """Why a request is refused."""
    head, _, body = written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n")
    error = codec.decode(body, ErrorResponse)
    assert error.sub_status is ErrorSubStatus.UNCATEGORIZED_SUB_STATUS
    return error.detail or ""


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n"], TOO_LONG, id="request-line"),
        pytest.param([b"GET /", b"a" * 5000], TOO_LONG, id="request-line-without-end"),
        pytest.param([LINE + b"x: " + b"a" * 5000 + b"\r\n\r\n"], TOO_LONG, id="header"),
        pytest.param([LINE, *[LONG] * 5], TOO_LONG, id="headers-in-pieces"),
        pytest.param([LINE + LONG * 4 + b"y: " + b"a" * 100, b"\r\n\r\n"], TOO_LONG, id="headers-and-an-end"),
        pytest.param([LINE + SHORT * 20 + b"\r\n"], TOO_MANY, id="many"),
        pytest.param([LINE + SHORT * 21], TOO_MANY, id="many-without-end"),
        pytest.param([LINE, *[SHORT] * 21], TOO_MANY, id="many-in-pieces"),
    ],
)
async def test_head_beyond_the_limits_is_refused(pieces: list[bytes], expected: str) -> None:
    connection, transport = connected()

    for piece in pieces:
        assert transport.written == b""
        connection.data_received(piece)

    assert detail(transport.written) == expected
    assert transport.is_closed


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([LINE + SHORT * 19 + b"\r\n"], id="as-many-as-may-be"),
        pytest.param([LINE, b"x: " + b"a" * 4000, b"\r\n\r\n"], id="as-long-as-may-be"),
        pytest.param([LINE + b"content-length: 9000\r\n\r\n" + b"a" * 9000], id="body"),
    ],
)
async def test_head_within_the_limits_is_read(pieces: list[bytes]) -> None:
    connection, transport = connected()

    for piece in pieces:
        connection.data_received(piece)
    await asyncio.sleep(0)

    assert transport.written.startswith(b"HTTP/1.1 200 OK")


async def test_next_head_has_its_own_limits() -> None:
    """What belongs to the request before does not count, however it comes."""
    connection, transport = connected()

    connection.data_received(LINE + b"content-length: 9000\r\n\r\n" + b"a" * 8000)
    connection.data_received(b"a" * 1000 + LINE)
    await asyncio.sleep(0)
    connection.data_received(b"x: " + b"a" * 3000 + b"\r\n\r\n")
    await asyncio.sleep(0)

    assert transport.written.count(b"HTTP/1.1 200 OK") == 2
