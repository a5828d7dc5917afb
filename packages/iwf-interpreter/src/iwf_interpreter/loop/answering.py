"""Answering tasks: feed a run, make its calls in place, send what it asks for.

What must stay true:

- A run's task is answered by feeding its events to a core whose state is exactly that of the events
  before. A cached state is used only if the engine's own ids say that nothing is missing in between.
- The answer takes effect as a whole or not at all. When the engine refuses it, or the loop cannot
  answer, the cached state is dropped; the next task rebuilds it from history.
- An exception while feeding is our bug or another build's history. The run is suspended: the task fails
  with an explanation and comes again, for a fixed build to go on. It is answered once; after that only
  leaving it to its time limit makes the engine back off.
- While calls are made in place the task stays in hand. Before it runs out of time it is answered with what
  there is, and the engine gives the next one at once; so new events and queries do not wait for long.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import anyio
import msgspec
from anyio.abc import TaskGroup

from iwf_interpreter.core import NotReady, commands
from iwf_interpreter.loop import queries
from iwf_interpreter.loop.cache import CachedRun, RunCache
from iwf_interpreter.loop.dialect import (
    ActivityTask,
    Completed,
    Dialect,
    QueryCall,
    QueryReply,
    TaskRefused,
    WorkflowTask,
)
from iwf_interpreter.loop.history import LocalResult
from iwf_interpreter.loop.local import LocalCalls, is_answer_to
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.loop.runs import LocalCall, Refusal, Run
from iwf_interpreter.loop.sizes import AnswerBudget
from iwf_interpreter.observer import Observer, tell

_logger = logging.getLogger(__name__)


class EagerCalls(Protocol):
    """Where calls go that the engine hands back with the answer that asks for them."""

    def reserve(self, wanted: int) -> int:
        """Take up to so many free places; returns how many."""
        ...

    def give_back(self, places: int) -> None:
        """Give places back that are not needed."""
        ...

    def begin(self, activity: ActivityTask) -> None:
        """Make a call in a reserved place."""
        ...


class Answering:
    """Answers workflow tasks and queries, and keeps runs between their tasks.

    Args:
        dialect: Where answers go.
        local: Makes calls in place.
        eager: Takes calls that come back with an answer.
        options: Sizes and limits.
        observer: Is told what happens to runs.
    """

    def __init__(
        self,
        dialect: Dialect,
        local: LocalCalls,
        eager: EagerCalls,
        options: LoopOptions,
        observer: Observer | None,
    ) -> None:
        self._dialect = dialect
        self._local = local
        self._eager = eager
        self._options = options
        self._observer = observer
        self._cache = RunCache(options.max_cached_workflows, options.max_cached_bytes)
        self._stopping = False
        self._work: TaskGroup | None = None

    def begin(self, work: TaskGroup) -> None:
        """Work from now on; `work` owns the calls in place."""
        self._work = work

    def stop(self) -> None:
        """Make no further calls, and let the runs' next tasks go to other processes."""
        self._stopping = True

    async def run(self, task: WorkflowTask) -> None:
        """Answer a task, and the tasks of the same run that the answers bring."""
        entry = self._cache.get(task.run_id)
        if entry is None:
            entry = CachedRun(self._new_run(task))
        async with entry.lock:
            if task.query is not None:
                await self._answer_query(entry, task)
                return
            next_task: WorkflowTask | None = task
            while next_task is not None:
                next_task = await self._answer_task(entry, next_task)

    def _new_run(self, task: WorkflowTask) -> Run:
        return Run(self._dialect.reader(task), observed=self._observer is not None)

    async def _answer_task(self, entry: CachedRun, task: WorkflowTask) -> WorkflowTask | None:
        if task.repeats_failure:
            # The engine hands such a task out again at once, so the pause has to be ours.
            await anyio.sleep(min(5.0, 0.1 * 2.0 ** (task.attempt - 1)))
        try:
            refusals = await self._feed(entry, task)
            await self._make_local_calls(entry.run, task)
            entry.run.end_task()
            completed = await self._respond(entry.run, task, refusals)
        except TaskRefused as refusal:
            _logger.info("answer to a task of workflow %s was refused: %s", task.workflow_id, refusal)
            self._forget(entry, task)
            return None
        except Exception as error:
            self._forget(entry, task)
            await self._suspend(task, error)
            return None
        self._taken(entry, task, completed)
        return completed.next_task

    def _taken(self, entry: CachedRun, task: WorkflowTask, completed: Completed) -> None:
        """Note that the engine has taken the answer to a task."""
        run = entry.run
        tell(self._observer, run.take_notices())
        recorded = [sent.call_id for sent in run.outgoing if isinstance(sent, LocalResult)]
        self._local.recorded(task.run_id, recorded)
        if completed.sent < len(run.outgoing):
            run.hold_back(completed.sent)
        discarded = completed.restore_started_event_id != 0
        run.last_started_event_id = completed.restore_started_event_id or task.started_event_id
        if run.closed:
            if not run.continues:
                self._local.drop(task.run_id)
            self._cache.drop(task.run_id)
        elif discarded == run.settled:
            # The history does not have the batch that the run has ended, or has one that it has not.
            self._forget(entry, task)
        elif self._options.max_cached_workflows:
            self._cache.put(task.run_id, entry)
        for activity in completed.activity_tasks:
            self._eager.begin(activity)

    def _forget(self, entry: CachedRun, task: WorkflowTask) -> None:
        """Drop a state that the history does not have."""
        self._cache.drop(task.run_id)
        # For tasks that wait for the entry already: the engine may hand out two at a time under the same ids.
        entry.run = self._new_run(task)

    async def _feed(self, entry: CachedRun, task: WorkflowTask) -> dict[str, Refusal]:
        if _continues(entry.run, task):
            entry.run.size_bytes += task.size_bytes
            return entry.run.feed(task.events, task.updates)
        entry.run = self._new_run(task)
        events, entry.run.size_bytes = await self._dialect.read_history(task)
        return entry.run.feed(events, task.updates)

    async def _make_local_calls(self, run: Run, task: WorkflowTask) -> None:
        """Make the calls that the run wants made in place, and those that their results lead to."""
        assert self._work is not None
        if not run.open_local:
            return
        began, began_ms = anyio.current_time(), run.now_ms

        def now_ms() -> int:
            return began_ms + int((anyio.current_time() - began) * 1000)

        def start(calls: Iterable[LocalCall]) -> None:
            assert self._work is not None
            if not self._stopping:
                for call in calls:
                    self._local.start(self._work, task.run_id, run.previous_run_id, call, now_ms)

        options = self._options
        budget = AnswerBudget()
        is_impatient = False
        # Also those of earlier tasks: should a result have been lost, the call is made again.
        start(run.open_local.values())
        with anyio.move_on_after(options.heartbeat_seconds) as patience:
            while run.open_local and not run.closed:
                start(run.take_new_local_calls())
                if run.outgoing and not is_impatient:
                    is_impatient = True
                    patience.deadline = began + options.impatient_seconds
                elif is_impatient and anyio.current_time() >= patience.deadline:
                    # Where one result is there after the other, nothing else would notice.
                    return
                done = await self._local.next_done(task.run_id)
                if done is None or not budget.has_room_for(done.size_bytes, run.outgoing):
                    return
                self._local.taken(task.run_id, done.result.call_id)
                wanted = run.open_local.get(done.result.call_id)
                if wanted is not None and is_answer_to(done, wanted):
                    run.take_local(msgspec.structs.replace(done.result, now_ms=now_ms()))

    async def _respond(self, run: Run, task: WorkflowTask, refusals: Mapping[str, Refusal]) -> Completed:
        outgoing = list(run.outgoing)
        calls = sum(
            isinstance(command, commands.CallWaitUntil | commands.CallExecute) for command in outgoing
        )
        stopping = self._stopping
        eager_calls = 0 if stopping else self._eager.reserve(calls)
        granted = 0
        try:
            completed = await self._dialect.complete_workflow_task(
                task,
                outgoing,
                updates=run.offered,
                refusals=refusals,
                query_replies={id_: _reply(run, call) for id_, call in task.attached_queries.items()},
                keep_sticky=bool(self._options.max_cached_workflows) and not stopping and not run.closed,
                want_next=not stopping,
                force_next=bool(run.open_local) and not run.closed,
                eager_calls=eager_calls,
            )
            granted = len(completed.activity_tasks)
            return completed
        finally:
            self._eager.give_back(eager_calls - granted)

    async def _suspend(self, task: WorkflowTask, error: Exception) -> None:
        _logger.error(
            "workflow %s, run %s is suspended at attempt %d",
            task.workflow_id,
            task.run_id,
            task.attempt,
            exc_info=error,
        )
        if task.attempt == 1:
            await self._dialect.fail_workflow_task(task, error)

    # Queries

    async def _answer_query(self, entry: CachedRun, task: WorkflowTask) -> None:
        assert task.query is not None
        try:
            run = entry.run
            if not _continues(run, task):
                # Not cached: it may hold events that the run's next task brings again.
                run = Run(self._dialect.reader(task))
                events, _ = await self._dialect.read_history(task)
                run.feed(events)
                run.take_in_rest()
            reply = _reply(run, task.query)
        except Exception as error:
            _logger.exception("cannot read workflow %s, run %s", task.workflow_id, task.run_id)
            reply = QueryReply(None, f"{type(error).__name__}: {error}")
        await self._dialect.answer_query(task, reply)


def _reply(run: Run, call: QueryCall) -> QueryReply:
    try:
        return queries.answer(run.state, call)
    except NotReady as error:
        return QueryReply(None, str(error))


def _continues(run: Run, task: WorkflowTask) -> bool:
    """Whether the task's events are exactly what the run has not seen yet."""
    last = run.last_started_event_id
    return last > 0 and task.previous_started_event_id == last and task.first_event_id in (0, last + 1)
