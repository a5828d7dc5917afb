"""Plays the engine for one run in this process, and measures what the run's core takes.

No server, no history of any engine, no worker: items go in, commands come out, and everything that the
commands ask for happens in batches of its own, which is the most that a core can be asked to do.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import msgspec

from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.core import (
    CallExecute,
    CallRpc,
    CallWaitUntil,
    CancelTimer,
    ContinueAsNew,
    Event,
    ExecuteAnswered,
    Started,
    StartTimer,
    TimerFired,
    WaitUntilAnswered,
    calls,
)
from iwf_interpreter.loop.history import Border, Echo, Fact, Item, LocalResult, UpdateRequest
from iwf_interpreter.loop.runs import LocalCall, Run
from iwf_models import ExecutingStateIdMode, WorkflowConfig, WorkflowWorkerRpcResponse
from tools.bench import answers
from tools.bench.clock import cpu_seconds
from tools.bench.shapes import Shape

_BEGAN_AT_MS = 1_700_000_000_000
_RPC_ANSWER = WorkflowWorkerRpcResponse()


class _Items:
    """Reads what is in items already."""

    def read(self, events: Iterable[object]) -> Iterable[Item]:
        return cast("Iterable[Item]", events)


class Spent(msgspec.Struct, frozen=True):
    """CPU seconds of a run's core."""

    total: float
    longest: float
    """Of one `feed`, with the `settle` in it, or of taking one result in place in."""
    last: float
    """Of the last such step."""


class CoreEngine:
    """One run, from its start; every step is measured."""

    def __init__(
        self, shape: Shape, *, in_place: bool = False, start: InterpreterInput | None = None
    ) -> None:
        self.open_calls: deque[CallWaitUntil | CallExecute] = deque()
        self.open_timer: StartTimer | None = None
        self._run = Run(_Items())
        self._shape = shape
        self._now_ms = _BEGAN_AT_MS
        self._seen = 0
        self._total = self._longest = self._last = 0.0
        self.task(_started(start or _input(shape, in_place=in_place)))

    @property
    def spent(self) -> Spent:
        """CPU seconds so far."""
        return Spent(self._total, self._longest, self._last)

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self._run.closed

    def task(self, *events: Event, updates: Sequence[UpdateRequest] = ()) -> None:
        """A batch: first what confirms the commands of the one before, then the events."""
        self._now_ms += 1
        sent = list(self._run.outgoing)
        items: list[Item] = [each if isinstance(each, LocalResult) else Echo.of(each) for each in sent]
        items += [Fact(event) for event in events]
        items.append(Border(self._now_ms, in_hand=True))
        self._seen = 0
        self._measure(lambda: self._run.feed(items, updates))
        while self._run.open_local and not self._run.closed:
            call = next(iter(self._run.open_local.values()))
            result = self._result(call)
            self._measure(lambda result=result: self._run.take_local(result))
        self._run.end_task()

    def answer_call(self) -> None:
        """End the oldest open call, as a batch of its own."""
        call = self.open_calls.popleft()
        execution_id = calls.execution_id(call.call_id)
        match call:
            case CallWaitUntil():
                answer = answers.wait_until(call.request)
                self.task(WaitUntilAnswered(execution_id=execution_id, answer=answer))
            case CallExecute():
                answer = answers.execute(call.request)
                self.task(ExecuteAnswered(execution_id=execution_id, answer=answer))

    def run_to_end(self) -> None:
        """Answer calls and let timers fire until nothing is left of both."""
        while not self.closed:
            if self.open_calls:
                self.answer_call()
            elif self.open_timer is not None:
                timer = self.open_timer
                self._now_ms += timer.delay_ms
                self.open_timer = None
                self.task(TimerFired(timer_id=timer.timer_id))
            else:
                return

    def following_run(self) -> "CoreEngine":
        """The run that goes on with the state of this one, after its first batch."""
        close = self._run.outgoing[-1]
        assert isinstance(close, ContinueAsNew)
        return CoreEngine(self._shape, start=close.input)

    def _result(self, call: LocalCall) -> LocalResult:
        self._now_ms += 1
        match call:
            case CallWaitUntil():
                answer = answers.wait_until(call.request)
                return LocalResult(call_id=call.call_id, now_ms=self._now_ms, wait_until=answer)
            case CallExecute():
                answer = answers.execute(call.request)
                return LocalResult(call_id=call.call_id, now_ms=self._now_ms, execute=answer)
            case CallRpc():
                return LocalResult(call_id=call.call_id, now_ms=self._now_ms, rpc=_RPC_ANSWER)

    def _measure(self, step: Callable[[], object]) -> None:
        before = cpu_seconds()
        step()
        self._last = cpu_seconds() - before
        self._total += self._last
        self._longest = max(self._longest, self._last)
        self._take_commands()

    def _take_commands(self) -> None:
        outgoing = self._run.outgoing
        # Indexing from the left end of a deque would make the measuring quadratic.
        fresh = [outgoing[position - len(outgoing)] for position in range(self._seen, len(outgoing))]
        self._seen = len(outgoing)
        for command in fresh:
            match command:
                case CallWaitUntil() | CallExecute():
                    self.open_calls.append(command)
                case StartTimer():
                    self.open_timer = command
                case CancelTimer():
                    self.open_timer = None
                case _:
                    pass


def _input(shape: Shape, *, in_place: bool) -> InterpreterInput:
    return InterpreterInput(
        iwf_workflow_type=shape.workflow_type,
        iwf_worker_url="http://worker",
        start_state_id="S1",
        state_options=answers.SKIPPING if shape.skips_wait_until else None,
        config=WorkflowConfig(
            executing_state_id_mode=ExecutingStateIdMode.DISABLED, optimize_activity=in_place or None
        ),
    )


def _started(start: InterpreterInput) -> Started:
    return Started(
        workflow_id="core", run_id="run", first_run_id="run", started_at_ms=_BEGAN_AT_MS, input=start
    )
