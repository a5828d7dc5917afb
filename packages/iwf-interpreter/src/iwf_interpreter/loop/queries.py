"""Dispatch of queries: decode the argument, ask the core, encode the answer.

Every query gets an answer or a reason, whatever its type: an engine would wait for an ignored one.
"""

from collections.abc import Callable

import msgspec

from iwf_interpreter.contract import (
    DataAttributesQuery,
    PrepareRpcQuery,
    QueryType,
    SnapshotPageQuery,
    StateTarget,
)
from iwf_interpreter.core import ExecutionState, completions, continuing, dump, queries
from iwf_interpreter.loop.dialect import QueryCall, QueryReply
from iwf_models import WorkflowDumpRequest, codec

STACK_TRACE = "__stack_trace"
"""Query type by which Temporal's tools ask where a run stands."""


def answer(state: ExecutionState, call: QueryCall) -> QueryReply:
    """Answer a query from the state of its run."""
    handler = _HANDLERS.get(call.query_type)
    if handler is None:
        known = ", ".join(sorted(_HANDLERS))
        return QueryReply(None, f"unknown query type {call.query_type!r}, known are {known}")
    try:
        return QueryReply(codec.encode(handler(state, call.argument or b"{}")))
    except (ValueError, msgspec.DecodeError) as error:
        return QueryReply(None, f"bad argument of query {call.query_type!r}: {error}")


def _data_attributes(state: ExecutionState, argument: bytes) -> object:
    return queries.data_attributes(state, codec.decode(argument, DataAttributesQuery))


def _search_attributes(state: ExecutionState, argument: bytes) -> object:
    return [state.search_attributes[key] for key in sorted(state.search_attributes)]


def _timer_infos(state: ExecutionState, argument: bytes) -> object:
    return queries.timer_infos(state)


def _prepare_rpc(state: ExecutionState, argument: bytes) -> object:
    return queries.prepare_rpc(state, codec.decode(argument, PrepareRpcQuery))


def _debug_dump(state: ExecutionState, argument: bytes) -> object:
    return queries.debug_dump(state)


def _dump_by_page(state: ExecutionState, argument: bytes) -> object:
    return dump.dump_page(state, codec.decode(argument, WorkflowDumpRequest))


def _snapshot_page(state: ExecutionState, argument: bytes) -> object:
    return continuing.answer_page(state, codec.decode(argument, SnapshotPageQuery))


def _state_completion(state: ExecutionState, argument: bytes) -> object:
    return completions.completion(state, codec.decode(argument, StateTarget))


def _stack_trace(state: ExecutionState, argument: bytes) -> object:
    lines = [f"{execution_id}: {execution.phase}" for execution_id, execution in state.executions.items()]
    return "\n".join(lines) or "no state execution is live"


_HANDLERS: dict[str, Callable[[ExecutionState, bytes], object]] = {
    QueryType.GET_DATA_ATTRIBUTES: _data_attributes,
    QueryType.GET_SEARCH_ATTRIBUTES: _search_attributes,
    QueryType.GET_CURRENT_TIMER_INFOS: _timer_infos,
    QueryType.PREPARE_RPC: _prepare_rpc,
    QueryType.DEBUG_DUMP: _debug_dump,
    QueryType.DUMP_BY_PAGE: _dump_by_page,
    QueryType.SNAPSHOT_PAGE: _snapshot_page,
    QueryType.STATE_COMPLETION: _state_completion,
    STACK_TRACE: _stack_trace,
}
