"""The loop itself: polls, hands tasks out to be worked on, stops without losing any.

A task that a poll has brought is worked on, also while stopping. What is done with a workflow task is
`answering`.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup, TaskStatus

from iwf_interpreter.loop.activities import Activities
from iwf_interpreter.loop.answering import Answering
from iwf_interpreter.loop.attempts import Attempts
from iwf_interpreter.loop.dialect import ActivityTask, Dialect, WorkflowTask
from iwf_interpreter.loop.local import LocalCalls
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.observer import Observer

_logger = logging.getLogger(__name__)

T = TypeVar("T")


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
        self._answering = Answering(
            dialect, LocalCalls(attempts, options.max_concurrent_local_calls), self, options, observer
        )
        self._options = options
        self._task_slots = anyio.Semaphore(options.max_concurrent_workflow_tasks, fast_acquire=True)
        self._activity_slots = anyio.Semaphore(options.max_concurrent_activities, fast_acquire=True)
        self._stopping = anyio.Event()
        self._work: TaskGroup | None = None
        self._failing_pollers = 0

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until `stop`, then finish what is in hand; `task_status` is started once the loop polls.

        Cancelling the call drops what is in hand: the engine hands it out again after a time limit.
        """
        async with anyio.create_task_group() as work:
            self._work = work
            self._answering.begin(work)
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
        self._answering.stop()

    def has_slot(self) -> bool:
        """Whether a task that did not come from a poll can be taken now."""
        return self._work is not None and not self._stopping.is_set() and self._task_slots.value > 0

    def is_polling(self) -> bool:
        """Whether new work is taken: the loop runs, is not asked to stop, and no poller fails just now."""
        return self._work is not None and not self._stopping.is_set() and not self._failing_pollers

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
                self._answering.run,
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
                    self._answering.run,
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
                if failures:
                    failures = 0
                    self._failing_pollers -= 1
            except Exception:
                slots.release()
                if self._stopping.is_set():
                    return
                failures += 1
                if failures == 1:
                    self._failing_pollers += 1
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

    async def _run_workflow_task_in_slot(self, task: WorkflowTask) -> None:
        await self._task_slots.acquire()
        await self._in_slot(self._task_slots, self._answering.run, task)

    # Eager calls

    def reserve(self, wanted: int) -> int:
        """Take up to so many places of calls that are free; returns how many."""
        places = min(wanted, self._activity_slots.value)
        for _ in range(places):
            self._activity_slots.acquire_nowait()
        return places

    def give_back(self, places: int) -> None:
        """Give reserved places back."""
        for _ in range(places):
            self._activity_slots.release()

    def begin(self, activity: ActivityTask) -> None:
        """Make a call in a reserved place."""
        assert self._work is not None
        self._work.start_soon(self._in_slot, self._activity_slots, self._activities.run, activity)
