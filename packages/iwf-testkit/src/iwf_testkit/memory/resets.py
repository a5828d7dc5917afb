"""Where in a run's history a reset goes back to, and what happened after that.

A reset does one task again. The point before a call is the task that asked for it, whatever else belonged to
that task. Only the history of the given run is looked at.
"""

from collections.abc import Iterable, Iterator

import msgspec

from iwf_interpreter.core import commands, events
from iwf_interpreter.core.snapshot import BadSnapshot, from_text
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.engine import (
    InvalidArgument,
    NoResetPoint,
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
)
from iwf_testkit.memory.history import Task
from iwf_testkit.memory.runs import Run, UpdateEvent

_UNLIMITED = 1_000_000

_SIGNALS = (
    events.SignalReceived
    | events.RpcWritten
    | events.TimerSkipped
    | events.ConfigUpdated
    | events.ContinueAsNewRequested
    | events.FailRequested
)


def find(run: Run, point: ResetPoint) -> int:
    """How many tasks of a run to keep.

    Raises:
        NoResetPoint: The history has no such point.
        InvalidArgument: That event is none to go back to.
    """
    tasks = run.history.tasks
    if not tasks:
        raise NoResetPoint("the run has not begun")
    match point:
        case ResetToBeginning():
            return 0
        case ResetToEvent():
            for index, task in enumerate(tasks):
                if point.event_id in (task.started_event_id, task.completed_event_id):
                    return index
            raise InvalidArgument(f"event {point.event_id} is no end of a workflow task")
        case ResetToTime():
            for index, task in enumerate(tasks):
                if task.completed_ms * 1_000_000 >= point.unix_ns:
                    return index
            raise NoResetPoint("the run has completed no workflow task at or after that time")
        case ResetToState() | ResetToStateExecution():
            if _was_called_before(run, point):
                return 0
            for index, task in enumerate(tasks):
                if any(_is_called(command, point) for command in task.asked()):
                    return index
            wanted = point.state_id if isinstance(point, ResetToState) else point.execution_id
            raise NoResetPoint(
                f"{wanted!r} was not called in this run; it may have been in another run of the workflow"
            )


def later_facts(run: Run, kept_tasks: int, *, signals: bool, updates: bool) -> Iterator[events.Event]:
    """What clients have sent after a point, to this run and to those that have continued it as new."""
    later: list[Task] = run.history.tasks[kept_tasks:]
    redone = True
    following: Run | None = run
    while following is not None:
        for task in later:
            if redone:
                # Its signals are given to the task that is done again; its updates were answered by it.
                updates_before = [fact for fact in task.beginning if isinstance(fact, UpdateEvent)]
                facts: Iterable[events.Event] = (*updates_before, *task.rest)
                redone = False
            else:
                facts = task.facts()
            for fact in facts:
                if isinstance(fact, UpdateEvent):
                    if updates:
                        yield _patient(fact)
                elif isinstance(fact, events.CancelRequested) or (signals and isinstance(fact, _SIGNALS)):
                    yield fact
        following = following.successor
        later = [] if following is None else following.history.tasks


def _patient(update: UpdateEvent) -> UpdateEvent:
    """An update whose client has gone long ago, so it waits for as long as it takes."""
    if isinstance(update, events.LockedRpcRequested):
        request = msgspec.structs.replace(update.request, expires_at_ms=None, max_waiting=_UNLIMITED)
        return msgspec.structs.replace(update, request=request)
    return update


def _is_called(command: commands.Command, point: ResetToState | ResetToStateExecution) -> bool:
    if not isinstance(command, commands.CallWaitUntil | commands.CallExecute):
        return False
    return _is_target(command.request.context.state_execution_id or "", point)


def _was_called_before(run: Run, point: ResetToState | ResetToStateExecution) -> bool:
    """Whether the run took the execution over when its first call was made already."""
    state = _carried_state(run)
    return state is not None and any(
        _is_target(execution_id, point) and not execution.phase.is_before_waiting
        for execution_id, execution in state.executions.items()
    )


def _carried_state(run: Run) -> ExecutionState | None:
    continued = run.origin.input.continued
    if continued is None or continued.snapshot is None:
        return None
    try:
        return from_text(continued.snapshot)
    except BadSnapshot:
        return None


def _is_target(execution_id: str, point: ResetToState | ResetToStateExecution) -> bool:
    if isinstance(point, ResetToStateExecution):
        return execution_id == point.execution_id
    return execution_id.rpartition("-")[0] == point.state_id
