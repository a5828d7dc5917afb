"""Letting a timer of a waiting state fire before its time."""

from iwf_api.errors import InvalidRequest
from iwf_api.operations.service import Service
from iwf_interpreter.contract import QueryType, SkipTimerSignal, SystemSignal, TimerInfo, TimerInfosAnswer
from iwf_interpreter.core.state import TimerState
from iwf_models import WorkflowSkipTimerRequest

_INVALID = "invalid request - "
"""What every refusal begins with; clients match it."""


async def skip(service: Service, request: WorkflowSkipTimerRequest) -> None:
    """Skip one timer; it is reported to the worker as fired.

    An id names the first timer that has it, in whatever state; an index, which only counts without an id, one
    that is still pending. Accepted, not applied, when the call returns.

    Raises:
        InvalidRequest: The state execution has no such timer.
    """
    if not request.timer_command_id and request.timer_command_index is None:
        raise InvalidRequest(f"{_INVALID}timerCommandId or timerCommandIndex must be set")
    run_id = request.workflow_run_id or ""
    execution_id = request.workflow_state_execution_id
    answer = await service.query(
        request.workflow_id,
        run_id,
        QueryType.GET_CURRENT_TIMER_INFOS,
        None,
        TimerInfosAnswer,
        deadline=service.deadline(None),
    )
    timers = answer.state_execution_current_timer_infos.get(execution_id, [])
    if not _has_timer(timers, request):
        named = (
            f"id {request.timer_command_id!r}"
            if request.timer_command_id
            else f"index {request.timer_command_index}, or it is not pending"
        )
        raise InvalidRequest(f"{_INVALID}state execution {execution_id!r} has no timer with {named}")
    await service.engine.signal(
        request.workflow_id,
        run_id,
        SystemSignal.SKIP_TIMER,
        SkipTimerSignal(
            state_execution_id=execution_id,
            command_id=request.timer_command_id or None,
            command_index=None if request.timer_command_id else request.timer_command_index,
        ),
    )


def _has_timer(timers: list[TimerInfo], request: WorkflowSkipTimerRequest) -> bool:
    if request.timer_command_id:
        return any(timer.command_id == request.timer_command_id for timer in timers)
    index = request.timer_command_index
    return index is not None and 0 <= index < len(timers) and timers[index].status == TimerState.PENDING.value
