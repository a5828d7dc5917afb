"""The HTTP calls to workers: waitUntil, execute and RPC.

One pool of connections serves all calls of a process. A call is made once: repeating it is the business of
the engine's retry policies, and an RPC must never be repeated. An answer is decoded here and nothing more;
whether it makes sense is decided by `iwf_interpreter.worker_answers`. The whole exchange is described in
`docs/worker-calls.md`.
"""

import asyncio
import io
import os
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from importlib.metadata import version
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from iwf_interpreter.worker_addresses import WorkerAddresses, worker_addresses_from_environment
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut, read_worker_error
from iwf_models import (
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)

T = TypeVar("T")

WAIT_UNTIL_PATH = "/api/v1/workflowState/start"
EXECUTE_PATH = "/api/v1/workflowState/decide"
RPC_PATH = "/api/v1/workflowWorker/rpc"

USER_AGENT = f"iwf-interpreter/{version('iwf-interpreter')}"

_REMEMBERED_TARGETS = 1024

_LARGE_BODY_BYTES = 2**20
"""aiohttp warns of longer bytes, and writes a stream piece by piece without blocking the event loop."""


class WorkerClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How workers are called."""

    default_headers: Mapping[str, str] = {}
    """Sent with every call. They cannot change the content type."""
    max_connections: int = 500
    """Open connections in all; a call beyond that waits for one."""
    max_connections_per_host: int = 100
    connect_timeout_seconds: float = 5
    """Limit for one connection to be made, apart from the time limit of the call."""
    idle_connection_seconds: float | None = 4
    """How long a connection is kept without a call, `None` for as long as the worker keeps it. Several worker
    frameworks close one after 5 seconds. A request that is sent at that moment fails and cannot be repeated
    safely, so the connection is given up first."""
    max_response_bytes: int = 16 * 1024 * 1024
    """Largest accepted body of an answer, after decompression. What follows is not read."""
    addresses: WorkerAddresses = WorkerAddresses()


def options_from_environment(environ: Mapping[str, str]) -> WorkerClientOptions:
    """The defaults, with the addresses that the given environment asks for."""
    return WorkerClientOptions(addresses=worker_addresses_from_environment(environ))


class WorkerClient:
    """Calls workers; an async context manager that owns the connections.

    Every call raises `WorkerCallTimedOut` when its time limit passed first, and another `WorkerCallError`
    when there is no answer, its status is not 200, or its body is not what the call expects. Cancelling a
    call closes its connection.

    Args:
        options: How to call; by default without regard to the environment.
    """

    def __init__(self, options: WorkerClientOptions | None = None) -> None:
        self._options = options or WorkerClientOptions()
        self._target = lru_cache(maxsize=_REMEMBERED_TARGETS)(self._resolve)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        options = self._options
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=options.max_connections,
                limit_per_host=options.max_connections_per_host,
                keepalive_timeout=options.idle_connection_seconds,
            ),
            headers=_headers(options.default_headers),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_timeout_seconds),
            # Workers are strangers to each other, and no call depends on an earlier one.
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session, self._session = self._open_session(), None
        await session.close()

    async def wait_until(
        self, worker_url: str, request: WorkflowStateStartRequest, *, timeout_seconds: float
    ) -> WorkflowStateStartResponse:
        """Call a state's waitUntil. An empty body is an answer that asks for nothing."""
        body = await self._post(worker_url, WAIT_UNTIL_PATH, request, timeout_seconds)
        return _decoded(body, WorkflowStateStartResponse) if body else WorkflowStateStartResponse()

    async def execute(
        self, worker_url: str, request: WorkflowStateDecideRequest, *, timeout_seconds: float
    ) -> WorkflowStateDecideResponse:
        """Call a state's execute. An empty body is a failure, since there must be a decision."""
        body = await self._post(worker_url, EXECUTE_PATH, request, timeout_seconds)
        return _decoded(body, WorkflowStateDecideResponse)

    async def rpc(
        self, worker_url: str, request: WorkflowWorkerRpcRequest, *, timeout_seconds: float
    ) -> WorkflowWorkerRpcResponse:
        """Call an RPC. An empty body is an answer without output that changes nothing."""
        body = await self._post(worker_url, RPC_PATH, request, timeout_seconds)
        return _decoded(body, WorkflowWorkerRpcResponse) if body else WorkflowWorkerRpcResponse()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the worker client is used outside of its context")
        return self._session

    async def _post(self, worker_url: str, path: str, request: object, timeout_seconds: float) -> bytes:
        """Make one call and return the body of its 200 answer."""
        try:
            # Not aiohttp's total timeout: it rounds up to whole seconds.
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(worker_url, path, codec.encode(request))
        except TimeoutError as error:
            raise WorkerCallTimedOut(timeout_seconds) from error

    async def _exchange(self, worker_url: str, path: str, data: bytes) -> bytes:
        session = self._open_session()
        try:
            url, proxy = self._target(worker_url, path)
            async with session.post(
                url,
                data=data if len(data) <= _LARGE_BODY_BYTES else io.BytesIO(data),
                proxy=proxy,
                allow_redirects=False,
            ) as response:
                body, is_whole = await self._read(response)
                status, reason = response.status, response.reason
        # A ValueError is a URL or a header that cannot be sent.
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WorkerCallError(status=0, body="", reason=_transport_reason(error)) from error
        if status != HTTPStatus.OK:
            text = _text(body)
            raise WorkerCallError(status=status, body=text, reason=_status_reason(status, reason, text))
        if not is_whole:
            limit = self._options.max_response_bytes
            raise WorkerCallError(status=status, body=_text(body), reason=f"body exceeds {limit} bytes")
        return body

    async def _read(self, response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
        """The body, and whether that is all of it."""
        limit = self._options.max_response_bytes
        content = response.content
        body = await content.readany()
        if not content.at_eof():
            parts = bytearray(body)
            while len(parts) <= limit and (part := await content.readany()):
                parts += part
            body = bytes(parts)
        return body[:limit], len(body) <= limit

    def _resolve(self, worker_url: str, path: str) -> tuple[str, str | None]:
        """URL and proxy of an endpoint; remembered for later calls."""
        addresses = self._options.addresses
        base_url = addresses.base_url(worker_url)
        return base_url + path, addresses.proxy_url(base_url)


def _headers(default_headers: Mapping[str, str]) -> dict[str, str]:
    """All headers of a call; names in lower case, so that each is there once."""
    return {
        "user-agent": USER_AGENT,
        **{name.lower(): value for name, value in default_headers.items()},
        "content-type": "application/json",
        "accept": "application/json",
    }


def _decoded(body: bytes, type_: type[T]) -> T:
    if not body:
        raise WorkerCallError(status=HTTPStatus.OK, body="", reason="the body is empty")
    try:
        return codec.decode(body, type_)
    except msgspec.DecodeError as error:
        raise WorkerCallError(status=HTTPStatus.OK, body=_text(body), reason=str(error)) from error


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _status_reason(status: int, phrase: str | None, body: str) -> str:
    """The status line; for a 400 with the worker's own words, since it is about what the user sent."""
    reason = f"{status} {phrase or ''}".rstrip()
    error = read_worker_error(body) if status == HTTPStatus.BAD_REQUEST else None
    return f"{reason} ({error.detail})" if error is not None and error.detail else reason


def _transport_reason(error: Exception) -> str:
    """What went wrong, with the telling part first: the text of a state API keeps little of it."""
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return f"not a URL of a worker: {error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if cause.errno is not None and cause.errno > 0:
            # asyncio puts its own words, and the address, in front of what the number says.
            return f"{os.strerror(cause.errno)} ({error.host}:{error.port})"
        return f"{cause.strerror or cause} ({error.host}:{error.port})"
    return str(error) or type(error).__name__
