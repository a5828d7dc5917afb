"""The task loop against a scripted engine: caching, refusals, suspension, eagerness, stopping."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from iwf_interpreter.contract import InterpreterInput, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.core import SignalReceived, Started
from iwf_interpreter.loop.attempts import Attempts
from iwf_interpreter.loop.cache import CachedRun, RunCache
from iwf_interpreter.loop.dialect import (
    ActivityTask,
    Completed,
    QueryCall,
    QueryReply,
    TaskRefused,
    WorkflowTask,
)
from iwf_interpreter.loop.history import Border, Echo, Fact, Item, Outgoing
from iwf_interpreter.loop.runs import HistoryReader, Nondeterminism, Refusal, Run
from iwf_interpreter.loop.tasks import LoopOptions, TaskLoop
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import EncodedObject, ExecutingStateIdMode, WorkflowConfig, codec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


QUIET = WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.DISABLED)

STARTED = Fact(
    Started(
        workflow_id="w",
        run_id="r",
        first_run_id="r",
        started_at_ms=1000,
        input=InterpreterInput(
            iwf_workflow_type="T", iwf_worker_url="http://w", start_state_id="S1", config=QUIET
        ),
    )
)
CALL_S1 = Echo("call", "wu/S1-1")


def signal(data: str) -> Fact:
    return Fact(SignalReceived(channel_name="c", value=EncodedObject(data=data)))


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
) -> WorkflowTask:
    return WorkflowTask(
        token=b"t",
        workflow_id="w",
        run_id="r",
        attempt=attempt,
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


class ScriptedDialect:
    """An engine that hands out the tasks of the test and records the answers."""

    def __init__(self) -> None:
        self.tasks: list[WorkflowTask] = []
        self.history: list[object] = []
        self.histories_read = 0
        self.completed: list[tuple[list[Outgoing], int]] = []
        self.failed: list[str] = []
        self.replies: list[QueryReply] = []
        self.activities: list[ActivityTask] = []
        self.results: list[bytes] = []
        self.refuse_next = False
        self.released = False
        self._changed = anyio.Event()

    def _record(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, count: int, what: str) -> None:
        with anyio.fail_after(5):
            while len(getattr(self, what)) < count:
                await self._changed.wait()

    def hand_out(self, *tasks: WorkflowTask) -> None:
        self.tasks += tasks
        self._record()

    async def poll_workflow_task(self, *, sticky: bool) -> WorkflowTask | None:
        with anyio.move_on_after(0.05):
            while sticky or not self.tasks:
                await self._changed.wait()
            return self.tasks.pop(0)
        return None

    async def poll_activity_task(self) -> ActivityTask | None:
        await anyio.sleep(0.05)
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
        raise AssertionError("no run here continues another one")

    async def complete_workflow_task(
        self,
        task: WorkflowTask,
        outgoing: Sequence[Outgoing],
        *,
        refusals: Mapping[str, Refusal],
        query_replies: Mapping[str, QueryReply],
        keep_sticky: bool,
        want_next: bool,
        force_next: bool,
        eager_calls: int,
    ) -> Completed:
        if self.refuse_next:
            self.refuse_next = False
            raise TaskRefused("UnhandledCommand")
        self.completed.append((list(outgoing), eager_calls))
        self._record()
        eager, self.activities = self.activities, []
        return Completed(
            next_task=None, activity_tasks=eager, restore_started_event_id=0, sent=len(outgoing)
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


@asynccontextmanager
async def looping(dialect: ScriptedDialect, **options: Any) -> AsyncGenerator[TaskLoop]:
    async def nothing_registered() -> None:
        return None

    async with WorkerClient() as worker:
        loop = TaskLoop(dialect, Attempts(worker, nothing_registered), LoopOptions(**options))
        async with anyio.create_task_group() as tasks:

            async def run(*, task_status: TaskStatus[None]) -> None:
                await loop.run(task_status=task_status)

            await tasks.start(run)
            yield loop
            loop.stop()


FIRST = task([STARTED, Border(1000, in_hand=True)])
SECOND_EVENTS = [CALL_S1, signal("1"), Border(2000, in_hand=True)]
SECOND = task(SECOND_EVENTS, first=4, previous=3, started=8)


async def test_next_task_of_a_cached_run_feeds_only_its_own_events() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(SECOND)
        await dialect.until(2, "completed")

    assert dialect.histories_read == 1
    assert [len(asked) for asked, _ in dialect.completed] == [1, 0]


async def test_without_a_cache_every_task_reads_its_history() -> None:
    dialect = ScriptedDialect()
    dialect.history = [STARTED, Border(1000, in_hand=True)]
    async with looping(dialect, max_cached_workflows=0):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(SECOND)
        await dialect.until(2, "completed")

    assert dialect.histories_read == 2
    assert not dialect.failed


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(task([STARTED, Border(1000), *SECOND_EVENTS], previous=3, started=8), id="full-history"),
        pytest.param(
            task([STARTED, Border(1000), *SECOND_EVENTS], previous=0, started=8), id="other-previous-task"
        ),
    ],
)
async def test_cached_state_that_does_not_fit_the_task_is_replaced(stale: WorkflowTask) -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(stale)
        await dialect.until(2, "completed")

    assert dialect.histories_read == 2
    assert not dialect.failed


async def test_refused_answer_is_forgotten_and_the_run_rebuilt() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.refuse_next = True
        dialect.hand_out(SECOND)
        # The task that was refused has no border: its events are part of the next one.
        again = task(
            [STARTED, Border(1000), CALL_S1, signal("1"), signal("2"), Border(3000, in_hand=True)], previous=3, started=12
        )
        dialect.hand_out(again)
        await dialect.until(2, "completed")
        dialect.hand_out(task([], previous=12, query=QueryCall("DebugNewDump", None)))
        await dialect.until(1, "replies")

    answer = dialect.replies[0].answer
    assert answer is not None
    channels = codec.decode(answer, dict[str, Any])["Snapshot"]["signal_channels"]
    assert [message["data"] for message in channels["c"]] == ["1", "2"]
    assert not dialect.failed


async def test_history_that_does_not_fit_suspends_the_run_with_a_reason() -> None:
    dialect = ScriptedDialect()
    other = task([STARTED, Border(1000), Echo("call", "wu/Other-1"), Border(2000, in_hand=True)])
    async with looping(dialect):
        dialect.hand_out(other)
        await dialect.until(1, "failed")

    assert dialect.failed == [
        "the history shows call 'wu/Other-1' where this interpreter asks for call 'wu/S1-1'"
    ]
    assert not dialect.completed


async def test_suspended_run_is_answered_once_and_then_left_to_time_out() -> None:
    dialect = ScriptedDialect()
    broken = [STARTED, Border(1000), Echo("call", "wu/Other-1"), Border(2000, in_hand=True)]
    async with looping(dialect):
        dialect.hand_out(task(broken))
        await dialect.until(1, "failed")
        dialect.hand_out(task(broken, attempt=2), FIRST)
        await dialect.until(1, "completed")

    assert len(dialect.failed) == 1


async def test_query_of_an_unknown_type_is_answered_with_the_known_ones() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task([STARTED, Border(1000, in_hand=True)], query=QueryCall("Nothing", None)))
        await dialect.until(1, "replies")

    assert dialect.replies[0].answer is None
    assert "unknown query type 'Nothing'" in dialect.replies[0].error
    assert "GetDataAttributes" in dialect.replies[0].error


async def test_query_on_a_broken_history_is_answered_with_the_reason() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(
            task([STARTED, Border(1000), Echo("memo", "x")], query=QueryCall("DebugNewDump", None))
        )
        await dialect.until(1, "replies")

    assert "Nondeterminism" in dialect.replies[0].error


async def test_calls_are_asked_for_eagerly_within_the_free_slots() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect, max_concurrent_activities=5, activity_task_pollers=4):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")

    assert dialect.completed[0][1] == 1


async def test_stopping_finishes_what_a_poll_brings_and_releases_the_sticky_queue() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect) as loop:
        dialect.hand_out(FIRST)
        await anyio.lowlevel.checkpoint()
        loop.stop()

    assert dialect.released
    assert len(dialect.completed) + len(dialect.tasks) == 1
    assert not loop.has_slot()


def test_cache_forgets_what_was_unused_for_longest() -> None:
    cache = RunCache(2, 10**9)
    entries = {run_id: CachedRun(Run(Items())) for run_id in "abc"}
    cache.put("a", entries["a"])
    cache.put("b", entries["b"])
    cache.get("a")
    cache.put("c", entries["c"])

    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (entries["a"], None, entries["c"])


def test_command_that_the_history_lacks_is_reported() -> None:
    run = Run(Items())

    with pytest.raises(Nondeterminism, match="asks for call 'wu/S1-1', the history has the event"):
        run.feed([STARTED, Border(1000), signal("1"), Border(2000, in_hand=True)])


@pytest.mark.parametrize("field", ["max_cached_workflows", "workflow_task_pollers", "drain_seconds"])
def test_options_out_of_range_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        LoopOptions(**{field: -1})
