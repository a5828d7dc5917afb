"""Items of a history: how commands are confirmed, and what a result in place tells the core."""

import pytest

from iwf_interpreter.contract import (
    InterpreterInput,
    InterpreterOutput,
    LockedRpcAnswer,
    RpcFailure,
    SnapshotPageQuery,
    UpdateError,
)
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CancelRun,
    CancelTimer,
    CompleteRun,
    ContinueAsNew,
    ExecuteAnswered,
    FailRun,
    FailUpdate,
    LoadSnapshotPage,
    LocalCallFailed,
    RpcAnswered,
    SetMemo,
    SetSearchAttributes,
    StartTimer,
    WaitUntilAnswered,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.loop.history import Echo, HeldBack, LocalFailure, LocalResult, Outgoing
from iwf_models import (
    EncodedObject,
    WorkflowConfig,
    WorkflowErrorType,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from scripted_loop import decision

INPUT = InterpreterInput(iwf_workflow_type="T", iwf_worker_url="http://w", config=WorkflowConfig())
NO_RPC = RpcFailure(detail="no", worker_detail="", worker_error_type="", worker_status=500)


@pytest.mark.parametrize(
    ("command", "echo"),
    [
        pytest.param(
            LoadSnapshotPage(
                call_id="snapshot/0/1", workflow_id="w", run_id="r", query=SnapshotPageQuery(page=1, pages=2)
            ),
            Echo("call", "snapshot/0/1"),
            id="page",
        ),
        pytest.param(LocalResult(call_id="wu/S-1"), Echo("local call", "wu/S-1"), id="result"),
        pytest.param(
            StartTimer(timer_id="t", delay_ms=1, execution_id="S-1"), Echo("timer start", "t"), id="timer"
        ),
        pytest.param(CancelTimer(timer_id="t"), Echo("timer cancel", "t"), id="cancelled-timer"),
        pytest.param(
            SetSearchAttributes(values={"b": EngineValue("Int", 1), "a": EngineValue("Int", 2)}),
            Echo("search attributes", "a,b"),
            id="search-attributes",
        ),
        pytest.param(
            SetMemo(values={"b": EncodedObject(), "a": EncodedObject()}), Echo("memo", "a,b"), id="memo"
        ),
        pytest.param(AcceptUpdate(update_id="u"), Echo("update accept", "u"), id="accepted"),
        pytest.param(
            AnswerUpdate(update_id="u", result=LockedRpcAnswer()), Echo("update end", "u"), id="answered"
        ),
        pytest.param(
            FailUpdate(update_id="u", error=UpdateError.EXPIRED, text=""),
            Echo("update end", "u"),
            id="failed",
        ),
        pytest.param(CompleteRun(output=InterpreterOutput()), Echo("close", "completed"), id="completed"),
        pytest.param(
            FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE),
            Echo("close", "failed"),
            id="failed-run",
        ),
        pytest.param(CancelRun(), Echo("close", "canceled"), id="cancelled-run"),
        pytest.param(
            ContinueAsNew(input=INPUT, search_attributes={}, memo={}, timeout_seconds=None),
            Echo("close", "continued as new"),
            id="continued",
        ),
        pytest.param(HeldBack(), Echo("held back", ""), id="held-back"),
    ],
)
def test_history_confirms_a_command_by_kind_and_id(command: Outgoing, echo: Echo) -> None:
    assert Echo.of(command) == echo


@pytest.mark.parametrize(
    ("result", "event"),
    [
        pytest.param(
            LocalResult(call_id="wu/S-1", wait_until=WorkflowStateStartResponse()),
            WaitUntilAnswered(execution_id="S-1", answer=WorkflowStateStartResponse()),
            id="wait-until",
        ),
        pytest.param(
            LocalResult(call_id="ex/S-1", execute=decision("T")),
            ExecuteAnswered(execution_id="S-1", answer=decision("T")),
            id="execute",
        ),
        pytest.param(
            LocalResult(call_id="rpc/u", rpc=WorkflowWorkerRpcResponse()),
            RpcAnswered(update_id="u", answer=WorkflowWorkerRpcResponse()),
            id="rpc",
        ),
        pytest.param(
            LocalResult(call_id="rpc/u", rpc_failure=NO_RPC),
            RpcAnswered(update_id="u", failure=NO_RPC),
            id="failed-rpc",
        ),
        pytest.param(
            LocalResult(
                call_id="ex/S-1",
                failure=LocalFailure(error_type="E", text="no", timed_out=True, started_at=5),
            ),
            LocalCallFailed(call_id="ex/S-1", error_type="E", text="no", timed_out=True, started_at=5),
            id="failed-attempt",
        ),
    ],
)
def test_result_in_place_is_the_same_event_as_any_other(result: LocalResult, event: object) -> None:
    assert result.event() == event
