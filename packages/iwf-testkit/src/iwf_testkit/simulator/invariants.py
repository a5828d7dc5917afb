"""What must hold at every border between batches: one small function each.

Each returns what is wrong, or nothing. Its name is what a report shows, its first line is what
`docs/simulation.md` lists.
"""

from collections.abc import Callable
from typing import TypeAlias

from iwf_interpreter.core import ExecutionState, commands, events
from iwf_interpreter.core.state import Phase, TimerState
from iwf_testkit.simulator import invariants_of_calls, invariants_of_clients
from iwf_testkit.simulator.account import Account
from iwf_testkit.simulator.border import Border, differ

Invariant: TypeAlias = Callable[[Border], str | None]


def the_run_closes_for_its_first_cause(at: Border) -> str | None:
    """A run closes when it must and only then, for the first cause by the fixed priority."""
    expected, close = at.ledger.close(), at.close
    if expected is None and at.ledger.draining and not any(want.in_flight for want in at.ledger.wants):
        expected = "continue"
    match close:
        case None:
            actual = None
        case commands.CompleteRun():
            actual = "complete"
        case commands.CancelRun():
            actual = "cancel"
        case commands.ContinueAsNew():
            actual = "continue"
        case commands.FailRun():
            actual = close.error_type.value
    if actual != expected:
        return f"it closes with {actual}, it should with {expected}"
    told = at.ledger.failure
    if isinstance(close, commands.FailRun) and expected == "STATE_API_FAIL_ERROR_TYPE" and told is not None:
        return None if close.text == told[1] else f"it fails with {close.text!r}, it should with {told[1]!r}"
    return None


def a_closing_command_is_the_last(at: Border) -> str | None:
    """At most one command closes the run, and nothing follows it."""
    closes = (commands.CompleteRun, commands.FailRun, commands.CancelRun, commands.ContinueAsNew)
    early = [command for command in at.commands[:-1] if isinstance(command, closes)]
    return f"{early[0]!r} is followed by others" if early else None


def outputs_keep_the_order_of_decisions(at: Border) -> str | None:
    """Outputs are those of the decisions, in their order, each once, over the whole chain."""
    close, expected = at.close, at.ledger.outputs
    if isinstance(close, commands.CompleteRun):
        return differ("outputs", close.output.state_completion_outputs or [], expected)
    by_decision = at.ledger.close() == "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"
    if isinstance(close, commands.FailRun):
        return differ("outputs", close.outputs or [], expected if by_decision else [])
    return differ("outputs", at.core.outputs, expected)


def messages_are_never_lost_doubled_or_reordered(at: Border) -> str | None:
    """Every message is in its channel, in order, or was taken by one command, the longest waiting one."""
    state, ledger = at.core, at.ledger
    found = differ("signal channels", state.signal_channels, ledger.signals)
    found = found or differ("internal channels", state.internal_channels, ledger.internal)
    for execution_id, waiting in state.waiting.items():
        live = ledger.live.get(execution_id)
        if found or live is None or live.wait is None:
            break
        found = differ(f"signals of {execution_id}", waiting.signals, live.wait.signals)
        found = found or differ(f"messages of {execution_id}", waiting.internal, live.wait.internal)
    return found


def waits_keep_their_order(at: Border) -> str | None:
    """Executions wait in the order in which they began to, also after continue-as-new."""
    by_sequence = sorted(at.core.waiting, key=lambda name: at.core.waiting[name].sequence)
    return differ("waits", by_sequence, at.ledger.waiting)


def timers_fire_when_due_and_skips_hit_their_timer(at: Border) -> str | None:
    """A timer is fired once its time has come and skipped if a skip named it; no other one is."""
    for execution_id, waiting in at.core.waiting.items():
        live = at.ledger.live.get(execution_id)
        if live is None or live.wait is None:
            return f"{execution_id} should not wait"
        found = differ(
            f"timers of {execution_id}",
            [(timer.fire_at_ms, timer.status) for timer in waiting.timers],
            list(zip(live.wait.fire_at_ms, live.wait.timers, strict=True)),
        )
        if found is not None:
            return found
    return None


def skips_are_kept_for_timers_to_come(at: Border) -> str | None:
    """A skip is kept once, and only while its state execution may still come to wait."""
    kept = [(each.execution_id, each.command_id, each.command_index) for each in at.core.stale_skips]
    expected: list[tuple[str, str | None, int | None]] = []
    for each in at.ledger.stale:
        entry = (each.execution_id, each.command_id, each.command_index)
        if entry not in expected:
            expected.append(entry)
    return differ("kept skips", kept, expected)


def an_engine_timer_is_open_for_the_earliest_timer(at: Border) -> str | None:
    """While a timer is pending, one engine timer is open, and it is for the earliest of them."""
    if at.close is not None:
        return None
    pending = [
        fire_at_ms
        for live in at.ledger.live.values()
        if live.phase is Phase.WAITING and live.wait is not None
        for fire_at_ms, status in zip(live.wait.fire_at_ms, live.wait.timers, strict=True)
        if status is TimerState.PENDING
    ]
    armed = at.core.armed_timer and at.core.armed_timer.fire_at_ms
    for command in at.asked(commands.StartTimer):
        if at.now_ms + command.delay_ms != min(pending, default=None):
            return f"{command.timer_id} is started for {at.now_ms + command.delay_ms}"
    return differ("engine timer", (armed,), (min(pending, default=None),))


def executions_are_in_their_phase(at: Border) -> str | None:
    """Live executions are those that were started and have not ended, each in its phase."""
    if at.close is not None:
        # Calls of a batch that closes are not made, so phases mean nothing any more.
        return differ("executions", list(at.core.executions), list(at.ledger.live))
    return differ(
        "executions",
        [(name, execution.phase.value) for name, execution in at.core.executions.items()],
        [(name, live.phase.value) for name, live in at.ledger.live.items()],
    )


def every_movement_becomes_one_execution(at: Border) -> str | None:
    """Each next state is queued or was started once; ids count from 1 without a gap over the whole chain."""
    found = differ("queue", at.core.queue, at.ledger.queue)
    found = found or differ("started executions", at.core.started_counts, at.ledger.counts)
    for execution_id, execution in at.core.executions.items():
        live = at.ledger.live.get(execution_id)
        if found is None and live is not None and live.movement != execution.movement:
            found = f"{execution_id} runs {execution.movement!r}, it should run {live.movement!r}"
    return found


def attributes_are_as_last_written(at: Border) -> str | None:
    """Data and search attributes are what the last answer or RPC that was applied has written."""
    found = differ("data attributes", at.core.data_attributes, at.ledger.data)
    return found or differ("search attributes", at.core.search_attributes, at.ledger.search)


def a_draining_run_begins_nothing(at: Border) -> str | None:
    """Continue-as-new is due exactly when enough was done or it was asked for; then no state is called."""
    if at.close is None or isinstance(at.close, commands.ContinueAsNew):
        counted = (at.core.operations, at.core.draining)
        found = differ("operations and draining", counted, (at.ledger.operations, at.ledger.draining))
        if found is not None:
            return found
    made = [command.call_id for command in at.calls]
    if not at.ledger.takes_rpcs:
        made += [command.call_id for command in at.asked(commands.CallRpc)]
    return f"{made[0]} is made while the run drains" if made and at.ledger.draining else None


def a_run_that_reads_its_state_only_reads(at: Border) -> str | None:
    """A run that still reads the state of the one before asks for pages and nothing else, or ends."""
    for command in at.commands:
        match command:
            case commands.LoadSnapshotPage():
                pass
            case commands.CancelRun():
                if not any(isinstance(event, events.CancelRequested) for event in at.ledger.held):
                    return "it cancels"
            case commands.FailRun():
                if not any(isinstance(event, events.FailRequested) for event in at.ledger.held):
                    return "it fails"
            case _:
                return f"it asks for {command!r}"
    return None


def at_rest(state: ExecutionState, ledger: Account) -> str | None:
    """Once everything was delivered a run waits only for messages and clients: nothing is stuck."""
    if state.queue or state.pending_closes or state.calls_to_make or state.calls_in_flight:
        return f"left over: {state.queue!r}, {state.pending_closes!r}, {state.calls_to_make!r}"
    if state.draining or state.lock_tickets or state.armed_timer is not None:
        return f"left over: {state.draining}, {state.lock_tickets!r}, {state.armed_timer!r}"
    stuck = [name for name, execution in state.executions.items() if execution.phase is not Phase.WAITING]
    if stuck:
        return f"{stuck[0]} does not wait for commands"
    return "a client waits for an RPC" if ledger.rpcs else None


EVERY_BORDER: tuple[Invariant, ...] = (
    the_run_closes_for_its_first_cause,
    a_closing_command_is_the_last,
    outputs_keep_the_order_of_decisions,
    messages_are_never_lost_doubled_or_reordered,
    waits_keep_their_order,
    timers_fire_when_due_and_skips_hit_their_timer,
    skips_are_kept_for_timers_to_come,
    an_engine_timer_is_open_for_the_earliest_timer,
    every_movement_becomes_one_execution,
    executions_are_in_their_phase,
    attributes_are_as_last_written,
    invariants_of_calls.execute_is_told_what_happened,
    invariants_of_calls.calls_load_the_attributes_of_now,
    invariants_of_calls.rpcs_see_the_channels_of_now,
    invariants_of_calls.no_call_is_made_twice,
    invariants_of_calls.attempts_are_counted_over_both_ways,
    invariants_of_calls.calls_are_made_in_place_when_they_may,
    invariants_of_calls.workers_see_one_run,
    invariants_of_calls.locks_exclude,
    invariants_of_calls.locks_are_first_come_first_served,
    invariants_of_calls.nobody_waits_for_free_locks,
    invariants_of_calls.locks_do_not_leak,
    a_draining_run_begins_nothing,
    invariants_of_clients.the_index_is_written_once_and_only_when_it_changes,
    invariants_of_clients.the_index_shows_the_run,
    invariants_of_clients.the_memo_mirrors_data_attributes,
    invariants_of_clients.updates_are_accepted_and_end_once,
    invariants_of_clients.state_waits_end_with_the_state,
    invariants_of_clients.keys_name_the_first_that_completed,
)
LOADING: tuple[Invariant, ...] = (a_run_that_reads_its_state_only_reads,)
