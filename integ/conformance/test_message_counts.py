"""Channel commands that say how many messages they take."""

from typing import Any

import pytest

from conformance.flows import Flow, until
from conformance.replies import ALL, ANY, received, statuses
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelCommand,
    SignalCommand,
    WorkflowStateStartResponse,
)
from iwf_testkit import Answer

pytestmark = pytest.mark.anyio


def awaits(
    waiting_type: CommandWaitingType,
    *,
    signals: list[SignalCommand],
    channels: list[InterStateChannelCommand],
) -> WorkflowStateStartResponse:
    return WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=waiting_type, signal_commands=signals, inter_state_channel_commands=channels
        )
    )


def signals(at_least: int | None = None, at_most: int | None = None) -> list[SignalCommand]:
    return [SignalCommand(signal_channel_name="s", at_least=at_least, at_most=at_most)]


def internal(at_least: int | None = None, at_most: int | None = None) -> list[InterStateChannelCommand]:
    return [InterStateChannelCommand(channel_name="c", at_least=at_least, at_most=at_most)]


def texts(values: list[EncodedObject] | None) -> list[str | None]:
    return [item.data for item in values or ()]


def taken(flow: Flow) -> tuple[list[str | None], list[str | None]]:
    """The messages of the signal command and of the internal channel command."""
    results = flow.executes("S1")[0].command_results
    assert results is not None
    assert results.signal_results is not None
    assert results.inter_state_channel_results is not None
    (signal,) = results.signal_results
    (message,) = results.inter_state_channel_results
    return texts(signal.signal_values), texts(message.values)


async def left(flow: Flow, workflow_id: str) -> dict[str, dict[str, Any]]:
    """How many messages wait in each channel: signals, then internal ones."""
    await flow.rpc(workflow_id)
    request = flow.rpcs()[-1]
    return {
        **{name: {"signals": info.size} for name, info in (request.signal_channel_infos or {}).items()},
        **{name: {"internal": info.size} for name, info in (request.internal_channel_infos or {}).items()},
    }


@pytest.mark.requirement("commands.at-least")
async def test_command_takes_nothing_before_there_are_enough_messages(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil", awaits(ALL, signals=signals(at_least=2), channels=internal(at_least=3))
    )

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "s", "1")
    await flow.publish(workflow_id, "c", "a", "b")
    assert await left(flow, workflow_id) == {"s": {"signals": 1}, "c": {"internal": 2}}
    await flow.signal(workflow_id, "s", "2")
    await until(lambda: is_left(flow, workflow_id, {"c": {"internal": 2}}))
    await flow.publish(workflow_id, "c", "c")
    await flow.completed(workflow_id)

    assert taken(flow) == (["1", "2"], ["a", "b", "c"])
    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["RECEIVED", "RECEIVED"]
    assert received(results) == ["1", "a"]


async def is_left(flow: Flow, workflow_id: str, expected: dict[str, dict[str, Any]]) -> bool:
    return await left(flow, workflow_id) == expected


@pytest.mark.requirement("commands.at-most")
async def test_command_takes_what_is_there_up_to_its_most(flow: Flow) -> None:
    """Both channels are filled before the state begins to wait."""
    flow.worker.script("S0.execute", Answer(body={"stateDecision": {"nextStates": [{"stateId": "S1"}]}}))
    flow.worker.script(
        "S0.waitUntil", awaits(ALL, signals=[SignalCommand(signal_channel_name="go")], channels=[])
    )
    flow.worker.script(
        "S1.waitUntil", awaits(ALL, signals=signals(at_most=3), channels=internal(at_least=1, at_most=2))
    )

    workflow_id, _ = await flow.start(state_id="S0")
    await flow.publish(workflow_id, "c", "a", "b", "c")
    await flow.signal(workflow_id, "s", "1", "2")
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    assert taken(flow) == (["1", "2"], ["a", "b"])


@pytest.mark.requirement("commands.at-least")
async def test_command_without_enough_messages_leaves_them_when_another_completes(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil",
        awaits(ANY, signals=signals(at_least=2), channels=internal()),
    )
    flow.worker.script("S1.execute", Answer(body={"stateDecision": {"nextStates": [{"stateId": "S2"}]}}))
    flow.worker.script("S2.waitUntil", awaits(ALL, signals=signals(), channels=[]))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "s", "1")
    await flow.publish(workflow_id, "c", "a")
    await flow.completed(workflow_id)

    assert statuses(flow.executes("S1")[0].command_results) == ["WAITING", "RECEIVED"]
    assert received(flow.executes("S2")[0].command_results) == ["1"]


@pytest.mark.requirement("commands.one-message")
async def test_command_that_says_nothing_takes_one_and_has_no_list(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", awaits(ALL, signals=signals(), channels=internal()))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "s", "1")
    await flow.publish(workflow_id, "c", "a", "b")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert received(results) == ["1", "a"]
    assert taken(flow) == ([], [])


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param({"atLeast": 3, "atMost": 2}, id="least-over-most"),
        pytest.param({"atLeast": -1}, id="negative"),
    ],
)
@pytest.mark.requirement("commands.invalid-request")
async def test_impossible_number_of_messages_fails_the_attempt(flow: Flow, counts: dict[str, int]) -> None:
    command = {"signalChannelName": "s", **counts}
    invalid = {"commandRequest": {"commandWaitingType": "ALL_COMPLETED", "signalCommands": [command]}}
    flow.worker.script("S1.waitUntil", Answer(body=invalid), Answer(body={}))

    workflow_id, _ = await flow.start()
    await flow.completed(workflow_id)

    assert flow.counts("S1.waitUntil") == [2]
