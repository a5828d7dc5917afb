"""What the loop needs from an engine's worker protocol.

A dialect polls, translates and responds. It keeps no state of runs and decides nothing; every rule about
caching, batches, failures and limits is in the loop.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from iwf_interpreter.contract import SnapshotPage, SnapshotPageQuery
from iwf_interpreter.loop.history import Outgoing, UpdateRequest
from iwf_interpreter.loop.runs import HistoryReader, Refusal


class QueryCall(msgspec.Struct, frozen=True):
    """A question to a run; the argument is JSON, if there is one."""

    query_type: str
    argument: bytes | None


class QueryReply(msgspec.Struct, frozen=True):
    """Answer to a query: JSON, or why there is none."""

    answer: bytes | None
    error: str = ""


class WorkflowTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task for a run: new events, or a query, or both."""

    token: bytes
    workflow_id: str
    run_id: str
    attempt: int
    repeats_failure: bool
    """Whether the attempt before was answered as failed; one that timed out has waited long enough."""
    previous_started_event_id: int
    """Started event of the last task that the engine took from a worker, 0 if there was none."""
    started_event_id: int
    events: Sequence[object]
    first_event_id: int
    """Id of the first of `events`, 0 when there are none."""
    more_events: bytes
    """Page token of further events, empty when `events` is all there is."""
    query: QueryCall | None
    """Set when this is a query and nothing else."""
    attached_queries: Mapping[str, QueryCall]
    updates: Sequence[UpdateRequest]
    """Updates that clients want the run to take on; each is answered with the task."""
    size_bytes: int
    """Length of `events`."""


class ActivityTask(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a call to a worker."""

    token: bytes
    workflow_id: str
    run_id: str
    call_id: str
    activity_type: str
    input: bytes
    """JSON of the call's input."""
    attempt: int
    """From 1."""
    scheduled_at: int
    """Unix seconds at which the first attempt was scheduled."""
    timeout_seconds: float
    """Time limit of the attempt. The engine keeps it too, and refuses an answer that comes later."""


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """The engine took the answer to a workflow task."""

    next_task: WorkflowTask | None
    """The run's next task, if there was one at once."""
    activity_tasks: Sequence[ActivityTask]
    """Calls that were asked for eagerly and granted."""
    restore_started_event_id: int
    """When not 0: the engine has discarded the task; the run's last started event is this one."""
    sent: int
    """How many of the commands it was given; the rest did not fit, and the next task comes at once."""


class TaskRefused(Exception):
    """The engine did not take the answer to a task: nothing of it has happened."""


class Dialect(Protocol):
    """One engine's worker protocol."""

    async def poll_workflow_task(self, *, sticky: bool, brief: bool) -> WorkflowTask | None:
        """Wait for a task of the shared queue, or of this process's own; `None` when the wait was in vain.

        A brief wait takes no longer than it must.
        """
        ...

    async def poll_activity_task(self) -> ActivityTask | None:
        """Wait for a call to make; `None` when the wait was in vain."""
        ...

    def reader(self, task: WorkflowTask) -> HistoryReader:
        """A reader for the run of this task."""
        ...

    async def read_history(self, task: WorkflowTask) -> tuple[Sequence[object], int]:
        """All events of the task's run that a replay needs, and their length in bytes.

        From the first event to the last one of the task; for a task that begins in the middle of the
        history, the stored events up to `previous_started_event_id` and then its own.
        """
        ...

    async def complete_workflow_task(
        self,
        task: WorkflowTask,
        outgoing: Sequence[Outgoing],
        *,
        updates: Sequence[UpdateRequest],
        refusals: Mapping[str, Refusal],
        query_replies: Mapping[str, QueryReply],
        keep_sticky: bool,
        want_next: bool,
        force_next: bool,
        eager_calls: int,
    ) -> Completed:
        """Answer a task.

        Args:
            task: The task.
            outgoing: The commands of the run and the results of its calls in place, in order.
            updates: What the task has offered.
            refusals: Those of them that the run does not take on, by id.
            query_replies: Answers to the attached queries.
            keep_sticky: Whether the run's next task should come to this process.
            want_next: Whether to return the run's next task at once if there is one.
            force_next: Whether there must be a next task: calls in place are still being made.
            eager_calls: How many of the calls may be handed back to this process at once.

        Raises:
            TaskRefused: Nothing of the answer has happened; the engine schedules the task again.
            ValueError: The commands cannot be expressed, for example because an input is too large.
        """
        ...

    async def fail_workflow_task(self, task: WorkflowTask, error: Exception) -> None:
        """Tell the engine, and whoever reads its history, why the task could not be answered."""
        ...

    async def answer_query(self, task: WorkflowTask, reply: QueryReply) -> None:
        """Answer a task that is a query."""
        ...

    async def complete_activity_task(self, task: ActivityTask, result: bytes) -> None:
        """Report the result of a call as JSON; repeated for as long as the attempt lasts."""
        ...

    async def fail_activity_task(self, task: ActivityTask, error_type: str, text: str) -> None:
        """Report that an attempt failed; the engine decides about the next one."""
        ...

    async def read_snapshot_page(
        self, workflow_id: str, run_id: str, query: SnapshotPageQuery, *, timeout_seconds: float
    ) -> SnapshotPage:
        """Ask a closed run for a part of the state that it has left to its successor."""
        ...

    async def release_sticky_queue(self) -> None:
        """Let other processes have the runs whose tasks come here; the queue is not polled any more."""
        ...
