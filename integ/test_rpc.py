"""RPC on a real engine."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import pytest

from iwf_models import EncodedObject, KeyValue, WorkflowWorkerRpcResponse
from iwf_testkit import Answer, dead_end
from scenario import (
    NOT_EXISTS,
    Reply,
    Scenario,
    closed,
    idle,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_rpc_reads_and_writes_and_is_seen_by_the_next_one(scenario: Scenario) -> None:
    workflow_id = await idle(
        scenario, workflowStartOptions={"dataAttributes": [{"key": "d", "value": {"data": "0"}}]}
    )
    scenario.worker.script(
        "rpc.write",
        Answer(
            body={
                "output": {"data": "written"},
                "upsertDataAttributes": [{"key": "d", "value": {"data": "1"}}],
                "publishToInterStateChannel": [{"channelName": "c", "value": {"data": "m"}}],
                "stateDecision": {"nextStates": [{"stateId": "S2"}]},
            }
        ),
    )
    scenario.worker.script("S2.execute", dead_end())

    answer = await scenario.ok("rpc", workflowId=workflow_id, rpcName="write", input={"data": "in"})
    empty = await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")

    assert answer == {"output": {"data": "written"}}
    assert empty == {}
    first, second = scenario.worker.calls_of("rpc.write")[0], scenario.worker.calls_of("rpc.read")[0]
    assert first.request.input.data == "in"
    assert first.request.data_attributes[0].value.data == "0"
    assert second.request.data_attributes[0].value.data == "1"
    assert second.request.internal_channel_infos["c"].size == 1
    assert second.request.signal_channel_infos == {}
    await scenario.worker.wait_for_calls("S2.execute")


async def test_signals_sent_one_after_the_other_are_all_seen_by_an_rpc(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    for size in range(1, 11):
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="unread")
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")
        seen = scenario.worker.calls_of("rpc.read")[-1].request.signal_channel_infos
        assert seen["unread"].size == size


async def test_failing_rpc_tells_what_the_worker_said(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    error = {"detail": "no", "errorType": "java.lang.RuntimeException"}
    scenario.worker.script("rpc.fail", Answer(status=501, body=error))

    reply = await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "fail"})

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
    assert len(scenario.worker.calls_of("rpc.fail")) == 1


async def test_rpc_that_takes_too_long_is_given_up(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    scenario.worker.script("rpc.slow", Answer(delay_seconds=5))

    reply = await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "slow", "timeoutSeconds": 2})

    refused(reply, "WORKER_API_ERROR", status=420)
    assert reply.body["originalWorkerErrorStatus"] == 0


async def test_rpc_cannot_close_the_workflow(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    decision = {"nextStates": [{"stateId": "_SYS_FORCE_COMPLETING_WORKFLOW"}]}
    scenario.worker.script("rpc.close", Answer(body={"stateDecision": decision}))

    refused(
        await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "close"}),
        "WORKER_API_ERROR",
        status=420,
    )
    assert (await scenario.ok("get", workflowId=workflow_id))["workflowStatus"] == "RUNNING"


async def test_rpc_on_a_closed_workflow_may_read_but_not_write(scenario: Scenario) -> None:
    workflow_id = await closed(scenario)
    scenario.worker.script("rpc.read", Answer(body={"output": {"data": "r"}}))
    scenario.worker.script("rpc.write", Answer(body={"upsertDataAttributes": [{"key": "d", "value": {}}]}))

    assert await scenario.ok("rpc", workflowId=workflow_id, rpcName="read") == {"output": {"data": "r"}}
    refused(await scenario.post("rpc", {"workflowId": workflow_id, "rpcName": "write"}), NOT_EXISTS)


async def test_locking_rpc_reads_and_writes_in_one_step(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    policy = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK", "lockingKeys": ["d"]}
    scenario.worker.script(
        "rpc.r",
        WorkflowWorkerRpcResponse(
            output=EncodedObject(data="out"),
            upsert_data_attributes=[KeyValue(key="d", value=EncodedObject(data="1"))],
        ),
    )

    answer = await scenario.ok("rpc", workflowId=workflow_id, rpcName="r", dataAttributesLoadingPolicy=policy)

    assert answer == {"output": {"data": "out"}}
    read = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    assert read == {"objects": [{"key": "d", "value": {"data": "1"}}]}
