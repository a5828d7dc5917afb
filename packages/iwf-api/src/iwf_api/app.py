"""The HTTP application: bodies in, operations, bodies out.

No operation knows HTTP: this module reads a body, hands the request to its operation and writes the
answer, the same way for all of them. Endpoints are bare ASGI callables, since request objects and
middleware cost more than most operations here. What must stay true: every answer that is not 200 is a
JSON `ErrorResponse`, whatever went wrong.
"""

import logging
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from iwf_api import errors
from iwf_api.documentation import documentation_routes
from iwf_api.json_answers import JSON, send_json
from iwf_api.operations.requests import decode_request
from iwf_api.operations.service import Service
from iwf_api.routes import ROUTES, ApiRoute
from iwf_api.settings import ApiSettings
from iwf_interpreter.engine import Engine
from iwf_interpreter.observer import Observer
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import HealthInfo, codec

logger = logging.getLogger(__name__)

_NO_CONTENT = b"{}"
_GREETING = "iWF server: the API is under /api/v1/workflow\n"


class ClientDisconnected(Exception):
    """The client is gone, so nobody reads an answer."""


def create_app(
    engine: Engine,
    worker: WorkerClient,
    settings: ApiSettings,
    observer: Observer | None = None,
    *,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Make the application that serves the API.

    It owns neither the engine nor the worker client: whoever made them closes them, after the application has
    stopped serving.

    Args:
        engine: Where workflows live.
        worker: Calls workers for RPCs.
        settings: Limits and defaults.
        observer: Is told of RPCs.
        clock: Unix seconds.
    """
    service = Service(engine=engine, worker=worker, settings=settings, observer=observer, clock=clock)
    paths: dict[str, Any] = {route.path: ApiEndpoint(route, service) for route in ROUTES}
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in paths.items()]
    routes += [Route("/info/healthcheck", _health_check()), Route("/", _greet)]
    # Some clients end the base address with a slash, or the path: serve that as if it were not there.
    routes += [Route(path + "/", endpoint, methods=["POST"]) for path, endpoint in paths.items()]
    routes.append(Route("/info/healthcheck/", _health_check()))
    routes += documentation_routes()
    app = Starlette(
        routes=routes, exception_handlers={HTTPException: _answer_routing_error, Exception: _answer_error}
    )
    app.router.redirect_slashes = False
    return app


class ApiEndpoint:
    """Serves one endpoint of the API as an ASGI application."""

    def __init__(self, route: ApiRoute[Any], service: Service) -> None:
        self._route = route
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, carry it out and answer; a client that is gone gets no answer."""
        try:
            body = await read_body(scope, receive, self._service.settings.max_request_bytes)
            if self._route.is_slow:
                status, answer = await self._answer_unless_disconnected(body, receive)
            else:
                status, answer = await self._answer(body)
        except ClientDisconnected:
            return
        except errors.RequestTooLarge as error:
            status, answer = _error_answer(error)
        await send_json(send, status, answer)

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        try:
            request = decode_request(body, self._route.request_type, self._service.settings)
            answer = await self._route.operation(self._service, request)
        except Exception as error:
            return _error_answer(error)
        return 200, _NO_CONTENT if answer is None else codec.encode(answer)

    async def _answer_unless_disconnected(self, body: bytes, receive: Receive) -> tuple[int, bytes]:
        """Answer, but give up as soon as the client is gone: a wait for nobody, a call for nobody."""
        result: tuple[int, bytes] | None = None
        async with anyio.create_task_group() as tasks:

            async def answer() -> None:
                nonlocal result
                result = await self._answer(body)
                tasks.cancel_scope.cancel()

            tasks.start_soon(answer)
            while (await receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()
        if result is None:
            raise ClientDisconnected
        return result


async def read_body(scope: Scope, receive: Receive, max_request_bytes: int) -> bytes:
    """Read the whole body; raises `RequestTooLarge` and `ClientDisconnected`.

    A client that announces too much is told so before it sends anything, if it asks with
    `Expect: 100-continue`.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > max_request_bytes:
            raise errors.RequestTooLarge(max_request_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > max_request_bytes:
            raise errors.RequestTooLarge(max_request_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _error_answer(error: Exception) -> tuple[int, bytes]:
    status, body = errors.answer(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("a request failed with status %d", status, exc_info=error)
    return status, codec.encode(body)


async def _answer_routing_error(request: Request, error: Exception) -> Response:
    """Answer a path or a method that is not served."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    # For a wrong method they name the right one.
    headers = error.headers
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        reason: errors.ApiError = errors.MethodNotAllowed(request.method, path)
    else:
        reason = errors.UnknownPath(path)
    return _error_response(reason, headers)


async def _answer_error(request: Request, error: Exception) -> Response:
    """Answer what escaped everything else."""
    return _error_response(error)


def _error_response(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
    status, body = _error_answer(error)
    return Response(body, status, headers={**(headers or {}), "content-type": JSON})


async def _greet(request: Request) -> Response:
    return Response(_GREETING, media_type="text/plain")


def _health_check() -> Callable[[Request], Awaitable[Response]]:
    try:
        hostname = socket.gethostname()
    except OSError:
        hostname = "unknown"
    body = codec.encode(HealthInfo(condition="OK", hostname=hostname, duration=0))

    async def health_check(request: Request) -> Response:
        return Response(body, headers={"content-type": JSON})

    return health_check
