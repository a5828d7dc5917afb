"""The task loop against a scripted engine: caching, refusals, suspension, eagerness, stopping."""

from typing import Any

import anyio
import pytest

from iwf_interpreter.loop.dialect import QueryCall, WorkflowTask
from iwf_interpreter.loop.history import Border, Echo
from iwf_interpreter.loop.options import LoopOptions
from iwf_models import codec
from scripted_loop import CALL_S1, ScriptedDialect, looping, signal, started, task

pytestmark = pytest.mark.anyio

STARTED = started()
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
    assert [len(answer.outgoing) for answer in dialect.completed] == [1, 0]


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
            [STARTED, Border(1000), CALL_S1, signal("1"), signal("2"), Border(3000, in_hand=True)],
            previous=3,
            started=12,
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

    assert dialect.completed[0].eager_calls == 1


async def test_stopping_finishes_what_a_poll_brings_and_releases_the_sticky_queue() -> None:
    dialect = ScriptedDialect()
    async with looping(dialect) as loop:
        dialect.hand_out(FIRST)
        await anyio.lowlevel.checkpoint()
        loop.stop()

    assert dialect.released
    assert len(dialect.completed) + len(dialect.tasks) == 1
    assert not loop.has_slot()


async def test_loop_tells_whether_it_takes_new_work() -> None:
    dialect = ScriptedDialect()
    dialect.poll_errors = [RuntimeError("cannot poll")]
    async with looping(dialect) as loop:
        with anyio.fail_after(5):
            while loop.is_polling():
                await anyio.lowlevel.checkpoint()
            # The poller that failed tries again after a moment.
            while not loop.is_polling():
                await anyio.lowlevel.checkpoint()
        loop.stop()
        assert not loop.is_polling()

    assert not loop.is_polling()


@pytest.mark.parametrize("field", ["max_cached_workflows", "workflow_task_pollers", "drain_seconds"])
def test_options_out_of_range_are_refused_by_name(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        LoopOptions(**{field: -1})
