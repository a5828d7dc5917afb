"""Which calls are made when: from queued movements to calls in flight.

A movement becomes a state execution, an execution that has something to call queues for its locks, and a
call is made once it has them, in the order in which calls came up. While the run drains to continue as new,
nothing new begins; what waits here goes on in the next run (`docs/interpreter.md`).
"""

from iwf_interpreter.core import calls
from iwf_interpreter.core.commands import StateCall
from iwf_interpreter.core.locks import Locks
from iwf_interpreter.core.notices import Notices
from iwf_interpreter.core.state import ExecutionState, Phase, StateExecution
from iwf_interpreter.core.visibility import IndexChanges
from iwf_models import compat

MAX_CALLS_IN_FLIGHT = 1000
"""Engines refuse a run with more than 2000; others wait their turn."""


class Dispatch:
    """Starts executions and makes their calls."""

    def __init__(self, state: ExecutionState, index: IndexChanges, notices: Notices) -> None:
        self._state = state
        self._index = index
        self._notices = notices
        self.locks = Locks(state.lock_tickets)
        if not state.lock_tickets:
            for execution in self._waiting_calls():
                self._request_locks(*execution)

    def start_queued(self, now_ms: int) -> None:
        """Make an execution of every queued movement."""
        state = self._state
        queue, state.queue = state.queue, []
        for movement in queue:
            number = state.started_counts.get(movement.state_id, 0) + 1
            state.started_counts[movement.state_id] = number
            skips = compat.skips_wait_until(movement.state_options)
            execution = StateExecution(movement=movement, phase=Phase.READY if skips else Phase.START)
            execution_id = f"{movement.state_id}-{number}"
            state.executions[execution_id] = execution
            self._index.execution_began(execution)
            self.enqueue(execution_id, execution, now_ms)

    def enqueue(self, execution_id: str, execution: StateExecution, now_ms: int) -> None:
        """Let an execution in phase `START` or `READY` make its call as soon as it may."""
        execution.began_at_ms = now_ms
        self._state.calls_to_make.append(execution_id)
        self._request_locks(execution_id, execution)
        self._notices.call_began(execution_id, execution)

    def repeat(self, execution_id: str, execution: StateExecution) -> None:
        """Let an execution make the call in flight again; it keeps its locks and its turn."""
        execution.phase = Phase.START if execution.phase is Phase.WAIT_UNTIL else Phase.READY
        self._landed(execution)
        self._state.calls_to_make.insert(0, execution_id)

    def ended(self, execution_id: str, execution: StateExecution) -> None:
        """Note that the call in flight of an execution is over: it gives up its locks."""
        self._landed(execution)
        self.locks.release(calls.call_id(execution_id, execution.phase))
        execution.earlier = None

    def make_calls(self, now_ms: int) -> list[StateCall]:
        """The calls that may be made now."""
        state = self._state
        made: list[StateCall] = []
        waiting: list[str] = []
        for position, execution_id in enumerate(state.calls_to_make):
            if state.calls_in_flight >= MAX_CALLS_IN_FLIGHT:
                waiting += state.calls_to_make[position:]
                break
            execution = state.executions[execution_id]
            if not self.locks.granted(calls.call_id(execution_id, execution.phase)):
                waiting.append(execution_id)
                continue
            call = calls.state_call(state, execution_id, execution, now_ms)
            made.append(call)
            execution.phase = Phase.WAIT_UNTIL if execution.phase is Phase.START else Phase.EXECUTE
            execution.in_place = call.local
            state.has_called = True
            state.calls_in_flight += 1
            state.calls_in_place += call.local
        state.calls_to_make = waiting
        return made

    def _landed(self, execution: StateExecution) -> None:
        self._state.calls_in_flight -= 1
        self._state.calls_in_place -= execution.in_place
        execution.in_place = False

    def _waiting_calls(self) -> list[tuple[str, StateExecution]]:
        state = self._state
        return [(execution_id, state.executions[execution_id]) for execution_id in state.calls_to_make]

    def _request_locks(self, execution_id: str, execution: StateExecution) -> None:
        keys = calls.call_locks(execution)
        if keys:
            self.locks.request(calls.call_id(execution_id, execution.phase), keys)
