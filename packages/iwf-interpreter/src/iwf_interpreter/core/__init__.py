"""The interpreter as a pure state machine: events in, commands out.

`Interpreter.apply` takes one event in, `Interpreter.settle` ends a batch of events and says what to do.
Nothing in this package reads a clock, randomness or the environment, does I/O, or knows an engine, so the
same batches of events give the same commands, in production, in a replay and in a test
(`docs/design.md`).
"""

from iwf_interpreter.core.commands import (
    AcceptUpdate,
    AnswerUpdate,
    CallExecute,
    CallRpc,
    CallWaitUntil,
    CancelRun,
    CancelTimer,
    Command,
    CompleteRun,
    ContinueAsNew,
    EarlierAttempts,
    FailRun,
    FailUpdate,
    LoadSnapshotPage,
    SetMemo,
    SetSearchAttributes,
    StartTimer,
)
from iwf_interpreter.core.events import (
    CancelRequested,
    ConfigUpdated,
    ContinueAsNewRequested,
    ContinueAsNewSuggested,
    Event,
    ExecuteAnswered,
    ExecuteFailed,
    FailRequested,
    LocalCallFailed,
    LockedRpcRequested,
    RpcAnswered,
    RpcWritten,
    SignalReceived,
    SnapshotPageLoaded,
    Started,
    StateWaitRequested,
    TimerFired,
    TimerSkipped,
    WaitUntilAnswered,
    WaitUntilFailed,
)
from iwf_interpreter.core.interpreter import Interpreter, NotReady
from iwf_interpreter.core.life import UnexpectedEvent
from iwf_interpreter.core.snapshot import BadSnapshot
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.core.versions import NEWEST_VERSION, UnknownVersion

__all__ = (
    "Interpreter",
    "ExecutionState",
    "NotReady",
    "UnexpectedEvent",
    "BadSnapshot",
    "UnknownVersion",
    "NEWEST_VERSION",
    "Event",
    "Started",
    "WaitUntilAnswered",
    "WaitUntilFailed",
    "ExecuteAnswered",
    "ExecuteFailed",
    "SignalReceived",
    "RpcWritten",
    "TimerFired",
    "TimerSkipped",
    "LocalCallFailed",
    "LockedRpcRequested",
    "RpcAnswered",
    "StateWaitRequested",
    "ConfigUpdated",
    "ContinueAsNewRequested",
    "ContinueAsNewSuggested",
    "SnapshotPageLoaded",
    "FailRequested",
    "CancelRequested",
    "Command",
    "CallWaitUntil",
    "CallExecute",
    "EarlierAttempts",
    "CallRpc",
    "LoadSnapshotPage",
    "AcceptUpdate",
    "AnswerUpdate",
    "FailUpdate",
    "StartTimer",
    "CancelTimer",
    "SetSearchAttributes",
    "SetMemo",
    "CompleteRun",
    "FailRun",
    "CancelRun",
    "ContinueAsNew",
)
