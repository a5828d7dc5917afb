"""Ends that depend on channels, forced ends, and decisions that contradict themselves."""

from typing import Any

import anyio
import pytest

from conformance.flows import Flow, under, until
from conformance.histories import describe
from conformance.replies import (
    ALL,
    COMPLETE,
    DEAD_END,
    FOREVER,
    await_commands,
    condition,
    decide,
    received,
    to,
)
from iwf_interpreter.temporal import Connection
from iwf_models import (
    StateDecision,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
)
from iwf_testkit import Answer, dead_end, force_fail, go_to, wait_for

pytestmark = pytest.mark.anyio

INTERNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY
SIGNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY
ALL_EMPTY = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY


def taken(flow: Flow, key: str = "S1") -> list[str | None]:
    """What each execution of a state took."""
    return [message for request in flow.executes(key) for message in received(request.command_results)]


@pytest.mark.requirement("close.on-internal-channel-empty", "channels.publish-by-api")
async def test_conditional_close_counts_what_was_published_meanwhile(flow: Flow) -> None:
    everything_sent = anyio.Event()
    close = decide(to("S1"), close=condition(INTERNAL, "c"))
    flow.worker.script("S1.waitUntil", wait_for(channels=("c",)))
    flow.worker.script("S1-1.execute", Answer(body=close, gate=everything_sent))
    flow.worker.script("S1-3.execute", decide(to("S1"), publish=[("c", "4")], close=condition(INTERNAL, "c")))
    flow.worker.script("S1.execute", close)

    workflow_id, _ = await flow.start()
    await flow.publish(workflow_id, "c", "1")
    await flow.worker.wait_for_calls("S1.execute")
    await flow.publish(workflow_id, "c", "2", "3")
    everything_sent.set()

    assert await flow.completed(workflow_id) == [("S1-4", "closed")]
    assert taken(flow) == ["1", "2", "3", "4"]


@pytest.mark.requirement("close.on-signal-channel-empty")
async def test_conditional_close_counts_signals_that_came_meanwhile(flow: Flow) -> None:
    everything_sent = anyio.Event()
    close = decide(to("S1"), close=condition(SIGNAL, "c"))
    flow.worker.script("S1.waitUntil", wait_for(signals=("c",)))
    flow.worker.script("S1.execute", Answer(body=close, gate=everything_sent))

    workflow_id, _ = await flow.start()
    await flow.signal(workflow_id, "c", "1")
    await flow.worker.wait_for_calls("S1.execute")
    await flow.signal(workflow_id, "c", "2", "3")
    everything_sent.set()

    assert await flow.completed(workflow_id) == [("S1-3", "closed")]
    assert taken(flow) == ["1", "2", "3"]


@pytest.mark.requirement("close.on-all-channels-empty")
async def test_close_on_all_channels_empty_looks_at_every_channel(flow: Flow) -> None:
    """An internal message and a signal are left; each unmet condition goes on to a state that takes one."""
    close = condition(ALL_EMPTY)
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S1.execute", decide(to("Internal"), close=close))
    flow.worker.script("Internal.waitUntil", wait_for(channels=("c",)))
    flow.worker.script("Internal.execute", decide(to("Signal"), close=close))
    flow.worker.script("Signal.waitUntil", wait_for(signals=("s",)))
    flow.worker.script("Signal.execute", decide(to("S1"), close=close))

    workflow_id, _ = await flow.start()
    await flow.publish(workflow_id, "c", "1")
    await flow.signal(workflow_id, "s", "2")
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == [("Signal-1", "closed")]
    assert flow.counts("Internal.execute", "Signal.execute", "S1.execute") == [1, 1, 1]


@pytest.mark.requirement("close.on-all-channels-empty")
async def test_close_on_all_channels_empty_waits_for_the_other_threads(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B"))
    flow.worker.script("A.execute", decide(to("Unmet"), data={"a": "1"}, close=condition(ALL_EMPTY)))
    flow.worker.script("B.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("B.execute", decide(to(COMPLETE, "B")))

    workflow_id, _ = await flow.start()
    await flow.has_data(workflow_id, a="1")
    assert await flow.status(workflow_id) == "RUNNING"
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == [("A-1", "closed"), ("B-1", "B")]


async def held(flow: Flow, config: dict[str, object]) -> str:
    """A workflow in which `Taker` has taken the one message of a channel, and still waits for a signal."""
    flow.worker.script("S1.execute", go_to("Taker", "Closer"))
    flow.worker.script("Taker.waitUntil", await_commands(ALL, signals=[("", "go")], channels=[("", "c")]))
    flow.worker.script("Taker.execute", decide(to(COMPLETE, "taker")))
    flow.worker.script("Closer.waitUntil", wait_for(signals=("close",)))
    flow.worker.script("Closer.execute", decide(to("Unmet"), close=condition(INTERNAL, "c")))
    flow.worker.script("Unmet.execute", decide(to(COMPLETE, "unmet"), data={"unmet": "1"}))

    workflow_id, _ = await flow.start(config=config)
    await flow.worker.wait_for_calls("Taker.waitUntil")
    await flow.publish(workflow_id, "c", "1")
    await until(lambda: no_message_left(flow, workflow_id))
    await flow.signal(workflow_id, "close", "now")
    return workflow_id


@pytest.mark.requirement("close.held-messages-are-gone")
async def test_message_that_a_waiting_state_holds_does_not_keep_the_workflow_open(flow: Flow) -> None:
    workflow_id = await held(flow, {})

    assert await flow.completed(workflow_id) == [("Closer-1", "closed")]


@pytest.mark.requirement("close.counts-held-messages")
async def test_message_that_a_waiting_state_holds_counts_where_the_workflow_says_so(flow: Flow) -> None:
    workflow_id = await held(flow, {"countHeldMessages": True})
    await flow.has_data(workflow_id, unmet="1")
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == [("Unmet-1", "unmet"), ("Taker-1", "taker")]


async def no_message_left(flow: Flow, workflow_id: str) -> bool:
    await flow.rpc(workflow_id)
    return flow.rpcs()[-1].internal_channel_infos == {}


@under("local")
@pytest.mark.requirement("close.sees-the-whole-batch")
async def test_message_that_another_answer_of_the_same_task_brings_is_not_lost(
    flow: Flow, connection: Connection
) -> None:
    """Both answers arrive while a call that is made in place holds the task; so the next task has both."""
    answered, released = anyio.Event(), anyio.Event()
    flow.worker.script("S1.execute", go_to("Closer", "Publisher", "Holder"))
    for state_id in ("Closer", "Publisher"):
        flow.worker.script(f"{state_id}.waitUntil", wait_for(signals=("go",)))
    close = decide(to("Next"), close=condition(INTERNAL, "c"))
    publishes = decide(to(DEAD_END), publish=[("c", "1")])
    flow.worker.script("Closer.execute", Answer(status=500), Answer(body=close, gate=answered))
    flow.worker.script("Publisher.execute", Answer(status=500), Answer(body=publishes, gate=answered))
    flow.worker.script("Holder.waitUntil", wait_for(signals=("hold",)))
    flow.worker.script("Holder.execute", Answer(body=dead_end(), gate=released))
    flow.worker.script("Next.waitUntil", wait_for(channels=("c",)))
    flow.worker.script("Next.execute", decide(to(COMPLETE, "next")))

    workflow_id, _ = await flow.start()
    await flow.signal(workflow_id, "go", "1", "2")
    await flow.worker.wait_for_calls("Closer.execute", 2)
    await flow.worker.wait_for_calls("Publisher.execute", 2)
    await flow.signal(workflow_id, "hold", "1")
    await flow.worker.wait_for_calls("Holder.execute")
    answered.set()

    async def both_are_over() -> bool:
        return not (await describe(connection, workflow_id)).pending_activities

    await until(both_are_over)
    released.set()

    assert await flow.completed(workflow_id) == [("Next-1", "next")]
    assert taken(flow, "Next") == ["1"]


@pytest.mark.requirement("close.force-fail")
async def test_forced_failure_has_the_outputs_so_far_and_no_message(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("A", "B", "C"))
    flow.worker.script("A.execute", decide(to(COMPLETE, "a"), publish=[("a", "")]))
    flow.worker.script("B.waitUntil", wait_for(channels=("a",)))
    flow.worker.script("B.execute", force_fail("bad"))
    flow.worker.script("C.waitUntil", wait_for(timers=(FOREVER,)))

    workflow_id, _ = await flow.start()

    assert await flow.ended(workflow_id) == {
        "workflowStatus": "FAILED",
        "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
        "results": [output("A", "a"), output("B", "bad")],
    }


def output(state_id: str, data: str) -> dict[str, Any]:
    return {
        "completedStateId": state_id,
        "completedStateExecutionId": f"{state_id}-1",
        "completedStateOutput": {"encoding": "json", "data": data},
    }


@pytest.mark.requirement("close.force-fail")
async def test_forced_failure_without_output_has_no_results(flow: Flow) -> None:
    flow.worker.script("S1.execute", force_fail())

    workflow_id, _ = await flow.start()

    assert await flow.ended(workflow_id) == {
        "workflowStatus": "FAILED",
        "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
    }


def close_with(*state_ids: str, close: WorkflowConditionalClose | None = None) -> WorkflowStateDecideResponse:
    movements = [StateMovement(state_id=state_id) for state_id in state_ids]
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(next_states=movements, conditional_close=close)
    )


@pytest.mark.parametrize(
    ("decision", "named"),
    [
        pytest.param(close_with(COMPLETE, "S2"), COMPLETE, id="graceful-and-a-state"),
        pytest.param(
            close_with("_SYS_FORCE_FAILING_WORKFLOW", "S2"),
            "_SYS_FORCE_FAILING_WORKFLOW",
            id="force-fail-and-a-state",
        ),
        pytest.param(close_with("S2", DEAD_END), DEAD_END, id="a-state-and-a-dead-end"),
        pytest.param(
            close_with("_SYS_FORCE_COMPLETING_WORKFLOW", "_SYS_FORCE_FAILING_WORKFLOW"),
            "_SYS_FORCE",
            id="two-ends",
        ),
    ],
)
@under("plain", "local-continued")
@pytest.mark.requirement("close.contradiction")
async def test_contradictory_decision_fails_the_workflow_at_once(
    flow: Flow, decision: WorkflowStateDecideResponse, named: str
) -> None:
    flow.worker.script("S1.execute", decision)

    workflow_id, _ = await flow.start()
    result = await flow.ended(workflow_id)

    assert result["errorType"] == "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE"
    assert named in result["errorMessage"]
    assert "results" not in result
    assert flow.counts("S1.execute") == [1]


@pytest.mark.requirement("close.contradiction")
async def test_closing_id_where_a_condition_is_not_met_fails_the_workflow(flow: Flow) -> None:
    sent = anyio.Event()
    flow.worker.script("S1.waitUntil", wait_for(signals=("c",)))
    flow.worker.script(
        "S1.execute", Answer(body=decide(to(COMPLETE), close=condition(SIGNAL, "c")), gate=sent)
    )

    workflow_id, _ = await flow.start()
    await flow.signal(workflow_id, "c", "1")
    await flow.worker.wait_for_calls("S1.execute")
    await flow.signal(workflow_id, "c", "2")
    sent.set()
    result = await flow.ended(workflow_id)

    assert result["errorType"] == "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE"
    assert COMPLETE in result["errorMessage"]
