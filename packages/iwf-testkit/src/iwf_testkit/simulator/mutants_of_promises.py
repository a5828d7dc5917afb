"""Defects of promises to engines, workers and clients: replay, what calls are given, updates, wait keys."""

# Patching reaches into the core on purpose.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec

from iwf_interpreter.contract import UpdateError
from iwf_interpreter.core import (
    ExecutionState,
    Interpreter,
    calls,
    closing,
    commands,
    completions,
    continuing,
    dispatch,
    events,
    locked_rpcs,
    persistence,
    queries,
    snapshot,
    timers,
    visibility,
)
from iwf_interpreter.core.life import Life
from iwf_interpreter.core.locked_rpcs import LockedRpcs
from iwf_interpreter.core.state import StateExecution
from iwf_interpreter.core.visibility import IndexChanges
from iwf_models import ChannelInfo, KeyValue, RetryPolicy, WorkflowConfig
from iwf_testkit.simulator.planting import Patch, mutant

# The engine


@mutant
def commands_depend_on_more_than_the_events() -> Sequence[Patch]:
    """A replay gives other commands than the first time."""
    before = dispatch.calls.state_call
    numbers = count()

    def state_call(*rest: Any) -> Any:
        return msgspec.structs.replace(before(*rest), worker_url=f"http://worker-{next(numbers)}")

    return [(calls, "state_call", state_call)]


@mutant
def kept_skips_are_not_written_down() -> Sequence[Patch]:
    """A state that is written down and read back has lost something."""
    before = snapshot.decode

    def decode(data: bytes) -> ExecutionState:
        return msgspec.structs.replace(before(data), stale_skips=[])

    return [(snapshot, "decode", decode)]


@mutant
def a_query_changes_the_run() -> Sequence[Patch]:
    """Reading the timers counts as an operation."""
    before = queries.timer_infos

    def timer_infos(state: ExecutionState) -> Any:
        state.operations += 1
        return before(state)

    return [(queries, "timer_infos", timer_infos)]


def _settling(change: Callable[[list[commands.Command]], list[commands.Command]]) -> Sequence[Patch]:
    before = Life.settle

    def settle(self: Life, now_ms: int) -> Any:
        return change(before(self, now_ms))

    return [(Life, "settle", settle)]


@mutant
def closing_command_comes_twice() -> Sequence[Patch]:
    """A run that closes says so two times."""
    close = (commands.CompleteRun, commands.FailRun, commands.CancelRun)
    return _settling(lambda asked: asked + [each for each in asked[-1:] if isinstance(each, close)])


@mutant
def engine_timer_is_late() -> Sequence[Patch]:
    """The engine's timer is started for a second after the earliest command."""
    before = timers.Timers.rearm

    def rearm(self: timers.Timers, now_ms: int) -> list[commands.Command]:
        return [
            msgspec.structs.replace(each, delay_ms=each.delay_ms + 1000)
            if isinstance(each, commands.StartTimer)
            else each
            for each in before(self, now_ms)
        ]

    return [(timers.Timers, "rearm", rearm)]


@mutant
def what_comes_while_a_run_reads_its_state_is_lost() -> Sequence[Patch]:
    """Events that arrive before the last page of the run before are dropped."""
    before = Interpreter._load

    def load(self: Interpreter, loading: Any, event: events.Event, now_ms: int) -> None:
        if isinstance(event, events.SnapshotPageLoaded):
            before(self, loading, event, now_ms)

    return [(Interpreter, "_load", load)]


def _succeeding(**changes: Any) -> Sequence[Patch]:
    before = continuing.successor

    def successor(state: ExecutionState, now_ms: int) -> commands.ContinueAsNew:
        return msgspec.structs.replace(before(state, now_ms), **changes)

    return [(continuing, "successor", successor)]


@mutant
def index_is_not_carried() -> Sequence[Patch]:
    """The next run begins without search attributes in the index."""
    return _succeeding(search_attributes={})


@mutant
def memo_is_not_carried() -> Sequence[Patch]:
    """The next run begins without the memo."""
    return _succeeding(memo={})


@mutant
def deadline_begins_again() -> Sequence[Patch]:
    """Each run of the chain gets the time of the whole chain."""
    return _succeeding(timeout_seconds=1_000_000)


@mutant
def config_is_not_carried() -> Sequence[Patch]:
    """The input of the next run has the settings of nobody."""
    before = continuing.successor

    def successor(state: ExecutionState, now_ms: int) -> commands.ContinueAsNew:
        command = before(state, now_ms)
        start = msgspec.structs.replace(command.input, config=WorkflowConfig(continue_as_new_threshold=77))
        return msgspec.structs.replace(command, input=start)

    return [(continuing, "successor", successor)]


# Workers


@mutant
def workers_see_the_present_run() -> Sequence[Patch]:
    """After continue-as-new workers get another run id."""
    before = continuing.continued_state

    def continued_state(event: events.Started, carried: ExecutionState) -> ExecutionState:
        state = before(event, carried)
        state.first_run_id = event.run_id
        return state

    return [(continuing, "continued_state", continued_state)]


@mutant
def loading_policies_are_ignored() -> Sequence[Patch]:
    """Every call gets every data attribute."""
    before = persistence.load_data_attributes

    def load_data_attributes(state: ExecutionState, _: Any) -> list[KeyValue]:
        return before(state, None)

    return [(persistence, "load_data_attributes", load_data_attributes)]


@mutant
def rpcs_see_no_channels() -> Sequence[Patch]:
    """A locked RPC is told that all channels are empty."""

    def infos(_: dict[str, int]) -> dict[str, ChannelInfo]:
        return {}

    return [(locked_rpcs, "_infos", infos)]


@mutant
def call_that_was_slow_in_place_is_tried_there_again() -> Sequence[Patch]:
    """A state whose calls time out in place is called there every time."""
    before = calls.state_call

    def state_call(state: ExecutionState, execution_id: str, execution: StateExecution, now_ms: int) -> Any:
        state.slow_locally.clear()
        return before(state, execution_id, execution, now_ms)

    return [(calls, "state_call", state_call)]


@mutant
def time_of_all_attempts_begins_again() -> Sequence[Patch]:
    """After a failure in place the engine gets the whole time that the policy allows."""
    before = calls._remaining

    def remaining(policy: RetryPolicy, *rest: Any) -> RetryPolicy:
        limit = policy.maximum_attempts_duration_seconds
        return msgspec.structs.replace(before(policy, *rest), maximum_attempts_duration_seconds=limit)

    return [(calls, "_remaining", remaining)]


@mutant
def calls_are_made_twice() -> Sequence[Patch]:
    """A call is asked for two times in one batch."""
    call = (commands.CallWaitUntil, commands.CallExecute)
    return _settling(
        lambda asked: [each for command in asked for each in [command] * (1 + isinstance(command, call))]
    )


# Clients


@mutant
def force_fail_drops_the_outputs() -> Sequence[Patch]:
    """A workflow that a state decided to fail has no results."""
    before = closing.final_close

    def final_close(state: ExecutionState) -> Any:
        close = before(state)
        return msgspec.structs.replace(close, outputs=None) if isinstance(close, commands.FailRun) else close

    return [(closing, "final_close", final_close)]


@mutant
def memo_is_not_written() -> Sequence[Patch]:
    """In memo mode written data attributes do not reach the memo."""

    def data_attribute_written(*_: Any) -> None:
        return

    return [(IndexChanges, "data_attribute_written", data_attribute_written)]


@mutant
def last_completion_takes_the_key() -> Sequence[Patch]:
    """A wait key belongs to the last execution that completed with it."""

    def note_key(state: ExecutionState, execution_id: str, execution: StateExecution) -> None:
        key = execution.movement.wait_for_key
        if key:
            state.completed_keys.setdefault(execution.movement.state_id, {})[key] = execution_id

    return [(completions, "note_key", note_key)]


@mutant
def live_execution_counts_as_completed() -> Sequence[Patch]:
    """Who waits for a state execution is answered once it has started."""
    before = completions.completion

    def completion(state: ExecutionState, target: Any) -> Any:
        live = {name: each for name, each in state.executions.items() if name != target.state_execution_id}
        return before(msgspec.structs.replace(state, executions=live), target)

    return [(completions, "completion", completion)]


@mutant
def updates_are_not_accepted() -> Sequence[Patch]:
    """The engine is not told that an update was taken on."""
    return _settling(lambda asked: [each for each in asked if not isinstance(each, commands.AcceptUpdate)])


@mutant
def rpcs_are_not_answered() -> Sequence[Patch]:
    """The answer of a locked RPC's worker does not reach the client."""

    def take_ended(_: LockedRpcs) -> list[commands.AnswerUpdate]:
        return []

    return [(LockedRpcs, "take_ended", take_ended)]


@mutant
def outputs_of_rpcs_are_dropped() -> Sequence[Patch]:
    """The client of a locked RPC gets an empty answer."""
    before = LockedRpcs.answered

    def answered(self: LockedRpcs, event: events.RpcAnswered, now_ms: int) -> None:
        if event.answer is not None:
            silent = msgspec.structs.replace(event.answer, output=None)
            event = msgspec.structs.replace(event, answer=silent)
        before(self, event, now_ms)

    return [(LockedRpcs, "answered", answered)]


@mutant
def rpcs_expire_at_once() -> Sequence[Patch]:
    """A locked RPC that had to wait is told that its time is over."""

    def seconds_left(*_: Any) -> float:
        return 0.0

    return [(locked_rpcs, "_seconds_left", seconds_left)]


@mutant
def free_locks_refuse_rpcs() -> Sequence[Patch]:
    """A locked RPC is refused although nobody holds its locks."""

    def must_refuse(*_: Any) -> bool:
        return True

    return [(LockedRpcs, "must_refuse", must_refuse)]


@mutant
def updates_are_always_sent_elsewhere() -> Sequence[Patch]:
    """A client is told to ask the next run although there is none."""

    def refusal(*_: Any) -> UpdateError:
        return UpdateError.ASK_AGAIN

    return [(Interpreter, "refusal", refusal)]


@mutant
def index_is_forgotten_after_calls_in_place() -> Sequence[Patch]:
    """What the index should be told at the end of a task with calls in place is dropped."""
    before = Life.take_index_changes

    def take_index_changes(self: Life, now_ms: int) -> list[commands.Command]:
        before(self, now_ms)
        return []

    return [(Life, "take_index_changes", take_index_changes)]


@mutant
def index_is_written_by_every_call_in_place() -> Sequence[Patch]:
    """A task whose calls are made in place writes the index once for each of them."""
    before = visibility.IndexChanges.take
    settle = Life.settle

    def mutated(self: Life, now_ms: int) -> list[commands.Command]:
        asked = settle(self, now_ms)
        return asked if self.state.closed else [*before(self._index, None, now_ms), *asked]

    return [(Life, "settle", mutated)]
