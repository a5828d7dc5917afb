"""Holds the ledger beside the run and looks at every border between batches.

The ledger goes where the run goes: it begins each run of the chain with a copy that replays start from, so
that a batch which an engine threw away has never happened for either.
"""

from collections.abc import Sequence
from random import Random

import msgspec

from iwf_interpreter.contract import UpdateError
from iwf_interpreter.core import (
    ExecutionState,
    Interpreter,
    NotReady,
    commands,
    dump,
    events,
    queries,
    snapshot,
)
from iwf_models import codec
from iwf_testkit.simulator import invariants, invariants_of_clients, observing
from iwf_testkit.simulator.border import Border, Violation
from iwf_testkit.simulator.history import closing
from iwf_testkit.simulator.keys import collide, lock_keys
from iwf_testkit.simulator.ledger import Ledger

__all__ = ("Judge", "Violation", "ended_call")


class Judge:
    """Checks one chain of runs."""

    def __init__(self, seed: int) -> None:
        self.ledger = Ledger()
        self.has_state = False
        self.borders = 0
        self._base = Ledger()
        self._rng = Random(seed)

    def begin_run(self) -> None:
        """A run begins; what is known of the chain so far is where its replays start."""
        self._base = self.ledger.copy()
        self.has_state = False

    def begin_replay(self) -> None:
        """The run is fed again from its beginning."""
        self.ledger = self._base.copy()
        self.has_state = False

    def border(
        self,
        core: Interpreter,
        now_ms: int,
        batch: Sequence[events.Event],
        asked: Sequence[commands.Command],
    ) -> None:
        """Look at a border: the batch has been applied and settled."""
        self.borders += 1
        border = self._observe(core, now_ms, batch, asked)
        for check in invariants.LOADING if border.state is None else invariants.EVERY_BORDER:
            found = check(border)
            if found is not None:
                raise Violation(check.__name__, found)
        if border.state is not None and self._rng.random() < 0.3:
            _written_down(border.state)

    def replayed(
        self,
        core: Interpreter,
        now_ms: int,
        batch: Sequence[events.Event],
        before: Sequence[commands.Command],
    ) -> None:
        """Settle a batch of the past again."""
        again = core.settle(now_ms)
        if again != before:
            raise Violation("replay_gives_the_same_commands", f"first {before!r}, replayed {again!r}")
        self._observe(core, now_ms, batch, again)

    def task_answered(
        self, beat: Sequence[commands.Command], asked: Sequence[commands.Command], *, closes: bool
    ) -> None:
        """Look at a whole task: its commands, and those of its end while calls in place go on."""
        observing.observe_index(self.ledger, beat)
        writes = [each for each in (*asked, *beat) if isinstance(each, commands.SetSearchAttributes)]
        if len(writes) > 1:
            raise Violation("a_task_writes_the_index_once", f"{writes!r}")
        if self.has_state and not closes:
            found = invariants_of_clients.shown_by_index(self.ledger)
            found = found or invariants_of_clients.shown_by_memo(self.ledger)
            if found is not None:
                raise Violation("a_task_leaves_the_index_as_it_must_be", found)

    def beat_again(self, before: Sequence[commands.Command], again: Sequence[commands.Command]) -> None:
        """Look at the end of a task of the past, replayed."""
        if list(before) != list(again):
            raise Violation("replay_gives_the_same_commands", f"first {before!r}, replayed {again!r}")
        observing.observe_index(self.ledger, again)

    def refusal(
        self,
        update: events.LockedRpcRequested | events.StateWaitRequested,
        refused: UpdateError | None,
        core: Interpreter,
        batch: Sequence[events.Event],
    ) -> None:
        """Look at what a client was told before its update was taken on."""
        ledger = self.ledger
        starts = any(isinstance(event, events.Started) for event in batch)
        over = [ended_call(event) for event in batch]
        kept = any(w.in_flight and not w.is_rpc and w.call_id not in over for w in ledger.wants)
        must_not = not (ledger.draining or ledger.pages_missing or starts) or (ledger.draining and kept)
        if refused is UpdateError.ASK_AGAIN and must_not:
            raise Violation("updates_are_refused_for_a_reason", f"{update.update_id}: {refused}")
        if refused is UpdateError.LOCKED:
            assert isinstance(update, events.LockedRpcRequested)
            keys = lock_keys(update.request)
            # A call that comes up in this very batch may have taken them.
            wanted = any(collide(keys, want.keys) for want in ledger.wants)
            if not wanted and not any(isinstance(event, events.LockedRpcRequested) for event in batch):
                raise Violation("updates_are_refused_for_a_reason", f"{update.update_id}: nobody locks")

    def continued(self, command: commands.ContinueAsNew, open_calls: Sequence[str], now_ms: int) -> None:
        """Look at what a run leaves to the next one."""
        if open_calls:
            raise Violation("continuing_waits_for_calls_in_flight", ", ".join(open_calls))
        index = {key: each.value for key, each in command.search_attributes.items()}
        index.pop("IwfWorkflowType", None)
        shown = {key: value for key, value in self.ledger.index.items() if value}
        # The new run's index shows what the command carries, whatever that is.
        self.ledger.index = dict(index)
        if index != shown:
            raise Violation("continuing_carries_the_index", f"{index} is carried, {shown} is shown")
        if command.input.config != self.ledger.config:
            raise Violation("continuing_carries_the_config", repr(command.input.config))
        data = {key: value for key, value in command.memo.items() if not key.startswith("__Iwf")}
        if data != (self.ledger.data if self.ledger.use_memo else {}):
            raise Violation("continuing_carries_the_memo", repr(data))
        deadline = self.ledger.deadline_ms
        left = deadline and max(1, (deadline - now_ms) // 1000)
        if command.timeout_seconds != left:
            raise Violation("continuing_keeps_the_deadline", f"{command.timeout_seconds}, {left} are left")

    def at_rest(self, core: Interpreter) -> None:
        """Look at a run for which nothing more will happen by itself."""
        found = invariants.at_rest(core.state, self.ledger)
        if found is not None:
            raise Violation("a_run_at_rest_waits_for_what_it_asked_for", found)

    def _observe(
        self,
        core: Interpreter,
        now_ms: int,
        batch: Sequence[events.Event],
        asked: Sequence[commands.Command],
    ) -> Border:
        ledger = self.ledger
        ledger.accepted.clear()
        ledger.answered.clear()
        for event in batch:
            ledger.apply(event, now_ms)
        ledger.settle(now_ms)
        try:
            state = core.state
        except NotReady:
            state = None
        self.has_state = state is not None
        border = Border(now_ms, batch, asked, state, ledger, list(ledger.made), closing(asked))
        if state is not None:
            observing.observe(ledger, asked, [ticket.owner for ticket in state.lock_tickets], now_ms)
            border.index_before = dict(ledger.index)
            observing.observe_index(ledger, asked)
        return border


def _written_down(state: ExecutionState) -> None:
    """Writing a state down and reading it back gives the same state; queries change nothing."""
    data = snapshot.encode(state)
    queries.timer_infos(state)
    queries.debug_dump(state)
    codec.encode(dump.dump(state))
    if snapshot.encode(state) != data:
        raise Violation("reading_changes_nothing", repr(msgspec.json.decode(data)))
    if snapshot.encode(snapshot.decode(data)) != data:
        raise Violation("a_state_written_down_is_the_same_state", repr(msgspec.json.decode(data)))


def ended_call(event: events.Event) -> str:
    """Id of the call that is over with an event, if there is one."""
    match event:
        case events.WaitUntilAnswered() | events.WaitUntilFailed():
            return f"wu/{event.execution_id}"
        case events.ExecuteAnswered() | events.ExecuteFailed():
            return f"ex/{event.execution_id}"
        case events.SnapshotPageLoaded():
            return f"snapshot/0/{event.page_number}"
        case _:
            return ""
