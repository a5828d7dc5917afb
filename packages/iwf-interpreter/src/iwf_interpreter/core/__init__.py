"""The interpreter as a pure state machine: events in, commands out.

`Interpreter.apply` takes one event in, `Interpreter.settle` ends a batch of events and says what to do.
Nothing in this package reads a clock, randomness or the environment, does I/O, or knows an engine, so the
same batches of events give the same commands, in production, in a replay and in a test
(`docs/design.md`).
"""

from iwf_interpreter.core.commands import (
    CallExecute,
    CallWaitUntil,
    CancelRun,
    CancelTimer,
    Command,
    CompleteRun,
    FailRun,
    SetMemo,
    SetSearchAttributes,
    StartTimer,
)
from iwf_interpreter.core.events import (
    CancelRequested,
    Event,
    ExecuteAnswered,
    ExecuteFailed,
    FailRequested,
    RpcWritten,
    SignalReceived,
    Started,
    TimerFired,
    WaitUntilAnswered,
    WaitUntilFailed,
)
from iwf_interpreter.core.interpreter import Interpreter, UnexpectedEvent
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.core.versions import NEWEST_VERSION, UnknownVersion

__all__ = (
    "Interpreter",
    "ExecutionState",
    "UnexpectedEvent",
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
    "FailRequested",
    "CancelRequested",
    "Command",
    "CallWaitUntil",
    "CallExecute",
    "StartTimer",
    "CancelTimer",
    "SetSearchAttributes",
    "SetMemo",
    "CompleteRun",
    "FailRun",
    "CancelRun",
)
