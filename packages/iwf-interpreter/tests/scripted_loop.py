"""A task loop between an engine and a worker that do what a test says; nothing here leaves the process."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import msgspec
from anyio.abc import TaskStatus

from iwf_interpreter.contract import InterpreterInput, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.core import SignalReceived, Started
from iwf_interpreter.loop.attempts import Attempts
from iwf_interpreter.loop.dialect import (
    ActivityTask,
    Completed,
    QueryCall,
    QueryReply,
    TaskRefused,
    WorkflowTask,
)
from iwf_interpreter.loop.history import Echo, Fact, Item, Outgoing, UpdateRequest
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.loop.runs import HistoryReader, Refusal
from iwf_interpreter.loop.tasks import TaskLoop
from iwf_interpreter.observer import Observer
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import (
    EncodedObject,
    ExecutingStateIdMode,
    IwfEvent,
    StateDecision,
    StateMovement,
    WorkflowConfig,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)

T = TypeVar("T")

QUIET = WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.DISABLED)
IN_PLACE = WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.DISABLED, optimize_activity=True)
CALL_S1 = Echo("call", "wu/S1-1")


def started(config: WorkflowConfig = QUIET, *, start_state_id: str | None = "S1", **fields: Any) -> Fact:
    """The start of the run `r`."""
    start = InterpreterInput(
        iwf_workflow_type="T",
        iwf_worker_url="http://w",
        start_state_id=start_state_id,
        config=config,
        **fields,
    )
    return Fact(Started(workflow_id="w", run_id="r", first_run_id="r", started_at_ms=1000, input=start))


def signal(data: str) -> Fact:
    return Fact(SignalReceived(channel_name="c", value=EncodedObject(data=data)))


def decision(*state_ids: str) -> WorkflowStateDecideResponse:
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(next_states=[StateMovement(state_id=id_) for id_ in state_ids])
    )


class Items(HistoryReader):
    """Histories here are lists of items already."""

    def read(self, events: Any) -> list[Item]:
        return list(events)


def task(
    events: Sequence[object],
    *,
    first: int = 1,
    previous: int = 0,
    started: int = 3,
    attempt: int = 1,
    query: QueryCall | None = None,
    **fields: Any,
) -> WorkflowTask:
    """A task of the run `r`; `first` is the id of its first event."""
    task = WorkflowTask(
        token=b"t",
        workflow_id="w",
        run_id="r",
        attempt=attempt,
        repeats_failure=attempt > 1,
        previous_started_event_id=previous,
        started_event_id=started,
        events=events,
        first_event_id=first if events else 0,
        more_events=b"",
        query=query,
        attached_queries={},
        updates=(),
        size_bytes=100,
    )
    return msgspec.structs.replace(task, **fields)


class Answered(msgspec.Struct, frozen=True):
    """An answer to a workflow task that the engine has taken."""

    outgoing: list[Outgoing]
    eager_calls: int
    refusals: Mapping[str, Refusal]
    query_replies: Mapping[str, QueryReply]
    keep_sticky: bool
    want_next: bool
    force_next: bool


class ScriptedDialect:
    """An engine that hands out the tasks of the test and records the answers."""

    def __init__(self) -> None:
        self.tasks: list[WorkflowTask] = []
        self.own_tasks: list[WorkflowTask] = []
        """Those of the process's own queue."""
        self.activity_tasks: list[ActivityTask] = []
        self.history: list[object] = []
        self.histories_read = 0
        self.completed: list[Answered] = []
        self.failed: list[str] = []
        self.replies: list[QueryReply] = []
        self.activities: list[ActivityTask] = []
        """Handed back with the next answer to a workflow task."""
        self.results: list[bytes] = []
        self.next_tasks: list[WorkflowTask] = []
        """Handed back with the next answers, one each."""
        self.refuse_next = False
        self.refused: list[WorkflowTask] = []
        self.restore_next = 0
        self.send_at_most: int | None = None
        """How many commands fit into an answer."""
        self.poll_errors: list[Exception] = []
        self.pages: list[tuple[str, str, SnapshotPageQuery, float]] = []
        self.released = False
        self._changed = anyio.Event()

    def _record(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, count: int, what: str) -> None:
        with anyio.fail_after(5):
            while len(getattr(self, what)) < count:
                await self._changed.wait()

    def hand_out(self, *tasks: WorkflowTask | ActivityTask) -> None:
        for each in tasks:
            if isinstance(each, ActivityTask):
                self.activity_tasks.append(each)
            else:
                self.tasks.append(each)
        self._record()

    async def poll_workflow_task(self, *, sticky: bool, brief: bool) -> WorkflowTask | None:
        if self.poll_errors:
            raise self.poll_errors.pop(0)
        tasks = self.own_tasks if sticky else self.tasks
        with anyio.move_on_after(0.05):
            while not tasks:
                await self._changed.wait()
            return tasks.pop(0)
        return None

    async def poll_activity_task(self) -> ActivityTask | None:
        with anyio.move_on_after(0.05):
            while not self.activity_tasks:
                await self._changed.wait()
            return self.activity_tasks.pop(0)
        return None

    def reader(self, task: WorkflowTask) -> HistoryReader:
        return Items()

    async def read_history(self, task: WorkflowTask) -> tuple[Sequence[object], int]:
        self.histories_read += 1
        events = task.events if task.first_event_id == 1 else [*self.history, *task.events]
        return events, 100 * len(events)

    async def read_snapshot_page(
        self, workflow_id: str, run_id: str, query: SnapshotPageQuery, *, timeout_seconds: float
    ) -> SnapshotPage:
        self.pages.append((workflow_id, run_id, query, timeout_seconds))
        return SnapshotPage(text="text", sha256="digest")

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
        if self.refuse_next:
            self.refuse_next = False
            self.refused.append(task)
            self._record()
            raise TaskRefused("UnhandledCommand")
        sent = len(outgoing) if self.send_at_most is None else min(self.send_at_most, len(outgoing))
        answered = Answered(
            list(outgoing[:sent]), eager_calls, refusals, query_replies, keep_sticky, want_next, force_next
        )
        self.completed.append(answered)
        self._record()
        eager, self.activities = self.activities, []
        restore, self.restore_next = self.restore_next, 0
        return Completed(
            next_task=self.next_tasks.pop(0) if self.next_tasks else None,
            activity_tasks=eager,
            restore_started_event_id=restore,
            sent=sent,
        )

    async def fail_workflow_task(self, task: WorkflowTask, error: Exception) -> None:
        self.failed.append(str(error))
        self._record()

    async def answer_query(self, task: WorkflowTask, reply: QueryReply) -> None:
        self.replies.append(reply)
        self._record()

    async def complete_activity_task(self, task: ActivityTask, result: bytes) -> None:
        self.results.append(result)
        self._record()

    async def fail_activity_task(self, task: ActivityTask, error_type: str, text: str) -> None:
        self.results.append(f"{error_type}: {text}".encode())
        self._record()

    async def release_sticky_queue(self) -> None:
        self.released = True


class ScriptedWorker(WorkerClient):
    """A worker whose answers come when the test gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, Any]] = []
        """State execution id or RPC name, and request, of every call."""
        self.timeouts: list[float] = []
        self._answers: dict[str, list[Any]] = {}
        self._changed = anyio.Event()

    def answer(self, name: str, *answers: Any) -> None:
        """Answer the calls of a state execution or RPC, one after another; an exception is raised."""
        self._answers.setdefault(name, []).extend(answers)
        self._changed.set()
        self._changed = anyio.Event()

    async def until_called(self, count: int) -> None:
        with anyio.fail_after(5):
            while len(self.calls) < count:
                await self._changed.wait()

    async def wait_until(
        self, worker_url: str, request: WorkflowStateStartRequest, *, timeout_seconds: float
    ) -> WorkflowStateStartResponse:
        return await self._call(request.context.state_execution_id or "", request, timeout_seconds)

    async def execute(
        self, worker_url: str, request: WorkflowStateDecideRequest, *, timeout_seconds: float
    ) -> WorkflowStateDecideResponse:
        return await self._call(request.context.state_execution_id or "", request, timeout_seconds)

    async def rpc(
        self, worker_url: str, request: WorkflowWorkerRpcRequest, *, timeout_seconds: float
    ) -> WorkflowWorkerRpcResponse:
        return await self._call(request.rpc_name, request, timeout_seconds)

    async def _call(self, name: str, request: object, timeout_seconds: float) -> Any:
        self.calls.append((name, request))
        self.timeouts.append(timeout_seconds)
        self._changed.set()
        self._changed = anyio.Event()
        while not self._answers.get(name):
            await self._changed.wait()
        answer = self._answers[name].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Listener:
    """An observer that keeps what it is told, or fails on it."""

    def __init__(self, *, failing: bool = False) -> None:
        self.events: list[IwfEvent] = []
        self._failing = failing

    def on_event(self, event: IwfEvent) -> None:
        self.events.append(event)
        if self._failing:
            raise RuntimeError("no room left")


async def nothing_registered() -> None:
    """The search attributes that can be written are unknown."""


def attempts(
    worker: WorkerClient,
    observer: Observer | None = None,
    registered: Callable[[], Awaitable[Mapping[str, str] | None]] = nothing_registered,
) -> Attempts:
    return Attempts(worker, registered, observer)


@asynccontextmanager
async def looping(
    dialect: ScriptedDialect,
    worker: WorkerClient | None = None,
    observer: Observer | None = None,
    **options: Any,
) -> AsyncGenerator[TaskLoop]:
    """A loop that runs until the end of the block, or until it is stopped."""
    options.setdefault("release_seconds", 0.02)
    loop = TaskLoop(
        dialect,
        attempts(worker or ScriptedWorker(), observer),
        LoopOptions(**options),
        observer,
    )
    async with anyio.create_task_group() as group:

        async def run(*, task_status: TaskStatus[None]) -> None:
            await loop.run(task_status=task_status)

        await group.start(run)
        yield loop
        loop.stop()
