"""Tasks of the loop: queries, what is dropped from the cache, and calls that come back eagerly."""

from typing import Any

import anyio
import pytest

from iwf_interpreter.contract import STILL_LOADING, ContinuedRun, LockedRpcRequest, StateTarget, UpdateError
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CancelRequested,
    LockedRpcRequested,
    StateWaitRequested,
)
from iwf_interpreter.loop.activities import WaitUntilInput
from iwf_interpreter.loop.dialect import ActivityTask, QueryCall, WorkflowTask
from iwf_interpreter.loop.history import Border, Echo, Fact, HeldBack, UpdateRequest
from iwf_models import (
    Context,
    EventType,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
    codec,
)
from scripted_loop import (
    CALL_S1,
    Listener,
    ScriptedDialect,
    ScriptedWorker,
    looping,
    signal,
    started,
    task,
)

pytestmark = pytest.mark.anyio

STARTED = started()
FIRST = task([STARTED, Border(1000, in_hand=True)])
DUMP = QueryCall("DebugNewDump", None)


def second(**fields: Any) -> WorkflowTask:
    return task([CALL_S1, signal("1"), Border(2000, in_hand=True)], first=4, previous=3, started=8, **fields)


def read(answer: bytes | None) -> dict[str, Any]:
    assert answer is not None
    return codec.decode(answer, dict[str, Any])


async def test_attached_queries_see_the_state_after_the_task() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(second(attached_queries={"q1": DUMP, "q2": QueryCall("Nothing", None)}))
        await dialect.until(2, "completed")

    replies = dialect.completed[1].query_replies
    assert len(read(replies["q1"].answer)["Snapshot"]["signal_channels"]["c"]) == 1
    assert "unknown query type 'Nothing'" in replies["q2"].error


async def test_query_sees_the_events_behind_the_last_task() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task([STARTED, Border(1000), CALL_S1, signal("1")], query=DUMP))
        await dialect.until(1, "replies")

    assert len(read(dialect.replies[0].answer)["Snapshot"]["signal_channels"]["c"]) == 1


async def test_query_on_a_cached_run_reads_no_history() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(task([], previous=3, query=DUMP))
        await dialect.until(1, "replies")

    assert dialect.histories_read == 1
    assert dialect.replies[0].answer is not None


async def test_query_does_not_change_what_the_next_task_is_fed() -> None:
    """The query's history has a signal behind the last task, which the next task brings again."""
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task([STARTED, Border(1000), CALL_S1, signal("1")], query=DUMP))
        await dialect.until(1, "replies")
        dialect.hand_out(
            task(
                [STARTED, Border(1000), CALL_S1, signal("1"), Border(2000, in_hand=True)],
                started=8,
                attached_queries={"q": DUMP},
            )
        )
        await dialect.until(1, "completed")

    state = read(dialect.completed[0].query_replies["q"].answer)["Snapshot"]
    assert len(state["signal_channels"]["c"]) == 1


LOADING = [
    started(continued=ContinuedRun(previous_run_id="q", pages=2)),
    Border(1000, in_hand=True),
]


async def test_run_that_loads_its_state_answers_that_it_has_none_yet() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task(LOADING, attached_queries={"q": DUMP}))
        await dialect.until(1, "completed")
        dialect.hand_out(task([], previous=3, query=DUMP))
        await dialect.until(1, "replies")

    attached = dialect.completed[0].query_replies["q"]
    assert (attached.answer, attached.error) == (None, STILL_LOADING)
    assert dialect.replies == [attached]
    assert not dialect.failed


def wait_for_state(update_id: str = "u") -> UpdateRequest:
    event = StateWaitRequested(update_id=update_id, target=StateTarget(state_execution_id="S1-1"))
    return UpdateRequest(update_id=update_id, event=event, message=None)


async def test_run_that_loads_its_state_sends_updates_on() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task(LOADING, updates=[wait_for_state()]))
        await dialect.until(1, "completed")

    assert dialect.completed[0].refusals["u"].error is UpdateError.ASK_AGAIN


NONSENSE = UpdateRequest(update_id="u", event=None, problem="what", message=None)


async def test_task_that_the_engine_discards_leaves_the_cached_run_as_it_was() -> None:
    """Its events would come again, with the same ids, in the next task."""
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(
            task([CALL_S1, signal("1"), Border(2000, in_hand=True)], first=4, previous=3, started=8)
        )
        await dialect.until(2, "completed")
        dialect.restore_next = 8
        dialect.hand_out(
            task([Border(3000, in_hand=True)], first=9, previous=8, started=11, updates=[NONSENSE])
        )
        await dialect.until(3, "completed")
        dialect.hand_out(task([signal("2"), Border(4000, in_hand=True)], first=9, previous=8, started=12))
        await dialect.until(4, "completed")

    assert dialect.histories_read == 1
    assert list(dialect.completed[2].refusals) == ["u"]
    assert not dialect.failed


@pytest.mark.parametrize(
    ("updates", "restore"),
    [
        pytest.param([NONSENSE], 0, id="kept-though-the-run-ended-no-batch"),
        pytest.param([], 8, id="discarded-though-the-run-ended-a-batch"),
    ],
)
async def test_run_is_dropped_when_it_and_the_engine_disagree_about_a_task(
    updates: list[UpdateRequest], restore: int
) -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(second())
        await dialect.until(2, "completed")
        dialect.restore_next = restore
        dialect.hand_out(task([Border(3000, in_hand=True)], first=9, previous=8, started=11, updates=updates))
        await dialect.until(3, "completed")
        dialect.history = [STARTED, Border(1000), CALL_S1, signal("1"), Border(2000), Border(3000)]
        dialect.hand_out(task([signal("2"), Border(4000, in_hand=True)], first=12, previous=11, started=14))
        await dialect.until(4, "completed")

    assert dialect.histories_read == 2
    assert not dialect.failed


async def test_run_that_has_ended_is_not_kept() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect):
        dialect.hand_out(task([STARTED, Fact(CancelRequested()), Border(1000, in_hand=True)]))
        await dialect.until(1, "completed")
        dialect.hand_out(
            task([STARTED, Fact(CancelRequested()), Border(1000), Echo("close", "canceled")], query=DUMP)
        )
        await dialect.until(1, "replies")

    assert dialect.histories_read == 2
    assert not dialect.completed[0].keep_sticky
    assert dialect.replies[0].answer is not None


async def test_next_task_that_comes_with_the_answer_is_worked_on_at_once() -> None:
    dialect = ScriptedDialect()
    dialect.next_tasks = [second()]
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(2, "completed")

    assert dialect.histories_read == 1
    assert [answer.want_next for answer in dialect.completed] == [True, True]


async def test_commands_that_did_not_fit_come_with_the_next_task() -> None:
    dialect = ScriptedDialect()
    dialect.send_at_most = 0
    async with looping(dialect):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.send_at_most = None
        dialect.hand_out(
            task([HeldBack(), signal("1"), Border(1001, in_hand=True)], first=4, previous=3, started=8)
        )
        await dialect.until(2, "completed")

    assert [Echo.of(sent).id for sent in dialect.completed[1].outgoing] == ["wu/S1-1"]
    assert not dialect.failed


def activity() -> ActivityTask:
    request = WorkflowStateStartRequest(
        context=Context(
            workflow_id="w",
            workflow_run_id="r",
            workflow_started_timestamp=1,
            state_execution_id="S1-1",
        ),
        workflow_type="T",
        workflow_state_id="S1",
    )
    return ActivityTask(
        token=b"a",
        workflow_id="w",
        run_id="r",
        call_id="wu/S1-1",
        activity_type="StateApiWaitUntil",
        input=codec.encode(WaitUntilInput(worker_url="http://w", request=request)),
        attempt=1,
        scheduled_at=1,
        timeout_seconds=5.0,
    )


async def test_call_that_comes_back_with_the_answer_is_made_at_once() -> None:
    dialect, worker = ScriptedDialect(), ScriptedWorker()
    worker.answer("S1-1", WorkflowStateStartResponse())
    dialect.activities = [activity()]
    async with looping(dialect, worker):
        dialect.hand_out(FIRST)
        await dialect.until(1, "results")

    assert codec.decode(dialect.results[0], WorkflowStateStartResponse) == WorkflowStateStartResponse()


@pytest.mark.parametrize("refused", [True, False])
async def test_slots_of_calls_that_do_not_come_back_are_free_again(refused: bool) -> None:
    """With no pollers for calls beside, all slots are the loop's own."""
    dialect = ScriptedDialect()
    async with looping(dialect, max_concurrent_activities=2, activity_task_pollers=1) as loop:
        slots = loop._activity_slots  # pyright: ignore[reportPrivateUsage]
        before = slots.value
        dialect.refuse_next = refused
        dialect.hand_out(FIRST, *([FIRST] if refused else []))
        await dialect.until(1, "completed")
        await anyio.wait_all_tasks_blocked()

        assert dialect.completed[0].eager_calls == before == 1
        assert slots.value == before


async def test_task_beside_one_whose_answer_is_refused_does_not_go_on_from_its_state() -> None:
    """The engine may forget a task that it has handed out, and hand out another one under the same ids."""

    def offering(update_id: str) -> WorkflowTask:
        asked = LockedRpcRequested(update_id=update_id, request=LockedRpcRequest(rpc_name=update_id))
        update = UpdateRequest(update_id=update_id, event=asked, message=None)
        return task([Border(2000, in_hand=True)], first=4, previous=3, started=8, updates=[update])

    dialect, worker = ScriptedDialect(), ScriptedWorker()
    idle = started(start_state_id=None)
    dialect.history = [idle, Border(1000)]
    async with looping(dialect, worker):
        dialect.hand_out(task([idle, Border(1000, in_hand=True)]))
        await dialect.until(1, "completed")
        dialect.hand_out(offering("forgotten"))
        await worker.until_called(1)
        dialect.hand_out(offering("taken"))
        await anyio.wait_all_tasks_blocked()
        dialect.refuse_next = True
        worker.answer("forgotten", WorkflowWorkerRpcResponse())
        worker.answer("taken", WorkflowWorkerRpcResponse())
        await dialect.until(2, "completed")

    assert dialect.refused == [offering("forgotten")]
    outgoing = dialect.completed[1].outgoing
    updates = [each.update_id for each in outgoing if isinstance(each, AcceptUpdate | AnswerUpdate)]
    assert updates == ["taken", "taken"]


async def test_poll_that_fails_is_repeated() -> None:
    dialect = ScriptedDialect()
    dialect.poll_errors = [RuntimeError("unavailable")]
    async with looping(dialect, workflow_task_pollers=1, max_cached_workflows=0):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")

    assert dialect.poll_errors == []


async def test_stopping_does_not_wait_for_the_pause_after_a_failed_poll() -> None:
    dialect = ScriptedDialect()
    dialect.poll_errors = [RuntimeError("unavailable") for _ in range(100)]

    with anyio.fail_after(5):
        async with looping(dialect, workflow_task_pollers=1) as loop:
            await anyio.wait_all_tasks_blocked()
            loop.stop()

    assert dialect.released


async def test_task_of_the_engine_s_answer_to_a_start_is_taken_when_there_is_a_slot() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect, max_concurrent_workflow_tasks=9) as loop:
        assert loop.has_slot()
        loop.accept(FIRST)
        await dialect.until(1, "completed")
        loop.stop()
        assert not loop.has_slot()


async def test_observer_is_told_of_a_task_once_it_is_answered() -> None:
    dialect, listener = ScriptedDialect(), Listener()
    async with looping(dialect, observer=listener):
        dialect.refuse_next = True
        dialect.hand_out(FIRST)
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")

    assert [event.event_type for event in listener.events] == [
        EventType.WORKFLOW_START_EVENT,
        EventType.STATE_WAIT_UNTIL_EE_START_EVENT,
    ]


async def test_replay_tells_the_observer_nothing() -> None:
    dialect, listener = ScriptedDialect(), Listener()
    async with looping(dialect, observer=listener, max_cached_workflows=0):
        dialect.hand_out(task([STARTED, Border(1000), CALL_S1, signal("1"), Border(2000, in_hand=True)]))
        await dialect.until(1, "completed")

    assert listener.events == []


async def test_observer_that_fails_harms_nobody() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect, observer=Listener(failing=True)):
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        dialect.hand_out(second())
        await dialect.until(2, "completed")

    assert dialect.histories_read == 1
    assert not dialect.failed


async def test_own_queue_is_polled_on_for_a_while_after_the_stop() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect, release_seconds=1) as loop:
        dialect.hand_out(FIRST)
        await dialect.until(1, "completed")
        loop.stop()
        dialect.own_tasks.append(second())
        dialect.hand_out()
        await dialect.until(2, "completed")
        before = dialect.released

    assert (before, dialect.released) == (False, True)
    assert [answer.keep_sticky for answer in dialect.completed] == [True, False]
    assert dialect.histories_read == 1
