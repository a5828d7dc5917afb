"""The system search attribute that shows which states of a workflow execute."""

import pytest

from conformance.flows import LOCAL, REGULAR, Flow, under, until
from conformance.histories import chain, executing_ids
from conformance.replies import COMPLETE, SKIP, decide, to
from iwf_interpreter.temporal import Connection
from iwf_testkit import Answer, dead_end, go_to, wait_for

pytestmark = pytest.mark.anyio

EXPECTED: dict[str, list[list[str]]] = {
    "ENABLED_FOR_ALL": [
        ["S1"],
        ["S2"],
        ["S2", "S3"],
        ["S3", "S4"],
        ["S3", "S5"],
        ["S3", "S6", "S7"],
        ["S3", "S6"],
        ["S3"],
        [],
    ],
    "ENABLED_FOR_STATES_WITH_WAIT_UNTIL": [
        ["S1"],
        [],
        ["S3"],
        ["S3", "S4"],
        ["S3"],
        ["S3", "S6"],
        ["S3"],
        [],
    ],
    "DISABLED": [],
}


def many_states(flow: Flow) -> None:
    """S1 five times, then S2 alone, then S2 with S3, then S3 with S4, S5, S6 with S7.

    S2, S5 and S7 have no waitUntil. Both executions of S3 wait for the signal "end"; S6 ends after S7.
    """
    flow.worker.script("S1.execute", *(go_to("S1") for _ in range(4)), decide(to("S2", options=SKIP)))
    flow.worker.script("S2-1.execute", decide(to("S2", options=SKIP), to("S3")))
    flow.worker.script("S2-2.execute", decide(to("S3"), to("S4")))
    flow.worker.script("S3.waitUntil", wait_for(signals=("end",)))
    flow.worker.script("S3.execute", decide(to(COMPLETE)))
    flow.worker.script("S4.execute", decide(to("S5", options=SKIP)))
    flow.worker.script("S5.execute", decide(to("S6"), to("S7", options=SKIP)))
    flow.worker.script("S6.waitUntil", wait_for(channels=("seven",)))
    flow.worker.script("S6.execute", decide(to("_SYS_DEAD_END"), data={"six": "ended"}))
    flow.worker.script("S7.execute", decide(to("_SYS_DEAD_END"), publish=[("seven", "ended")]))


@pytest.mark.parametrize("mode", EXPECTED)
@under(*REGULAR)
@pytest.mark.requirement("executing-ids.modes", "executing-ids.once-per-batch")
async def test_attribute_shows_the_executing_states_of_its_mode(
    flow: Flow, connection: Connection, mode: str
) -> None:
    many_states(flow)

    workflow_id, run_id = await flow.start(config={"executingStateIdMode": mode})
    await flow.has_data(workflow_id, six="ended")
    await flow.signal(workflow_id, "end", "1", "2")
    await flow.completed(workflow_id)

    assert executing_ids(await chain(connection, workflow_id, run_id)) == EXPECTED[mode]


@under(*LOCAL)
@pytest.mark.parametrize("mode", EXPECTED)
@pytest.mark.requirement("executing-ids.modes", "local.executing-ids")
async def test_attribute_shows_states_that_wait_whatever_their_calls_are(
    flow: Flow, connection: Connection, mode: str
) -> None:
    many_states(flow)

    workflow_id, run_id = await flow.start(config={"executingStateIdMode": mode})
    await flow.has_data(workflow_id, six="ended")
    written = executing_ids(await chain(connection, workflow_id, run_id))
    await flow.signal(workflow_id, "end", "1", "2")
    await flow.completed(workflow_id)

    assert written[-1:] == ([] if mode == "DISABLED" else [["S3"]])
    remaining = iter(EXPECTED[mode])
    # A step that lasts no longer than one task need not be shown, but the order is the same.
    assert all(ids in remaining for ids in written)


@pytest.mark.requirement("executing-ids.shown")
async def test_attribute_can_be_read_and_is_gone_after_completion(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2", "S3"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S3.execute", dead_end())

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.worker.wait_for_calls("S3.execute")

    async def shows_s2() -> bool:
        return await shown(flow, workflow_id) == ["S2"]

    await until(shows_s2)
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    assert not await shown(flow, workflow_id)


async def shown(flow: Flow, workflow_id: str) -> list[str]:
    attribute = {"key": "IwfExecutingStateIds", "valueType": "KEYWORD_ARRAY"}
    reply = await flow.ok("searchattributes/get", workflowId=workflow_id, keys=[attribute])
    return [
        state_id
        for found in reply.get("searchAttributes", [])
        for state_id in found.get("stringArrayValue", [])
    ]


@pytest.mark.requirement("executing-ids.kept-on-close")
async def test_attribute_is_kept_where_the_workflow_says_so(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start(config={"keepExecutingStateIdsOnClose": True})
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.rpc(workflow_id)
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    assert await shown(flow, workflow_id) == ["S1"]


@pytest.mark.requirement("executing-ids.failed-shows-where")
async def test_attribute_of_a_failed_workflow_shows_where_it_failed(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.rpc(workflow_id)
    await flow.ok("stop", workflowId=workflow_id, stopType="FAIL", reason="enough")
    result = await flow.result(workflow_id)

    assert result["workflowStatus"] == "FAILED"
    assert await shown(flow, workflow_id) == ["S2"]


@under(*REGULAR)
@pytest.mark.requirement("executing-ids.mode-change")
async def test_mode_that_changes_shows_exactly_the_states_of_the_new_mode(flow: Flow) -> None:
    flow.worker.script("S1.execute", decide(to("S2"), to("Skips", options=SKIP)))
    flow.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("Skips.execute", Answer(status=500))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.worker.wait_for_calls("Skips.execute")

    async def shows(*state_ids: str) -> None:
        async def is_shown() -> bool:
            return await shown(flow, workflow_id) == list(state_ids)

        await until(is_shown)

    await shows("S2")
    config = {"executingStateIdMode": "ENABLED_FOR_ALL"}
    await flow.ok("config/update", workflowId=workflow_id, workflowConfig=config)
    await shows("S2", "Skips")
    config = {"executingStateIdMode": "ENABLED_FOR_STATES_WITH_WAIT_UNTIL"}
    await flow.ok("config/update", workflowId=workflow_id, workflowConfig=config)
    await shows("S2")
