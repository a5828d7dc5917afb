"""Fault points: a process dies at the passing that was asked for, and every point is a method that exists."""

import inspect
import math
import random
import threading
from collections import Counter

import anyio
import pytest

from tools.chaos.killing import ANY_MOMENT, plan
from tools.chaos.points import POINTS, Moment, Point, arm
from tools.chaos.victim import kill


class Work:
    """Something with steps; a class of its own for each test, since points are armed on classes."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def step(self, name: str) -> str | None:
        self.log.append(name)
        return name or None

    async def wait(self, name: str, *, sticky: bool) -> str:
        self.log.append(name)
        return f"{name} {sticky}"


class Nothing(tuple[()]):
    """Commands that are none, and an answer that grants none."""

    activity_tasks = ()


@pytest.fixture
def work() -> Work:
    class Own(Work):
        step = Work.step
        wait = Work.wait

    return Own([])


def armed(work: Work, point: Point, passing: int, *, after_seconds: float = 0.0) -> None:
    """Death is an entry in the log, and work goes on."""
    arm(point, passing, after_seconds=after_seconds, die=lambda: work.log.append("died"))


@pytest.mark.parametrize(
    ("moment", "log"),
    [
        pytest.param(Moment.BEFORE, ["a", "died", "b", "c"], id="before"),
        pytest.param(Moment.AFTER, ["a", "b", "died", "c"], id="after"),
    ],
)
def test_death_comes_at_the_passing_that_was_asked_for(work: Work, moment: Moment, log: list[str]) -> None:
    armed(work, Point(owner=type(work), method="step", moment=moment), 2)

    results = [work.step(name) for name in "abc"]

    assert work.log == log
    assert results == ["a", "b", "c"]


def test_calls_that_do_not_count_are_no_passings(work: Work) -> None:
    point = Point(
        owner=type(work), method="step", moment=Moment.AFTER, counts=lambda _, result: result is not None
    )
    armed(work, point, 2)

    for name in ("", "a", "", "b", ""):
        work.step(name)

    assert work.log == ["", "a", "", "b", "died", ""]


def test_passings_before_the_end_of_the_grace_do_not_count(work: Work) -> None:
    armed(work, Point(owner=type(work), method="step", moment=Moment.BEFORE), 1, after_seconds=math.inf)

    work.step("a")

    assert work.log == ["a"]


@pytest.mark.anyio
async def test_condition_of_a_coroutine_sees_arguments_by_name(work: Work) -> None:
    point = Point(
        owner=type(work),
        method="wait",
        moment=Moment.BEFORE,
        counts=lambda arguments, _: arguments["sticky"],
    )
    armed(work, point, 1)

    results = [await work.wait("a", sticky=False), await work.wait("b", sticky=True)]

    assert work.log == ["a", "died", "b"]
    assert results == ["a False", "b True"]


@pytest.mark.anyio
async def test_death_during_a_call_does_not_wait_for_its_end(work: Work) -> None:
    dead = threading.Event()
    point = Point(owner=type(work), method="wait", moment=Moment.DURING, seconds=0.001)
    arm(point, 1, die=dead.set)

    await work.wait("a", sticky=False)

    assert await anyio.to_thread.run_sync(dead.wait, 10)


@pytest.mark.parametrize("name", POINTS)
def test_point_is_a_method_with_the_arguments_that_its_condition_reads(name: str) -> None:
    point = POINTS[name]

    parameters = inspect.signature(getattr(point.owner, point.method)).parameters

    assert point.counts(dict.fromkeys(parameters, Nothing()), None) in (True, False)


def test_every_round_of_kills_has_every_point_once() -> None:
    rounds = plan(2 * (len(POINTS) + 1), 1.0, random.Random(1))

    assert Counter(blow.point for blow in rounds) == dict.fromkeys((*POINTS, ANY_MOMENT), 2)
    assert all(1 <= blow.passing <= POINTS[blow.point].up_to for blow in rounds if blow.point in POINTS)


def test_same_seed_plans_the_same_kills() -> None:
    assert plan(30, 1.0, random.Random(7)) == plan(30, 1.0, random.Random(7))
    assert len(plan(30, 1.0, random.Random(7))) == 30


@pytest.mark.parametrize("text", ["task-fed", "task-fed:0", "task-fed:x", "nowhere:1"])
def test_kill_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Exception, match="is not POINT:N"):
        kill(text)
