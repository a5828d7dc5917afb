"""The life of a run: `apply` takes one event in, `settle` ends a batch and says what to do.

Between two calls of `settle` any number of events is applied. Each one is applied completely (attributes,
messages, next states), but nothing is decided: which command gets which message, whether a conditional
close is met, whether the run ends. All of that happens in `settle`, when everything that the engine
delivered together has been taken in. So a message is never lost to a decision of the same batch, and the
result does not depend on the order inside it more than it must (`docs/interpreter.md`).

Nothing that a user, a worker or a client can do makes these functions raise. An exception that leaves
them is a bug or a history of another build; the run must be suspended then, not failed.
"""

from collections.abc import Iterable
from typing import assert_never

from iwf_interpreter.contract import RESERVED_STATE_PREFIX, InterpreterOutput, RpcSignal
from iwf_interpreter.core import calls, channels, events, timers, waiting
from iwf_interpreter.core.commands import (
    Call,
    CancelRun,
    Close,
    Command,
    CompleteRun,
    FailRun,
)
from iwf_interpreter.core.decisions import (
    ClosingState,
    closing_otherwise,
    closing_state,
    contradiction,
    is_met,
)
from iwf_interpreter.core.state import (
    ExecutionState,
    Failure,
    PendingClose,
    Phase,
    StateExecution,
)
from iwf_interpreter.core.versions import check_version
from iwf_interpreter.core.visibility import IndexChanges
from iwf_models import (
    CommandRequest,
    EncodedObject,
    ExecuteApiFailurePolicy,
    InterStateChannelPublishing,
    KeyValue,
    SearchAttribute,
    StateCompletionOutput,
    StateDecision,
    StateMovement,
    WaitUntilApiFailurePolicy,
    WorkflowConditionalCloseType,
    WorkflowErrorType,
    WorkflowStateStartResponse,
    compat,
)

_NO_COMMANDS = CommandRequest()


class UnexpectedEvent(Exception):
    """An event that does not fit the state of the run: the history was made by other rules than ours."""


class Interpreter:
    """One run. Feed it the history's events, batch by batch."""

    def __init__(self, state: ExecutionState | None = None) -> None:
        """Begin with nothing, or go on from a restored state."""
        self._state = state
        self._waiters = None if state is None else waiting.Waiters(state)
        self._touched: list[str] = []
        self._index_changes = IndexChanges()

    @property
    def state(self) -> ExecutionState:
        """The state as of the last `settle`, when called between batches; raises before `Started`."""
        if self._state is None:
            raise UnexpectedEvent("the run has no started event yet")
        return self._state

    def apply(self, event: events.Event, now_ms: int) -> None:
        """Take one event in.

        Args:
            event: What happened.
            now_ms: Time of the batch that the event belongs to, in Unix milliseconds.

        Raises:
            UnexpectedEvent: The event does not fit the state.
            UnknownVersion: The run needs a newer build.
        """
        match event:
            case events.Started():
                self._start(event)
            case events.WaitUntilAnswered():
                self._wait_until_answered(event.execution_id, event.answer, now_ms)
            case events.ExecuteAnswered():
                self._execute_answered(event)
            case events.SignalReceived():
                channels.publish(self.state.signal_channels, event.channel_name, event.value)
            case events.RpcWritten():
                self._rpc_written(event.changes)
            case events.TimerFired():
                self._timer_fired(event.timer_id)
            case events.WaitUntilFailed():
                self._wait_until_failed(event, now_ms)
            case events.ExecuteFailed():
                self._execute_failed(event)
            case events.FailRequested():
                state = self.state
                state.client_failure = state.client_failure or Failure(
                    error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE,
                    text=event.reason or None,
                )
            case events.CancelRequested():
                self.state.cancel_requested = True
            case _:
                assert_never(event)

    def settle(self, now_ms: int) -> list[Command]:
        """End the batch: match, decide, and return the commands in order.

        Args:
            now_ms: Time of the batch, in Unix milliseconds.
        """
        state = self.state
        if state.closed:
            raise UnexpectedEvent("the run is closed, nothing can follow")
        started = self._progress(now_ms)
        close = self._close()
        commands = self._index_changes.take(state, now_ms)
        if close is not None:
            state.closed = True
            return [*commands, close]
        return [*commands, *timers.rearm(state, now_ms), *started]

    # Events

    def _start(self, event: events.Started) -> None:
        if self._state is not None:
            raise UnexpectedEvent("the run has started already")
        start = event.input
        check_version(start.interpreter_version)
        state = ExecutionState(
            workflow_id=event.workflow_id,
            run_id=event.run_id,
            first_run_id=event.first_run_id,
            started_at=event.started_at,
            workflow_type=start.iwf_workflow_type,
            worker_url=start.iwf_worker_url,
            config=start.config,
            interpreter_version=start.interpreter_version,
            use_memo=bool(start.use_memo_for_data_attributes),
            data_attributes={item.key or "": item.value for item in start.init_data_attributes or ()},
            search_attributes={item.key or "": item for item in start.init_search_attributes or ()},
        )
        if start.start_state_id:
            state.queue.append(
                StateMovement(
                    state_id=start.start_state_id,
                    state_input=start.state_input,
                    state_options=start.state_options,
                )
            )
        self._state = state
        self._waiters = waiting.Waiters(state)

    def _wait_until_answered(
        self, execution_id: str, answer: WorkflowStateStartResponse, now_ms: int
    ) -> None:
        execution = self._execution(execution_id, Phase.WAIT_UNTIL)
        self._write(
            answer.upsert_search_attributes, answer.upsert_data_objects, answer.publish_to_inter_state_channel
        )
        execution.locals = answer.upsert_state_locals
        execution.phase = Phase.WAITING
        self._wait(execution_id, answer.command_request or _NO_COMMANDS, now_ms)

    def _wait_until_failed(self, event: events.WaitUntilFailed, now_ms: int) -> None:
        execution = self._execution(event.execution_id, Phase.WAIT_UNTIL)
        policy = compat.wait_until_failure_policy(execution.movement.state_options)
        if policy is WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE:
            execution.wait_until_failed = True
            execution.phase = Phase.WAITING
            self._wait(event.execution_id, _NO_COMMANDS, now_ms)
        else:
            self._fail(WorkflowErrorType(event.error_type), event.text)

    def _execute_answered(self, event: events.ExecuteAnswered) -> None:
        execution = self._execution(event.execution_id, Phase.EXECUTE)
        answer = event.answer
        self._write(
            answer.upsert_search_attributes, answer.upsert_data_objects, answer.publish_to_inter_state_channel
        )
        del self.state.executions[event.execution_id]
        self._decide(event.execution_id, execution.movement.state_id, answer.state_decision)

    def _execute_failed(self, event: events.ExecuteFailed) -> None:
        execution = self._execution(event.execution_id, Phase.EXECUTE)
        options = execution.movement.state_options
        proceeds = (
            compat.execute_failure_policy(options) is ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE
        )
        if options is None or not proceeds or not options.execute_api_failure_proceed_state_id:
            self._fail(WorkflowErrorType(event.error_type), event.text)
            return
        del self.state.executions[event.execution_id]
        self.state.queue.append(
            StateMovement(
                state_id=options.execute_api_failure_proceed_state_id,
                state_input=execution.movement.state_input,
                state_options=options.execute_api_failure_proceed_state_options,
            )
        )

    def _rpc_written(self, changes: RpcSignal) -> None:
        self._write(
            changes.upsert_search_attributes,
            changes.upsert_data_objects,
            changes.inter_state_channel_publishing,
        )
        if changes.state_decision is not None:
            # The API refuses RPCs that close; a signal made by hand must not run a reserved id as a state.
            self.state.queue += [
                movement
                for movement in changes.state_decision.next_states or ()
                if not movement.state_id.startswith(RESERVED_STATE_PREFIX)
            ]

    def _timer_fired(self, timer_id: str) -> None:
        armed = self.state.armed_timer
        if armed is None or armed.timer_id != timer_id:
            raise UnexpectedEvent(f"timer {timer_id!r} fired, open is {armed!r}")
        self.state.armed_timer = None

    # Parts of events

    def _execution(self, execution_id: str, phase: Phase) -> StateExecution:
        execution = self.state.executions.get(execution_id)
        if execution is None or execution.phase is not phase:
            where = "not live" if execution is None else f"in phase {execution.phase}"
            raise UnexpectedEvent(f"{execution_id!r} is {where}, the event is for phase {phase}")
        return execution

    def _wait(self, execution_id: str, request: CommandRequest, now_ms: int) -> None:
        assert self._waiters is not None
        self._waiters.register(execution_id, request, now_ms)
        self._touched.append(execution_id)

    def _write(
        self,
        search_attributes: Iterable[SearchAttribute] | None,
        data_attributes: Iterable[KeyValue] | None,
        publishing: Iterable[InterStateChannelPublishing] | None,
    ) -> None:
        state = self.state
        for attribute in search_attributes or ():
            key = attribute.key or ""
            self._index_changes.search_attribute_written(key, state.search_attributes.get(key))
            state.search_attributes[key] = attribute
        for item in data_attributes or ():
            state.data_attributes[item.key or ""] = item.value
            if state.use_memo:
                self._index_changes.data_attribute_written(item)
        for message in publishing or ():
            channels.publish(state.internal_channels, message.channel_name, message.value)

    def _decide(self, execution_id: str, state_id: str, decision: StateDecision | None) -> None:
        state = self.state
        next_states = (decision and decision.next_states) or []
        if decision is not None and decision.conditional_close is not None:
            state.pending_closes.append(
                PendingClose(
                    execution_id=execution_id, condition=decision.conditional_close, otherwise=next_states
                )
            )
            return
        wrong = contradiction(next_states)
        if wrong is not None:
            self._fail(WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE, wrong)
            return
        closing = closing_state(next_states[0]) if next_states else ClosingState.GRACEFUL_COMPLETE
        if closing is None:
            state.queue += next_states
            return
        output = next_states[0].state_input if next_states else None
        match closing:
            case ClosingState.GRACEFUL_COMPLETE:
                self._collect(execution_id, state_id, output)
                state.graceful = True
            case ClosingState.FORCE_COMPLETE:
                self._collect(execution_id, state_id, output)
                state.forced = True
            case ClosingState.FORCE_FAIL:
                self._collect(execution_id, state_id, output)
                self._fail(WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE, None)
            case ClosingState.DEAD_END:
                pass

    def _collect(self, execution_id: str, state_id: str, output: EncodedObject | None) -> None:
        if output is not None:
            self.state.outputs.append(
                StateCompletionOutput(
                    completed_state_id=state_id,
                    completed_state_execution_id=execution_id,
                    completed_state_output=output,
                )
            )

    def _fail(self, error_type: WorkflowErrorType, text: str | None) -> None:
        self.state.failure = self.state.failure or Failure(error_type=error_type, text=text)

    # End of a batch

    def _progress(self, now_ms: int) -> list[Call]:
        assert self._waiters is not None
        state = self.state
        touched = {
            *self._touched,
            *timers.fire_due(state, now_ms),
            *self._waiters.match_messages(),
        }
        self._touched.clear()
        started: list[Call] = [
            self._execute_waiting(execution_id)
            for execution_id in sorted(touched, key=lambda id_: state.waiting[id_].sequence)
            if waiting.is_satisfied(state.waiting[execution_id])
        ]
        for pending in state.pending_closes:
            self._close_conditionally(pending)
        state.pending_closes.clear()
        started += [self._start_execution(movement) for movement in state.queue]
        state.queue.clear()
        return started

    def _execute_waiting(self, execution_id: str) -> Call:
        assert self._waiters is not None
        satisfied = self._waiters.remove(execution_id)
        execution = self.state.executions[execution_id]
        execution.phase = Phase.EXECUTE
        results = (
            waiting.FAILED_WAIT_UNTIL_RESULTS if execution.wait_until_failed else waiting.results(satisfied)
        )
        return calls.execute_call(self.state, execution_id, execution, results)

    def _start_execution(self, movement: StateMovement) -> Call:
        state = self.state
        number = state.started_counts.get(movement.state_id, 0) + 1
        state.started_counts[movement.state_id] = number
        execution_id = f"{movement.state_id}-{number}"
        if compat.skips_wait_until(movement.state_options):
            execution = StateExecution(movement=movement, phase=Phase.EXECUTE)
            call: Call = calls.execute_call(state, execution_id, execution, None)
        else:
            execution = StateExecution(movement=movement, phase=Phase.WAIT_UNTIL)
            call = calls.wait_until_call(state, execution_id, execution)
        state.executions[execution_id] = execution
        return call

    def _close_conditionally(self, pending: PendingClose) -> None:
        state = self.state
        if not is_met(state, pending.condition):
            wrong = closing_otherwise(pending.otherwise)
            if wrong is None:
                state.queue += pending.otherwise
            else:
                self._fail(WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE, wrong)
            return
        state_id = pending.execution_id.rpartition("-")[0]
        self._collect(pending.execution_id, state_id, pending.condition.close_input)
        graceful = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY
        if pending.condition.conditional_close_type is graceful:
            state.graceful = True
        else:
            state.forced = True

    def _close(self) -> Close | None:
        """The end of the run, if it has come: the first cause by a fixed priority."""
        state = self.state
        if state.cancel_requested:
            return CancelRun()
        failure = state.client_failure or state.failure
        if failure is not None:
            by_decision = failure.error_type is WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE
            return FailRun(
                error_type=failure.error_type,
                text=failure.text,
                outputs=list(state.outputs) if by_decision else None,
            )
        if state.forced or (state.graceful and not state.executions):
            return CompleteRun(output=InterpreterOutput(state_completion_outputs=list(state.outputs) or None))
        return None
