"""Waiting for the completion of a state execution, by its id or by a key."""

from typing import Any

import anyio
import pytest

from conformance.flows import Flow, under
from conformance.replies import COMPLETE, SKIP, decide, to
from iwf_testkit import Answer, dead_end, go_to, wait_for
from scenario import NOT_EXISTS, Reply, refused

pytestmark = pytest.mark.anyio

DECLARED = pytest.mark.parametrize(
    "declared",
    [
        pytest.param({}, id="undeclared"),
        pytest.param(
            {
                "waitForCompletionStateExecutionIds": ["S1-1"],
                "waitForCompletionStateIds": ["S2"],
            },
            id="declared",
        ),
    ],
)


def completion(state_id: str, number: int = 1, data: str | None = None) -> dict[str, Any]:
    """The answer for an execution, which has an output only if it closed the workflow with one."""
    output: dict[str, Any] = {
        "completedStateId": state_id,
        "completedStateExecutionId": f"{state_id}-{number}",
    }
    if data is not None:
        output["completedStateOutput"] = {"encoding": "json", "data": data}
    return {"stateCompletionOutput": output}


async def wait(flow: Flow, workflow_id: str, seconds: int = 10, **target: Any) -> Reply:
    return await flow.post(
        "waitForStateCompletion", {"workflowId": workflow_id, "waitTimeSeconds": seconds, **target}
    )


def two_states(flow: Flow) -> None:
    """S1 waits for the signal "one", goes to S2 with a key, which waits for "two" and completes."""
    flow.worker.script("S1.waitUntil", wait_for(signals=("one",)))
    flow.worker.script("S1.execute", decide(to("S2", key="the key")))
    flow.worker.script("S2.waitUntil", wait_for(signals=("two",)))
    flow.worker.script("S2.execute", decide(to(COMPLETE, "out")))


@DECLARED
@pytest.mark.requirement("wait.before", "wait.by-key", "wait.declared-or-not", "wait.across-continue-as-new")
async def test_waits_that_began_before_are_answered_when_the_state_completes(
    flow: Flow, declared: dict[str, Any]
) -> None:
    two_states(flow)
    workflow_id, _ = await flow.start(**declared)
    await flow.worker.wait_for_calls("S1.waitUntil")
    replies: dict[str, Reply] = {}

    async def waits(name: str, **target: Any) -> None:
        replies[name] = await wait(flow, workflow_id, **target)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: waits("first", stateExecutionId="S1-1"))
        tasks.start_soon(lambda: waits("again", stateExecutionId="S1-1"))
        tasks.start_soon(lambda: waits("key", stateId="S2", waitForKey="the key"))
        tasks.start_soon(lambda: waits("second", stateExecutionId="S2-1"))
        await flow.rpc(workflow_id)
        await flow.signal(workflow_id, "one", "now")
        await flow.worker.wait_for_calls("S2.waitUntil")
        await flow.signal(workflow_id, "two", "now")

    assert replies == {
        "first": Reply(200, completion("S1")),
        "again": Reply(200, completion("S1")),
        "key": Reply(200, completion("S2", data="out")),
        "second": Reply(200, completion("S2", data="out")),
    }


@DECLARED
@pytest.mark.requirement("wait.after", "wait.by-key", "wait.declared-or-not")
async def test_waits_that_begin_after_are_answered_at_once(flow: Flow, declared: dict[str, Any]) -> None:
    two_states(flow)
    workflow_id, _ = await flow.start(**declared)
    await flow.signal(workflow_id, "one", "now")
    await flow.worker.wait_for_calls("S2.waitUntil")

    assert await wait(flow, workflow_id, stateExecutionId="S1-1") == Reply(200, completion("S1"))

    await flow.signal(workflow_id, "two", "now")
    await flow.completed(workflow_id)

    assert await wait(flow, workflow_id, stateExecutionId="S1-1") == Reply(200, completion("S1"))
    by_key = await wait(flow, workflow_id, stateId="S2", waitForKey="the key")
    assert by_key == Reply(200, completion("S2", data="out"))
    assert await wait(flow, workflow_id, stateExecutionId="S2-1") == by_key


@pytest.mark.requirement("wait.in-vain")
async def test_wait_for_what_does_not_complete_ends_with_the_time(flow: Flow) -> None:
    two_states(flow)
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")

    replies: list[Reply] = []

    async def waits(**target: Any) -> None:
        replies.append(await wait(flow, workflow_id, seconds=1, **target))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: waits(stateExecutionId="S1-1"))
        tasks.start_soon(lambda: waits(stateExecutionId="S1-2"))
        tasks.start_soon(lambda: waits(stateId="S2", waitForKey="another"))

    for reply in replies:
        refused(reply, "LONG_POLL_TIME_OUT_SUB_STATUS", status=420)


@pytest.mark.requirement("wait.across-continue-as-new", "continue.trigger")
async def test_wait_goes_on_in_the_next_run(flow: Flow) -> None:
    two_states(flow)
    workflow_id, run_id = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    replies: list[Reply] = []

    async def waits() -> None:
        replies.append(await wait(flow, workflow_id, stateExecutionId="S1-1"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits)
        await flow.rpc(workflow_id)
        for _ in range(2):
            await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
            run_id = await flow.next_run(workflow_id, run_id)
        await flow.signal(workflow_id, "one", "now")

    assert replies == [Reply(200, completion("S1"))]


@pytest.mark.requirement("wait.repeated-state")
async def test_each_execution_of_a_state_is_waited_for_by_its_own_id(flow: Flow) -> None:
    flow.worker.script(
        "S1.execute", decide(to("S1", options=SKIP)), decide(to("S1", options=SKIP)), dead_end()
    )

    workflow_id, _ = await flow.start()
    for number in (3, 1, 2):
        reply = await wait(flow, workflow_id, stateExecutionId=f"S1-{number}")
        assert reply == Reply(200, completion("S1", number))


@pytest.mark.requirement("wait.proceeded-failure")
async def test_execution_whose_execute_failed_and_went_on_has_completed(flow: Flow) -> None:
    flow.worker.script("S1.execute", Answer(status=500))
    flow.worker.script("Recover.execute", dead_end())

    workflow_id, _ = await flow.start(
        stateOptions={
            "executeApiRetryPolicy": {"maximumAttempts": 1},
            "executeApiFailurePolicy": "PROCEED_TO_CONFIGURED_STATE",
            "executeApiFailureProceedStateId": "Recover",
        }
    )

    assert await wait(flow, workflow_id, stateExecutionId="S1-1") == Reply(200, completion("S1"))


@pytest.mark.requirement("wait.failed-workflow")
async def test_wait_for_a_state_of_a_workflow_that_fails_ends(flow: Flow) -> None:
    two_states(flow)
    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    replies: list[Reply] = []

    async def waits() -> None:
        replies.append(await wait(flow, workflow_id, seconds=2, stateExecutionId="S1-1"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits)
        await flow.rpc(workflow_id)
        await flow.ok("stop", workflowId=workflow_id, stopType="FAIL", reason="enough")

    assert replies[0].status in (400, 420), replies


@under("plain")
@pytest.mark.requirement("wait.bad-requests")
async def test_wait_without_a_target_or_a_workflow_is_refused(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S1"), dead_end())
    workflow_id, _ = await flow.start()

    refused(await wait(flow, flow.new_id(), stateExecutionId="S1-1"), NOT_EXISTS)
    for target in ({}, {"stateExecutionId": ""}, {"waitForKey": "k"}, {"stateId": "S1"}):
        reply = await wait(flow, workflow_id, seconds=1, **target)
        assert reply.status == 400, target


@pytest.mark.requirement("wait.helper-id")
async def test_id_of_the_helper_workflow_of_older_servers_reads_as_completed(flow: Flow) -> None:
    """A published client reads it to learn that a state has completed."""
    two_states(flow)
    workflow_id, _ = await flow.start(waitForCompletionStateIds=["S2"])
    await flow.signal(workflow_id, "one", "now")
    await flow.signal(workflow_id, "two", "now")
    await flow.completed(workflow_id)

    await wait(flow, workflow_id, stateId="S2", waitForKey="the key")

    assert await flow.status(f"__IwfSystem_{workflow_id}_S2_the key") == "COMPLETED"
