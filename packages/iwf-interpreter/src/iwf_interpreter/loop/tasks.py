"""The loop itself: polls, runs tasks, stops without losing any.

What must stay true:

- A run's task is answered by feeding its events to a core whose state is exactly that of the events
  before. A cached state is used only if the engine's own ids say that nothing is missing in between.
- The answer takes effect as a whole or not at all. When the engine refuses it, or the loop cannot
  answer, the cached state is dropped; the next task rebuilds it from history.
- An exception while feeding is our bug or another build's history. The run is suspended: the task fails
  with an explanation and comes again, for a fixed build to go on. It is answered once; after that only
  leaving it to its time limit makes the engine back off.
- A task that a poll has brought is worked on, also while stopping.
- While calls are made in place the task stays in hand. Before it runs out of time it is answered with what
  there is, and the engine gives the next one at once; so new events and queries do not wait for long.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus

from iwf_interpreter.core import NotReady, commands
from iwf_interpreter.loop import queries
from iwf_interpreter.loop.activities import Activities
from iwf_interpreter.loop.attempts import Attempts
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
from iwf_interpreter.loop.runs import LocalCall, Refusal, Run
from iwf_interpreter.loop.sizes import AnswerBudget
from iwf_interpreter.observer import Observer, tell

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class LoopOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and limits of one loop."""

    max_cached_workflows: int = 1000
    """Runs kept in memory between tasks; 0 replays every task from its history."""
    max_cached_bytes: int = 512 * 1024 * 1024
    """About how much they may hold together: the length of the events that they were fed."""
    max_concurrent_workflow_tasks: int = 100
    max_concurrent_activities: int = 200
    """Calls to workers at a time that the engine has handed out."""
    max_concurrent_local_calls: int = 200
    """Calls to workers at a time that are made in place."""
    heartbeat_seconds: float = 5.0
    """How long a task is kept for calls in place, at most; less than the engine's time limit, 10 s."""
    impatient_seconds: float = 0.8
    """As `heartbeat_seconds`, when there is something to answer the task with."""
    workflow_task_pollers: int = 4
    """Polls of each of the two task queues, at least 2."""
    activity_task_pollers: int = 4
    release_seconds: float = 2.0
    """How long after a stop the tasks of cached runs are still taken, so that busy runs can move."""
    drain_seconds: float = 30.0
    """How long calls in flight may go on after `TaskLoop.stop`."""

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")


_LEAST = {
    "max_cached_workflows": 0,
    "max_cached_bytes": 0,
    "max_concurrent_local_calls": 1,
    "heartbeat_seconds": 0,
    "impatient_seconds": 0,
    "max_concurrent_workflow_tasks": 1,
    "max_concurrent_activities": 1,
    "workflow_task_pollers": 1,
    "activity_task_pollers": 1,
    "release_seconds": 0,
    "drain_seconds": 0,
}


class TaskLoop:
    """Runs interpreter tasks and the calls to workers until it is stopped."""

    def __init__(
        self,
        dialect: Dialect,
        attempts: Attempts,
        options: LoopOptions,
        observer: Observer | None = None,
    ) -> None:
        self._dialect = dialect
        self._activities = Activities(dialect, attempts)
        self._local = LocalCalls(attempts, options.max_concurrent_local_calls)
        self._options = options
        self._observer = observer
        self._cache = RunCache(options.max_cached_workflows, options.max_cached_bytes)
        self._task_slots = anyio.Semaphore(options.max_concurrent_workflow_tasks, fast_acquire=True)
        self._activity_slots = anyio.Semaphore(options.max_concurrent_activities, fast_acquire=True)
        self._stopping = anyio.Event()
        self._work: TaskGroup | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop`, then finish what is in hand; `task_status` is started once the loop polls.

        Cancelling the call drops what is in hand: the engine hands it out again after a time limit.
        """
        async with anyio.create_task_group() as work:
            self._work = work
            async with anyio.create_task_group() as pollers:
                self._start_pollers(pollers)
                if self._options.max_cached_workflows:
                    pollers.start_soon(self._poll_own_queue)
                task_status.started()
            # Every poll has returned, so nothing new can come in.
            work.cancel_scope.deadline = anyio.current_time() + self._options.drain_seconds
        self._work = None

    def stop(self) -> None:
        """Poll no more, finish what is in hand, then let `run` return."""
        self._stopping.set()

    def has_slot(self) -> bool:
        """Whether a task that did not come from a poll can be taken now."""
        return self._work is not None and not self._stopping.is_set() and self._task_slots.value > 0

    def accept(self, task: WorkflowTask) -> None:
        """Take a task that the engine handed out with something else than a poll."""
        assert self._work is not None
        self._work.start_soon(self._run_workflow_task_in_slot, task)

    # Polling

    def _start_pollers(self, pollers: TaskGroup) -> None:
        options = self._options
        dialect = self._dialect
        for _ in range(options.workflow_task_pollers):
            pollers.start_soon(
                self._poll,
                self._task_slots,
                lambda: dialect.poll_workflow_task(sticky=False, brief=False),
                self._run_workflow_task,
                self._stopping.is_set,
            )
        for _ in range(options.activity_task_pollers):
            pollers.start_soon(
                self._poll,
                self._activity_slots,
                dialect.poll_activity_task,
                self._activities.run,
                self._stopping.is_set,
            )

    async def _poll_own_queue(self) -> None:
        """Poll the queue of the cached runs, and let others have them after the stop.

        A task that comes to a queue without polls is stuck for seconds, and one that is just being handed out
        when the queue is released is lost. So the polls go on for a while, until busy runs have been answered
        to come elsewhere, and the queue is released when none of them is open.
        """
        is_over = anyio.Event()
        async with anyio.create_task_group() as pollers:
            for _ in range(self._options.workflow_task_pollers):
                pollers.start_soon(
                    self._poll,
                    self._task_slots,
                    lambda: self._dialect.poll_workflow_task(sticky=True, brief=self._stopping.is_set()),
                    self._run_workflow_task,
                    is_over.is_set,
                )
            await self._stopping.wait()
            await anyio.sleep(self._options.release_seconds)
            is_over.set()
        await self._dialect.release_sticky_queue()

    async def _poll(
        self,
        slots: anyio.Semaphore,
        poll: Callable[[], Awaitable[T | None]],
        work: Callable[[T], Awaitable[None]],
        is_over: Callable[[], bool],
    ) -> None:
        """Poll until it is over; whatever a poll brings is worked on elsewhere, in a slot of its own."""
        assert self._work is not None
        failures = 0
        while not is_over():
            await slots.acquire()
            try:
                task = await poll()
                failures = 0
            except Exception:
                slots.release()
                if self._stopping.is_set():
                    return
                failures += 1
                _logger.warning("polling failed %d times in a row", failures, exc_info=failures == 1)
                with anyio.move_on_after(min(10.0, 0.1 * 2**failures)):
                    await self._stopping.wait()
                continue
            except BaseException:
                slots.release()
                raise
            if task is None:
                slots.release()
            else:
                self._work.start_soon(self._in_slot, slots, work, task)

    async def _in_slot(self, slots: anyio.Semaphore, work: Callable[[T], Awaitable[None]], task: T) -> None:
        try:
            await work(task)
        except Exception:
            _logger.exception("dropped a task, the engine will hand it out again: %r", task)
        finally:
            slots.release()

    # Workflow tasks

    async def _run_workflow_task_in_slot(self, task: WorkflowTask) -> None:
        await self._task_slots.acquire()
        await self._in_slot(self._task_slots, self._run_workflow_task, task)

    async def _run_workflow_task(self, task: WorkflowTask) -> None:
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
            self._cache.drop(task.run_id)
            return None
        except Exception as error:
            self._cache.drop(task.run_id)
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
            self._cache.drop(task.run_id)
        elif self._options.max_cached_workflows:
            self._cache.put(task.run_id, entry)
        for activity in completed.activity_tasks:
            self._start_eager_activity(activity)

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
            if not self._stopping.is_set():
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
        stopping = self._stopping.is_set()
        eager_calls = 0 if stopping else min(calls, self._activity_slots.value)
        for _ in range(eager_calls):
            self._activity_slots.acquire_nowait()
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
            for _ in range(eager_calls - granted):
                self._activity_slots.release()

    def _start_eager_activity(self, activity: ActivityTask) -> None:
        assert self._work is not None
        self._work.start_soon(self._in_slot, self._activity_slots, self._activities.run, activity)

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
