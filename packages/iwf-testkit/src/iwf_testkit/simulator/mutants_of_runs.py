"""Defects of closing and of continue-as-new."""

# Patching reaches into the core on purpose.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from iwf_interpreter.contract import SnapshotPage
from iwf_interpreter.core import (
    ExecutionState,
    closing,
    commands,
    continuing,
    events,
    snapshot,
)
from iwf_interpreter.core.decisions import ClosingState, closing_state, is_met
from iwf_interpreter.core.life import Life
from iwf_interpreter.core.locked_rpcs import LockedRpcs
from iwf_interpreter.core.state import Failure, Phase, TimerState
from iwf_models import (
    StateDecision,
)
from iwf_testkit.simulator.planting import Patch, mutant


def _carrying(change: Callable[[ExecutionState], dict[str, Any]]) -> Sequence[Patch]:
    """Change what the next run takes over."""
    before = snapshot.carried

    def carried(state: ExecutionState) -> ExecutionState:
        return msgspec.structs.replace(before(state), **change(state))

    return [(snapshot, "carried", carried)]


def _resuming(change: Callable[[events.Started, ExecutionState], None]) -> Sequence[Patch]:
    """Change what a continued run begins with."""
    before = continuing.continued_state

    def continued_state(event: events.Started, carried: ExecutionState) -> ExecutionState:
        state = before(event, carried)
        change(event, state)
        return state

    return [(continuing, "continued_state", continued_state)]


# Closing


@mutant
def condition_looked_at_before_the_batch_is_complete() -> Sequence[Patch]:
    """A conditional close is decided when its answer is applied: a later message of the batch is lost."""
    before = closing.decide

    def decide(state: ExecutionState, *rest: Any) -> None:
        before(state, *rest)
        closing.close_conditionally(state)

    return [(closing, "decide", decide)]


@mutant
def unmet_condition_drops_the_next_states() -> Sequence[Patch]:
    """When a conditional close is not met, nothing goes on."""
    before = closing._close_conditionally

    def close(state: ExecutionState, pending: Any) -> None:
        if is_met(state, pending.condition):
            before(state, pending)

    return [(closing, "_close_conditionally", close)]


@mutant
def contradiction_with_force_fail_is_a_force_fail() -> Sequence[Patch]:
    """A force fail beside other next states is carried out and not refused."""
    before = closing.decide

    def decide(state: ExecutionState, execution_id: str, state_id: str, decision: StateDecision) -> None:
        failing = [m for m in decision.next_states or () if closing_state(m) is ClosingState.FORCE_FAIL]
        if failing and decision.conditional_close is None:
            decision = StateDecision(next_states=failing[:1])
        before(state, execution_id, state_id, decision)

    return [(closing, "decide", decide)]


@mutant
def last_failure_wins() -> Sequence[Patch]:
    """With two failures in a batch the second one is reported."""

    def fail(state: ExecutionState, error_type: Any, text: str | None) -> None:
        state.failure = Failure(error_type=error_type, text=text)

    return [(closing, "fail", fail)]


@mutant
def failure_beats_cancel() -> Sequence[Patch]:
    """A run that is cancelled while a call fails is reported as failed."""
    before = closing.final_close

    def final_close(state: ExecutionState) -> Any:
        cancels, state.cancel_requested = state.cancel_requested, False
        close = before(state)
        state.cancel_requested = cancels
        return close if isinstance(close, commands.FailRun) else before(state)

    return [(closing, "final_close", final_close)]


@mutant
def closing_waits_for_draining() -> Sequence[Patch]:
    """While continue-as-new is due, a run closes only when no call is in flight any more."""
    before = closing.final_close

    def final_close(state: ExecutionState) -> Any:
        return None if state.draining and state.calls_in_flight else before(state)

    return [(closing, "final_close", final_close)]


# Continue-as-new


@mutant
def graceful_request_is_lost_at_continue_as_new() -> Sequence[Patch]:
    """The next run does not know that a thread asked to complete, and stays open for ever."""
    return _carrying(lambda _: {"graceful": False})


@mutant
def outputs_are_lost_at_continue_as_new() -> Sequence[Patch]:
    """The workflow completes with the outputs of its last run only."""
    return _carrying(lambda _: {"outputs": []})


@mutant
def start_counts_are_lost_at_continue_as_new() -> Sequence[Patch]:
    """State execution ids begin again and occur twice."""
    return _carrying(lambda _: {"started_counts": {}})


@mutant
def kept_skips_are_lost_at_continue_as_new() -> Sequence[Patch]:
    """A skip that came before its timer is forgotten."""
    return _carrying(lambda _: {"stale_skips": []})


@mutant
def locals_are_lost_at_continue_as_new() -> Sequence[Patch]:
    """An execution that waits loses its state locals."""

    def change(_: events.Started, state: ExecutionState) -> None:
        for execution in state.executions.values():
            execution.locals = None

    return _resuming(change)


@mutant
def waits_are_resumed_in_text_order() -> Sequence[Patch]:
    """After continue-as-new executions wait in the order of their ids as text."""

    def change(_: events.Started, state: ExecutionState) -> None:
        state.waiting = {name: state.waiting[name] for name in sorted(state.waiting)}
        for sequence, waiting in enumerate(state.waiting.values(), 1):
            waiting.sequence = sequence

    return _resuming(change)


@mutant
def skipped_timers_are_pending_again() -> Sequence[Patch]:
    """A skipped timer of an execution that still waits is pending again in the next run."""

    def change(_: events.Started, state: ExecutionState) -> None:
        for timer in (timer for waiting in state.waiting.values() for timer in waiting.timers):
            if timer.status is TimerState.SKIPPED:
                timer.status = TimerState.PENDING

    return _resuming(change)


@mutant
def timers_begin_again_at_continue_as_new() -> Sequence[Patch]:
    """A relative timer is measured from the start of the run and not from its registration."""

    def change(event: events.Started, state: ExecutionState) -> None:
        for waiting in state.waiting.values():
            for timer, command in zip(waiting.timers, waiting.request.timer_commands or (), strict=True):
                if timer.status is TimerState.PENDING:
                    timer.fire_at_ms = event.started_at_ms + (command.duration_seconds or 0) * 1000

    return _resuming(change)


@mutant
def pages_are_cut_inside_characters() -> Sequence[Patch]:
    """Pages of a state are decoded one by one, so a character on a border is damaged."""
    before = snapshot.page

    def page(data: bytes, number: int, count: int) -> SnapshotPage:
        begin, end = len(data) * number // count, len(data) * (number + 1) // count
        text = data[begin:end].decode(errors="replace").encode()
        return SnapshotPage(text=before(text, 0, 1).text, sha256="")

    def join(pages: Sequence[SnapshotPage]) -> ExecutionState:
        return snapshot.decode(b"".join(snapshot._decompress(part.text) for part in pages))

    return [(snapshot, "page", page), (snapshot, "join", join)]


@mutant
def proceeded_execution_runs_again_after_continue_as_new() -> Sequence[Patch]:
    """An execution whose failure was proceeded from stays in the table, and the next run resumes it."""
    before = Life._execute_failed

    def execute_failed(self: Life, event: events.ExecuteFailed, now_ms: int) -> None:
        execution = self.state.executions[event.execution_id]
        before(self, event, now_ms)
        self.state.executions[event.execution_id] = execution

    def change(_: events.Started, state: ExecutionState) -> None:
        for execution_id, execution in state.executions.items():
            if execution.phase is Phase.EXECUTE:
                execution.phase = Phase.READY
                state.calls_to_make.append(execution_id)

    return [(Life, "_execute_failed", execute_failed), *_resuming(change)]


@mutant
def waiting_rpcs_outlive_the_run() -> Sequence[Patch]:
    """A locked RPC that waits when the run drains is never answered."""

    def end_waiting(_: LockedRpcs) -> None:
        return

    return [(LockedRpcs, "end_waiting", end_waiting)]


@mutant
def draining_depends_on_the_present_threshold() -> Sequence[Patch]:
    """Whether continue-as-new is due is looked at anew each time, so a config update stops the drain."""
    before = Life.settle

    def settle(self: Life, now_ms: int) -> Any:
        self.state.draining = False
        return before(self, now_ms)

    return [(Life, "settle", settle)]


@mutant
def calls_are_begun_while_draining() -> Sequence[Patch]:
    """A call that waited for a lock is made although the run is about to end."""
    before = Life.settle

    def settle(self: Life, now_ms: int) -> Any:
        asked = before(self, now_ms)
        if self.state.draining and not self.state.closed:
            asked += self._dispatch.make_calls(now_ms)
        return asked

    return [(Life, "settle", settle)]


@mutant
def new_run_continues_before_it_calls() -> Sequence[Patch]:
    """Signals that keep coming with a low threshold leave the states to the next run, again and again."""

    def change(_: events.Started, state: ExecutionState) -> None:
        state.has_called = True

    return _resuming(change)


@mutant
def signals_of_a_batch_count_once() -> Sequence[Patch]:
    """Several signals of one channel in one batch are one operation for continue-as-new."""
    apply, settle = Life.apply, Life.settle
    seen: dict[int, list[str]] = {}

    def mutated_apply(self: Life, event: events.Event, now_ms: int) -> None:
        apply(self, event, now_ms)
        if isinstance(event, events.SignalReceived):
            channels = seen.setdefault(id(self), [])
            self.state.operations -= event.channel_name in channels
            channels.append(event.channel_name)

    def mutated_settle(self: Life, now_ms: int) -> Any:
        seen.clear()
        return settle(self, now_ms)

    return [(Life, "apply", mutated_apply), (Life, "settle", mutated_settle)]
