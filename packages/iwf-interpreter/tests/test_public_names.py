"""The names that other packages may import: a change here is a change of the public interface."""

from iwf_interpreter import core, temporal


def test_public_names_of_the_core() -> None:
    assert core.__all__ == (
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


def test_public_names_of_the_temporal_part() -> None:
    assert temporal.__all__ == (
        "connect",
        "Connection",
        "ensure_search_attributes",
        "listed_search_attributes",
        "TemporalEngine",
        "EagerStarter",
        "TemporalInterpreter",
        "InterpreterOptions",
        "ProtocolOptions",
        "History",
        "read_history",
        "load_history",
        "UnreadableHistory",
        "replay_history",
        "check_history",
        "ReplayMismatch",
    )


def test_public_names_exist() -> None:
    for module in (core, temporal):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
