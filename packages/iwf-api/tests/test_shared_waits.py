"""Waits that are carried out once for all who wait."""

import anyio
import pytest

from iwf_api.operations.shared_waits import SharedWaits

pytestmark = pytest.mark.anyio


class Awaited:
    """Something that one can wait for, and that tells who does."""

    def __init__(self) -> None:
        self.begun = 0
        self.left = 0
        self.happened = anyio.Event()

    async def wait(self) -> str:
        self.begun += 1
        try:
            await self.happened.wait()
        except anyio.get_cancelled_exc_class():
            self.left += 1
            raise
        return f"answer {self.begun}"


async def test_all_who_wait_get_the_answer_of_one_wait() -> None:
    waits, awaited, answers = SharedWaits[str](), Awaited(), list[str]()

    async def join() -> None:
        answers.append(await waits.join("k", awaited.wait))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(join)
        await anyio.wait_all_tasks_blocked()
        awaited.happened.set()

    assert (answers, awaited.begun, len(waits)) == (["answer 1"] * 5, 1, 0)


async def test_waits_for_different_things_have_nothing_to_do_with_each_other() -> None:
    waits, first, second = SharedWaits[str](), Awaited(), Awaited()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits.join, "first", first.wait)
        tasks.start_soon(waits.join, "second", second.wait)
        await anyio.wait_all_tasks_blocked()

        assert (first.begun, second.begun, len(waits)) == (1, 1, 2)

        tasks.cancel_scope.cancel()


async def test_another_one_takes_over_when_the_one_who_waits_for_all_leaves() -> None:
    waits, awaited, answers = SharedWaits[str](), Awaited(), list[str]()
    leaving = anyio.CancelScope()

    async def leave() -> None:
        with leaving:
            await waits.join("k", awaited.wait)

    async def stay() -> None:
        answers.append(await waits.join("k", awaited.wait))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(stay)
        tasks.start_soon(stay)
        await anyio.wait_all_tasks_blocked()
        leaving.cancel()
        await anyio.wait_all_tasks_blocked()

        assert (awaited.begun, awaited.left) == (2, 1)

        awaited.happened.set()

    assert answers == ["answer 2"] * 2


async def test_nothing_goes_on_when_the_last_one_leaves() -> None:
    waits, awaited = SharedWaits[str](), Awaited()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits.join, "k", awaited.wait)
        tasks.start_soon(waits.join, "k", awaited.wait)
        await anyio.wait_all_tasks_blocked()

        tasks.cancel_scope.cancel()

    assert (awaited.begun, awaited.left, len(waits)) == (1, 1, 0)


async def test_failure_is_for_the_one_who_waited_and_the_next_one_tries() -> None:
    waits, failures, answers = SharedWaits[str](), list[str](), list[str]()
    go_on = anyio.Event()
    outcomes: list[str | None] = [None, "answer"]

    async def carry_out() -> str:
        await go_on.wait()
        outcome = outcomes.pop(0)
        if outcome is None:
            raise ConnectionError("gone")
        return outcome

    async def join() -> None:
        try:
            answers.append(await waits.join("k", carry_out))
        except ConnectionError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(join)
        tasks.start_soon(join)
        await anyio.wait_all_tasks_blocked()
        go_on.set()

    assert (failures, answers, len(waits)) == (["gone"], ["answer"], 0)


async def test_whoever_comes_after_the_answer_begins_anew() -> None:
    waits, awaited = SharedWaits[str](), Awaited()
    awaited.happened.set()

    answers = [await waits.join("k", awaited.wait), await waits.join("k", awaited.wait)]

    assert answers == ["answer 1", "answer 2"]
