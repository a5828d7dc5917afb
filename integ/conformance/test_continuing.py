"""Continue-as-new: nothing that a user sees changes with the run, however much there is to carry over."""

from typing import Any

import anyio
import pytest
from temporalio.api.enums.v1 import EventType

from conformance.flows import CONTINUED, Flow, under, until
from conformance.histories import chain, dump_text, of_type
from conformance.replies import ALL, COMPLETE, await_commands, decide, received, statuses, texts, to
from iwf_interpreter.temporal import Connection
from iwf_testkit import Answer, go_to, wait_for
from scenario import history

pytestmark = pytest.mark.anyio

MEGABYTE = 1_000_000
NON_ASCII = "aä€𝄞"
"""Characters of one, two, three and four bytes."""

LOADS_NONE = {"persistenceLoadingType": "LOAD_NONE"}
NO_ATTRIBUTES = {
    "dataAttributesLoadingPolicy": LOADS_NONE,
    "searchAttributesLoadingPolicy": LOADS_NONE,
}


async def trigger(flow: Flow, workflow_id: str, times: int = 1) -> str:
    """Let the current run of a workflow continue, several times over; the last run."""
    run_id = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    for _ in range(times):
        await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
        run_id = await flow.next_run(workflow_id, run_id)
    return run_id


@under(*CONTINUED)
@pytest.mark.requirement("continue.threshold")
async def test_threshold_of_one_gives_each_completed_execution_a_run(
    flow: Flow, connection: Connection
) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.execute", go_to("S3"))

    workflow_id, run_id = await flow.start()
    await flow.completed(workflow_id)

    runs = await chain(connection, workflow_id, run_id)
    assert len(runs) == 3
    assert flow.counts("S1.execute", "S2.execute", "S3.execute") == [1, 1, 1]


@pytest.mark.requirement("continue.context", "get.over-the-chain")
async def test_workers_see_run_and_start_of_the_chain_and_waiting_follows_it(flow: Flow) -> None:
    """The timer makes later runs start in another second than the first one."""
    flow.worker.script("S1.waitUntil", wait_for(timers=(1,)))
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S2.execute", decide(to(COMPLETE, "end")))
    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    results: list[dict[str, Any]] = []

    async def wait() -> None:
        results.append(await flow.result(workflow_id))

    before = await flow.ok("get", workflowId=workflow_id)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await trigger(flow, workflow_id, times=2)
        await flow.rpc(workflow_id)
        await flow.rpc(
            workflow_id,
            "locked",
            dataAttributesLoadingPolicy={
                "persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK",
                "lockingKeys": ["k"],
            },
        )
        await flow.signal(workflow_id, "go", "now")

    contexts = [call.request.context for call in flow.worker.calls]
    assert {context.workflow_run_id for context in contexts} == {run_id}
    assert len({context.workflow_started_timestamp for context in contexts}) == 1
    (result,) = results
    assert result["workflowRunId"] in (run_id, before["workflowRunId"])
    assert result["results"][0]["completedStateOutput"]["data"] == "end"
    first = await flow.ok("getWithWait", workflowId=workflow_id, workflowRunId=run_id, waitTimeSeconds=5)
    assert (first["workflowRunId"], first["workflowStatus"]) == (run_id, "COMPLETED")
    assert first["results"] == result["results"]


@pytest.mark.requirement("get.over-the-chain")
async def test_wait_for_a_chain_that_ends_otherwise_says_how(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await trigger(flow, workflow_id)
    await flow.ok("stop", workflowId=workflow_id, stopType="TERMINATE", reason="why")

    first = await flow.ok("getWithWait", workflowId=workflow_id, workflowRunId=run_id, waitTimeSeconds=5)

    assert first == {"workflowRunId": run_id, "workflowStatus": "TERMINATED"}


@pytest.mark.requirement("continue.keeps-commands")
async def test_state_that_waits_goes_on_in_the_next_run_with_what_it_has(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil", await_commands(ALL, signals=[("", "a"), ("", "b")], channels=[("", "c"), ("", "c")])
    )
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "b", "1")
    await trigger(flow, workflow_id)
    await flow.ok("publishToInternalChannel", workflowId=workflow_id, messages=[{"channelName": "c"}])
    await trigger(flow, workflow_id)
    await flow.publish(workflow_id, "c", "2")
    await flow.signal(workflow_id, "a", "3")
    await flow.completed(workflow_id)

    assert flow.counts("S1.waitUntil", "S1.execute") == [1, 1]
    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["RECEIVED"] * 4
    assert received(results) == ["3", "1", None, "2"]


@pytest.mark.requirement("continue.keeps-everything")
async def test_attributes_locals_counts_and_outputs_are_the_same_in_the_next_run(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S1", "Out"), decide(to("S2"), data={"k": NON_ASCII}))
    flow.worker.script("Out.execute", decide(to(COMPLETE, "out")))
    locals_ = [{"key": "l", "value": {"data": NON_ASCII}}]
    waits = {
        "commandRequest": {
            "commandWaitingType": "ALL_COMPLETED",
            "signalCommands": [{"signalChannelName": "go"}],
        },
        "upsertStateLocals": locals_,
        "upsertSearchAttributes": [{"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1}],
    }
    flow.worker.script("S2.waitUntil", Answer(body=waits))
    flow.worker.script("S2.execute", decide(to("S1")))
    flow.worker.script("S1-3.execute", decide(to(COMPLETE, "end")))

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, k=NON_ASCII)
    await flow.worker.wait_for_calls("S2.waitUntil")
    await trigger(flow, workflow_id)
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == [("Out-1", "out"), ("S1-3", "end")]
    (request,) = flow.executes("S2")
    assert texts(request.state_locals) == {"l": NON_ASCII}
    assert texts(request.data_objects) == {"k": NON_ASCII}
    assert [item.integer_value for item in request.search_attributes or ()] == [2**53 + 1]
    keys = [{"key": "CustomIntField", "valueType": "INT"}, {"key": "IwfWorkflowType", "valueType": "KEYWORD"}]
    found = await flow.ok("searchattributes/get", workflowId=workflow_id, keys=keys)
    assert [item.get("integerValue") for item in found["searchAttributes"]] == [2**53 + 1, None]
    assert found["searchAttributes"][1]["stringValue"] == "Test"


@pytest.mark.requirement("continue.pages", "dump.pages")
async def test_state_that_is_larger_than_a_page_is_the_same_in_the_next_run(
    flow: Flow, connection: Connection
) -> None:
    """Characters of every length are on every border of a page."""
    data = {f"k{number}": NON_ASCII * (20 + number) + "x" * number for number in range(8)}
    flow.worker.script("S1.execute", decide(to("S2"), data=data))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start(config={"continueAsNewPageSizeInBytes": 307})
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.has_data(workflow_id, **data)
    last_run = await trigger(flow, workflow_id, times=2)
    await flow.has_data(workflow_id, **data)

    started = (await history(connection, workflow_id, last_run))[0]
    payload = started.workflow_execution_started_event_attributes.input.payloads[0].data
    assert b"k7" not in payload
    whole, one = await dump_text(flow, workflow_id, last_run)
    paged, many = await dump_text(flow, workflow_id, last_run, page_size=101)
    assert (whole, one) == (paged, 1)
    assert many > 20
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)
    assert texts(flow.executes("S2")[0].data_objects) == data


@under("plain", *CONTINUED)
@pytest.mark.requirement("continue.pages")
async def test_messages_that_come_while_the_state_is_being_read_are_kept(flow: Flow) -> None:
    data = {f"k{number}": NON_ASCII * 50 for number in range(8)}
    flow.worker.script("S1.execute", decide(to("S2"), data=data))
    flow.worker.script("S2.waitUntil", await_commands(ALL, signals=[("", "c")] * 8))
    workflow_id, _ = await flow.start(config={"continueAsNewPageSizeInBytes": 500})
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    messages = [str(number) for number in range(8)]
    await flow.signal(workflow_id, "c", *messages)
    await flow.completed(workflow_id)

    assert received(flow.executes("S2")[0].command_results) == messages


@under(*CONTINUED)
@pytest.mark.timeout(90)
@pytest.mark.requirement("continue.large-attributes")
async def test_five_attributes_of_a_megabyte_are_carried_over(flow: Flow) -> None:
    next_states = [{"stateId": "S2", "stateOptions": NO_ATTRIBUTES}]
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S1.execute", Answer(body={"stateDecision": {"nextStates": next_states}}))
    workflow_id, _ = await flow.start(stateOptions=NO_ATTRIBUTES)
    await flow.worker.wait_for_calls("S1.waitUntil")
    for number in range(5):
        item = {"key": f"k{number}", "value": {"data": str(number) * MEGABYTE}}
        await flow.ok("dataobjects/set", workflowId=workflow_id, objects=[item])
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    last = await flow.ok("dataobjects/get", workflowId=workflow_id, keys=["k4"])
    assert last["objects"] == [{"key": "k4", "value": {"data": "4" * MEGABYTE}}]
    assert [request.data_objects for request in (*flow.waits("S2"), *flow.executes("S2"))] == [None, None]


@pytest.mark.requirement("continue.memo")
async def test_memo_holds_the_attributes_of_all_runs(flow: Flow) -> None:
    flow.worker.script("S1.execute", decide(to("S2"), data={"state": "1"}))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    workflow_id, _ = await flow.start(
        workflowStartOptions={
            "useMemoForDataAttributes": True,
            "dataAttributes": [{"key": "start", "value": {"data": "0"}}],
        }
    )
    await flow.worker.wait_for_calls("S2.waitUntil")
    await trigger(flow, workflow_id)
    item = {"key": "api", "value": {"data": "2"}}
    await flow.ok("dataobjects/set", workflowId=workflow_id, objects=[item])
    expected = {"api": "2", "start": "0", "state": "1"}

    async def memo_has_all() -> bool:
        reply = await flow.ok("dataobjects/get", workflowId=workflow_id, useMemoForDataAttributes=True)
        return {each["key"]: each["value"]["data"] for each in reply.get("objects", [])} == expected

    await until(memo_has_all)
    await trigger(flow, workflow_id)
    assert await memo_has_all()
    await flow.has_data(workflow_id, **expected)


@under("plain")
@pytest.mark.requirement("continue.threshold")
async def test_each_signal_counts_for_the_threshold(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    workflow_id, run_id = await flow.start(config={"continueAsNewThreshold": 3})
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "c", "1", "2")
    await flow.rpc(workflow_id)
    assert await flow.status(workflow_id, run_id) == "RUNNING"
    await flow.signal(workflow_id, "c", "3")
    await flow.next_run(workflow_id, run_id)

    await flow.rpc(workflow_id)
    infos = flow.rpcs()[-1].signal_channel_infos
    assert infos is not None
    assert infos["c"].size == 3
    first = await history(connection, workflow_id, run_id)
    assert len(of_type(first, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)) == 3


@under("plain", "continued", "local-continued", "uncached-local-continued")
@pytest.mark.requirement("continue.signals-not-lost")
async def test_no_signal_is_lost_while_runs_follow_one_another(flow: Flow) -> None:
    count = 12
    flow.worker.script("S1.waitUntil", wait_for(signals=("c",)))
    flow.worker.script("S1.execute", *(go_to("S1") for _ in range(count - 1)), decide(to(COMPLETE, "all")))
    workflow_id, _ = await flow.start()
    messages = [str(number) for number in range(count)]
    await flow.signal(workflow_id, "c", *messages)

    assert await flow.completed(workflow_id) == [(f"S1-{count}", "all")]
    taken = [message for request in flow.executes("S1") for message in received(request.command_results)]
    assert taken == messages
