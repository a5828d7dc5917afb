"""Signals, publishing and stopping: what the engine is asked for."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from iwf_interpreter.contract import (
    FailSignal,
    RpcSignal,
    SystemSignal,
)
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
)
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]


@pytest.mark.parametrize(
    ("value", "body"),
    [
        pytest.param({"signalValue": {"data": "1"}}, EncodedObject(data="1"), id="value"),
        pytest.param({"signalValue": {}}, EncodedObject(), id="empty-value"),
        pytest.param({}, EncodedObject(), id="no-value"),
    ],
)
async def test_signal_is_sent_to_its_channel(
    engine: ScriptedEngine, post: Post, value: dict[str, object], body: EncodedObject
) -> None:
    answer = await post(
        "signal", {"workflowId": "w", "workflowRunId": "r", "signalChannelName": "c", **value}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [("signal", "w", "r", "c", body)]


@pytest.mark.parametrize("name", [*SystemSignal, "__IwfSystem_Anything"])
async def test_signal_of_the_server_cannot_be_sent(engine: ScriptedEngine, post: Post, name: str) -> None:
    answer = await post("signal", {"workflowId": "w", "signalChannelName": name})

    assert (answer.status_code, answer.json()) == (
        400,
        {
            "detail": f"signal channel '{name}' is reserved for the server",
            "subStatus": "UNCATEGORIZED_SUB_STATUS",
        },
    )
    assert engine.calls == []


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        pytest.param(
            [{"channelName": "a", "value": {"data": "1"}}, {"channelName": "b"}],
            [
                InterStateChannelPublishing(channel_name="a", value=EncodedObject(data="1")),
                InterStateChannelPublishing(channel_name="b"),
            ],
            id="two",
        ),
        pytest.param([], [], id="none"),
        pytest.param(None, None, id="null"),
    ],
)
async def test_published_messages_travel_together(
    engine: ScriptedEngine, post: Post, body: object, messages: list[InterStateChannelPublishing] | None
) -> None:
    answer = await post("publishToInternalChannel", {"workflowId": "w", "messages": body})

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [
        ("signal", "w", "", SystemSignal.EXECUTE_RPC, RpcSignal(inter_state_channel_publishing=messages))
    ]


FAIL = SystemSignal.FAIL_WORKFLOW


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        pytest.param({}, ("cancel", "w", ""), id="no-type"),
        pytest.param({"stopType": "CANCEL", "workflowRunId": "r"}, ("cancel", "w", "r"), id="cancel"),
        pytest.param(
            {"stopType": "TERMINATE", "reason": "why"}, ("terminate", "w", "", "why"), id="terminate"
        ),
        pytest.param(
            {"stopType": "TERMINATE"},
            ("terminate", "w", "", "terminated through the iWF API"),
            id="terminate-without-reason",
        ),
        pytest.param(
            {"stopType": "FAIL", "reason": "why"},
            ("signal", "w", "", FAIL, FailSignal(reason="why")),
            id="fail",
        ),
        pytest.param({"stopType": "FAIL"}, ("signal", "w", "", FAIL, FailSignal()), id="fail-without-reason"),
    ],
)
async def test_stop_does_what_its_type_says(
    engine: ScriptedEngine, post: Post, request_: dict[str, object], call: tuple[object, ...]
) -> None:
    answer = await post("stop", {"workflowId": "w", **request_})

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [call]
