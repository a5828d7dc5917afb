"""A model of an engine, with the faults of one: it drives the core as the task loop does.

It records events, hands them out as tasks, carries a task's commands out when the task is answered, and
throws them away when it is not. What it keeps to, since the core relies on it:

- a task is committed as a whole or not at all; one that closes the run is refused while events wait;
- a call is over once: a second answer of its worker is dropped;
- calls in place end one by one within a task, and the core settles after each;
- a run can be rebuilt at any time from the batches that were committed.
"""

from collections.abc import Callable

from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.core import ExecutionState, Interpreter, commands, continuing, events, snapshot
from iwf_testkit.simulator import steps, workers
from iwf_testkit.simulator.history import Batch, Task, closing
from iwf_testkit.simulator.judge import Judge, Violation, ended_call
from iwf_testkit.simulator.programs import Program
from iwf_testkit.simulator.wording import command_words, words

START_MS = 1_700_000_000_250
WORKFLOW_ID = "w"

_EXTERNAL = (
    events.SignalReceived
    | events.RpcWritten
    | events.TimerSkipped
    | events.ConfigUpdated
    | events.ContinueAsNewRequested
)


class Engine:
    """One workflow in a model engine."""

    def __init__(self, program: Program, judge: Judge, log: Callable[[str], None] | None = None) -> None:
        self.program = program
        self.judge = judge
        self.log = log
        self.now_ms = START_MS
        self.core = Interpreter()
        self.evicted = False
        self.pending: list[events.Event] = []
        self.updates: list[events.LockedRpcRequested | events.StateWaitRequested] = []
        self.calls: dict[str, commands.Command] = {}
        self.local: dict[str, commands.Command] = {}
        self.kept: dict[str, events.Event] = {}
        self.timer: tuple[str, int] | None = None
        self.history: list[Task] = []
        self.task: Task | None = None
        self.end: commands.Close | None = None
        self.runs = 0
        self.attempts: dict[str, int] = {}
        self.begun_ms: dict[str, int] = {}
        """When calls in place were begun."""
        self.told: list[tuple[str, object]] = []
        """What committed calls were given, for comparing runs."""
        self._before: ExecutionState | None = None
        self._deadline_ms = program.deadline_seconds and START_MS + program.deadline_seconds * 1000
        self._begin_run(self._first_input())

    # What happens outside

    def take(self, step: steps.Step) -> None:
        """Let one step happen, if it applies."""
        if self.end is not None:
            return
        match step:
            case steps.Arrive():
                self._record(step.event)
            case steps.Ask():
                if self.log is not None:
                    self.log(words(step.event))
                self.updates.append(step.event)
            case steps.Deliver():
                self.deliver()
            case steps.FinishLocal():
                self.finish_local(step.pick, fails=step.fails, timed_out=step.timed_out)
            case steps.Respond():
                self.respond()
            case steps.Crash():
                self._crash(keeps_results=step.keeps_results)
            case steps.Evict():
                self.evicted = True
            case steps.Answer():
                self.answer(step.pick)
            case steps.LoseAnswer():
                call = self._picked(step.pick)
                if call is not None and not call.startswith("snapshot"):
                    self._say(f"the answer of {call} is lost")
                    self.attempts[call] = self.attempts.get(call, 0) + 1
            case steps.GiveUp():
                self._give_up(step.pick)
            case steps.Advance():
                self.advance(step.ms)
            case steps.Restore():
                self._restore()
            case steps.Reset():
                self._reset(step.back)

    def advance(self, ms: int) -> None:
        """Let time pass; the timer fires when it is due."""
        self._say(f"{ms} ms pass")
        self.now_ms += ms
        if self.timer is not None and self.timer[1] <= self.now_ms:
            self.pending.append(events.TimerFired(timer_id=self.timer[0]))
            self.timer = None

    def answer(self, pick: int) -> None:
        """Let the worker answer one of the open calls."""
        call_id = self._picked(pick)
        if call_id is None:
            return
        command = self.calls.pop(call_id)
        if isinstance(command, commands.LoadSnapshotPage):
            assert self._before is not None
            page = continuing.answer_page(self._before, command.query)
            event: events.Event = events.SnapshotPageLoaded(page_number=command.query.page, page=page)
        else:
            event = self._answered(call_id)
        self._record(event)

    # Tasks

    def deliver(self) -> None:
        """Begin a task, if there is something to deliver."""
        if self.end is not None or self.task is not None or not (self.pending or self.updates):
            return
        if self.evicted:
            self._rebuild()
        batch, self.pending = self.pending, []
        updates, self.updates = self.updates, []
        self.task = Task(True, local=dict(self.local))
        for event in batch:
            self.core.apply(event, self.now_ms)
        for update in updates:
            refused = self.core.refusal(update)
            self.judge.refusal(update, refused, self.core, batch)
            if refused is None:
                self.core.apply(update, self.now_ms)
                batch.append(update)
            else:
                self._say(f"{update.update_id} is refused: {refused}")
        self._settle(batch)

    def resume_task(self) -> None:
        """Begin a task that has nothing new, for calls in place that outlived the one before."""
        if self.task is None and self.local:
            if self.evicted:
                self._rebuild()
            self.task = Task(False, local=dict(self.local))

    def finish_local(self, pick: int, *, fails: bool = False, timed_out: bool = False) -> None:
        """End one of the calls in place of the task in hand."""
        task = self.task
        if task is None or not task.local or task.is_last:
            return
        call_id = list(task.local)[pick % len(task.local)]
        del task.local[call_id]
        event = self.kept.get(call_id)
        if event is None:
            event = self._answered(call_id)
            if fails:
                event = _failed_in_place(call_id, self.begun_ms[call_id], timed_out=timed_out)
        task.results[call_id] = event
        self.core.apply(event, self.now_ms)
        self._settle([event])

    def respond(self) -> None:
        """Answer the task in hand."""
        task = self.task
        if task is None:
            return
        if task.is_last and self.pending:
            self._say("the answer is refused: something came meanwhile")
            self._discard(keeps_results=True)
            return
        self._say("task answered")
        self.task = None
        if task.local and not task.is_last:
            task.beat_ms, task.beat = self.now_ms, self.core.take_index_changes(self.now_ms)
        asked = [command for batch in task.batches for command in batch.commands]
        self.judge.task_answered(task.beat or (), asked, closes=task.is_last)
        self.local = task.local
        for call_id in task.results:
            self.kept.pop(call_id, None)
        self.history.append(task)
        for batch in task.batches:
            for command in batch.commands:
                self._carry_out(command, batch.now_ms)
        close = closing(asked)
        if close is not None:
            self._close(close)

    def _settle(self, batch: list[events.Event]) -> None:
        assert self.task is not None
        asked = self.core.settle(self.now_ms)
        if self.log is not None:
            self._say("batch: " + ("; ".join(words(event) for event in batch) or "nothing"))
            for command in asked:
                self._say(f"    -> {command_words(command)}")
        self.task.batches.append(Batch(self.now_ms, batch, asked))
        for command in asked:
            if _is_local(command):
                self.task.local[_call_id(command)] = command
                self.begun_ms[_call_id(command)] = self.now_ms
        self.judge.border(self.core, self.now_ms, batch, asked)

    def _crash(self, *, keeps_results: bool) -> None:
        if self.task is not None:
            self._say("the task is lost" if keeps_results else "the process dies")
            self._discard(keeps_results=keeps_results)

    def _discard(self, *, keeps_results: bool) -> None:
        task = self.task
        assert task is not None
        self.task = None
        if keeps_results:
            self.kept.update(task.results)
        else:
            self.kept.clear()
        # The first batch was delivered; a task that only went on with calls in place has none.
        delivered = task.batches[0].events if task.delivered else []
        updates: list[events.LockedRpcRequested | events.StateWaitRequested] = []
        again: list[events.Event] = []
        for event in delivered:
            if isinstance(event, events.LockedRpcRequested | events.StateWaitRequested):
                updates.append(event)
            else:
                again.append(event)
        self.pending = again + self.pending
        self.updates = updates + self.updates
        self._rebuild()

    def _rebuild(self) -> None:
        """Feed the run's committed batches again; every one must give the same commands."""
        self.evicted = False
        self.core = Interpreter()
        self.judge.begin_replay()
        for task in self.history:
            for batch in task.batches:
                for event in batch.events:
                    self.core.apply(event, batch.now_ms)
                self.judge.replayed(self.core, batch.now_ms, batch.events, batch.commands)
            if task.beat is not None:
                self.judge.beat_again(task.beat, self.core.take_index_changes(task.beat_ms))

    def _restore(self) -> None:
        if self.task is None and not self.evicted and self.judge.has_state:
            self.core = Interpreter(snapshot.decode(snapshot.encode(self.core.state)))

    def _reset(self, back: int) -> None:
        if self.task is not None or len(self.history) < 2:
            return
        keep = max(1, len(self.history) - 1 - back % len(self.history))
        dropped, self.history = self.history[keep:], self.history[:keep]
        self._say(f"the run is reset to task {keep}")
        again = [event for task in dropped for batch in task.batches for event in batch.events]
        self.pending = [event for event in again + self.pending if isinstance(event, _EXTERNAL)]
        self.kept.clear()
        self.calls, self.local, self.timer = {}, dict(self.history[-1].local), None
        for task in self.history:
            for batch in task.batches:
                for event in batch.events:
                    self.calls.pop(ended_call(event), None)
                    if isinstance(event, events.TimerFired):
                        self.timer = None
                for command in batch.commands:
                    self._carry_out(command, batch.now_ms)
        self._rebuild()
        self.advance(0)

    # Commands

    def _carry_out(self, command: commands.Command, now_ms: int) -> None:
        match command:
            case commands.StartTimer():
                self.timer = (command.timer_id, now_ms + command.delay_ms)
            case commands.CancelTimer():
                self.timer = None
                fired = events.TimerFired(timer_id=command.timer_id)
                self.pending = [event for event in self.pending if event != fired]
            case commands.CallWaitUntil() | commands.CallExecute():
                if not command.local:
                    self.calls[command.call_id] = command
                if isinstance(command, commands.CallExecute):
                    self.told.append((command.call_id, command.request.command_results))
            case commands.LoadSnapshotPage():
                self.calls[command.call_id] = command
            case _:
                pass

    def _close(self, command: commands.Close) -> None:
        if isinstance(command, commands.ContinueAsNew):
            self._before = self.core.state
            self.judge.continued(command, [*self.calls, *self.local], self.history[-1].batches[-1].now_ms)
            self._begin_run(command.input)
        else:
            self.end = command

    def _begin_run(self, start: InterpreterInput) -> None:
        self.runs += 1
        # Whether somebody observes must not show: a replay never does.
        self.core, self.evicted = Interpreter(observed=self.runs % 2 == 1), False
        self.calls, self.local, self.kept, self.timer, self.history = {}, {}, {}, None, []
        self.judge.begin_run()
        self.pending.insert(
            0,
            events.Started(
                workflow_id=WORKFLOW_ID,
                run_id=f"run-{self.runs}",
                first_run_id="run-1",
                started_at_ms=self.now_ms,
                deadline_ms=self._deadline_ms,
                input=start,
            ),
        )

    def _first_input(self) -> InterpreterInput:
        program = self.program
        start = program.start and workers.movement(
            program, program.start, None, workers.token("start", 0, "next", 0)
        )
        return InterpreterInput(
            iwf_workflow_type="Simulated",
            iwf_worker_url="http://worker",
            start_state_id=(start and start.state_id) or None,
            state_input=(start or None) and start.state_input,
            state_options=(start or None) and start.state_options,
            use_memo_for_data_attributes=program.use_memo or None,
            init_data_attributes=workers.data_attributes(("a",), "start", 0),
            init_search_attributes=workers.search_attributes(("A",), "start", 0),
            config=program.config,
        )

    # Calls

    def _picked(self, pick: int) -> str | None:
        return list(self.calls)[pick % len(self.calls)] if self.calls else None

    def _answered(self, call_id: str) -> events.Event:
        attempt = self.attempts[call_id] = self.attempts.get(call_id, 0) + 1
        kind, _, owner = call_id.partition("/")
        match kind:
            case "wu":
                answer = workers.wait_until_answer(self.program, owner, attempt)
                return events.WaitUntilAnswered(execution_id=owner, answer=answer)
            case "ex":
                decision = workers.execute_answer(self.program, owner, attempt)
                return events.ExecuteAnswered(execution_id=owner, answer=decision)
            case _:
                return workers.rpc_answer(self.program, owner, attempt)

    def _give_up(self, pick: int) -> None:
        call_id = self._picked(pick)
        if call_id is None or call_id.startswith("snapshot"):
            return
        del self.calls[call_id]
        kind, _, owner = call_id.partition("/")
        failed = events.WaitUntilFailed if kind == "wu" else events.ExecuteFailed
        self._record(
            failed(execution_id=owner, error_type="STATE_API_FAIL_ERROR_TYPE", text=f"{call_id} failed")
        )

    def _record(self, event: events.Event) -> None:
        if self.log is not None:
            self.log(f"recorded: {words(event)}")
        self.pending.append(event)

    def _say(self, text: str) -> None:
        if self.log is not None:
            self.log(text)


def _is_local(command: commands.Command) -> bool:
    if isinstance(command, commands.CallWaitUntil | commands.CallExecute):
        return command.local
    return isinstance(command, commands.CallRpc)


def _call_id(command: commands.Command) -> str:
    if isinstance(command, commands.CallWaitUntil | commands.CallExecute | commands.CallRpc):
        return command.call_id
    raise Violation("engine", f"{command!r} is not a call")


def _failed_in_place(call_id: str, began_ms: int, *, timed_out: bool) -> events.Event:
    kind, _, owner = call_id.partition("/")
    if kind == "rpc":
        return workers.rpc_failure(owner)
    return events.LocalCallFailed(
        call_id=call_id,
        error_type="STATE_API_FAIL_ERROR_TYPE",
        text=f"{call_id} failed in place",
        timed_out=timed_out,
        started_at=began_ms // 1000,
    )
