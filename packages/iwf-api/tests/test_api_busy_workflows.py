"""RPCs on a workflow with many of them in progress: which of them become updates."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
import httpx
import pytest

from iwf_api.operations.busy_workflows import BusyWorkflows
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, PrepareRpcAnswer, UpdateType
from iwf_models import KeyValue, WorkflowWorkerRpcResponse
from iwf_testkit import Answer, FakeWorker, value
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

WRITE = {"workflowId": "w", "rpcName": "write"}
READ = {"workflowId": "w", "rpcName": "read"}
SLOW = {"workflowId": "w", "rpcName": "slow"}
WRITING = WorkflowWorkerRpcResponse(upsert_data_attributes=[KeyValue(key="a", value=value("1"))])


@pytest.fixture
async def worker(anyio_backend: str, engine: ScriptedEngine) -> AsyncGenerator[FakeWorker]:
    """The worker of the run that the engine has."""
    async with FakeWorker() as worker:
        engine.script(
            "query",
            PrepareRpcAnswer(
                data_objects=[],
                search_attributes=[],
                workflow_run_id="run",
                workflow_started_timestamp=1,
                iwf_workflow_type="Test",
                iwf_worker_url=worker.url,
                signal_channel_info={},
                internal_channel_info={},
            ),
        )
        engine.script("update", LockedRpcAnswer(output=value("from the run")))
        worker.script("rpc.write", WRITING)
        yield worker


async def beside_a_slow_rpc(worker: FakeWorker, post: Post, *requests: object) -> list[httpx.Response]:
    """Make RPCs one after the other while another one of the workflow is in progress."""
    gate = anyio.Event()
    worker.script("rpc.slow", Answer(gate=gate))
    answers: list[httpx.Response] = []

    async def slow_rpc() -> None:
        await post("rpc", SLOW)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slow_rpc)
        await worker.wait_for_calls("rpc.slow")
        answers += [await post("rpc", request) for request in requests]
        gate.set()
    return answers


async def test_rpc_that_has_written_becomes_an_update_when_there_are_as_many_as_set(
    engine: ScriptedEngine, worker: FakeWorker, post_with: Callable[[ApiSettings], Post]
) -> None:
    post = post_with(ApiSettings(rpc_updates_from=2))

    first, second = await beside_a_slow_rpc(worker, post, WRITE, WRITE)

    assert (first.status_code, first.json()) == (200, {})
    assert (second.status_code, second.json()["output"]["data"]) == (200, "from the run")
    assert len(worker.calls_of("rpc.write")) == 1
    ((_, _, update, _, argument, _),) = engine.calls_of("update")
    assert update is UpdateType.LOCKED_RPC
    assert isinstance(argument, LockedRpcRequest)
    assert argument.rpc_name == "write"


@pytest.mark.parametrize(
    ("updates_from", "requests"),
    [
        pytest.param(0, (WRITE, WRITE), id="never"),
        pytest.param(3, (WRITE, WRITE), id="too-few-in-progress"),
        pytest.param(2, (READ, READ), id="only-reads"),
        pytest.param(2, (WRITE, READ), id="another-one-has-written"),
    ],
)
async def test_all_others_stay_queries(
    engine: ScriptedEngine,
    worker: FakeWorker,
    post_with: Callable[[ApiSettings], Post],
    updates_from: int,
    requests: tuple[object, ...],
) -> None:
    answers = await beside_a_slow_rpc(
        worker, post_with(ApiSettings(rpc_updates_from=updates_from)), *requests
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    assert engine.calls_of("update") == []


def test_nothing_is_known_of_workflows_without_rpcs_in_progress() -> None:
    workflows = BusyWorkflows()

    with workflows.rpc("w") as workflow:
        workflow.wrote("write")
        assert workflow.takes_updates("write", 1)
        assert len(workflows) == 1

    assert len(workflows) == 0
    with workflows.rpc("w") as workflow:
        assert not workflow.takes_updates("write", 1)
