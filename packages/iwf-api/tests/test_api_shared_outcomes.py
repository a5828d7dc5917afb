"""Requests that wait for the same workflow share one wait at the engine, and each keeps its own time."""

import anyio
import httpx
import pytest

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.engine import WorkflowDescription, WorkflowOutcome
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import WorkflowStatus
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

COMPLETED = WorkflowOutcome(status=WorkflowStatus.COMPLETED)


class WaitedFor(ScriptedEngine):
    """An engine whose workflows end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[tuple[str, str]] = []
        self.waiting = 0
        self.ended = anyio.Event()
        self.may_look = anyio.Event()
        self.may_look.set()

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowDescription:
        await self.may_look.wait()
        return await super().describe(workflow_id, run_id)

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        self.waits.append((workflow_id, run_id))
        self.waiting += 1
        try:
            await self.ended.wait()
        finally:
            self.waiting -= 1
        return COMPLETED


class Clients:
    """Clients of one application, and what they are answered."""

    def __init__(self, engine: WaitedFor) -> None:
        transport = httpx.ASGITransport(create_app(engine, WorkerClient(), ApiSettings()))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://iwf", timeout=None)
        self.answers: list[tuple[int, str]] = []
        self._answered = anyio.Event()

    async def wait(self, workflow_id: str, seconds: int) -> None:
        body = {"workflowId": workflow_id, "waitTimeSeconds": seconds}
        answer = await self._http.post("/api/v1/workflow/getWithWait", json=body)
        content = answer.json()
        self.answers.append((answer.status_code, content.get("workflowStatus") or content["subStatus"]))
        self._answered.set()
        self._answered = anyio.Event()

    async def until(self, count: int) -> None:
        """Return once so many have been answered."""
        with anyio.fail_after(10):
            while len(self.answers) < count:
                await self._answered.wait()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_all_get_the_outcome_of_one_wait() -> None:
    engine = WaitedFor()
    engine.may_look = anyio.Event()
    clients = Clients(engine)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(clients.wait, "a", 50)
            tasks.start_soon(clients.wait, "b", 50)
        await anyio.wait_all_tasks_blocked()
        engine.may_look.set()
        await anyio.wait_all_tasks_blocked()
        engine.ended.set()

    assert clients.answers == [(200, "COMPLETED")] * 40
    assert sorted(engine.waits) == [("a", "run-1"), ("b", "run-1")]
    # One look was on its way when the others came, who then shared the next.
    assert len(engine.calls_of("describe")) == 4


async def test_who_has_no_more_time_leaves_the_wait_to_the_others() -> None:
    engine = WaitedFor()
    clients = Clients(engine)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clients.wait, "a", 2)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(clients.wait, "a", 2)
        tasks.start_soon(clients.wait, "a", 50)
        await clients.until(2)
        assert engine.waiting == 1
        engine.ended.set()

    assert clients.answers == [(420, "LONG_POLL_TIME_OUT_SUB_STATUS")] * 2 + [(200, "COMPLETED")]


async def test_nothing_is_waited_for_once_all_have_left() -> None:
    engine = WaitedFor()
    clients = Clients(engine)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(clients.wait, "a", 50)
        await anyio.wait_all_tasks_blocked()
        assert engine.waiting == 1
        tasks.cancel_scope.cancel()

    assert engine.waiting == 0
