"""iWF on Temporal: the engine behind the API, and the interpreter that runs the workflows.

The only package that imports `temporalio`, and of that only its connection, its generated messages and
its raw service calls.
"""

from iwf_interpreter.temporal.client import EagerStarter, TemporalEngine
from iwf_interpreter.temporal.connection import (
    Connection,
    connect,
    ensure_search_attributes,
    listed_search_attributes,
)
from iwf_interpreter.temporal.dialect import ProtocolOptions
from iwf_interpreter.temporal.interpreter import InterpreterOptions, TemporalInterpreter
from iwf_interpreter.temporal.replay import (
    History,
    ReplayMismatch,
    UnreadableHistory,
    check_history,
    load_history,
    read_history,
    replay_history,
)

__all__ = (
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
