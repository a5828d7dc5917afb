"""What tests on virtual time share: a server in memory with a worker, and what their own loop opens."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import msgspec

from iwf_api.settings import ApiSettings
from iwf_testkit import FakeWorker, MemoryServer, VirtualTimeLoop, memory_server


class OnItsLoop(msgspec.Struct, frozen=True):
    """What a test takes that is opened on the loop of the test."""

    open: Callable[[], AbstractAsyncContextManager[object]]


class Stage(msgspec.Struct, frozen=True):
    """What a test works with."""

    server: MemoryServer
    worker: FakeWorker

    async def post(self, endpoint: str, **body: object) -> tuple[int, dict[str, Any]]:
        """Call an endpoint; status and body of its answer."""
        answer = await self.server.client.post(f"/api/v1/workflow/{endpoint}", json=body)
        return answer.status_code, answer.json()

    async def ok(self, endpoint: str, **body: object) -> dict[str, Any]:
        """Call an endpoint that must succeed."""
        status, answer = await self.post(endpoint, **body)
        assert status == 200, answer
        return answer

    async def start(self, workflow_id: str = "w", **fields: object) -> str:
        """Start a workflow with the state S1; its run id."""
        request: dict[str, object] = {
            "iwfWorkflowType": "Test",
            "iwfWorkerUrl": self.worker.url,
            "workflowTimeoutSeconds": 0,
            "startStateId": "S1",
            **fields,
        }
        return (await self.ok("start", workflowId=workflow_id, **request))["workflowRunId"]

    async def ended(self, workflow_id: str = "w") -> dict[str, Any]:
        """Wait until a workflow ends, however long that takes."""
        while True:
            status, answer = await self.post("getWithWait", workflowId=workflow_id)
            if status == 200:
                return answer
            assert status == 420, answer


def on_memory(
    test: Callable[[Stage], Awaitable[None]], *, search_attributes: Mapping[str, str] | None = None
) -> None:
    """Run a test."""

    async def main() -> None:
        # Long waits, so that a wait over days is not thousands of requests.
        settings = ApiSettings(max_wait_seconds=3600)
        async with (
            memory_server(search_attributes=search_attributes, settings=settings) as server,
            FakeWorker() as worker,
        ):
            await test(Stage(server, worker))

    anyio.run(main, backend_options={"loop_factory": VirtualTimeLoop})
