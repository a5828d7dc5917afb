"""One run of the in-memory engine: it drives the core, and does what the core asks for.

There is no queue and no poll. Whatever comes to a run is taken in at once, as a task of its own, so the next
question already sees it. While calls are made in place their task stays in hand, and each result is a batch
of it; anything else that comes ends that task and begins another. What must stay true: the core sees the same
batches when the history is fed to it again.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

import anyio

from iwf_interpreter.contract import (
    SnapshotPage,
    SnapshotPageQuery,
    UpdateError,
)
from iwf_interpreter.core import ExecutionState, Interpreter, calls, commands, continuing, events
from iwf_interpreter.core.locked_rpcs import RPC_PREFIX
from iwf_interpreter.engine import RunEnded, UpdateRefused, WorkflowOutcome
from iwf_interpreter.observer import Observer, tell
from iwf_models import WorkflowStatus
from iwf_testkit.memory.history import Batch, History, Task
from iwf_testkit.memory.origins import Origin
from iwf_testkit.memory.outcomes import Update, outcome_of
from iwf_testkit.memory.timetable import Entry, Timetable

_logger = logging.getLogger(__name__)

UpdateEvent = events.LockedRpcRequested | events.StateWaitRequested
LocalCall = commands.CallWaitUntil | commands.CallExecute | commands.CallRpc

SUGGESTED_EVENTS = 4096
"""From this length of a history on, a run is told that it should continue as new."""


class RunOwner(Protocol):
    """What a run needs of its engine."""

    @property
    def timetable(self) -> Timetable:
        """The clock."""
        ...

    def make_call(self, run: "Run", call: commands.StateCall) -> None:
        """Call a worker, again and again as its retry policy says, and tell the run how it ended."""
        ...

    def make_local_call(self, run: "Run", call: LocalCall) -> None:
        """Call a worker once, and tell the run how it ended."""
        ...

    def read_snapshot_page(self, workflow_id: str, run_id: str, query: SnapshotPageQuery) -> SnapshotPage:
        """Read a part of the state that a closed run has left."""
        ...

    def closed(self, run: "Run", close: commands.Close | None) -> None:
        """A run has ended by itself, or for another reason when there is no command."""
        ...


class Run:
    """One run, from its start to its end."""

    def __init__(self, owner: RunOwner, origin: Origin, observer: Observer | None = None) -> None:
        self.origin = origin
        self.status = WorkflowStatus.RUNNING
        self.closed_at_ms: int | None = None
        self.outcome = WorkflowOutcome(status=WorkflowStatus.RUNNING)
        self.successor: Run | None = None
        """The run that carries the chain on."""
        self.over = anyio.Event()
        self.memo = dict(origin.memo)
        self.search_attributes = dict(origin.search_attributes)
        self.history = History()
        self.updates: dict[str, Update] = {}
        self.problem: Exception | None = None
        """Why the run is suspended: a bug of the core."""
        self._owner = owner
        self._observer = observer
        self._core = Interpreter(observed=observer is not None)
        self._waiting_facts: list[events.Event] = []
        """What came before the first task."""
        self._calls: dict[str, commands.Call] = {}
        """Calls that are not over, by id."""
        self._timer: tuple[str, Entry] | None = None
        self._begins: Entry | None = None
        self._deadline: Entry | None = None

    @property
    def has_begun(self) -> bool:
        """Whether its first task is done."""
        return bool(self.history.tasks)

    @property
    def state(self) -> ExecutionState:
        """The state as of the last batch; raises `iwf_interpreter.core.NotReady`."""
        return self._core.state

    def is_open(self, call_id: str) -> bool:
        """Whether the run still waits for this call."""
        return self.status is WorkflowStatus.RUNNING and call_id in self._calls

    def begin(self) -> None:
        """Let the run live: its first task is now, or when its delay has passed."""
        origin, timetable = self.origin, self._owner.timetable
        if origin.deadline_ms is not None:
            self._deadline = timetable.at(origin.deadline_ms, self._run_out_of_time)
        if origin.begins_at_ms > timetable.now_ms():
            self._begins = timetable.at(origin.begins_at_ms, self._first_task)
        else:
            self._first_task()

    def take(self, fact: events.Event) -> None:
        """Take in what has happened."""
        if not self.has_begun:
            self._waiting_facts.append(fact)
        else:
            self._task([fact])

    def offer(self, update_id: str, event: UpdateEvent) -> Update:
        """Hand an update to the run; one that it has is not handed over again.

        Raises:
            UpdateRefused: The run does not take it on.
        """
        update = self.updates.get(update_id)
        if update is None:
            refusals = self._task([], [event])
            if update_id in refusals:
                refusal = refusals[update_id]
                raise UpdateRefused(refusal.value, f"the run does not take the update on: {refusal.value}")
            # A suspended run has not taken it, and leaves its client waiting.
            update = self.updates.setdefault(update_id, Update())
        return update

    def local_call_ended(self, call_id: str, fact: events.Event) -> None:
        """Take in how a call in place has ended."""
        if self.is_open(call_id):
            del self._calls[call_id]
            self._batch([fact])

    def call_ended(self, call_id: str, fact: events.Event) -> None:
        """Take in how a call has ended."""
        if self.is_open(call_id):
            del self._calls[call_id]
            self._task([fact])

    def close(self, outcome: WorkflowOutcome, command: commands.Close | None = None) -> None:
        """End the run."""
        self.status, self.outcome = outcome.status, outcome
        self.closed_at_ms = self._owner.timetable.now_ms()
        self.history.length += command is None
        for entry in (self._begins, self._deadline, self._timer and self._timer[1]):
            if entry is not None:
                entry.cancel()
        self._calls.clear()
        for update in self.updates.values():
            update.end(None, RunEnded("the run has ended before it answered the update", accepted=True))
        self._owner.closed(self, command)
        self.over.set()

    def restore(self, before: "Run", kept_tasks: int, again: Sequence[events.Event]) -> None:
        """Go on from the state that another run had after so many tasks, and take these facts in.

        The task that follows the kept ones is done again, with what it was given.
        """
        self.history.keep(before.history, kept_tasks)
        for task in self.history.tasks:
            self._replay(task)
        if self.origin.deadline_ms is not None:
            self._deadline = self._owner.timetable.at(self.origin.deadline_ms, self._run_out_of_time)
        redone = before.history.tasks[kept_tasks].beginning
        given = [self._own(fact) for fact in redone if not isinstance(fact, UpdateEvent)]
        for fact in given:
            self._note_end(fact)
        for call in list(self._calls.values()):
            self._make(call)
        news = [fact for fact in again if not isinstance(fact, UpdateEvent)]
        updates = [fact for fact in again if isinstance(fact, UpdateEvent)]
        self._task(news, updates, given=given)

    def _first_task(self) -> None:
        self._begins = None
        facts, self._waiting_facts = self._waiting_facts, []
        self._task([self._started(), *facts])

    def _started(self) -> events.Started:
        origin = self.origin
        return events.Started(
            workflow_id=origin.workflow_id,
            run_id=origin.run_id,
            first_run_id=origin.first_run_id,
            previous_run_id=origin.previous_run_id,
            started_at_ms=origin.started_at_ms,
            deadline_ms=origin.deadline_ms,
            input=origin.input,
        )

    def _own(self, fact: events.Event) -> events.Event:
        """A fact of another run as one of this run: only the start knows whose it is."""
        return self._started() if isinstance(fact, events.Started) else fact

    def _task(
        self,
        news: Sequence[events.Event],
        updates: Sequence[UpdateEvent] = (),
        *,
        given: Sequence[events.Event] | None = None,
    ) -> Mapping[str, UpdateError]:
        """Do a task.

        Args:
            news: What has come since the task before.
            updates: What clients want the run to take on.
            given: What the history has already, of a task that is done again.

        Returns:
            The updates that the run does not take on, by id.
        """
        if self.problem is not None or self.status is not WorkflowStatus.RUNNING:
            return {}
        now_ms = self._owner.timetable.now_ms()
        if any(_is_local(call) for call in self._calls.values()):
            self.history.tasks[-1].index_told_ms = now_ms
            for change in self._core.take_index_changes(now_ms):
                self._carry_out(change)
        if self.history.length >= SUGGESTED_EVENTS:
            news = [*news, events.ContinueAsNewSuggested()]
        task = self.history.begin_task(news, now_ms)
        task.given = None if given is None else len(given)
        return self._batch([*(given or ()), *news], updates)

    def _batch(
        self, facts: list[events.Event], updates: Sequence[UpdateEvent] = ()
    ) -> Mapping[str, UpdateError]:
        now_ms = self._owner.timetable.now_ms()
        refusals: dict[str, UpdateError] = {}
        try:
            for fact in facts:
                self._core.apply(fact, now_ms)
            for update in updates:
                refusal = self._core.refusal(update)
                if refusal is None:
                    self._core.apply(update, now_ms)
                    facts = [*facts, update]
                else:
                    refusals[update.update_id] = refusal
            asked = self._core.settle(now_ms)
        except Exception as error:
            _logger.exception("workflow %r is suspended", self.origin.workflow_id)
            self.problem = error
            return refusals
        self.history.add(Batch(now_ms, facts, asked))
        tell(self._observer, self._core.take_notices())
        for command in asked:
            self._carry_out(command)
        return refusals

    def _replay(self, task: Task) -> None:
        """Feed a task again, and note which calls and which timer it leaves open."""
        for batch in task.batches:
            for fact in batch.facts:
                self._core.apply(self._own(fact), batch.now_ms)
                self._note_end(fact)
            for command in self._core.settle(batch.now_ms):
                match command:
                    case commands.StartTimer():
                        self._start_timer(command, batch.now_ms)
                    case (
                        commands.CallWaitUntil()
                        | commands.CallExecute()
                        | commands.CallRpc()
                        | commands.LoadSnapshotPage()
                    ):
                        self._calls[command.call_id] = command
                    case _:
                        self._carry_out(command)
        if task.index_told_ms is not None:
            for change in self._core.take_index_changes(task.index_told_ms):
                self._carry_out(change)
        self._core.take_notices()

    def _note_end(self, fact: events.Event) -> None:
        """Note which call is over, or that the timer has fired."""
        self._calls.pop(self._ended_call(fact), None)
        if isinstance(fact, events.TimerFired):
            self._cancel_timer()

    def _ended_call(self, fact: events.Event) -> str:
        """Id of the call that is over with a fact, if there is one."""
        match fact:
            case events.WaitUntilAnswered() | events.WaitUntilFailed():
                return calls.WAIT_UNTIL_PREFIX + fact.execution_id
            case events.ExecuteAnswered() | events.ExecuteFailed():
                return calls.EXECUTE_PREFIX + fact.execution_id
            case events.LocalCallFailed():
                return fact.call_id
            case events.RpcAnswered():
                return RPC_PREFIX + fact.update_id
            case events.SnapshotPageLoaded():
                pages = (call_id for call_id in self._calls if continuing.is_page_call(call_id))
                return next(
                    call_id for call_id in pages if continuing.page_number(call_id) == fact.page_number
                )
            case _:
                return ""

    def _carry_out(self, command: commands.Command) -> None:
        match command:
            case (
                commands.CallWaitUntil()
                | commands.CallExecute()
                | commands.CallRpc()
                | commands.LoadSnapshotPage()
            ):
                self._calls[command.call_id] = command
                self._make(command)
            case commands.StartTimer():
                self._start_timer(command, self._owner.timetable.now_ms())
            case commands.CancelTimer():
                self._cancel_timer()
            case commands.SetSearchAttributes():
                for key, value in command.values.items():
                    if value.value == []:
                        # Engines do not keep an empty list.
                        self.search_attributes.pop(key, None)
                    else:
                        self.search_attributes[key] = value
            case commands.SetMemo():
                self.memo.update(command.values)
            case commands.AcceptUpdate():
                self.updates.setdefault(command.update_id, Update())
            case commands.AnswerUpdate():
                self.updates[command.update_id].end(command.result)
            case commands.FailUpdate():
                self.updates[command.update_id].end(None, UpdateRefused(command.error.value, command.text))
            case (
                commands.CompleteRun() | commands.FailRun() | commands.CancelRun() | commands.ContinueAsNew()
            ):
                self.close(outcome_of(command), command)

    def _make(self, call: commands.Call) -> None:
        match call:
            case commands.CallRpc():
                self._owner.make_local_call(self, call)
            case commands.CallWaitUntil() | commands.CallExecute():
                make = self._owner.make_local_call if call.local else self._owner.make_call
                make(self, call)
            case commands.LoadSnapshotPage():
                self._owner.timetable.at(0, lambda: self._load_page(call))

    def _load_page(self, call: commands.LoadSnapshotPage) -> None:
        page = self._owner.read_snapshot_page(call.workflow_id, call.run_id, call.query)
        self.call_ended(call.call_id, events.SnapshotPageLoaded(page_number=call.query.page, page=page))

    def _start_timer(self, command: commands.StartTimer, now_ms: int) -> None:
        fired = events.TimerFired(timer_id=command.timer_id)

        def fire() -> None:
            self._timer = None
            self._task([fired])

        self._timer = command.timer_id, self._owner.timetable.at(now_ms + command.delay_ms, fire)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None

    def _run_out_of_time(self) -> None:
        self.close(WorkflowOutcome(status=WorkflowStatus.TIMEOUT))


def _is_local(call: commands.Call) -> bool:
    match call:
        case commands.CallWaitUntil() | commands.CallExecute():
            return call.local
        case commands.CallRpc():
            return True
        case commands.LoadSnapshotPage():
            return False
