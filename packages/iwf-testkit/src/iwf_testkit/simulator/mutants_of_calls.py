"""Defects of messages, timers, locks and calls, and of what clients see."""

# Patching reaches into the core on purpose.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from iwf_interpreter.core import (
    ExecutionState,
    calls,
    commands,
    completions,
    events,
    life,
    timers,
)
from iwf_interpreter.core.dispatch import Dispatch
from iwf_interpreter.core.life import Life
from iwf_interpreter.core.locks import Locks
from iwf_interpreter.core.state import LockTicket, StateExecution, Waiting
from iwf_interpreter.core.visibility import IndexChanges, executing_state_id_mode
from iwf_interpreter.core.waiting import Waiters
from iwf_models import (
    CommandWaitingType,
    ExecutingStateIdMode,
    RetryPolicy,
    StateMovement,
    TimerCommand,
    compat,
)
from iwf_testkit.simulator.planting import Patch, mutant

# Messages


@mutant
def any_takes_one_message_while_continue_as_new_is_due() -> Sequence[Patch]:
    """With continue-as-new due, an execution that waits for any command takes one of two messages."""
    before = Waiters.match_messages

    def match_messages(self: Waiters) -> list[str]:
        state = self._state
        threshold = state.config.continue_as_new_threshold or 0
        got = before(self)
        if state.draining or 0 < threshold <= state.operations:
            for execution_id in dict.fromkeys(got):
                _give_back_all_but_one(state, state.waiting[execution_id])
                self.add(execution_id, state.waiting[execution_id])
        return got

    return [(Waiters, "match_messages", match_messages)]


def _give_back_all_but_one(state: ExecutionState, waiting: Waiting) -> None:
    if compat.command_waiting_type(waiting.request) is not CommandWaitingType.ANY_COMPLETED:
        return
    for index in list(waiting.signals)[1:]:
        name = (waiting.request.signal_commands or [])[index].signal_channel_name
        state.signal_channels[name] = waiting.signals.pop(index) + state.signal_channels.get(name, [])


@mutant
def message_without_value_is_not_counted() -> Sequence[Patch]:
    """A command that took a message without a value counts as still waiting."""
    before = life.is_satisfied

    def is_satisfied(waiting: Waiting) -> bool:
        internal = {index: taken for index, taken in waiting.internal.items() if taken != [None]}
        return before(msgspec.structs.replace(waiting, internal=internal))

    return [(life, "is_satisfied", is_satisfied)]


# Timers


@mutant
def kept_skips_double() -> Sequence[Patch]:
    """Whenever timers are registered, every kept skip that does not fit is kept once more."""
    before = timers.apply_stale_skips

    def apply_stale_skips(state: ExecutionState, execution_id: str, waiting: Waiting) -> None:
        before(state, execution_id, waiting)
        state.stale_skips += state.stale_skips if waiting.timers else []

    return [(timers, "apply_stale_skips", apply_stale_skips)]


@mutant
def kept_skip_hits_a_timer_of_another_state() -> Sequence[Patch]:
    """A kept skip skips whatever timer is registered next."""
    before = timers.apply_stale_skips

    def apply_stale_skips(state: ExecutionState, execution_id: str, waiting: Waiting) -> None:
        state.stale_skips = [
            msgspec.structs.replace(kept, execution_id=execution_id) for kept in state.stale_skips
        ]
        before(state, execution_id, waiting)

    return [(timers, "apply_stale_skips", apply_stale_skips)]


@mutant
def skip_is_lost_while_draining() -> Sequence[Patch]:
    """A skip that arrives while the run drains is answered and forgotten."""
    before = timers.skip

    def skip(state: ExecutionState, event: events.TimerSkipped) -> str | None:
        return None if state.draining else before(state, event)

    return [(timers, "skip", skip)]


@mutant
def next_timer_is_not_armed() -> Sequence[Patch]:
    """After the engine's timer has fired once, the next one to come is not armed."""
    before = timers.Timers.rearm

    def rearm(self: timers.Timers, now_ms: int) -> Any:
        state = self._state
        return () if state.armed_timer is None and state.timers_started else before(self, now_ms)

    return [(timers.Timers, "rearm", rearm)]


@mutant
def relative_timers_lose_their_milliseconds() -> Sequence[Patch]:
    """A relative timer begins at the last full second, so it fires up to a second early."""
    before = timers.timer

    def timer(command: TimerCommand, now_ms: int) -> timers.Timer:
        return before(command, now_ms // 1000 * 1000)

    return [(timers, "timer", timer)]


# Locks


@mutant
def locks_are_released_by_others() -> Sequence[Patch]:
    """A call that holds nothing releases the locks of another one when it ends."""
    before = Locks.release

    def release(self: Locks, owner: str) -> None:
        if owner not in self._blockers and self._tickets:
            owner = self._tickets[0].owner
        before(self, owner)

    return [(Locks, "release", release)]


def _granting(conflicts: Callable[[LockTicket, LockTicket], bool]) -> Sequence[Patch]:
    def granted(self: Locks, owner: str) -> bool:
        mine = next((ticket for ticket in self._tickets if ticket.owner == owner), None)
        if mine is None:
            return True
        older = self._tickets[: self._tickets.index(mine)]
        return not any(conflicts(mine, ticket) for ticket in older)

    return [(Locks, "granted", granted)]


@mutant
def data_attribute_locks_are_enough() -> Sequence[Patch]:
    """A call is made once it has its locks on data attributes; those on search attributes come later."""
    return _granting(lambda mine, other: _share(mine, other, "d"))


@mutant
def search_attribute_locks_are_enough() -> Sequence[Patch]:
    """A call is made once it has its locks on search attributes; those on data attributes come later."""
    return _granting(lambda mine, other: _share(mine, other, "s"))


def _share(mine: LockTicket, other: LockTicket, kind: str) -> bool:
    return any(key in other.keys for key in mine.keys if key[0] == kind)


@mutant
def locks_are_overtaken() -> Sequence[Patch]:
    """A call that needs one free lock goes ahead of an older one that waits for it and another."""

    def granted(self: Locks, owner: str) -> bool:
        holders: list[LockTicket] = []
        for ticket in self._tickets:
            if not any(_share(ticket, each, "d") or _share(ticket, each, "s") for each in holders):
                holders.append(ticket)
        known = any(ticket.owner == owner for ticket in self._tickets)
        return not known or any(ticket.owner == owner for ticket in holders)

    return [(Locks, "granted", granted)]


@mutant
def locks_outlive_a_failed_call() -> Sequence[Patch]:
    """A call that was given up keeps its locks."""
    before = Life._execute_failed

    def execute_failed(self: Life, event: events.ExecuteFailed, now_ms: int) -> None:
        keys = calls.call_locks(self.state.executions[event.execution_id])
        before(self, event, now_ms)
        if keys:
            self._dispatch.locks.request(f"ex/{event.execution_id}", keys)

    return [(Life, "_execute_failed", execute_failed)]


@mutant
def locks_are_free_between_the_attempts_of_a_call() -> Sequence[Patch]:
    """When a call fails in place its locks are released before the engine makes it again."""
    before = Dispatch.repeat

    def repeat(self: Dispatch, execution_id: str, execution: StateExecution) -> None:
        self.locks.release(calls.call_id(execution_id, execution.phase))
        before(self, execution_id, execution)

    return [(Dispatch, "repeat", repeat)]


# Calls, index, clients


@mutant
def attempt_in_place_is_not_counted() -> Sequence[Patch]:
    """A call that failed in place is made again as often as its policy allows in all."""

    def allows_another_attempt(*_: Any) -> bool:
        return True

    def remaining(policy: RetryPolicy, *_: Any) -> RetryPolicy:
        return policy

    return [(calls, "allows_another_attempt", allows_another_attempt), (calls, "_remaining", remaining)]


@mutant
def executing_state_ids_drift() -> Sequence[Patch]:
    """An execution is counted by the mode of its start, so a change of the mode leaves wrong ids."""
    before = IndexChanges.execution_began
    ended = IndexChanges.execution_ended

    def execution_began(self: IndexChanges, execution: StateExecution) -> None:
        everything = executing_state_id_mode(self._state.config) is ExecutingStateIdMode.ENABLED_FOR_ALL
        if everything or not compat.skips_wait_until(execution.movement.state_options):
            before(self, execution)

    def execution_ended(self: IndexChanges, execution: StateExecution) -> None:
        if (
            execution.movement.state_id,
            compat.skips_wait_until(execution.movement.state_options),
        ) in self._live:
            ended(self, execution)

    return [
        (IndexChanges, "execution_began", execution_began),
        (IndexChanges, "execution_ended", execution_ended),
    ]


@mutant
def index_is_written_without_a_change() -> Sequence[Patch]:
    """Every batch writes the executing state ids again."""
    before = IndexChanges.take

    def take(self: IndexChanges, *rest: Any) -> Any:
        self._state.executing_state_ids = ["?"]
        return before(self, *rest)

    return [(IndexChanges, "take", take)]


@mutant
def proceeding_tells_nobody() -> Sequence[Patch]:
    """An execution that completes by proceeding from a failure is not reported to those who wait for it."""
    before = Life._execute_failed

    def execute_failed(self: Life, event: events.ExecuteFailed, now_ms: int) -> None:
        waits = dict(self.state.state_waits)
        for update_id, target in waits.items():
            if target.state_execution_id == event.execution_id:
                del self.state.state_waits[update_id]
        before(self, event, now_ms)

    return [(Life, "_execute_failed", execute_failed)]


@mutant
def clients_wait_for_ever() -> Sequence[Patch]:
    """Who waits for a state execution is not answered when it completes."""

    def answer_waits(_: ExecutionState) -> list[commands.AnswerUpdate]:
        return []

    return [(completions, "answer_waits", answer_waits)]


@mutant
def movements_are_started_in_reverse() -> Sequence[Patch]:
    """Next states are started in another order than the decision names them."""
    before = Dispatch.start_queued

    def start_queued(self: Dispatch, now_ms: int) -> None:
        movements: list[StateMovement] = self._state.queue
        movements.reverse()
        before(self, now_ms)

    return [(Dispatch, "start_queued", start_queued)]
