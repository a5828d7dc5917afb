"""The in-memory engine: `iwf_interpreter.engine.Engine` over workflows that live in this process.

It drives the same core as the real engines and calls the same workers. There are no tasks to wait for, so a
signal, an RPC or an answer has taken effect when the call returns. Time is the event loop's: on a
`VirtualTimeLoop` it skips when nothing can happen before.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import anyio
import msgspec
from anyio.abc import TaskGroup

from iwf_interpreter.contract import (
    DEFAULT_TASK_QUEUE,
    EXECUTING_STATE_IDS_ATTRIBUTE,
    GLOBAL_VERSION_ATTRIBUTE,
    WORKFLOW_TYPE,
    WORKFLOW_TYPE_ATTRIBUTE,
    QueryType,
    SnapshotPage,
    SnapshotPageQuery,
    UpdateType,
)
from iwf_interpreter.core import ExecutionState, NotReady, commands, continuing, events
from iwf_interpreter.engine import (
    EngineError,
    InvalidArgument,
    NotStartedYet,
    QueryFailed,
    ResetPoint,
    SearchPage,
    StartRequest,
    WaitTimedOut,
    WorkflowAlreadyStarted,
    WorkflowDescription,
    WorkflowNotFound,
    WorkflowOutcome,
)
from iwf_interpreter.loop import queries
from iwf_interpreter.loop.attempts import Attempts
from iwf_interpreter.loop.dialect import QueryCall
from iwf_interpreter.loop.messages import signal_event, update_event
from iwf_interpreter.observer import Observer
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import IDReusePolicy, WorkflowStatus, codec
from iwf_testkit.memory import resets, visibility
from iwf_testkit.memory.attempts import Caller
from iwf_testkit.memory.index_records import Record
from iwf_testkit.memory.origins import first_origin, next_origin, reset_origin
from iwf_testkit.memory.runs import LocalCall, Run
from iwf_testkit.memory.timetable import Timetable

T = TypeVar("T")

_SHORT_DELAY_MS = 1500
"""What is over so soon is waited for."""
_PAUSE_MS = 5

SYSTEM_SEARCH_ATTRIBUTES: Mapping[str, str] = {
    WORKFLOW_TYPE_ATTRIBUTE: "Keyword",
    EXECUTING_STATE_IDS_ATTRIBUTE: "KeywordList",
    GLOBAL_VERSION_ATTRIBUTE: "Int",
}

_ENDED_ABNORMALLY = frozenset(
    {WorkflowStatus.FAILED, WorkflowStatus.CANCELED, WorkflowStatus.TERMINATED, WorkflowStatus.TIMEOUT}
)
_ABNORMAL_ONLY = frozenset(
    {IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY, IDReusePolicy.ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY}
)


class MemoryEngine:
    """Workflows in memory; an async context manager that owns everything which goes on in them.

    Args:
        worker: Calls workers.
        search_attributes: Type by name of the attributes that can be written, beside those of iWF: `Keyword`,
            `Text`, `Int`, `Double`, `Bool`, `Datetime` or `KeywordList`.
        observer: Is told what happens to workflows.
    """

    def __init__(
        self,
        worker: WorkerClient,
        *,
        search_attributes: Mapping[str, str] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._types = {**(search_attributes or {}), **SYSTEM_SEARCH_ATTRIBUTES}
        self._observer = observer
        self._attempts = Attempts(worker, self.search_attribute_types, observer)
        self._workflows: dict[str, dict[str, Run]] = {}
        """Runs by id, in the order of their starts, by workflow id."""
        self._timetable: Timetable | None = None
        self._caller: Caller | None = None
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._timetable = Timetable(time.time())
        self._caller = Caller(self._attempts, self._timetable)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._timetable.run)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(exc_type, exc_value, traceback)

    @property
    def timetable(self) -> Timetable:
        """The engine's clock."""
        if self._timetable is None:
            raise RuntimeError("the in-memory engine is used outside of its context")
        return self._timetable

    def now(self) -> float:
        """Unix seconds of the engine's clock."""
        return self.timetable.now()

    # What the API service needs

    async def start(self, request: StartRequest) -> str:
        origin = first_origin(request, self.timetable.now_ms())
        self._make_room(request)
        self._begin(Run(self, origin, self._observer))
        return origin.run_id

    async def signal(self, workflow_id: str, run_id: str, name: str, body: Any) -> None:
        run = self._open_run(workflow_id, run_id)
        fact = signal_event(name, None if body is None else codec.encode(body))
        if fact is not None:
            run.take(fact)

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        run = self._run(workflow_id, run_id)
        state = await self._readable_state(run, timeout_seconds)
        reply = queries.answer(state, QueryCall(query, None if argument is None else codec.encode(argument)))
        if reply.answer is None:
            raise QueryFailed(reply.error)
        try:
            return codec.decode(reply.answer, answer_type)
        except msgspec.DecodeError as error:
            raise EngineError(f"the answer to the query {query.value!r} cannot be read: {error}") from error

    async def update(
        self,
        workflow_id: str,
        run_id: str,
        update: UpdateType,
        update_id: str,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        run = self._run(workflow_id, run_id)
        known = run.updates.get(update_id)
        if known is None:
            if run.status is not WorkflowStatus.RUNNING:
                raise _closed(run)
            if not run.has_begun:
                raise _not_started_yet()
            known = run.offer(update_id, update_event(update_id, update, codec.encode(argument)))
        with anyio.move_on_after(timeout_seconds):
            await known.over.wait()
        if not known.over.is_set():
            raise WaitTimedOut(f"workflow {workflow_id!r} did not answer an update in time")
        if known.error is not None:
            raise known.error
        assert isinstance(known.result, answer_type)
        return known.result

    async def reset(
        self,
        workflow_id: str,
        run_id: str,
        point: ResetPoint,
        reason: str,
        *,
        skip_signal_reapply: bool,
        skip_update_reapply: bool,
    ) -> str:
        before = self._run(workflow_id, run_id)
        kept_tasks = resets.find(before, point)
        again = list(
            resets.later_facts(
                before, kept_tasks, signals=not skip_signal_reapply, updates=not skip_update_reapply
            )
        )
        current = self._run(workflow_id, "")
        if current.status is WorkflowStatus.RUNNING:
            current.close(WorkflowOutcome(status=WorkflowStatus.TERMINATED))
        origin = reset_origin(before.origin, self.timetable.now_ms())
        run = Run(self, origin, self._observer)
        self._workflows[workflow_id][origin.run_id] = run
        run.restore(before, kept_tasks, again)
        return origin.run_id

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowDescription:
        run = self._run(workflow_id, run_id)
        return WorkflowDescription(
            run_id=run.origin.run_id,
            status=run.status,
            memo=dict(run.memo),
            search_attributes={
                key: msgspec.Raw(codec.encode(value.value)) for key, value in run.search_attributes.items()
            },
            search_attribute_types={key: value.type for key, value in run.search_attributes.items()},
        )

    async def outcome(self, workflow_id: str, run_id: str) -> WorkflowOutcome:
        return self._run(workflow_id, run_id).outcome

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        run = self._run(workflow_id, run_id)
        with anyio.move_on_after(timeout_seconds):
            while True:
                await run.over.wait()
                if run.successor is None:
                    return run.outcome
                run = run.successor
        raise WaitTimedOut(f"workflow {workflow_id!r} is still running")

    async def cancel(self, workflow_id: str, run_id: str) -> None:
        run = self._run(workflow_id, run_id)
        if run.status is WorkflowStatus.RUNNING:
            run.take(events.CancelRequested())

    async def terminate(self, workflow_id: str, run_id: str, reason: str) -> None:
        self._open_run(workflow_id, run_id).close(WorkflowOutcome(status=WorkflowStatus.TERMINATED))

    async def search(self, query: str, page_size: int, page_token: bytes) -> SearchPage:
        found = visibility.search(self._records(), query, self._types)
        try:
            begin = int(page_token or b"0")
        except ValueError as error:
            raise InvalidArgument(f"invalid page token {page_token!r}") from error
        end = begin + page_size
        return SearchPage(
            executions=[(record.workflow_id, record.run_id) for record in found[begin:end]],
            next_page_token=b"%d" % end if end < len(found) else b"",
        )

    async def search_attribute_types(self) -> Mapping[str, str] | None:
        return self._types

    # What runs need (`iwf_testkit.memory.runs.RunOwner`)

    def make_call(self, run: Run, call: commands.StateCall) -> None:
        """Call a worker as the call's retry policy says."""
        assert self._tasks is not None
        assert self._caller is not None
        self._tasks.start_soon(self._caller.call, run, call)

    def make_local_call(self, run: Run, call: LocalCall) -> None:
        """Call a worker once."""
        assert self._tasks is not None
        assert self._caller is not None
        self._tasks.start_soon(self._caller.call_in_place, run, call)

    def read_snapshot_page(self, workflow_id: str, run_id: str, query: SnapshotPageQuery) -> SnapshotPage:
        """Read a part of the state that a closed run has left."""
        return continuing.answer_page(self._run(workflow_id, run_id).state, query)

    def closed(self, run: Run, close: commands.Close | None) -> None:
        """Begin the run that carries the chain on, if there is one."""
        origin = next_origin(run.origin, close, self.timetable.now_ms())
        if origin is not None:
            run.successor = Run(self, origin, self._observer)
            self._begin(run.successor)

    async def _readable_state(self, run: Run, timeout_seconds: float) -> ExecutionState:
        """The state of a run, which has it in a moment if it has just been started or continued."""
        with anyio.move_on_after(timeout_seconds):
            while True:
                if run.problem is not None:
                    raise QueryFailed(f"the run is suspended: {run.problem}") from run.problem
                if run.has_begun:
                    with suppress(NotReady):
                        return run.state
                elif run.status is not WorkflowStatus.RUNNING:
                    raise InvalidArgument(
                        "the workflow was closed before it could start, there is nothing to read"
                    )
                elif run.origin.begins_at_ms - self.timetable.now_ms() > _SHORT_DELAY_MS:
                    raise _not_started_yet()
                await self.timetable.sleep(_PAUSE_MS)
        raise WaitTimedOut(f"workflow {run.origin.workflow_id!r} did not answer a query in time")

    def _begin(self, run: Run) -> None:
        self._workflows.setdefault(run.origin.workflow_id, {})[run.origin.run_id] = run
        run.begin()

    def _make_room(self, request: StartRequest) -> None:
        """Make sure that the workflow id may be used, as the policy of the start says."""
        runs = self._workflows.get(request.workflow_id)
        if not runs:
            return
        policy = request.id_reuse_policy
        last = self._run(request.workflow_id, "")
        if last.status is WorkflowStatus.RUNNING:
            if policy is not IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING:
                raise WorkflowAlreadyStarted(request.workflow_id, last.origin.run_id)
            last.close(WorkflowOutcome(status=WorkflowStatus.TERMINATED))
        elif policy is IDReusePolicy.DISALLOW_REUSE or (
            policy in _ABNORMAL_ONLY and last.status not in _ENDED_ABNORMALLY
        ):
            raise WorkflowAlreadyStarted(request.workflow_id, last.origin.run_id)

    def _run(self, workflow_id: str, run_id: str) -> Run:
        runs = self._workflows.get(workflow_id)
        if not runs:
            raise WorkflowNotFound(f"there is no workflow {workflow_id!r}")
        if not run_id:
            return runs[next(reversed(runs))]
        if run_id in runs:
            return runs[run_id]
        if not _is_uuid(run_id):
            raise WorkflowNotFound(f"invalid run id {run_id!r}")
        raise WorkflowNotFound(f"workflow {workflow_id!r} has no run {run_id!r}")

    def _open_run(self, workflow_id: str, run_id: str) -> Run:
        run = self._run(workflow_id, run_id)
        if run.status is not WorkflowStatus.RUNNING:
            raise _closed(run)
        return run

    def _records(self) -> Iterator[Record]:
        for runs in self._workflows.values():
            for run in runs.values():
                origin = run.origin
                yield Record(
                    workflow_id=origin.workflow_id,
                    run_id=origin.run_id,
                    workflow_type=WORKFLOW_TYPE,
                    task_queue=DEFAULT_TASK_QUEUE,
                    status=run.status,
                    start_time_ns=origin.started_at_ms * 1_000_000,
                    execution_time_ns=origin.begins_at_ms * 1_000_000,
                    close_time_ns=None if run.closed_at_ms is None else run.closed_at_ms * 1_000_000,
                    history_length=run.history.length,
                    search_attributes=run.search_attributes,
                )


def _closed(run: Run) -> WorkflowNotFound:
    return WorkflowNotFound(f"run {run.origin.run_id!r} of workflow {run.origin.workflow_id!r} is closed")


def _not_started_yet() -> NotStartedYet:
    return NotStartedYet(
        "the workflow waits for its start delay, its schedule or a retry and cannot be read before it runs"
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
