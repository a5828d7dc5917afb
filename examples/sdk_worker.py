"""An HTTP worker for the iWF Python SDK: it serves the workflows of any `Registry`.

The SDK has the handlers of the three calls that the iWF server makes, and leaves HTTP to its user. This
module is that part, shared by the examples. It is not meant for production as it stands: there is no TLS and
no authentication.

Workflow code is synchronous and may block, so each call runs on a thread, beside others.
"""

import socket
import threading
import traceback
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from iwf.iwf_api.models import (
    WorkerErrorResponse,
    WorkflowStateExecuteRequest,
    WorkflowStateWaitUntilRequest,
    WorkflowWorkerRpcRequest,
)
from iwf.registry import Registry
from iwf.worker_service import WorkerService
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

JsonObject = dict[str, Any]


def worker_app(registry: Registry, say: Callable[[str], None]) -> Starlette:
    """Build the worker as an ASGI application.

    Args:
        registry: The workflows to serve.
        say: Told of each call as it arrives, and of each that fails, in a few words. Called on any thread.
    """
    service = WorkerService(registry)

    def wait_until(body: JsonObject) -> JsonObject:
        request = WorkflowStateWaitUntilRequest.from_dict(body)
        say(f"worker call: wait_until of {request.context.state_execution_id}")
        return service.handle_workflow_state_wait_until(request).to_dict()

    def execute(body: JsonObject) -> JsonObject:
        request = WorkflowStateExecuteRequest.from_dict(body)
        say(f"worker call: execute of {request.context.state_execution_id}")
        return service.handle_workflow_state_execute(request).to_dict()

    def rpc(body: JsonObject) -> JsonObject:
        request = WorkflowWorkerRpcRequest.from_dict(body)
        say(f"worker call: rpc {request.rpc_name}")
        return service.handle_workflow_worker_rpc(request).to_dict()

    return Starlette(
        routes=[
            Route(
                WorkerService.api_path_workflow_state_wait_until, _endpoint(wait_until, say), methods=["POST"]
            ),
            Route(WorkerService.api_path_workflow_state_execute, _endpoint(execute, say), methods=["POST"]),
            Route(WorkerService.api_path_workflow_worker_rpc, _endpoint(rpc, say), methods=["POST"]),
        ]
    )


@contextmanager
def serving(app: Starlette, port: int = 0) -> Generator[str]:
    """Serve an application on the loopback interface from a background thread.

    Args:
        app: What to serve.
        port: The port to listen on; 0 picks a free one.

    Yields:
        The base URL. The socket listens before the first statement of the `with` block.
    """
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=3)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="worker")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _endpoint(
    handle: Callable[[JsonObject], JsonObject], say: Callable[[str], None]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.json()
        try:
            answer = await run_in_threadpool(handle, body)
        except Exception as error:
            # Whatever workflow code raises is for the server to see: it retries the call by the state's
            # policy, and shows this text in the history and, at last, in the workflow's error message.
            say(f"worker call failed: {error!r}")
            failure = WorkerErrorResponse(
                detail=f"{error}\n{traceback.format_exc()}", error_type=type(error).__name__
            )
            return JSONResponse(failure.to_dict(), status_code=500)
        return JSONResponse(answer)

    return endpoint
