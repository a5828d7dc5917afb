"""What the server says about its own API: the OpenAPI document, and a page for people made from it.

Both are made from the table of endpoints and the wire models, so there is nothing to keep in step by hand.
They are made once per process. What must stay true: the page needs no script and no other file.
"""

import inspect
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from iwf_api.documentation_page import page
from iwf_api.routes import ROUTES, ApiRoute
from iwf_interpreter.worker_client import EXECUTE_PATH, RPC_PATH, WAIT_UNTIL_PATH
from iwf_models import (
    HealthInfo,
    WireStruct,
    WorkerErrorResponse,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)
from iwf_models.openapi import Operation, Section, document

CLIENT = Section(
    name="client",
    description="What clients call on this server. A trailing slash is served like the path without it.",
)
SERVER = Section(name="server", description="About this server itself.")
WORKER = Section(
    name="worker",
    description="What this server calls on workers, at the URL that their workflows were started with.",
    server_variable="workerUrl",
    server_example="http://localhost:8802",
)

_TITLE = "iWF server"
_INTRODUCTION = (
    "Durable workflows: clients start them and talk to them, workers carry out their states and RPCs. "
    "Unknown fields are ignored, and null is the same as absent; nothing absent is ever written."
)
_WORKER_ERRORS = {400: "The call failed. Any status but 200 says so, and any body is taken."}
# Nothing in it is for a browser to run or to fetch.
_PAGE_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


def documentation_routes() -> list[Route]:
    """Where the document and the page are served, the trailing slash that some clients add included."""
    paths = {"/openapi.json": _serve_document, "/docs": _serve_page}
    return [Route(path + slash, endpoint) for path, endpoint in paths.items() for slash in ("", "/")]


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of this server's API and of what it expects from workers."""
    return document(operations(), title=_TITLE, version=version("iwf-api"), description=_INTRODUCTION)


def operations() -> Iterator[Operation]:
    """All operations, as the document has them."""
    for route in ROUTES:
        yield _client_operation(route)
    yield Operation(
        section=SERVER,
        path="/info/healthcheck",
        method="get",
        summary="Tell that the server is up.",
        description="Asks nobody else, so it says nothing about the engine.",
        response=HealthInfo,
    )
    yield _worker_operation(
        WAIT_UNTIL_PATH,
        "Carry out the waitUntil of a state: what to wait for before its execute.",
        WorkflowStateStartRequest,
        WorkflowStateStartResponse,
    )
    yield _worker_operation(
        EXECUTE_PATH,
        "Carry out the execute of a state, and decide what comes next.",
        WorkflowStateDecideRequest,
        WorkflowStateDecideResponse,
    )
    yield _worker_operation(
        RPC_PATH,
        "Carry out an RPC of a workflow.",
        WorkflowWorkerRpcRequest,
        WorkflowWorkerRpcResponse,
    )


def _client_operation(route: ApiRoute[Any]) -> Operation:
    # What it raises is for readers of the code: here the statuses say it. Optimised builds have no docstring.
    text = inspect.cleandoc(route.operation.__doc__ or route.path).partition("\nRaises:")[0]
    summary, *rest = (" ".join(part.split()) for part in text.strip().split("\n\n"))
    return Operation(
        section=CLIENT,
        path=route.path,
        summary=summary,
        description="\n\n".join(rest),
        request=route.request_type,
        not_empty=route.not_empty,
        response=route.response_type,
        errors=route.errors,
    )


def _worker_operation(
    path: str, summary: str, request: type[WireStruct], response: type[WireStruct]
) -> Operation:
    return Operation(
        section=WORKER,
        path=path,
        summary=summary,
        request=request,
        response=response,
        errors=_WORKER_ERRORS,
        error=WorkerErrorResponse,
    )


@cache
def _document_body() -> bytes:
    return codec.encode(openapi_document())


@cache
def _page_body() -> bytes:
    return page(openapi_document()).encode()


async def _serve_document(request: Request) -> Response:
    return Response(_document_body(), media_type="application/json")


async def _serve_page(request: Request) -> Response:
    return Response(_page_body(), media_type="text/html", headers=_PAGE_HEADERS)
