"""RPCs that lock attributes: they wait for their turn, and refuse only beyond a bound."""

from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from temporalio.api.enums.v1 import EventType

from conformance.flows import CONTINUED, REGULAR, Flow, under, until
from conformance.histories import chain, of_type
from conformance.replies import decide, rpc_answer, texts, to
from conformance.test_locks import NUMBER, increment, locked, zero
from iwf_interpreter.temporal import Connection
from iwf_models import SearchAttribute, WorkflowWorkerRpcResponse
from iwf_testkit import Answer, dead_end, go_to, wait_for
from iwf_testkit.fake_worker import WorkerRequest
from scenario import NOT_EXISTS, Reply, refused

pytestmark = pytest.mark.anyio


def locks(*lock_keys: str) -> dict[str, Any]:
    """Loading policy of an RPC that locks."""
    return {
        "persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK",
        "partialLoadingKeys": list(lock_keys),
        "lockingKeys": list(lock_keys),
    }


BOTH = {
    "dataAttributesLoadingPolicy": locks(NUMBER),
    "searchAttributesLoadingPolicy": locks(NUMBER),
}


def increment_by_rpc(request: WorkerRequest) -> WorkflowWorkerRpcResponse:
    data = int(texts(getattr(request, "data_attributes", None)).get(NUMBER) or "0")
    search: list[SearchAttribute] = getattr(request, "search_attributes", None) or []
    assert [item.integer_value for item in search] == [data]
    return rpc_answer(data={NUMBER: str(data + 1)}, search={NUMBER: data + 1}, output=str(data + 1))


async def idle(flow: Flow, **fields: Any) -> str:
    """A workflow that waits for the signal "go"."""
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await flow.start(**fields)
    await flow.worker.wait_for_calls("S1.waitUntil")
    return workflow_id


@pytest.mark.requirement("locked-rpc.queued", "locks.no-lost-update")
async def test_increments_by_states_and_locked_rpcs_are_all_kept(flow: Flow) -> None:
    states, rpcs = 10, 5
    both = partial(locked, "S2", NUMBER, search_keys=(NUMBER,))
    flow.worker.script("S1.execute", decide(*(both() for _ in range(states))))
    flow.worker.script("S2.execute", increment)
    flow.worker.script("Next.execute", dead_end())
    flow.worker.script("rpc.increment", increment_by_rpc)

    workflow_id, _ = await flow.start(workflowStartOptions=zero())
    outputs: list[str] = []

    async def call() -> None:
        answer = await flow.rpc(workflow_id, "increment", **BOTH)
        outputs.append(answer["output"]["data"])

    async with anyio.create_task_group() as tasks:
        for _ in range(rpcs):
            tasks.start_soon(call)
    await flow.has_data(workflow_id, **{NUMBER: str(states + rpcs)})

    assert len(set(outputs)) == rpcs
    assert flow.counts("S2.execute", "rpc.increment") == [states, rpcs]


@under(*REGULAR)
@pytest.mark.requirement("locked-rpc.queued", "locked-rpc.applied-before-answer")
async def test_locked_rpc_waits_for_a_state_that_holds_its_key(flow: Flow) -> None:
    release = anyio.Event()
    flow.worker.script("S1.execute", decide(locked("Holder", "k")))
    flow.worker.script("Holder.execute", Answer(body=decide(to("Next"), data={"k": "state"}), gate=release))
    flow.worker.script("Next.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("rpc.write", rpc_answer(data={"k": "rpc"}, output="written"))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("Holder.execute")
    replies: list[dict[str, Any]] = []

    async def call() -> None:
        replies.append(await flow.rpc(workflow_id, "write", dataAttributesLoadingPolicy=locks("k")))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        # An RPC that locks nothing is answered meanwhile, so the locked one has been looked at.
        await flow.rpc(workflow_id)
        assert flow.counts("rpc.write") == [0]
        release.set()

    assert replies == [{"output": {"encoding": "json", "data": "written"}}]
    assert [texts(request.data_attributes) for request in flow.rpcs("write")] == [{"k": "state"}]
    answer = await flow.ok("dataobjects/get", workflowId=workflow_id)
    assert answer["objects"] == [{"key": "k", "value": {"encoding": "json", "data": "rpc"}}]


@under(*REGULAR)
@pytest.mark.requirement("locked-rpc.bounded")
async def test_locked_rpc_is_refused_when_enough_of_them_wait(
    flow: Flow, connection: Connection, impatient_api: str
) -> None:
    release = anyio.Event()
    flow.worker.script("S1.execute", decide(locked("Holder", "k")))
    flow.worker.script("Holder.execute", Answer(body=go_to("Next"), gate=release))
    flow.worker.script("Next.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("Holder.execute")
    request = {"workflowId": workflow_id, "rpcName": "r", "dataAttributesLoadingPolicy": locks("k")}
    answers: list[int] = []

    async with httpx.AsyncClient(base_url=impatient_api, timeout=70) as http:

        async def call() -> httpx.Response:
            answer = await http.post("/api/v1/workflow/rpc", json=request)
            answers.append(answer.status_code)
            return answer

        async def two_wait() -> bool:
            (*_, events) = await chain(connection, workflow_id, run_id)
            accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
            return len(of_type(events, accepted)) == 2

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            tasks.start_soon(call)
            await until(two_wait)
            refusal = await call()
            assert refusal.json() == {
                "detail": "requested data or search attributes are being locked by other operations",
                "subStatus": "WORKER_API_ERROR",
            }
            release.set()

    assert answers == [450, 200, 200]
    assert flow.counts("rpc.r") == [2]


@pytest.mark.requirement("locked-rpc.effects")
async def test_locked_rpc_writes_publishes_and_starts_states(flow: Flow) -> None:
    flow.worker.script("rpc.all", rpc_answer("S2", data={"k": "1"}, publish=[("c", "m")], output="out"))
    flow.worker.script("S2.waitUntil", wait_for(channels=("c",)))
    flow.worker.script("S2.execute", dead_end())

    workflow_id = await idle(flow)
    await flow.signal(workflow_id, "unread", "1")
    answer = await flow.rpc(workflow_id, "all", dataAttributesLoadingPolicy=locks("k"), input={"data": "in"})
    await flow.worker.wait_for_calls("S2.execute")

    assert answer == {"output": {"encoding": "json", "data": "out"}}
    (request,) = flow.rpcs("all")
    assert request.input is not None
    assert request.input.data == "in"
    assert request.signal_channel_infos is not None
    assert request.signal_channel_infos["unread"].size == 1
    assert request.internal_channel_infos == {}
    assert request.workflow_type == "Test"


@pytest.mark.requirement("locked-rpc.empty-keys")
async def test_policy_that_locks_without_keys_is_a_locked_rpc_all_the_same(flow: Flow) -> None:
    policy = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK"}

    workflow_id = await idle(flow, workflowStartOptions=zero())

    assert await flow.rpc(workflow_id, dataAttributesLoadingPolicy=policy) == {}
    assert texts(flow.rpcs()[0].data_attributes) == {NUMBER: "0"}


@pytest.mark.requirement("locked-rpc.worker-failure")
async def test_failure_of_the_worker_is_told_and_nothing_is_applied(flow: Flow) -> None:
    error = {"detail": "no", "errorType": "java.lang.RuntimeException"}
    flow.worker.script("rpc.fail", Answer(status=501, body=error))

    workflow_id = await idle(flow)
    reply = await flow.post(
        "rpc",
        {"workflowId": workflow_id, "rpcName": "fail", "dataAttributesLoadingPolicy": locks("k")},
    )

    assert reply == Reply(
        420,
        {
            "detail": "worker API error, status:501, errorType:java.lang.RuntimeException",
            "subStatus": "WORKER_API_ERROR",
            "originalWorkerErrorDetail": "no",
            "originalWorkerErrorType": "java.lang.RuntimeException",
            "originalWorkerErrorStatus": 501,
        },
    )
    assert flow.counts("rpc.fail") == [1]
    # The lock is free again.
    assert await flow.rpc(workflow_id, dataAttributesLoadingPolicy=locks("k")) == {}


@pytest.mark.requirement("locked-rpc.worker-failure")
async def test_locked_rpc_that_would_close_the_workflow_is_refused(flow: Flow) -> None:
    flow.worker.script("rpc.close", rpc_answer("_SYS_FORCE_COMPLETING_WORKFLOW", data={"k": "1"}))

    workflow_id = await idle(flow)
    reply = await flow.post(
        "rpc",
        {"workflowId": workflow_id, "rpcName": "close", "dataAttributesLoadingPolicy": locks("k")},
    )

    assert (reply.status, reply.body["subStatus"]) == (420, "WORKER_API_ERROR")
    assert await flow.status(workflow_id) == "RUNNING"
    assert await flow.ok("dataobjects/get", workflowId=workflow_id) == {}


@pytest.mark.requirement("locked-rpc.closed")
async def test_locked_rpc_of_a_closed_workflow_is_refused(flow: Flow) -> None:
    workflow_id, _ = await flow.start()
    await flow.completed(workflow_id)
    request = {"workflowId": workflow_id, "rpcName": "r", "dataAttributesLoadingPolicy": locks("k")}

    refused(await flow.post("rpc", request), NOT_EXISTS)
    assert flow.counts("rpc.r") == [0]


@under(*CONTINUED)
@pytest.mark.requirement("locked-rpc.across-continue-as-new", "continue.counts-locked-rpcs")
async def test_each_locked_rpc_lets_an_idle_workflow_continue_and_all_succeed(flow: Flow) -> None:
    flow.worker.script("rpc.increment", increment_by_rpc)

    workflow_id, run_id = await flow.start(state_id=None, workflowStartOptions=zero())
    for number in ("1", "2", "3"):
        answer = await flow.rpc(workflow_id, "increment", **BOTH)
        assert answer["output"]["data"] == number
        run_id = await flow.next_run(workflow_id, run_id)

    assert flow.counts("rpc.increment") == [3]


@under("plain")
@pytest.mark.requirement("locked-rpc.timeout")
async def test_locked_rpc_that_runs_out_of_time_calls_no_worker_later(flow: Flow) -> None:
    release = anyio.Event()
    flow.worker.script("S1.execute", decide(locked("Holder", "k")))
    flow.worker.script("Holder.execute", Answer(body=go_to("Next"), gate=release))
    flow.worker.script("Next.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("Holder.execute")
    reply = await flow.post(
        "rpc",
        {
            "workflowId": workflow_id,
            "rpcName": "late",
            "timeoutSeconds": 1,
            "dataAttributesLoadingPolicy": locks("k"),
        },
    )
    release.set()
    await flow.worker.wait_for_calls("Next.waitUntil")

    assert reply.status in (420, 450), reply
    # This one waits behind the late one, if that is still there.
    assert await flow.rpc(workflow_id, "early", dataAttributesLoadingPolicy=locks("k")) == {}
    assert flow.counts("rpc.late") == [0]
