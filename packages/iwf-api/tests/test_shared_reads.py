"""Reads that are made once for all who ask, and that nobody joins too late."""

import anyio
import pytest

from iwf_api.operations.shared_reads import SharedReads
from iwf_interpreter.engine import EngineError, QueryFailed, WaitTimedOut

pytestmark = pytest.mark.anyio


class Store:
    """A number that is written, and read with a pause between being asked and answering."""

    def __init__(self) -> None:
        self.number = 0
        self.asked_at: list[int] = []
        """The number that each read saw when it was sent."""
        self.left = 0
        self._gates: list[anyio.Event] = []

    async def read(self) -> int:
        seen = self.number
        self.asked_at.append(seen)
        gate = anyio.Event()
        self._gates.append(gate)
        try:
            await gate.wait()
        except anyio.get_cancelled_exc_class():
            self.left += 1
            raise
        return seen

    async def answer(self) -> None:
        """Let the reads answer that are under way, and see what they lead to."""
        gates, self._gates = self._gates, []
        for gate in gates:
            gate.set()
        await anyio.wait_all_tasks_blocked()


async def test_all_who_come_while_a_read_is_under_way_share_the_next() -> None:
    reads, store, answers = SharedReads(), Store(), list[int]()

    async def join() -> None:
        answers.append(await reads.join("k", store.read))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            tasks.start_soon(join)
        await anyio.wait_all_tasks_blocked()

        assert store.asked_at == [0]

        await store.answer()
        assert (answers, len(store.asked_at)) == ([0], 2)

        await store.answer()

    assert (answers, len(store.asked_at), len(reads)) == ([0] * 6, 2, 0)


async def test_nobody_gets_an_answer_that_was_asked_for_before_it_came() -> None:
    """Whoever writes, and then reads, sees its own write, whatever the others do."""
    reads, store = SharedReads(), Store()
    stale: list[tuple[int, int]] = []
    done = 0

    async def write_and_read() -> None:
        nonlocal done
        for _ in range(20):
            store.number += 1
            written = store.number
            seen = await reads.join("k", store.read)
            if seen < written:
                stale.append((written, seen))
        done += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(write_and_read)
        while done < 7:
            await anyio.wait_all_tasks_blocked()
            await store.answer()

    assert stale == []
    assert len(store.asked_at) < 2 * 20 + 7


async def test_a_read_that_was_sent_is_not_joined() -> None:
    reads, store, answers = SharedReads(), Store(), dict[str, int]()

    async def join(name: str) -> None:
        answers[name] = await reads.join("k", store.read)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join, "before the write")
        await anyio.wait_all_tasks_blocked()
        store.number = 1
        tasks.start_soon(join, "after the write")
        await anyio.wait_all_tasks_blocked()
        await store.answer()
        await store.answer()

    assert answers == {"before the write": 0, "after the write": 1}


async def test_reads_of_different_things_do_not_wait_for_each_other() -> None:
    reads, store = SharedReads(), Store()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reads.join, "one", store.read)
        tasks.start_soon(reads.join, "other", store.read)
        await anyio.wait_all_tasks_blocked()

        assert (len(store.asked_at), len(reads)) == (2, 2)

        tasks.cancel_scope.cancel()


async def test_a_read_whose_caller_leaves_is_made_anew_for_the_others() -> None:
    reads, store, answers = SharedReads(), Store(), list[int]()
    leaving = anyio.CancelScope()

    async def leave() -> None:
        with leaving:
            await reads.join("k", store.read)

    async def stay() -> None:
        answers.append(await reads.join("k", store.read))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reads.join, "k", store.read)
        await anyio.wait_all_tasks_blocked()
        for each in (leave, stay, stay):
            tasks.start_soon(each)
            await anyio.wait_all_tasks_blocked()
        await store.answer()
        leaving.cancel()
        await anyio.wait_all_tasks_blocked()

        assert (len(store.asked_at), store.left, answers) == (3, 1, [])

        store.number = 1
        tasks.start_soon(stay)
        await anyio.wait_all_tasks_blocked()
        await store.answer()
        assert answers == [0, 0]
        await store.answer()

    assert (answers, len(reads)) == ([0, 0, 1], 0)


async def test_nothing_goes_on_when_all_have_left() -> None:
    reads, store = SharedReads(), Store()
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(reads.join, "k", store.read)
        await anyio.wait_all_tasks_blocked()

        tasks.cancel_scope.cancel()

    assert (len(store.asked_at), store.left, len(reads)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("failure", "calls"),
    [
        pytest.param(QueryFailed("no"), 2, id="failure-of-the-run-is-for-all"),
        pytest.param(WaitTimedOut("late"), 4, id="end-of-time-is-for-its-caller"),
    ],
)
async def test_failure_of_a_shared_read(failure: EngineError, calls: int) -> None:
    reads, store, failures = SharedReads(), Store(), list[Exception]()
    made = 0

    async def fail() -> int:
        nonlocal made
        made += 1
        await store.read()
        raise failure

    async def join() -> None:
        try:
            await reads.join("k", fail)
        except EngineError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join)
        await anyio.wait_all_tasks_blocked()
        for _ in range(3):
            tasks.start_soon(join)
        while len(failures) < 4:
            await anyio.wait_all_tasks_blocked()
            await store.answer()

    assert (failures, made, len(reads)) == ([failure] * 4, calls, 0)
