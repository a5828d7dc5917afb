"""Threads of states: how they start, fan out, end, and what the workflow's result is then."""

import pytest

from conformance.flows import CONTINUED, Flow, under
from conformance.histories import dump
from conformance.replies import ALL, FOREVER, SKIP, SKIPS, await_commands, decide, rpc_answer, to
from iwf_testkit import dead_end, force_complete, go_to, graceful_complete, wait_for

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("states.each-api-once", "close.graceful")
async def test_two_states_complete_with_one_output_and_one_call_of_each_api(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2", data="1"))
    flow.worker.script("S2.execute", graceful_complete("2"))

    workflow_id, _ = await flow.start(stateInput={"encoding": "json", "data": "0"})

    assert await flow.completed(workflow_id) == [("S2-1", "2")]
    assert [call.key for call in flow.worker.calls] == [
        "S1-1.waitUntil",
        "S1-1.execute",
        "S2-1.waitUntil",
        "S2-1.execute",
    ]
    for request, data in ((flow.waits("S1")[0], "0"), (flow.executes("S2")[0], "1")):
        assert request.state_input is not None
        assert request.state_input.data == data


@pytest.mark.requirement("states.skip-wait-until")
async def test_states_without_wait_until_are_only_executed(flow: Flow) -> None:
    flow.worker.script("S1.execute", decide(to("S2", options=SKIP)))

    workflow_id, _ = await flow.start(stateOptions=SKIPS)

    assert await flow.completed(workflow_id) == []
    assert [call.key for call in flow.worker.calls] == ["S1-1.execute", "S2-1.execute"]
    assert [request.command_results for request in flow.executes("*")] == [None, None]


@pytest.mark.requirement("states.options-not-inherited")
async def test_movement_without_options_has_the_defaults(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2"))

    workflow_id, _ = await flow.start(stateOptions=SKIPS)
    await flow.completed(workflow_id)

    assert flow.counts("S1.waitUntil", "S2.waitUntil") == [0, 1]


@pytest.mark.requirement("states.fan-out", "close.graceful-waits-for-all")
async def test_fan_out_completes_after_the_slowest_with_an_output_of_each_leaf(flow: Flow) -> None:
    leaves = ["S111", "S112", "S121", "S122"]
    flow.worker.script("S1.execute", go_to("S11", "S12", "S13"))
    flow.worker.script("S11.execute", go_to("S111", "S112"))
    flow.worker.script("S12.execute", go_to("S121", "S122"))
    flow.worker.script("S13.waitUntil", await_commands(ALL, channels=[("", "ended")] * len(leaves)))
    flow.worker.script("S13.execute", graceful_complete("S13"))
    for leaf in leaves:
        flow.worker.script(
            f"{leaf}.execute",
            decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", leaf), publish=[("ended", leaf)]),
        )

    workflow_id, _ = await flow.start()
    outputs = await flow.completed(workflow_id)

    assert sorted(outputs[:4]) == [(f"{leaf}-1", leaf) for leaf in leaves]
    assert outputs[4:] == [("S13-1", "S13")]


@pytest.mark.requirement("close.output-order")
async def test_outputs_are_in_the_order_of_the_decisions(flow: Flow) -> None:
    """Each state is let go by the decision of the next one in the list, so the last one decides first."""
    flow.worker.script("S1.execute", go_to("A", "B", "C"))
    for state_id, awaits, publishes in (("A", "b", "a"), ("B", "c", "b")):
        flow.worker.script(f"{state_id}.waitUntil", wait_for(channels=(awaits,)))
        flow.worker.script(
            f"{state_id}.execute",
            decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", state_id), publish=[(publishes, "")]),
        )
    flow.worker.script("C.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", "C"), publish=[("c", "")]))

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == [("C-1", "C"), ("B-1", "B"), ("A-1", "A")]


@pytest.mark.requirement("close.graceful-is-sticky", "continue.keeps-graceful")
async def test_graceful_request_survives_a_later_dead_end(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B"))
    flow.worker.script("A.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", "A"), data={"a": "1"}))
    flow.worker.script("B.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("B.execute", dead_end())

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, a="1")
    await flow.signal(workflow_id, "go", "1")

    assert await flow.completed(workflow_id) == [("A-1", "A")]


@pytest.mark.requirement("close.graceful-is-sticky")
async def test_graceful_request_holds_for_states_that_an_rpc_starts_later(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B"))
    flow.worker.script("A.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", "A"), data={"a": "1"}))
    flow.worker.script("B.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("B.execute", dead_end())
    flow.worker.script("C.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("C.execute", dead_end())
    flow.worker.script("rpc.start", rpc_answer("C"))

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, a="1")
    await flow.rpc(workflow_id, "start")
    await flow.worker.wait_for_calls("C.waitUntil")
    await flow.signal(workflow_id, "go", "1", "2")

    assert await flow.completed(workflow_id) == [("A-1", "A")]
    assert flow.counts("B.execute", "C.execute") == [1, 1]


@pytest.mark.requirement("close.force-complete")
async def test_forced_completion_abandons_the_other_threads(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B", "C"))
    flow.worker.script("A.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW", "A"), publish=[("a", "")]))
    flow.worker.script("B.waitUntil", wait_for(timers=(FOREVER,)))
    flow.worker.script("C.waitUntil", wait_for(channels=("a",)))
    flow.worker.script("C.execute", force_complete("C"))

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == [("A-1", "A"), ("C-1", "C")]
    assert flow.counts("B.execute") == [0]


@pytest.mark.requirement("close.stays-open", "rpc.starts-states")
async def test_workflow_of_dead_ends_stays_open_for_states_that_rpcs_start(flow: Flow) -> None:
    flow.worker.script("*.execute", dead_end())
    flow.worker.script("rpc.start", rpc_answer("S2"))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.execute")
    for count in (1, 2, 3):
        await flow.rpc(workflow_id, "start")
        await flow.worker.wait_for_calls("S2.execute", count)

    assert [call.key for call in flow.worker.calls_of("S2.execute")] == [
        "S2-1.execute",
        "S2-2.execute",
        "S2-3.execute",
    ]
    assert await flow.status(workflow_id) == "RUNNING"


@under(*CONTINUED)
@pytest.mark.requirement("continue.without-states")
async def test_workflow_without_live_states_continues_as_new(flow: Flow) -> None:
    flow.worker.script("S1.execute", dead_end())
    flow.worker.script("rpc.start", rpc_answer("S2"))
    flow.worker.script("S2.execute", dead_end())

    workflow_id, first_run = await flow.start()
    second_run = await flow.next_run(workflow_id, first_run)
    await flow.rpc(workflow_id, "start")
    third_run = await flow.next_run(workflow_id, second_run)

    assert await flow.status(workflow_id, first_run) == "CONTINUED_AS_NEW"
    assert await flow.status(workflow_id, second_run) == "CONTINUED_AS_NEW"
    assert await flow.status(workflow_id, third_run) == "RUNNING"
    assert flow.counts("S1.execute", "S2.execute") == [1, 1]


@pytest.mark.requirement("start.without-state", "rpc.starts-states")
async def test_workflow_started_without_state_runs_what_an_rpc_starts(flow: Flow) -> None:
    flow.worker.script("rpc.start", rpc_answer("S2"))
    flow.worker.script("S2.execute", graceful_complete("2"))

    workflow_id, run_id = await flow.start(state_id=None)
    before = await dump(flow, workflow_id, run_id)
    assert not before["StateExecutionCounterInfo"].get("StateIdStartedCount")
    await flow.rpc(workflow_id, "start")

    assert await flow.completed(workflow_id) == [("S2-1", "2")]
    assert [call.key for call in flow.worker.calls] == ["rpc.start", "S2-1.waitUntil", "S2-1.execute"]
