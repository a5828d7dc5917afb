"""A history as the loop reads it, free of any engine's own types.

A dialect translates the engine's events into these items; everything that means nothing to the core or
to the loop is left out.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core import (
    Command,
    Event,
    ExecuteAnswered,
    LocalCallFailed,
    LockedRpcRequested,
    RpcAnswered,
    StateWaitRequested,
    WaitUntilAnswered,
    calls,
    commands,
)
from iwf_interpreter.core.locked_rpcs import RPC_PREFIX
from iwf_models import (
    WireStruct,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)


class Fact(msgspec.Struct, frozen=True):
    """Something happened to the run."""

    event: Event


INDEX_ECHOES = ("search attributes", "memo")
"""Kinds of the echoes that only the end of a task brings."""


class Echo(msgspec.Struct, frozen=True):
    """The history confirms a command; `Echo.of` says which one it would be."""

    kind: str
    id: str

    @classmethod
    def of(cls, outgoing: "Outgoing") -> "Echo":
        """What the history will say of this command."""
        match outgoing:
            case commands.CallWaitUntil() | commands.CallExecute() | commands.LoadSnapshotPage():
                return cls("call", outgoing.call_id)
            case LocalResult() | commands.CallRpc():
                return cls("local call", outgoing.call_id)
            case commands.StartTimer():
                return cls("timer start", outgoing.timer_id)
            case commands.CancelTimer():
                return cls("timer cancel", outgoing.timer_id)
            case commands.SetSearchAttributes():
                return cls("search attributes", ",".join(sorted(outgoing.values)))
            case commands.SetMemo():
                return cls("memo", ",".join(sorted(outgoing.values)))
            case commands.AcceptUpdate():
                return cls("update accept", outgoing.update_id)
            case commands.AnswerUpdate() | commands.FailUpdate():
                return cls("update end", outgoing.update_id)
            case commands.CompleteRun():
                return cls("close", "completed")
            case commands.FailRun():
                return cls("close", "failed")
            case commands.CancelRun():
                return cls("close", "canceled")
            case commands.ContinueAsNew():
                return cls("close", "continued as new")
            case HeldBack():
                return cls("held back", "")


class LocalFailure(WireStruct, frozen=True, kw_only=True):
    """Why an attempt in place failed."""

    error_type: str
    text: str
    timed_out: bool = False
    started_at: int
    """Unix seconds."""


class LocalResult(WireStruct, frozen=True, kw_only=True):
    """How a call that was made in place ended: recorded in the history, so that it is not made again.

    Exactly one of the last five is set. Each result is a batch of its own.
    """

    call_id: str
    now_ms: int = 0
    """Time of its batch in Unix milliseconds: when the result was there."""
    wait_until: WorkflowStateStartResponse | None = None
    execute: WorkflowStateDecideResponse | None = None
    rpc: WorkflowWorkerRpcResponse | None = None
    rpc_failure: RpcFailure | None = None
    failure: LocalFailure | None = None

    def event(self) -> Event:
        """What the core is told."""
        if self.failure is not None:
            return LocalCallFailed(
                call_id=self.call_id,
                error_type=self.failure.error_type,
                text=self.failure.text,
                timed_out=self.failure.timed_out,
                started_at=self.failure.started_at,
            )
        if self.wait_until is not None:
            return WaitUntilAnswered(execution_id=calls.execution_id(self.call_id), answer=self.wait_until)
        if self.execute is not None:
            return ExecuteAnswered(execution_id=calls.execution_id(self.call_id), answer=self.execute)
        return RpcAnswered(
            update_id=self.call_id.removeprefix(RPC_PREFIX), answer=self.rpc, failure=self.rpc_failure
        )


class HeldBack(msgspec.Struct, frozen=True):
    """The commands of a task did not fit one answer: the rest comes with the next task's."""


class UpdateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An update that a client wants the run to take on."""

    update_id: str
    event: LockedRpcRequested | StateWaitRequested | None
    """What the core is told, `None` when the request makes no sense."""
    problem: str = ""
    """Why it makes none."""
    message: object
    """The request in the engine's own form."""


class Border(msgspec.Struct, frozen=True):
    """A batch ends here: a task that was completed, or the one in hand."""

    now_ms: int
    """Time of the batch in Unix milliseconds, from the history."""
    in_hand: bool = False
    """Whether it is the task in hand, whose commands are still to be sent."""
    updates: Sequence[UpdateRequest] = ()
    """Updates of the task in hand that the history holds, since a reset has brought them along."""


Outgoing: TypeAlias = Command | LocalResult | HeldBack
"""What is sent to the engine, in order."""

Item: TypeAlias = Fact | Echo | LocalResult | HeldBack | Border
