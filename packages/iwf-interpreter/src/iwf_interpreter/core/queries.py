"""Answers to the queries of a run, from its state as of the last batch.

Pure reading. Each function takes the state and the decoded argument, and returns the answer's struct
(`iwf_interpreter.contract`).
"""

import msgspec

from iwf_interpreter.contract import (
    DataAttributesAnswer,
    DataAttributesQuery,
    PrepareRpcAnswer,
    PrepareRpcQuery,
    TimerInfo,
    TimerInfosAnswer,
)
from iwf_interpreter.core import channels, persistence
from iwf_interpreter.core.state import ExecutionState
from iwf_models import KeyValue, WorkflowConfig


class DebugDump(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Answer of `QueryType.DEBUG_DUMP`: all there is to know of a run, for people."""

    config: WorkflowConfig
    snapshot: ExecutionState
    firing_timers_unix_timestamps: list[int]
    """Unix seconds of the timer that is open at the engine."""


def data_attributes(state: ExecutionState, query: DataAttributesQuery) -> DataAttributesAnswer:
    """The data attributes of these keys, or all; unknown keys are left out."""
    attributes = state.data_attributes
    keys = attributes.keys() if not query.keys else attributes.keys() & set(query.keys)
    return DataAttributesAnswer(
        data_attributes=[KeyValue(key=key, value=attributes[key]) for key in sorted(keys)]
    )


def timer_infos(state: ExecutionState) -> TimerInfosAnswer:
    """The timers of every waiting execution that has some."""
    return TimerInfosAnswer(
        state_execution_current_timer_infos={
            execution_id: [
                TimerInfo(
                    command_id=timer.command_id,
                    firing_unix_timestamp_seconds=timer.fire_at_ms // 1000,
                    status=timer.status.value,
                )
                for timer in waiting.timers
            ]
            for execution_id, waiting in state.waiting.items()
            if waiting.timers
        }
    )


def prepare_rpc(state: ExecutionState, query: PrepareRpcQuery) -> PrepareRpcAnswer:
    """What a call of the worker's RPC needs."""
    return PrepareRpcAnswer(
        data_objects=persistence.load_data_attributes(state, query.data_objects_loading_policy),
        search_attributes=persistence.load_search_attributes(state, query.search_attributes_loading_policy),
        workflow_run_id=state.first_run_id,
        workflow_started_timestamp=state.started_at,
        iwf_workflow_type=state.workflow_type,
        iwf_worker_url=state.worker_url,
        signal_channel_info=channels.sizes(state.signal_channels),
        internal_channel_info=channels.sizes(state.internal_channels),
    )


def debug_dump(state: ExecutionState) -> DebugDump:
    """Everything."""
    armed = state.armed_timer
    return DebugDump(
        config=state.config,
        snapshot=state,
        firing_timers_unix_timestamps=[] if armed is None else [armed.fire_at_ms // 1000],
    )
