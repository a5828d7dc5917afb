"""A run's state in the form of the published dump, page by page (`internal/dump`).

Operators and tools read this form; the interpreter itself does not (`snapshot`). Its keys are those that
clients of the reference server know, and `docs/http-api.md` lists them. Pages are cut between characters.
"""

import hashlib
from typing import Any

import msgspec

from iwf_interpreter.core.snapshot import DEFAULT_PAGE_BYTES
from iwf_interpreter.core.state import ExecutionState, Phase, TimerState, Waiting
from iwf_models import (
    CommandRequest,
    EncodedObject,
    KeyValue,
    TimerCommand,
    WorkflowDumpRequest,
    WorkflowDumpResponse,
    codec,
)


class PageOutOfRange(ValueError):
    """The page asked for lies behind the last one."""


def dump_page(state: ExecutionState, request: WorkflowDumpRequest) -> WorkflowDumpResponse:
    """One page of the dump; raises `PageOutOfRange`.

    Args:
        state: The run.
        request: Number of the page from 0, and the length of pages in bytes; 0 and less mean 1 MiB.
    """
    data = codec.encode(dump(state))
    size = request.page_size_in_bytes if request.page_size_in_bytes > 0 else DEFAULT_PAGE_BYTES
    borders = _borders(data, size)
    if not 0 <= request.page_num < len(borders) - 1:
        raise PageOutOfRange(
            f"pageNum {request.page_num} is out of range: there are {len(borders) - 1} pages"
        )
    begin, end = borders[request.page_num], borders[request.page_num + 1]
    return WorkflowDumpResponse(
        checksum=hashlib.sha256(data).hexdigest(),
        total_pages=len(borders) - 1,
        json_data=data[begin:end].decode(),
    )


def dump(state: ExecutionState) -> dict[str, Any]:
    """The whole dump."""
    executing = {
        state_id: sum(execution.movement.state_id == state_id for execution in state.executions.values())
        for state_id in sorted({execution.movement.state_id for execution in state.executions.values()})
    }
    return {
        "StatesToStartFromBeginning": [
            *(
                execution.movement
                for execution in state.executions.values()
                if execution.phase.is_before_waiting
            ),
            *state.queue,
        ],
        "StateExecutionsToResume": {
            execution_id: {
                "stateExecutionId": execution_id,
                "state": execution.movement,
                "stateExecutionLocals": execution.locals or [],
                **_waiting(state.waiting.get(execution_id) or execution.waited),
            }
            for execution_id, execution in state.executions.items()
            if not execution.phase.is_before_waiting and execution.phase is not Phase.EXECUTE
        },
        "InterStateChannelReceived": state.internal_channels,
        "SignalsReceived": state.signal_channels,
        "StateExecutionCounterInfo": {
            "StateIdStartedCount": state.started_counts,
            "StateIdCurrentlyExecutingCount": executing,
            "TotalCurrentlyExecutingCount": len(state.executions),
        },
        "StateOutputs": state.outputs,
        "StaleSkipTimerSignals": [
            {
                "StateExecutionId": skip.execution_id,
                "TimerCommandId": skip.command_id or "",
                "TimerCommandIndex": skip.command_index or 0,
            }
            for skip in state.stale_skips
        ],
        "DataObjects": [
            KeyValue(key=key, value=state.data_attributes[key]) for key in sorted(state.data_attributes)
        ],
        "SearchAttributes": [state.search_attributes[key] for key in sorted(state.search_attributes)],
    }


def _waiting(waiting: Waiting | None) -> dict[str, Any]:
    if waiting is None:
        return {"commandRequest": CommandRequest(), "stateExecutionCompletedCommands": _completed({}, {}, {})}
    timers = {
        index: timer.status.value
        for index, timer in enumerate(waiting.timers)
        if timer.status is not TimerState.PENDING
    }
    absolute = [
        TimerCommand(command_id=timer.command_id, firing_unix_timestamp_seconds=timer.fire_at_ms // 1000)
        for timer in waiting.timers
    ]
    request = msgspec.structs.replace(waiting.request, timer_commands=absolute or None)
    signals = {index: taken[0] for index, taken in waiting.signals.items()}
    internal = {index: taken[0] for index, taken in waiting.internal.items()}
    return {
        "commandRequest": request,
        "stateExecutionCompletedCommands": _completed(timers, signals, internal),
    }


def _completed(
    timers: dict[int, str], signals: dict[int, EncodedObject], internal: dict[int, EncodedObject | None]
) -> dict[str, Any]:
    return {
        "completedTimerCommands": timers,
        "completedSignalCommands": signals,
        "completedInterStateChannelCommands": internal,
    }


def _borders(data: bytes, size: int) -> list[int]:
    """Where pages of at most `size` bytes begin and end; a character longer than that stays whole."""
    borders = [0]
    while borders[-1] < len(data):
        end = min(borders[-1] + size, len(data))
        while end < len(data) and _inside_character(data[end]):
            end -= 1
        if end <= borders[-1]:
            end = borders[-1] + size
            while end < len(data) and _inside_character(data[end]):
                end += 1
        borders.append(end)
    return borders


def _inside_character(byte: int) -> bool:
    return byte & 0xC0 == 0x80
