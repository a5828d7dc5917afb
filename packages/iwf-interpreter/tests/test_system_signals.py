"""Signals as Temporal brings them: users' messages are kept, system signals are read in any case of keys."""

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.update.v1 import Input

from iwf_interpreter.contract import LockedRpcRequest, RpcSignal, StateTarget
from iwf_interpreter.core import (
    ConfigUpdated,
    ContinueAsNewRequested,
    Event,
    FailRequested,
    LockedRpcRequested,
    RpcWritten,
    SignalReceived,
    StateWaitRequested,
    TimerSkipped,
)
from iwf_interpreter.temporal.messages import signal_event, update_event
from iwf_models import EncodedObject, KeyValue, StateDecision, StateMovement, WorkflowConfig

RPC = "__IwfSystem_ExecuteRpc"
FAIL = "__IwfSystem_FailWorkflowChannel"
SKIP = "__IwfSystem_SkipTimerChannel"
CONFIG = "__IwfSystem_UpdateWorkflowConfig"
CONTINUE = "__IwfSystem_TriggerContinueAsNew"


def body(value: Any) -> Payloads:
    return Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())])


NO_BODY = Payloads()
NULL = Payloads(payloads=[Payload(metadata={"encoding": b"binary/null"})])
RAW = Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"ab\xff")])


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        pytest.param(
            body({"encoding": "json", "data": "1"}), EncodedObject(encoding="json", data="1"), id="object"
        ),
        pytest.param(body({}), EncodedObject(), id="empty-object"),
        pytest.param(NO_BODY, EncodedObject(), id="no-body"),
        pytest.param(body("text"), EncodedObject(encoding="raw", data='"text"'), id="other-json"),
        pytest.param(RAW, EncodedObject(encoding="raw", data="ab\ufffd"), id="other-encoding"),
    ],
)
def test_message_of_a_user_is_kept_whatever_it_is(arguments: Payloads, value: EncodedObject) -> None:
    assert signal_event("channel", arguments) == SignalReceived(channel_name="channel", value=value)


@pytest.mark.parametrize(
    ("name", "given", "event"),
    [
        pytest.param(
            RPC,
            {
                "upsertDataObjects": [{"key": "d"}],
                "stateDecision": {"nextStates": [{"stateId": "S"}]},
            },
            RpcWritten(
                changes=RpcSignal(
                    upsert_data_objects=[KeyValue(key="d")],
                    state_decision=StateDecision(next_states=[StateMovement(state_id="S")]),
                )
            ),
            id="rpc",
        ),
        pytest.param(FAIL, {"Reason": "enough"}, FailRequested(reason="enough"), id="fail"),
        pytest.param(FAIL, {"reason": "enough"}, FailRequested(reason="enough"), id="fail-lower-case"),
        pytest.param(FAIL, {"REASON": "enough"}, FailRequested(reason="enough"), id="fail-upper-case"),
        pytest.param(FAIL, "nonsense", FailRequested(), id="fail-nonsense"),
        pytest.param(
            SKIP,
            {"StateExecutionId": "S-1", "CommandId": "t", "CommandIndex": 2},
            TimerSkipped(execution_id="S-1", command_id="t", command_index=2),
            id="skip",
        ),
        pytest.param(
            SKIP,
            {"stateExecutionId": "S-1", "commandindex": 0},
            TimerSkipped(execution_id="S-1", command_index=0),
            id="skip-mixed-case",
        ),
        pytest.param(SKIP, {"CommandId": "t"}, None, id="skip-without-execution"),
        pytest.param(SKIP, {"StateExecutionId": 1}, None, id="skip-wrong-type"),
        pytest.param(SKIP, {"stateExecutionId": 1}, None, id="skip-other-case-wrong-type"),
        pytest.param(
            CONFIG,
            {"workflowId": "w", "workflowConfig": {"optimizeActivity": True}},
            ConfigUpdated(config=WorkflowConfig(optimize_activity=True)),
            id="config",
        ),
        pytest.param(
            CONFIG,
            {"WorkflowId": "w", "WorkflowConfig": {"optimizeActivity": True}, "More": 1},
            ConfigUpdated(config=WorkflowConfig(optimize_activity=True)),
            id="config-other-case",
        ),
        pytest.param(CONFIG, {"workflowConfig": 1}, None, id="config-nonsense"),
        pytest.param(CONTINUE, {"any": "thing"}, ContinueAsNewRequested(), id="continue-with-body"),
        pytest.param("__IwfSystem_Other", {}, None, id="unknown"),
    ],
)
def test_system_signal_is_read_in_any_case(name: str, given: Any, event: Event | None) -> None:
    assert signal_event(name, body(given)) == event


@pytest.mark.parametrize(
    ("name", "event"),
    [
        pytest.param(RPC, None, id="rpc"),
        pytest.param(FAIL, FailRequested(), id="fail"),
        pytest.param(SKIP, None, id="skip"),
        pytest.param(CONFIG, None, id="config"),
        pytest.param(CONTINUE, ContinueAsNewRequested(), id="continue"),
    ],
)
@pytest.mark.parametrize("arguments", [NO_BODY, NULL, RAW], ids=["no-body", "null", "raw"])
def test_system_signal_without_a_body_does_what_it_can(
    name: str, event: Event | None, arguments: Payloads
) -> None:
    assert signal_event(name, arguments) == event


def update(name: str, arguments: Payloads) -> Input:
    return Input(name=name, args=arguments)


@pytest.mark.parametrize(
    ("name", "given", "event"),
    [
        pytest.param(
            "ExecuteOptimisticLockingRpcUpdate",
            body({"rpcName": "pay", "maxWaiting": 3}),
            LockedRpcRequested(update_id="u", request=LockedRpcRequest(rpc_name="pay", max_waiting=3)),
            id="locked-rpc",
        ),
        pytest.param(
            "WaitForStateCompletion",
            body({"stateExecutionId": "S-1"}),
            StateWaitRequested(update_id="u", target=StateTarget(state_execution_id="S-1")),
            id="wait-for-state",
        ),
        pytest.param(
            "WaitForStateCompletion",
            NO_BODY,
            StateWaitRequested(update_id="u", target=StateTarget()),
            id="no-argument",
        ),
    ],
)
def test_update_tells_the_core_what_its_client_wants(name: str, given: Payloads, event: Event) -> None:
    assert update_event("u", update(name, given)) == event


@pytest.mark.parametrize(
    ("name", "given", "reason"),
    [
        pytest.param("Other", NO_BODY, "unknown update 'Other', known are ", id="unknown"),
        pytest.param(
            "ExecuteOptimisticLockingRpcUpdate",
            NO_BODY,
            "bad argument of update 'ExecuteOptimisticLockingRpcUpdate': ",
            id="no-argument",
        ),
        pytest.param(
            "WaitForStateCompletion", RAW, "bad argument of update 'WaitForStateCompletion': ", id="raw"
        ),
        pytest.param(
            "WaitForStateCompletion",
            body([1]),
            "bad argument of update 'WaitForStateCompletion': ",
            id="wrong-type",
        ),
    ],
)
def test_update_without_sense_is_refused_with_the_reason(name: str, given: Payloads, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}"):
        update_event("u", update(name, given))
