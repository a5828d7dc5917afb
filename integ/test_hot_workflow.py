"""Many clients at a time on one workflow: everybody is served, sees what it wrote, and nothing is lost."""

from collections.abc import AsyncGenerator

import anyio
import httpx
import pytest

from iwf_api.listener import base_url, listen
from iwf_api.server import Role, ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_interpreter.temporal import InterpreterOptions
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import FakeWorker, IwfServer, iwf_server, temporal_dev_server
from iwf_testkit.fake_worker import WorkerRequest
from scenario import Reply, Scenario

pytestmark = pytest.mark.anyio

CLIENTS = 10
WRITES = 10
CHANNEL = "published"
LOCKING = {"dataAttributesLoadingPolicy": {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK"}}


@pytest.fixture(scope="module")
async def strict_scenario(anyio_backend: str) -> AsyncGenerator[Scenario]:
    """A Temporal server that lets one query wait for a busy workflow and refuses the others: its default."""
    async with (
        temporal_dev_server(dynamic_config={"history.MaxBufferedQueryCount": 1}) as temporal,
        iwf_server(temporal.address) as server,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=70) as http,
    ):
        yield Scenario(server, worker, http)


def write(request: WorkerRequest) -> WorkflowWorkerRpcResponse:
    """Publish the input, `<client>/<number>`, keep the number, and answer the one that was kept before."""
    assert isinstance(request, WorkflowWorkerRpcRequest)
    assert request.input is not None
    client, _, number = (request.input.data or "").partition("/")
    kept = {item.key: item.value for item in request.data_attributes or ()}
    return WorkflowWorkerRpcResponse(
        output=kept.get(client) or EncodedObject(data="0"),
        upsert_data_attributes=[KeyValue(key=client, value=EncodedObject(data=number))],
        publish_to_inter_state_channel=[
            InterStateChannelPublishing(channel_name=CHANNEL, value=request.input)
        ],
    )


async def everybody_writes(scenario: Scenario, workflow_id: str, *, clients: int, **fields: object) -> None:
    """Each client writes one thing after the other, and is answered what it wrote before."""

    async def client(name: str) -> None:
        for number in range(1, WRITES + 1):
            data = {"data": f"{name}/{number}"}
            answer = await scenario.ok("rpc", workflowId=workflow_id, rpcName="write", input=data, **fields)
            assert answer["output"]["data"] == str(number - 1)

    async with anyio.create_task_group() as tasks:
        for number in range(clients):
            tasks.start_soon(client, f"c{number}")


async def all_is_there(scenario: Scenario, workflow_id: str, *, clients: int) -> None:
    read = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    assert {item["key"]: item["value"]["data"] for item in read["objects"]} == {
        f"c{number}": str(WRITES) for number in range(clients)
    }
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
    request = scenario.worker.calls_of("rpc.read")[-1].request
    assert isinstance(request, WorkflowWorkerRpcRequest)
    assert request.internal_channel_infos is not None
    assert request.internal_channel_infos[CHANNEL].size == clients * WRITES


async def test_ten_clients_write_at_a_time(scenario: Scenario) -> None:
    scenario.worker.script("rpc.write", write)
    workflow_id, _ = await scenario.start(state_id=None)

    await everybody_writes(scenario, workflow_id, clients=CLIENTS)

    await all_is_there(scenario, workflow_id, clients=CLIENTS)
    assert len(scenario.worker.calls_of("rpc.write")) == CLIENTS * WRITES


async def test_ten_clients_write_at_a_time_where_one_query_may_wait(strict_scenario: Scenario) -> None:
    strict_scenario.worker.script("rpc.write", write)
    workflow_id, _ = await strict_scenario.start(state_id=None)

    await everybody_writes(strict_scenario, workflow_id, clients=CLIENTS)

    await all_is_there(strict_scenario, workflow_id, clients=CLIENTS)


async def test_different_queries_of_a_busy_workflow_are_all_answered_where_one_may_wait(
    strict_scenario: Scenario,
) -> None:
    """No two ask for the same, so each is a query of its own."""
    strict_scenario.worker.script("rpc.write", write)
    workflow_id, _ = await strict_scenario.start(state_id=None)
    replies: list[Reply] = []

    async def read(number: int) -> None:
        for _ in range(5):
            body = {"workflowId": workflow_id, "keys": [f"c{number}", "none"]}
            replies.append(await strict_scenario.post("dataobjects/get", body))

    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(read, number)
        await everybody_writes(strict_scenario, workflow_id, clients=2)

    assert [reply.status for reply in replies] == [200] * 50


async def test_more_clients_than_a_run_takes_updates_make_locking_rpcs_at_a_time(scenario: Scenario) -> None:
    scenario.worker.script("rpc.write", write)
    workflow_id, _ = await scenario.start(state_id=None)

    await everybody_writes(scenario, workflow_id, clients=3 * CLIENTS, **LOCKING)

    await all_is_there(scenario, workflow_id, clients=3 * CLIENTS)
    assert len(scenario.worker.calls_of("rpc.write")) == 3 * CLIENTS * WRITES


async def test_writes_that_become_updates_when_many_are_in_progress_are_all_there(
    server: IwfServer, scenario: Scenario
) -> None:
    """Some of them still begin with a query, the first of all for instance."""
    options = ServerOptions(
        address=server.temporal_address,
        namespace=server.namespace,
        role=Role.API,
        interpreter=InterpreterOptions(task_queue=server.task_queue),
        api=ApiSettings(rpc_updates_from=4),
    )
    scenario.worker.script("rpc.write", write)
    workflow_id, _ = await scenario.start(state_id=None)
    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening), httpx.AsyncClient(timeout=70) as http:
            api = IwfServer(
                url=base_url(listening), temporal_address="", namespace="", task_queue=server.task_queue
            )
            await everybody_writes(Scenario(api, scenario.worker, http), workflow_id, clients=CLIENTS)

    await all_is_there(scenario, workflow_id, clients=CLIENTS)
    assert len(scenario.worker.calls_of("rpc.write")) == CLIENTS * WRITES
