"""The floor: a workflow written by hand for `temporalio`'s own worker, making the same calls.

What anyone would write who knows which states there are: no interpreter, no generality. With
`optimizeActivity` the calls are the SDK's local activities. It serves the same two endpoints over the same
HTTP stack, so the difference is the interpreter and its loop. Run as
`python -m tools.bench.floor TEMPORAL_ADDRESS`; prints its URL.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from iwf_api.listener import listen
from tools.bench.shapes import Kind, parse

_QUEUE = "floor"
_TIMEOUT = timedelta(seconds=30)
_session: aiohttp.ClientSession | None = None


@activity.defn
async def call_state(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call to the worker."""
    assert _session is not None
    info = activity.info()
    context = {
        "workflowId": info.workflow_id,
        "workflowRunId": info.workflow_run_id,
        "workflowStartedTimestamp": int(info.scheduled_time.timestamp()),
        "stateExecutionId": f"{body['workflowStateId']}-1",
        "attempt": info.attempt,
        "firstAttemptTimestamp": int(info.scheduled_time.timestamp()),
    }
    data = msgspec.json.encode({**body, "context": context})
    async with _session.post(url + path, data=data) as response:
        response.raise_for_status()
        return msgspec.json.decode(await response.read())


@workflow.defn(name="Floor")
class FloorWorkflow:
    """States in a row."""

    @workflow.run
    async def run(
        self, url: str, workflow_type: str, states: int, skips_wait_until: bool, local: bool
    ) -> None:
        """Call waitUntil and execute of each."""
        paths = ("/api/v1/workflowState/start", "/api/v1/workflowState/decide")
        for number in range(1, states + 1):
            body: dict[str, Any] = {"workflowType": workflow_type, "workflowStateId": f"S{number}"}
            for path in paths[1:] if skips_wait_until else paths:
                if local:
                    await workflow.execute_local_activity(
                        call_state, args=[url, path, body], start_to_close_timeout=_TIMEOUT
                    )
                else:
                    await workflow.execute_activity(
                        call_state, args=[url, path, body], start_to_close_timeout=_TIMEOUT
                    )


async def main(address: str) -> None:
    """Serve until killed."""
    global _session
    client = await Client.connect(address)
    _session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=100))

    async def start(request: Request) -> Response:
        body = msgspec.json.decode(await request.body())
        workflow_type = body["iwfWorkflowType"]
        shape = parse(workflow_type)
        if shape.kind is not Kind.ROW:
            raise ValueError(f"the floor has no workflow of type {workflow_type!r}")
        config = body.get("workflowStartOptions", {}).get("workflowConfigOverride", {})
        local = bool(config.get("optimizeActivity"))
        handle = await client.start_workflow(
            FloorWorkflow.run,
            args=[body["iwfWorkerUrl"], workflow_type, shape.count, shape.skips_wait_until, local],
            id=body["workflowId"],
            task_queue=_QUEUE,
            request_eager_start=True,
        )
        return _json({"workflowRunId": handle.result_run_id})

    async def get_with_wait(request: Request) -> Response:
        body = msgspec.json.decode(await request.body())
        handle = client.get_workflow_handle(body["workflowId"])
        described = await handle.describe()
        await client.get_workflow_handle(body["workflowId"], run_id=described.run_id).result()
        return _json({"workflowRunId": described.run_id, "workflowStatus": "COMPLETED"})

    app = Starlette(
        routes=[
            Route("/api/v1/workflow/start", start, methods=["POST"]),
            Route("/api/v1/workflow/getWithWait", get_with_wait, methods=["POST"]),
        ]
    )
    listening = listen("127.0.0.1", 0, flag="--port")
    server = uvicorn.Server(
        uvicorn.Config(app, loop="none", http="httptools", access_log=False, log_level="warning")
    )
    worker = Worker(
        client,
        task_queue=_QUEUE,
        workflows=[FloorWorkflow],
        activities=[call_state],
        workflow_runner=UnsandboxedWorkflowRunner(),
        build_id="floor",
    )
    async with worker:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        await server.serve(sockets=[listening])


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
