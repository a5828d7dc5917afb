"""A server that is asked to stop finishes what it was handed, in time: no task runs into its time limit."""

import random
import signal
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import msgspec
import pytest
from temporalio.api.enums.v1 import EventType, TaskQueueKind, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_interpreter.temporal import Connection
from iwf_models import WorkflowWorkerRpcResponse
from iwf_testkit import Answer, FakeWorker, IwfServer, go_to, graceful_complete, value, wait_for
from scenario import Reply, Scenario, idle
from tools.chaos.clients import Clients, Totals
from tools.chaos.histories import read_chain
from tools.chaos.processes import ServerCommand, ServerProcess, api_alone, server_process
from tools.chaos.program import Plan, script

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

IN_FLIGHT_SECONDS = 0.8
"""Of a call that is made while the server is asked to stop."""

STOPS_WITHIN_SECONDS = 30

TIMED_OUT = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
)


@pytest.fixture
async def command(temporal: TemporalDevServer, tmp_path: Path) -> ServerCommand:
    """An interpreter of a task queue of its own."""
    return ServerCommand(
        address=temporal.address,
        role="interpreter",
        task_queue=f"iwf-shutdown-{uuid4()}",
        log=tmp_path / "server.log",
    )


@pytest.fixture
async def queue(command: ServerCommand) -> AsyncGenerator[Scenario]:
    """Workflows of that task queue; nobody runs them by itself."""
    async with (
        api_alone(command.address, command.task_queue) as url,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=70) as http,
    ):
        server = IwfServer(
            url=url, temporal_address=command.address, namespace="default", task_queue=command.task_queue
        )
        yield Scenario(server, worker, http)


async def stop(server: ServerProcess) -> None:
    """Ask a server to stop, and wait until it has."""
    server.stop()
    with anyio.fail_after(STOPS_WITHIN_SECONDS):
        assert await server.wait() == 0


def timeouts(runs: Iterable[Sequence[HistoryEvent]]) -> list[HistoryEvent]:
    """The tasks and calls that somebody was handed, or was to be handed, and that ran into their time limit.

    A task that a client's update has made waits on the shared queue for 5 seconds at most, and is made anew
    when no server runs: that is no task of a server that stops.
    """
    return [
        event
        for events in runs
        for event in events
        if event.event_type in TIMED_OUT and not waited_for_a_server(event, events)
    ]


def waited_for_a_server(event: HistoryEvent, events: Sequence[HistoryEvent]) -> bool:
    timed_out = event.workflow_task_timed_out_event_attributes
    if timed_out.timeout_type != TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
        return False
    scheduled = next(each for each in events if each.event_id == timed_out.scheduled_event_id)
    queue = scheduled.workflow_task_scheduled_event_attributes.task_queue
    return queue.kind == TaskQueueKind.TASK_QUEUE_KIND_NORMAL


async def test_stops_under_load_let_no_task_time_out(
    queue: Scenario, command: ServerCommand, connection: Connection
) -> None:
    script(queue.worker, 1)
    async with httpx.AsyncClient(base_url=queue.server.url, timeout=70) as http:
        clients = [
            Clients(http, [queue.server.url], queue.worker.url, random.Random(seed), Plan(), Totals())
            for seed in range(12)
        ]
        async with anyio.create_task_group() as servers:
            async with anyio.create_task_group() as load:
                for client in clients:
                    load.start_soon(client.run)
                for _ in range(3):
                    async with server_process(command) as server:
                        assert await server.ready()
                        made = len(queue.worker.calls)
                        await queue.worker.wait_for_calls(lambda _: True, made + 60, timeout_seconds=60)
                        await stop(server)
                servers.start_soon(until_cancelled, command)
            servers.cancel_scope.cancel()

    assert [client.faults for client in clients] == [[]] * len(clients)
    for client in clients:
        runs = await read_chain(connection, client.workflow_id)
        assert timeouts(runs.values()) == []


async def until_cancelled(command: ServerCommand) -> None:
    """Run a server."""
    async with server_process(command) as server:
        await server.wait()


async def probe(server: ServerProcess, path: str = "/readyz") -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.get(server.admin_url + path)


async def unready(server: ServerProcess) -> httpx.Response:
    """What the probe is told once the server is asked to stop."""
    with anyio.fail_after(10):
        while (answer := await probe(server)).status_code == 200:
            await anyio.sleep(0.02)
    return answer


async def test_server_serves_on_until_it_had_time_to_be_noticed(command: ServerCommand) -> None:
    options = ("--admin-port=0", "--pre-stop-seconds=6")
    checks = {"process": "ok", "engine": "ok", "searchAttributes": "ok", "interpreter": "ok"}
    replies: list[Reply] = []
    async with (
        server_process(msgspec.structs.replace(command, role="all", options=options)) as server,
        FakeWorker() as worker,
        httpx.AsyncClient(timeout=70) as http,
    ):
        assert await server.ready()
        scenario = Scenario(
            IwfServer(
                url=server.url,
                temporal_address=command.address,
                namespace="default",
                task_queue=command.task_queue,
            ),
            worker,
            http,
        )
        ready = await probe(server)
        workflow_id = await idle(scenario)

        async def wait() -> None:
            replies.append(await scenario.post("getWithWait", {"workflowId": workflow_id}))

        async with anyio.create_task_group() as waiting:
            waiting.start_soon(wait)
            server.stop()
            stopping = await unready(server)
            # The same process still runs workflows, and nobody who waits has been sent away.
            other, _ = await scenario.start(state_id="S2")
            result = await scenario.result(other)

            assert stopping.status_code == 503
            assert stopping.json() == {"ready": False, "checks": {**checks, "process": "stopping"}}
            assert result["workflowStatus"] == "COMPLETED"
            assert replies == []
            assert (await probe(server, "/livez")).status_code == 200

        with anyio.fail_after(STOPS_WITHIN_SECONDS):
            assert await server.wait() == 0

    assert (ready.status_code, ready.json()) == (200, {"ready": True, "checks": checks})
    assert [(reply.status, reply.body["subStatus"]) for reply in replies] == [
        (420, "LONG_POLL_TIME_OUT_SUB_STATUS")
    ]
    assert command.log.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_second_signal_ends_the_process_at_once(command: ServerCommand, number: signal.Signals) -> None:
    options = ("--admin-port=0", "--pre-stop-seconds=60")
    async with server_process(msgspec.structs.replace(command, role="api", options=options)) as server:
        assert await server.ready()
        server.stop()
        await unready(server)
        server.stop(number)

        with anyio.fail_after(5):
            assert await server.wait() == 128 + number


async def test_call_that_takes_too_long_is_made_again_by_another_server(
    queue: Scenario, command: ServerCommand
) -> None:
    never = anyio.Event()
    queue.worker.script("S1.execute", Answer(gate=never), graceful_complete("done"))

    async with server_process(msgspec.structs.replace(command, options=("--drain-seconds=1",))) as first:
        assert await first.ready()
        workflow_id, _ = await queue.start(stateOptions={"executeApiTimeoutSeconds": 5})
        await queue.worker.wait_for_calls("S1.execute")
        await stop(first)
    async with server_process(command):
        result = await queue.result(workflow_id)

    assert result["workflowStatus"] == "COMPLETED"
    assert len(queue.worker.calls_of("S1.execute")) == 2


@pytest.mark.parametrize("in_place", [False, True], ids=["regular", "in-place"])
async def test_call_in_flight_is_made_once_and_its_answer_counts(
    queue: Scenario, command: ServerCommand, connection: Connection, in_place: bool
) -> None:
    queue.worker.script("S1.execute", Answer(body=go_to("S2"), delay_seconds=IN_FLIGHT_SECONDS))
    queue.worker.script("S2.execute", graceful_complete("done"))

    async with server_process(command) as first:
        assert await first.ready()
        workflow_id, _ = await queue.start(
            workflowStartOptions={"workflowConfigOverride": {"optimizeActivity": in_place}}
        )
        await queue.worker.wait_for_calls("S1.execute")
        await stop(first)
    async with server_process(command):
        result = await queue.result(workflow_id)

    assert result["workflowStatus"] == "COMPLETED"
    assert timeouts((await read_chain(connection, workflow_id)).values()) == []
    assert [call.key for call in queue.worker.calls] == [
        "S1-1.waitUntil",
        "S1-1.execute",
        "S2-1.waitUntil",
        "S2-1.execute",
    ]


async def test_locked_rpc_in_flight_is_answered(
    queue: Scenario, command: ServerCommand, connection: Connection
) -> None:
    answer = WorkflowWorkerRpcResponse(output=value("written"))
    queue.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    queue.worker.script("rpc.write", Answer(body=answer, delay_seconds=IN_FLIGHT_SECONDS))
    policy = {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["k"]}
    outputs: list[object] = []

    async def call(workflow_id: str) -> None:
        reply = await queue.ok(
            "rpc", workflowId=workflow_id, rpcName="write", dataAttributesLoadingPolicy=policy
        )
        outputs.append(reply["output"]["data"])

    async with server_process(command) as server:
        assert await server.ready()
        workflow_id, _ = await queue.start()
        await queue.worker.wait_for_calls("S1.waitUntil")
        async with anyio.create_task_group() as calls:
            calls.start_soon(call, workflow_id)
            await queue.worker.wait_for_calls("rpc.write")
            await stop(server)

    assert outputs == ["written"]
    assert len(queue.worker.calls_of("rpc.write")) == 1
    assert timeouts((await read_chain(connection, workflow_id)).values()) == []
    await queue.ok("stop", workflowId=workflow_id, stopType="TERMINATE")
