"""What observers are told of a run: `IwfEvent`, for metrics and logs, without any influence on the run.

The core only collects; whoever drives it hands the events on when they are new, and drops them in a replay.
Nothing is collected unless somebody observes.
"""

from iwf_interpreter.core.state import ExecutionState, StateExecution
from iwf_models import EventType, IwfEvent, IwfEventError


class Notices:
    """The events of one run, as they come up."""

    def __init__(self, state: ExecutionState, *, observed: bool) -> None:
        self._state = state
        self._observed = observed
        self._events: list[IwfEvent] = []

    def take(self) -> list[IwfEvent]:
        """The events since the last time."""
        events, self._events = self._events, []
        return events

    def run_began(self) -> None:
        """The chain's first run begins."""
        if self._observed:
            self._add(EventType.WORKFLOW_START_EVENT, start_ms=self._state.run_started_at_ms)

    def run_ended(self, now_ms: int, error: IwfEventError | None) -> None:
        """The workflow completes, or fails with this error."""
        if self._observed:
            kind = EventType.WORKFLOW_COMPLETE_EVENT if error is None else EventType.WORKFLOW_FAIL_EVENT
            self._add(kind, start_ms=self._state.started_at * 1000, end_ms=now_ms, error=error)

    def call_began(self, execution_id: str, execution: StateExecution) -> None:
        """A state's API is to be called; its locks are not taken yet."""
        if self._observed:
            kind = (
                EventType.STATE_WAIT_UNTIL_EE_START_EVENT
                if execution.phase.is_before_waiting
                else EventType.STATE_EXECUTE_EE_START_EVENT
            )
            self._add_state(kind, execution_id, execution)

    def call_ended(
        self, execution_id: str, execution: StateExecution, now_ms: int, error: IwfEventError | None = None
    ) -> None:
        """A state's API has answered, or was given up with this error."""
        if not self._observed:
            return
        if execution.phase.is_before_waiting:
            completed, failed = (
                EventType.STATE_WAIT_UNTIL_EE_COMPLETE_EVENT,
                EventType.STATE_WAIT_UNTIL_EE_FAIL_EVENT,
            )
        else:
            completed, failed = (
                EventType.STATE_EXECUTE_EE_COMPLETE_EVENT,
                EventType.STATE_EXECUTE_EE_FAIL_EVENT,
            )
        kind = completed if error is None else failed
        self._add_state(kind, execution_id, execution, end_ms=now_ms, error=error)

    def rpc_ended(self, rpc_name: str, start_ms: int, now_ms: int, error: IwfEventError | None) -> None:
        """The worker of a locked RPC was called."""
        if self._observed:
            self._add(
                EventType.RPC_EXECUTION_EVENT,
                rpc_name=rpc_name,
                start_ms=start_ms,
                end_ms=now_ms,
                error=error,
            )

    def _add_state(
        self,
        kind: EventType,
        execution_id: str,
        execution: StateExecution,
        *,
        end_ms: int | None = None,
        error: IwfEventError | None = None,
    ) -> None:
        self._add(
            kind,
            state_id=execution.movement.state_id,
            execution_id=execution_id,
            start_ms=execution.began_at_ms,
            end_ms=end_ms,
            error=error,
        )

    def _add(
        self,
        kind: EventType,
        *,
        start_ms: int,
        end_ms: int | None = None,
        state_id: str | None = None,
        execution_id: str | None = None,
        rpc_name: str | None = None,
        error: IwfEventError | None = None,
    ) -> None:
        state = self._state
        self._events.append(
            IwfEvent(
                event_type=kind,
                workflow_type=state.workflow_type,
                workflow_id=state.workflow_id,
                workflow_run_id=state.run_id,
                state_id=state_id,
                state_execution_id=execution_id,
                rpc_name=rpc_name,
                start_timestamp_in_ms=start_ms,
                end_timestamp_in_ms=end_ms,
                error=error,
                search_attributes=list(state.search_attributes.values()) or None,
            )
        )
