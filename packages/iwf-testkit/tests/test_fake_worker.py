"""The scripted worker: what it answers, what it records, how it says that something is wrong."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx
import pytest

from iwf_models import (
    Context,
    WireStruct,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)
from iwf_testkit import Answer, FakeWorker, UnexpectedCalls, WorkerCall, go_to, graceful_complete, value

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers={"x-test": "yes"}) as client:
        yield client


def context(state_execution_id: str | None = None) -> Context:
    return Context(
        workflow_id="w",
        workflow_run_id="r",
        workflow_started_timestamp=1,
        state_execution_id=state_execution_id,
    )


def decide_request(state_execution_id: str) -> WorkflowStateDecideRequest:
    state_id = state_execution_id.rpartition("-")[0]
    return WorkflowStateDecideRequest(
        context=context(state_execution_id), workflow_type="W", workflow_state_id=state_id
    )


START = WorkflowStateStartRequest(context=context("S1-1"), workflow_type="W", workflow_state_id="S1")
RPC = WorkflowWorkerRpcRequest(context=context(), workflow_type="W", rpc_name="read", input=value("1"))
PATHS: dict[type[WireStruct], str] = {
    WorkflowStateStartRequest: "/api/v1/workflowState/start",
    WorkflowStateDecideRequest: "/api/v1/workflowState/decide",
    WorkflowWorkerRpcRequest: "/api/v1/workflowWorker/rpc",
}


async def call(http: httpx.AsyncClient, worker: FakeWorker, request: WireStruct) -> httpx.Response:
    return await http.post(worker.url + PATHS[type(request)], content=codec.encode(request))


def is_rpc(call: WorkerCall) -> bool:
    return isinstance(call.request, WorkflowWorkerRpcRequest)


async def execute(http: httpx.AsyncClient, worker: FakeWorker, id_: str) -> WorkflowStateDecideResponse:
    answer = await call(http, worker, decide_request(id_))
    return codec.decode(answer.raise_for_status().content, WorkflowStateDecideResponse)


@pytest.mark.parametrize(
    ("request_", "default"),
    [
        pytest.param(START, WorkflowStateStartResponse(), id="wait-until"),
        pytest.param(decide_request("S1-1"), graceful_complete(), id="execute"),
        pytest.param(RPC, WorkflowWorkerRpcResponse(), id="rpc"),
    ],
)
async def test_call_without_script_is_harmless(
    http: httpx.AsyncClient, request_: WireStruct, default: WireStruct
) -> None:
    async with FakeWorker() as worker:
        answer = await call(http, worker, request_)

    assert answer.status_code == 200
    assert codec.decode(answer.content, type(default)) == default


async def test_most_specific_script_wins(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        worker.script("*.execute", go_to("any"))
        worker.script("S1.execute", go_to("state"))
        worker.script("S1-2.execute", go_to("execution"))

        answers = [await execute(http, worker, id_) for id_ in ("S1-1", "S1-2", "S2-1")]

    assert answers == [go_to("state"), go_to("execution"), go_to("any")]


async def test_answers_come_in_turn_and_the_last_one_repeats(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        worker.script("S1.execute", go_to("first"), go_to("second"))

        answers = [await execute(http, worker, f"S1-{number}") for number in range(1, 4)]

    assert answers == [go_to("first"), go_to("second"), go_to("second")]


async def test_function_answers_by_the_request(http: httpx.AsyncClient) -> None:
    def echo(request: Any) -> WorkflowWorkerRpcResponse:
        return WorkflowWorkerRpcResponse(output=request.input)

    async with FakeWorker() as worker:
        worker.script("rpc.read", echo)
        answer = await call(http, worker, RPC)

    assert codec.decode(answer.content, WorkflowWorkerRpcResponse) == WorkflowWorkerRpcResponse(
        output=value("1")
    )


@pytest.mark.parametrize(
    ("scripted", "status", "text", "content_type"),
    [
        pytest.param(Answer(), 200, "{}", "application/json", id="empty"),
        pytest.param(Answer(status=503, body={"a": 1}), 503, '{"a":1}', "application/json", id="json"),
        pytest.param(Answer(body={}), 200, "{}", "application/json", id="empty-object"),
        pytest.param(
            Answer(status=500, text="oh", content_type="text/plain"),
            500,
            "oh",
            "text/plain; charset=utf-8",
            id="text",
        ),
    ],
)
async def test_answer_may_be_anything(
    http: httpx.AsyncClient, scripted: Answer, status: int, text: str, content_type: str
) -> None:
    async with FakeWorker() as worker:
        worker.script("S1.waitUntil", scripted)
        answer = await call(http, worker, START)

    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (status, text, content_type)


async def test_dropped_connection_has_no_answer(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        worker.script("S1.waitUntil", Answer(drop=True), WorkflowStateStartResponse())

        with pytest.raises(httpx.TransportError):
            await call(http, worker, START)
        answer = await call(http, worker, START)

    assert answer.status_code == 200


async def test_gate_holds_an_answer_back(http: httpx.AsyncClient) -> None:
    gate = anyio.Event()
    order: list[str] = []

    async def wait_for_answer(worker: FakeWorker) -> None:
        await call(http, worker, START)
        order.append("answered")

    async with FakeWorker() as worker, anyio.create_task_group() as tasks:
        worker.script("S1.waitUntil", Answer(delay_seconds=0.001, gate=gate))
        tasks.start_soon(wait_for_answer, worker)
        await worker.wait_for_calls("S1.waitUntil")
        order.append("gate opened")
        gate.set()

    assert order == ["gate opened", "answered"]


async def test_held_answer_does_not_hold_up_the_end(http: httpx.AsyncClient) -> None:
    async def give_up(worker: FakeWorker) -> None:
        with pytest.raises(httpx.TransportError):
            await call(http, worker, START)

    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(5):
            async with FakeWorker() as worker:
                worker.script("S1.waitUntil", Answer(gate=anyio.Event()))
                tasks.start_soon(give_up, worker)
                await worker.wait_for_calls("S1.waitUntil")


async def test_calls_are_recorded_in_order_of_arrival(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        for request in (START, decide_request("S1-1"), RPC):
            await call(http, worker, request)

    assert [(call.key, call.request) for call in worker.calls] == [
        ("S1-1.waitUntil", START),
        ("S1-1.execute", decide_request("S1-1")),
        ("rpc.read", RPC),
    ]
    assert all(call.headers["x-test"] == "yes" for call in worker.calls)


@pytest.mark.parametrize(
    ("key", "found"),
    [
        pytest.param("S1-2.execute", ["S1-2.execute"], id="execution"),
        pytest.param("S1.execute", ["S1-1.execute", "S1-2.execute"], id="state"),
        pytest.param("*.execute", ["S1-1.execute", "S1-2.execute", "S2-1.execute"], id="all"),
        pytest.param("S1.waitUntil", [], id="none"),
        pytest.param("rpc.read", ["rpc.read"], id="rpc"),
        pytest.param(is_rpc, ["rpc.read"], id="function"),
    ],
)
async def test_calls_are_found_by_key_or_function(
    http: httpx.AsyncClient, key: Any, found: list[str]
) -> None:
    async with FakeWorker() as worker:
        for request in (decide_request("S1-1"), decide_request("S1-2"), decide_request("S2-1"), RPC):
            await call(http, worker, request)

        assert [call.key for call in worker.calls_of(key)] == found


async def test_several_waiters_see_the_same_calls(http: httpx.AsyncClient) -> None:
    seen: list[list[WorkerCall]] = []

    async def wait(worker: FakeWorker, key: str, count: int) -> None:
        seen.append(await worker.wait_for_calls(key, count))

    async with FakeWorker() as worker, anyio.create_task_group() as tasks:
        tasks.start_soon(wait, worker, "S1.execute", 2)
        tasks.start_soon(wait, worker, "*.execute", 2)
        await anyio.wait_all_tasks_blocked()
        await execute(http, worker, "S1-1")
        await execute(http, worker, "S1-2")

    assert seen == [worker.calls, worker.calls]


async def test_calls_that_do_not_come_are_an_error_with_those_that_did(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        await execute(http, worker, "S1-1")

        with pytest.raises(UnexpectedCalls) as error:
            await worker.wait_for_calls("S2.execute", 2, timeout_seconds=0.01)

    assert str(error.value) == (
        "2 calls of 'S2.execute' did not come within 0.01 seconds, there were: ['S1-1.execute']"
    )


async def test_script_without_answers_is_refused() -> None:
    async with FakeWorker() as worker:
        with pytest.raises(ValueError, match=r"'S1\.execute' has no answers"):
            worker.script("S1.execute")


async def test_function_that_raises_fails_the_test_at_the_end(http: httpx.AsyncClient) -> None:
    def broken(request: object) -> Answer:
        raise LookupError("no such thing")

    statuses: list[int] = []
    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="no such thing")):
        async with FakeWorker() as worker:
            worker.script("S1.execute", broken)
            statuses.append((await call(http, worker, decide_request("S1-1"))).status_code)

    assert statuses == [500]


async def test_call_that_cannot_be_read_fails_the_test_at_the_end(http: httpx.AsyncClient) -> None:
    with pytest.raises(ExceptionGroup, match="could not answer"):
        async with FakeWorker() as worker:
            await http.post(worker.url + "/api/v1/workflowState/start", content=b"{}")


async def test_failure_of_the_test_itself_is_not_hidden(http: httpx.AsyncClient) -> None:
    async def fail() -> None:
        async with FakeWorker() as worker:
            await http.post(worker.url + "/api/v1/workflowState/start", content=b"{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_unknown_path_is_not_found(http: httpx.AsyncClient) -> None:
    async with FakeWorker() as worker:
        assert (await http.post(worker.url + "/elsewhere")).status_code == 404
