"""Signals and messages to internal channels on a real engine."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import pytest

from iwf_testkit import go_to, graceful_complete, wait_for
from scenario import (
    UNCATEGORIZED,
    Scenario,
    idle,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_signal_without_a_value_is_an_empty_object(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
    await scenario.result(workflow_id)

    (call,) = scenario.worker.calls_of("S1.execute")
    (signal,) = call.request.command_results.signal_results
    assert signal.signal_value is not None


@pytest.mark.parametrize("name", ["__IwfSystem_ExecuteRpc", ""])
async def test_signal_refuses_reserved_and_empty_names(scenario: Scenario, name: str) -> None:
    workflow_id = await idle(scenario)

    refused(
        await scenario.post("signal", {"workflowId": workflow_id, "signalChannelName": name}), UNCATEGORIZED
    )


async def test_published_messages_reach_internal_channels_in_order(scenario: Scenario) -> None:
    scenario.worker.script("S1.waitUntil", wait_for(channels=("c",)))
    scenario.worker.script("S1.execute", go_to("S1"), graceful_complete())
    workflow_id, _ = await scenario.start()

    await scenario.ok(
        "publishToInternalChannel",
        workflowId=workflow_id,
        messages=[{"channelName": "c", "value": {"data": data}} for data in "12"],
    )
    await scenario.result(workflow_id)

    taken = [
        call.request.command_results.inter_state_channel_results[0].value.data
        for call in scenario.worker.calls_of("S1.execute")
    ]
    assert taken == ["1", "2"]
