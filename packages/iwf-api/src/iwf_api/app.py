"""The HTTP application: bodies in, operations, bodies out.

No endpoint knows HTTP: this module reads a body, hands the request to its operation and writes the answer, the
same way for all of them. Endpoints are bare ASGI callables, since request objects and middleware cost more
than most operations here. What must stay true: every answer that is not 200 is a JSON `ErrorResponse`,
whatever went wrong.
"""

import logging
import socket
from typing import Any

import anyio
from iwf_interpreter.engine import Engine
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import HealthInfo, codec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from iwf_api import errors
from iwf_api.operations.requests import decode_request
from iwf_api.operations.service import Service
from iwf_api.routes import ROUTES, ApiRoute
from iwf_api.settings import ApiSettings

logger = logging.getLogger(__name__)

_JSON = "application/json; charset=utf-8"
_NO_CONTENT = b"{}"
_GREETING = "iWF server: the API is under /api/v1/workflow\n"


class ClientDisconnected(Exception):
    """The client is gone, so nobody reads an answer."""


def create_app(engine: Engine, worker: WorkerClient, settings: ApiSettings) -> Starlette:
    """Make the application that serves the API.

    It owns neither the engine nor the worker client: whoever made them closes them, after the application has
    stopped serving.
    """
    service = Service(engine=engine, worker=worker, settings=settings)
    paths: dict[str, Any] = {route.path: ApiEndpoint(route, service) for route in ROUTES}
    routes = [Route(path, endpoint, methods=["POST"]) for path, endpoint in paths.items()]
    routes += [Route("/info/healthcheck", _health_check()), Route("/", _greet)]
    # Some clients end the base address with a slash, or the path: serve that as if it were not there.
    routes += [Route(path + "/", endpoint, methods=["POST"]) for path, endpoint in paths.items()]
    routes.append(Route("/info/healthcheck/", _health_check()))
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
            if self._route.is_slow:
                status, body = await self._answer_unless_disconnected(receive)
            else:
                status, body = await self._answer(receive)
        except ClientDisconnected:
            return
        await _send(send, status, body)

    async def _answer(self, receive: Receive) -> tuple[int, bytes]:
        try:
            ...
        except Exception as error:
            ...


async def read_body(receive: Receive, max_request_bytes: int) -> bytes:
    ...
