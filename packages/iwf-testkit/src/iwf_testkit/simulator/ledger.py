"""The rules of a run, said again in the plainest way: how events and the end of a batch change the account.

A second, naive interpreter, written from `docs/interpreter.md` and not from the core: lists that are walked
instead of indexes, no engine, no code shared with what it checks.
"""

from collections.abc import Sequence

from iwf_interpreter.core import events
from iwf_interpreter.core.state import Phase, TimerState
from iwf_models import (
    CommandRequest,
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    RetryPolicy,
    SearchAttribute,
    StateCompletionOutput,
    StateDecision,
    StateMovement,
    WorkflowConfig,
    compat,
)
from iwf_testkit.simulator import matching
from iwf_testkit.simulator.account import Account, Live, Wait

_NO_COMMANDS = CommandRequest()
_PAUSE_MS = 1000
"""How old a run should be before it continues as new, unless its threshold is low."""


class Ledger(Account):
    """An account that follows the events of a run."""

    # Events

    def apply(self, event: events.Event, now_ms: int) -> None:
        """Take one event in."""
        if self.pages_missing and not isinstance(event, events.SnapshotPageLoaded):
            self.held.append(event)
            return
        match event:
            case events.Started():
                self._started(event)
            case events.WaitUntilAnswered():
                answer = event.answer
                self.call_is_over(f"wu/{event.execution_id}")
                self._write(answer.upsert_search_attributes, answer.upsert_data_objects)
                self._publish(answer.publish_to_inter_state_channel)
                live = self.live[event.execution_id]
                live.state_locals = answer.upsert_state_locals
                self._wait(event.execution_id, live, answer.command_request or _NO_COMMANDS, now_ms)
            case events.WaitUntilFailed():
                self._wait_until_failed(event, event.execution_id, now_ms)
            case events.ExecuteAnswered():
                answer = event.answer
                self.call_is_over(f"ex/{event.execution_id}")
                self._write(answer.upsert_search_attributes, answer.upsert_data_objects)
                self._publish(answer.publish_to_inter_state_channel)
                live = self._completed(event.execution_id)
                self._decide(event.execution_id, live, answer.state_decision)
            case events.ExecuteFailed():
                self._execute_failed(event, event.execution_id)
            case events.LocalCallFailed():
                self._local_call_failed(event, now_ms)
            case events.SignalReceived():
                self.signals.setdefault(event.channel_name, []).append(event.value)
                self.operations += 1
            case events.RpcWritten():
                changes = event.changes
                self._write(changes.upsert_search_attributes, changes.upsert_data_objects)
                self._publish(changes.inter_state_channel_publishing)
                self._start(changes.state_decision)
            case events.TimerFired():
                pass
            case events.TimerSkipped():
                self._skipped(event)
            case events.ConfigUpdated():
                fields = {
                    name: value
                    for name in WorkflowConfig.__struct_fields__
                    if (value := getattr(event.config, name)) is not None
                }
                current = {name: getattr(self.config, name) for name in WorkflowConfig.__struct_fields__}
                self.config = WorkflowConfig(**{**current, **fields})
            case events.ContinueAsNewRequested():
                self.requested = True
            case events.ContinueAsNewSuggested():
                self.suggested = True
            case events.LockedRpcRequested():
                self.accepted.append(event.update_id)
                self.rpcs[event.update_id] = event.request
            case events.RpcAnswered():
                self._rpc_answered(event)
            case events.StateWaitRequested():
                self.accepted.append(event.update_id)
                self.state_waits[event.update_id] = event.target
            case events.SnapshotPageLoaded():
                self.pages_missing -= 1
                if not self.pages_missing:
                    held, self.held = self.held, []
                    for each in held:
                        self.apply(each, now_ms)
            case events.FailRequested():
                self.client_failure = True
            case events.CancelRequested():
                self.cancel = True

    def _started(self, event: events.Started) -> None:
        start = event.input
        self.run_started_at_ms = event.started_at_ms
        self.slow, self.has_called = {}, False
        self.operations, self.requested, self.suggested, self.draining = 0, False, False, False
        self.wants, self.rpcs, self.state_waits = [want for want in self.wants if not want.is_rpc], {}, {}
        if start.continued is not None:
            self.pages_missing = start.continued.pages
            return
        self.config = start.config
        self.began, self.deadline_ms = event.started_at_ms // 1000, event.deadline_ms
        self.use_memo = bool(start.use_memo_for_data_attributes)
        for attribute in start.init_search_attributes or ():
            self.search[attribute.key or ""] = attribute
            self.index[attribute.key or ""] = attribute.string_value
        for item in start.init_data_attributes or ():
            self.data[item.key or ""] = item.value
            if self.use_memo and item.value is not None:
                self.memo[item.key or ""] = item.value
        if start.start_state_id:
            self.queue.append(
                StateMovement(
                    state_id=start.start_state_id,
                    state_input=start.state_input,
                    state_options=start.state_options,
                )
            )

    def call_is_over(self, call_id: str) -> None:
        """Note that a call holds no locks and waits for none any more."""
        self.wants = [want for want in self.wants if want.call_id != call_id]

    def _write(self, search: Sequence[SearchAttribute] | None, data: Sequence[KeyValue] | None) -> None:
        for attribute in search or ():
            self.search[attribute.key or ""] = attribute
        for item in data or ():
            self.data[item.key or ""] = item.value

    def _publish(self, messages: Sequence[InterStateChannelPublishing] | None) -> None:
        for message in messages or ():
            self.internal.setdefault(message.channel_name, []).append(message.value)

    def _start(self, decision: StateDecision | None) -> None:
        for movement in (decision and decision.next_states) or ():
            if not movement.state_id.startswith("_SYS_"):
                self.queue.append(movement)

    def _wait(self, execution_id: str, live: Live, request: CommandRequest, now_ms: int) -> None:
        wait = Wait(
            request,
            [
                now_ms + timer.duration_seconds * 1000 if timer.duration_seconds is not None else now_ms
                for timer in request.timer_commands or ()
            ],
            [TimerState.PENDING for _ in request.timer_commands or ()],
        )
        live.wait, live.phase = wait, Phase.WAITING
        self.waiting.append(execution_id)
        for skip in [each for each in self.stale if each.execution_id == execution_id]:
            self.stale.remove(skip)
            _skip(wait, skip)

    def _wait_until_failed(
        self, event: events.WaitUntilFailed | events.LocalCallFailed, execution_id: str, now_ms: int
    ) -> None:
        self.call_is_over(f"wu/{execution_id}")
        live = self.live[execution_id]
        policy = compat.wait_until_failure_policy(live.movement.state_options)
        if policy == "PROCEED_ON_FAILURE":
            live.wait_until_failed = True
            self._wait(execution_id, live, _NO_COMMANDS, now_ms)
        else:
            self.failure = self.failure or (event.error_type, event.text)

    def _execute_failed(
        self, event: events.ExecuteFailed | events.LocalCallFailed, execution_id: str
    ) -> None:
        self.call_is_over(f"ex/{execution_id}")
        options = self.live[execution_id].movement.state_options
        if options is not None and options.execute_api_failure_policy == "PROCEED_TO_CONFIGURED_STATE":
            live = self._completed(execution_id)
            self.queue.append(
                StateMovement(
                    state_id=options.execute_api_failure_proceed_state_id or "",
                    state_input=live.movement.state_input,
                    state_options=options.execute_api_failure_proceed_state_options,
                )
            )
        else:
            self.failure = self.failure or (event.error_type, event.text)

    def _local_call_failed(self, event: events.LocalCallFailed, now_ms: int) -> None:
        execution_id = event.call_id[3:]
        live = self.live[execution_id]
        self.slow[live.movement.state_id] = self.slow.get(live.movement.state_id, 0) + event.timed_out
        before_waiting = event.call_id.startswith("wu/")
        options = live.movement.state_options
        policy = (
            compat.wait_until_retry_policy(options)
            if before_waiting
            else compat.execute_retry_policy(options)
        ) or RetryPolicy()
        limit = policy.maximum_attempts_duration_seconds
        next_at_ms = now_ms + (policy.initial_interval_seconds or 1) * 1000
        if policy.maximum_attempts != 1 and (not limit or next_at_ms < (event.started_at + limit) * 1000):
            live.phase = Phase.START if before_waiting else Phase.READY
            for want in self.wants:
                if want.call_id == event.call_id:
                    want.in_flight = want.in_place = False
        elif before_waiting:
            self._wait_until_failed(event, execution_id, now_ms)
        else:
            self._execute_failed(event, execution_id)

    def _completed(self, execution_id: str) -> Live:
        live = self.live.pop(execution_id)
        self.operations += 1 if compat.skips_wait_until(live.movement.state_options) else 2
        if live.movement.wait_for_key:
            self.keys.setdefault(f"{live.movement.state_id}/{live.movement.wait_for_key}", execution_id)
        return live

    def _decide(self, execution_id: str, live: Live, decision: StateDecision | None) -> None:
        assert decision is not None
        next_states = decision.next_states or []
        if decision.conditional_close is not None:
            self.closes.append((execution_id, decision.conditional_close, next_states))
            return
        closing = [each for each in next_states if each.state_id.startswith("_SYS_")]
        if closing and len(next_states) > 1:
            self.failure = self.failure or ("INVALID_USER_WORKFLOW_CODE_ERROR_TYPE", None)
            return
        if not closing:
            self.queue += next_states
            return
        kind = closing[0].state_id
        if kind == "_SYS_DEAD_END":
            return
        self._output(execution_id, closing[0].state_input)
        if kind == "_SYS_GRACEFUL_COMPLETING_WORKFLOW":
            self.graceful = True
        elif kind == "_SYS_FORCE_COMPLETING_WORKFLOW":
            self.forced = True
        else:
            self.failure = self.failure or ("STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE", None)

    def _output(self, execution_id: str, value: EncodedObject | None) -> None:
        self.finals[execution_id] = value
        if value is not None:
            self.outputs.append(
                StateCompletionOutput(
                    completed_state_id=execution_id.rpartition("-")[0],
                    completed_state_execution_id=execution_id,
                    completed_state_output=value,
                )
            )

    def _skipped(self, event: events.TimerSkipped) -> None:
        live = self.live.get(event.execution_id)
        state_id, _, number = event.execution_id.rpartition("-")
        if live is not None and live.phase is Phase.WAITING and live.wait is not None:
            _skip(live.wait, event)
        elif live is not None:
            if live.phase in (Phase.START, Phase.WAIT_UNTIL):
                self.stale.append(event)
        elif int(number) > self.counts.get(state_id, 0):
            self.stale.append(event)

    def _rpc_answered(self, event: events.RpcAnswered) -> None:
        self.call_is_over(f"rpc/{event.update_id}")
        self.rpcs.pop(event.update_id)
        answer = event.answer
        self.answered[event.update_id] = answer and answer.output
        if answer is not None:
            self.operations += 1
            self._write(answer.upsert_search_attributes, answer.upsert_data_attributes)
            self._publish(answer.publish_to_inter_state_channel)
            self._start(answer.state_decision)

    # End of a batch

    def settle(self, now_ms: int) -> None:
        """End the batch: everything that must follow from its events."""
        if self.pages_missing:
            return
        matching.give_out(self, now_ms)
        for execution_id, condition, otherwise in self.closes:
            if self.forced:
                break
            if not matching.is_empty(self, condition):
                self.queue += otherwise
                continue
            self._output(execution_id, condition.close_input)
            if condition.conditional_close_type == "GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY":
                self.graceful = True
            else:
                self.forced = True
        self.closes.clear()
        self.draining = self.draining or self._is_due(now_ms)
        if not self.draining:
            for movement in self.queue:
                number = self.counts[movement.state_id] = self.counts.get(movement.state_id, 0) + 1
                skips = compat.skips_wait_until(movement.state_options)
                self.live[f"{movement.state_id}-{number}"] = Live(
                    movement, Phase.READY if skips else Phase.START
                )
            self.queue.clear()

    def _is_due(self, now_ms: int) -> bool:
        wants_to_call = self.queue or any(
            live.phase in (Phase.START, Phase.READY) for live in self.live.values()
        )
        if wants_to_call and not self.has_called:
            return False
        threshold = self.config.continue_as_new_threshold or 0
        if threshold >= 10 and now_ms - self.run_started_at_ms < _PAUSE_MS:
            threshold *= 4
        if self.requested or (self.suggested and self.operations > 0):
            return True
        return 0 < threshold <= self.operations


def _skip(wait: Wait, skip: events.TimerSkipped) -> None:
    commands = wait.request.timer_commands or []
    if skip.command_id:
        found = [n for n, each in enumerate(commands) if each.command_id == skip.command_id][:1]
    else:
        found = [n for n in range(len(commands)) if n == skip.command_index]
    for position in found:
        if wait.timers[position] is TimerState.PENDING:
            wait.timers[position] = TimerState.SKIPPED
