"""Messages that wait: how an RPC and the dump see them, and that they outlive states and runs."""

from typing import Any

import pytest

from conformance.flows import Flow, until
from conformance.histories import dump
from conformance.replies import ALL, COMPLETE, await_commands, decide, received, to
from iwf_testkit import dead_end, go_to, wait_for

pytestmark = pytest.mark.anyio


async def sizes(flow: Flow, workflow_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of messages by signal channel and by internal channel, as an RPC of the worker sees them."""
    await flow.rpc(workflow_id)
    request = flow.rpcs()[-1]
    assert request.signal_channel_infos is not None
    assert request.internal_channel_infos is not None
    return (
        {name: info.size for name, info in request.signal_channel_infos.items()},
        {name: info.size for name, info in request.internal_channel_infos.items()},
    )


@pytest.mark.requirement("channels.sizes", "dump.after-completion")
async def test_unread_signals_are_counted_and_are_in_the_dump_after_completion(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    assert await sizes(flow, workflow_id) == ({}, {})
    for size in range(1, 11):
        await flow.signal(workflow_id, "unread", str(size))
        assert await sizes(flow, workflow_id) == ({"unread": size}, {})
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    last_run = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    state = await dump(flow, workflow_id, last_run)
    assert [message["data"] for message in state["SignalsReceived"]["unread"]] == [
        str(number) for number in range(1, 11)
    ]
    assert state["StateExecutionCounterInfo"]["StateIdStartedCount"] == {"S1": 1}
    assert not state["StateExecutionCounterInfo"].get("TotalCurrentlyExecutingCount")


@pytest.mark.requirement("channels.sizes", "channels.apart")
async def test_signal_and_internal_channels_of_one_name_are_two_channels(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "c", "1")
    await flow.publish(workflow_id, "c", "a", "b")

    async def both() -> bool:
        return await sizes(flow, workflow_id) == ({"c": 1}, {"c": 2})

    await until(both)


@pytest.mark.requirement("channels.publish-by-states", "continue.keeps-messages")
async def test_messages_of_states_wait_for_a_later_state(flow: Flow) -> None:
    flow.worker.script("S1.execute", decide(to("S2"), publish=[("c", "1"), ("c", "2"), ("d", "3")]))
    flow.worker.script("S2.waitUntil", wait_for(channels=("d",)))
    flow.worker.script("S2.execute", go_to("S3"))
    flow.worker.script("S3.waitUntil", await_commands(ALL, channels=[("", "c"), ("", "c")]))
    flow.worker.script("S3.execute", decide(to(COMPLETE, "end")))

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == [("S3-1", "end")]
    assert received(flow.executes("S2")[0].command_results) == ["3"]
    assert received(flow.executes("S3")[0].command_results) == ["1", "2"]


@pytest.mark.requirement("channels.publish-by-states")
async def test_message_of_one_thread_lets_another_go_on(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("Consumer", "Producer"))
    flow.worker.script("Consumer.waitUntil", wait_for(channels=("c",)))
    flow.worker.script("Consumer.execute", decide(to(COMPLETE, "consumed")))
    flow.worker.script("Producer.execute", decide(to("_SYS_DEAD_END"), publish=[("c", "1")]))

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == [("Consumer-1", "consumed")]


@pytest.mark.requirement("continue.keeps-messages", "continue.trigger")
async def test_messages_wait_across_runs(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script(
        "S2.waitUntil", await_commands(ALL, signals=[("", "s"), ("", "s")], channels=[("", "c")])
    )
    flow.worker.script("S2.execute", decide(to(COMPLETE)))

    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "s", "1", "2")
    await flow.publish(workflow_id, "c", "ä€𝄞")
    run_id = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.next_run(workflow_id, run_id)
    assert await sizes(flow, workflow_id) == ({"s": 2}, {"c": 1})
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    assert received(flow.executes("S2")[0].command_results) == ["1", "2", "ä€𝄞"]


@pytest.mark.requirement("channels.refused-names")
async def test_names_of_the_server_are_no_channels(flow: Flow) -> None:
    flow.worker.script("S1.execute", dead_end())
    workflow_id, _ = await flow.start()

    for name in ("", "__IwfSystem_FailWorkflowChannel"):
        reply = await flow.post("signal", {"workflowId": workflow_id, "signalChannelName": name})
        assert reply.status == 400, name
    assert await flow.status(workflow_id) == "RUNNING"
