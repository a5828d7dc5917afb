"""The life of a run that has its state: what events do to it, and what the end of a batch decides."""

from typing import assert_never

from iwf_interpreter.contract import LockedRpcRequest, UpdateError
from iwf_interpreter.core import calls, channels, closing, completions, continuing, events, timers
from iwf_interpreter.core.commands import (
    AcceptUpdate,
    AnswerUpdate,
    CancelRun,
    Close,
    Command,
    CompleteRun,
    ContinueAsNew,
    EarlierAttempts,
    FailRun,
    FailUpdate,
)
from iwf_interpreter.core.dispatch import Dispatch
from iwf_interpreter.core.locked_rpcs import ASK_AGAIN, LockedRpcs
from iwf_interpreter.core.notices import Notices
from iwf_interpreter.core.state import ExecutionState, Failure, Phase, StateExecution, Waiting
from iwf_interpreter.core.visibility import IndexChanges
from iwf_interpreter.core.waiting import Waiters, is_satisfied
from iwf_interpreter.core.writes import Writes
from iwf_models import (
    CommandRequest,
    ExecuteApiFailurePolicy,
    IwfEventError,
    StateMovement,
    WaitUntilApiFailurePolicy,
    WorkflowErrorType,
    WorkflowStateStartResponse,
    compat,
)

_NO_COMMANDS = CommandRequest()


class UnexpectedEvent(Exception):
    """An event that does not fit the state of the run: the history was made by other rules than ours."""


class Life:
    """One run: its state, and the indexes over it that make it fast to work with."""

    def __init__(self, state: ExecutionState, *, observed: bool) -> None:
        self.state = state
        self.notices = Notices(state, observed=observed)
        self._index = IndexChanges(state)
        self._writes = Writes(state, self._index)
        self._waiters = Waiters(state)
        self._timers = timers.Timers(state)
        self._dispatch = Dispatch(state, self._index, self.notices)
        self._rpcs = LockedRpcs(state, self._dispatch.locks, self._writes, self.notices)
        self._touched: dict[str, None] = {}
        """Executions whose wait has changed in this batch."""
        self._accepted: list[str] = []

    def refusal(self, request: LockedRpcRequest) -> UpdateError | None:
        """Why a locked RPC is not taken on, `None` when it is."""
        if self._takes_no_rpcs():
            return UpdateError.ASK_AGAIN
        return UpdateError.LOCKED if self._rpcs.must_refuse(request) else None

    def apply(self, event: events.Event, now_ms: int) -> None:
        """Take one event in."""
        state = self.state
        match event:
            case events.WaitUntilAnswered():
                self._wait_until_answered(event.execution_id, event.answer, now_ms)
            case events.ExecuteAnswered():
                self._execute_answered(event, now_ms)
            case events.SignalReceived():
                state.operations += 1
                channels.publish(state.signal_channels, event.channel_name, event.value)
            case events.RpcWritten():
                changes = event.changes
                self._writes.apply(
                    changes.upsert_search_attributes,
                    changes.upsert_data_objects,
                    changes.inter_state_channel_publishing,
                )
                self._writes.start_states(changes.state_decision)
            case events.TimerFired():
                self._timer_fired(event.timer_id)
            case events.WaitUntilFailed():
                self._wait_until_failed(event, now_ms)
            case events.ExecuteFailed():
                self._execute_failed(event, now_ms)
            case events.LocalCallFailed():
                self._local_call_failed(event, now_ms)
            case events.TimerSkipped():
                skipped = timers.skip(state, event)
                if skipped is not None:
                    self._touched[skipped] = None
            case events.ConfigUpdated():
                state.config = compat.merged_config(state.config, event.config)
            case events.ContinueAsNewRequested():
                state.continue_requested = True
            case events.ContinueAsNewSuggested():
                state.continue_suggested = True
            case events.LockedRpcRequested():
                self._accepted.append(event.update_id)
                self._rpcs.request(event, now_ms)
            case events.RpcAnswered():
                rpc = state.locked_rpcs.get(event.update_id)
                if rpc is None or not rpc.calling:
                    raise UnexpectedEvent(f"no worker is called for the update {event.update_id!r}")
                self._rpcs.answered(event, now_ms)
            case events.StateWaitRequested():
                self._accepted.append(event.update_id)
                state.state_waits[event.update_id] = event.target
            case events.FailRequested():
                state.client_failure = state.client_failure or Failure(
                    error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE,
                    text=event.reason or None,
                )
            case events.CancelRequested():
                state.cancel_requested = True
            case events.Started() | events.SnapshotPageLoaded():
                raise UnexpectedEvent(f"{type(event).__name__} comes before the run has its state")
            case _:
                assert_never(event)

    def take_index_changes(self, now_ms: int) -> list[Command]:
        """What the index is to be told, of batches that left calls in place behind."""
        return self._index.take(None, now_ms)

    def settle(self, now_ms: int) -> list[Command]:
        """End the batch, and return what the engine is to do."""
        state = self.state
        self._match(now_ms)
        closing.close_conditionally(state)
        state.draining = state.draining or continuing.is_due(state, now_ms)
        if not state.draining:
            self._dispatch.start_queued(now_ms)
        if self._takes_no_rpcs():
            self._rpcs.end_waiting()
        made: list[Command] = [*self._rpcs.make_calls(now_ms)]
        if not state.draining:
            made += self._dispatch.make_calls(now_ms)
        close: Close | None = closing.final_close(state)
        accepted: list[Command] = [AcceptUpdate(update_id=update_id) for update_id in self._accepted]
        self._accepted.clear()
        # Results in place are batches within one task, which writes to the index once, at its end.
        rests = close is not None or state.calls_in_place == 0
        index = self._index.take(close, now_ms) if rests else []
        if close is None and state.draining and state.calls_in_flight == 0:
            close = continuing.successor(state, now_ms)
        ended: list[Command] = [*self._rpcs.take_ended(), *self._end_waits(close)]
        if close is None:
            return [*accepted, *index, *self._timers.rearm(now_ms), *made, *ended]
        state.closed = True
        self._tell_end(close, now_ms)
        return [*accepted, *index, *ended, close]

    def _takes_no_rpcs(self) -> bool:
        """Whether locked RPCs would keep the run from continuing as new; calls of states do so anyway."""
        return self.state.draining and self.state.calls_in_flight == self._rpcs.calls_in_flight()

    # Parts of `apply`

    def _wait_until_answered(
        self, execution_id: str, answer: WorkflowStateStartResponse, now_ms: int
    ) -> None:
        execution = self._execution(execution_id, Phase.WAIT_UNTIL)
        self.notices.call_ended(execution_id, execution, now_ms)
        self._writes.apply(
            answer.upsert_search_attributes, answer.upsert_data_objects, answer.publish_to_inter_state_channel
        )
        self._dispatch.ended(execution_id, execution)
        execution.locals = answer.upsert_state_locals
        self._wait(execution_id, execution, answer.command_request or _NO_COMMANDS, now_ms)

    def _wait_until_failed(self, event: events.WaitUntilFailed, now_ms: int) -> None:
        execution = self._execution(event.execution_id, Phase.WAIT_UNTIL)
        error = IwfEventError(type=event.error_type, details=event.text)
        self.notices.call_ended(event.execution_id, execution, now_ms, error)
        self._dispatch.ended(event.execution_id, execution)
        policy = compat.wait_until_failure_policy(execution.movement.state_options)
        if policy is WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE:
            execution.wait_until_failed = True
            self._wait(event.execution_id, execution, _NO_COMMANDS, now_ms)
        else:
            closing.fail(self.state, WorkflowErrorType(event.error_type), event.text)

    def _execute_answered(self, event: events.ExecuteAnswered, now_ms: int) -> None:
        execution = self._execution(event.execution_id, Phase.EXECUTE)
        self.notices.call_ended(event.execution_id, execution, now_ms)
        answer = event.answer
        self._writes.apply(
            answer.upsert_search_attributes, answer.upsert_data_objects, answer.publish_to_inter_state_channel
        )
        self._dispatch.ended(event.execution_id, execution)
        self._completed(event.execution_id, execution)
        closing.decide(self.state, event.execution_id, execution.movement.state_id, answer.state_decision)

    def _execute_failed(self, event: events.ExecuteFailed, now_ms: int) -> None:
        execution = self._execution(event.execution_id, Phase.EXECUTE)
        error = IwfEventError(type=event.error_type, details=event.text)
        self.notices.call_ended(event.execution_id, execution, now_ms, error)
        self._dispatch.ended(event.execution_id, execution)
        options = execution.movement.state_options
        proceeds = (
            compat.execute_failure_policy(options) is ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE
        )
        if options is None or not proceeds or not options.execute_api_failure_proceed_state_id:
            closing.fail(self.state, WorkflowErrorType(event.error_type), event.text)
            return
        self._completed(event.execution_id, execution)
        self.state.queue.append(
            StateMovement(
                state_id=options.execute_api_failure_proceed_state_id,
                state_input=execution.movement.state_input,
                state_options=options.execute_api_failure_proceed_state_options,
            )
        )

    def _local_call_failed(self, event: events.LocalCallFailed, now_ms: int) -> None:
        """Let the engine make the call that failed in place, if its policy allows another attempt."""
        execution_id = calls.execution_id(event.call_id)
        is_wait_until = event.call_id.startswith(calls.WAIT_UNTIL_PREFIX)
        execution = self._execution(execution_id, Phase.WAIT_UNTIL if is_wait_until else Phase.EXECUTE)
        if event.timed_out:
            slow = self.state.slow_locally
            slow[execution.movement.state_id] = slow.get(execution.movement.state_id, 0) + 1
        if calls.allows_another_attempt(execution, event.started_at, now_ms):
            execution.earlier = EarlierAttempts(count=1, first_attempt_at=event.started_at)
            self._dispatch.repeat(execution_id, execution)
        elif is_wait_until:
            self._wait_until_failed(
                events.WaitUntilFailed(
                    execution_id=execution_id, error_type=event.error_type, text=event.text
                ),
                now_ms,
            )
        else:
            self._execute_failed(
                events.ExecuteFailed(execution_id=execution_id, error_type=event.error_type, text=event.text),
                now_ms,
            )

    def _timer_fired(self, timer_id: str) -> None:
        armed = self.state.armed_timer
        if armed is None or armed.timer_id != timer_id:
            raise UnexpectedEvent(f"timer {timer_id!r} fired, open is {armed!r}")
        self.state.armed_timer = None

    def _execution(self, execution_id: str, phase: Phase) -> StateExecution:
        execution = self.state.executions.get(execution_id)
        if execution is None or execution.phase is not phase:
            where = "not live" if execution is None else f"in phase {execution.phase}"
            raise UnexpectedEvent(f"{execution_id!r} is {where}, the event is for phase {phase}")
        return execution

    def _wait(
        self, execution_id: str, execution: StateExecution, request: CommandRequest, now_ms: int
    ) -> None:
        """Let an execution wait for a command request; relative timers begin now."""
        state = self.state
        state.registrations += 1
        waiting = Waiting(
            sequence=state.registrations,
            request=request,
            timers=[timers.timer(command, now_ms) for command in request.timer_commands or ()],
        )
        execution.phase = Phase.WAITING
        state.waiting[execution_id] = waiting
        timers.apply_stale_skips(state, execution_id, waiting)
        self._waiters.add(execution_id, waiting)
        self._timers.add(execution_id, waiting)
        self._touched[execution_id] = None

    def _completed(self, execution_id: str, execution: StateExecution) -> None:
        state = self.state
        del state.executions[execution_id]
        self._index.execution_ended(execution)
        completions.note_key(state, execution_id, execution)
        state.operations += 1 if compat.skips_wait_until(execution.movement.state_options) else 2

    # Parts of `settle`

    def _match(self, now_ms: int) -> None:
        """Give out what has come, and let executions go on whose trigger is met, longest waiting first."""
        state = self.state
        touched = {
            *self._touched,
            *self._timers.fire_due(now_ms),
            *self._waiters.match_messages(),
        }
        self._touched.clear()
        for execution_id in sorted(touched, key=lambda id_: state.waiting[id_].sequence):
            waiting = state.waiting[execution_id]
            if is_satisfied(waiting):
                del state.waiting[execution_id]
                self._waiters.remove(execution_id, waiting)
                self._timers.removed(waiting)
                execution = state.executions[execution_id]
                execution.phase = Phase.READY
                execution.waited = waiting
                self._dispatch.enqueue(execution_id, execution, now_ms)

    def _end_waits(self, close: Close | None) -> list[AnswerUpdate | FailUpdate]:
        """Answer those who wait for a state that has completed; a new run must be asked again."""
        ended: list[AnswerUpdate | FailUpdate] = [*completions.answer_waits(self.state)]
        if close is not None:
            ended += [
                FailUpdate(update_id=update_id, error=UpdateError.ASK_AGAIN, text=ASK_AGAIN)
                for update_id in self.state.state_waits
            ]
            self.state.state_waits.clear()
        return ended

    def _tell_end(self, close: Close, now_ms: int) -> None:
        match close:
            case FailRun():
                error = IwfEventError(type=close.error_type.value, details=close.text)
                self.notices.run_ended(now_ms, error)
            case CompleteRun():
                self.notices.run_ended(now_ms, None)
            case CancelRun() | ContinueAsNew():
                pass
