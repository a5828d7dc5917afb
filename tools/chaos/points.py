"""Fault points: the steps of a server's work at which it can be killed.

A point is a method of the product and a moment of its calls. `arm` wraps the method, in the process that is
to die, so that the process kills itself at the n-th passing: no exception is raised, nothing is cleaned up,
no answer is sent any more. The product knows nothing of it.
"""

import functools
import inspect
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias

import msgspec

from iwf_interpreter.core import AnswerUpdate, CompleteRun, ContinueAsNew
from iwf_interpreter.loop.activities import Activities
from iwf_interpreter.loop.answering import Answering
from iwf_interpreter.loop.local import LocalCalls
from iwf_interpreter.loop.runs import Run
from iwf_interpreter.loop.tasks import TaskLoop
from iwf_interpreter.temporal.dialect import TemporalDialect

Condition: TypeAlias = Callable[[Mapping[str, Any], Any], bool]
"""Whether a call counts, from its arguments and its result, which is `None` before the end."""


class Moment(Enum):
    """When in a call the point is."""

    BEFORE = "before"
    DURING = "during"
    """A little after its begin, wherever it is then."""
    AFTER = "after"
    """With the result there, and nobody who has seen it."""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A step at which a server can be killed."""

    owner: type
    method: str
    moment: Moment
    counts: Condition = lambda _, __: True
    seconds: float = 0.0
    """For `Moment.DURING`: how long after the begin of the call."""
    up_to: int = 15
    """The kill comes at one of the first so many passings; few where passings are rare."""


def _any_result(_: Mapping[str, Any], result: Any) -> bool:
    return result is not None


def _polled(*, sticky: bool) -> Condition:
    return lambda arguments, task: task is not None and arguments["sticky"] is sticky


def _sends(kind: type) -> Condition:
    def sends(arguments: Mapping[str, Any], _: Any) -> bool:
        outgoing: Sequence[object] = arguments["outgoing"]
        return any(isinstance(command, kind) for command in outgoing)

    return sends


def _respond(moment: Moment, counts: Condition = lambda _, __: True, up_to: int = 15) -> Point:
    return Point(
        owner=TemporalDialect,
        method="complete_workflow_task",
        moment=moment,
        counts=counts,
        seconds=0.002,
        up_to=up_to,
    )


def _dialect(
    method: str,
    moment: Moment,
    counts: Condition = lambda _, __: True,
    *,
    seconds: float = 0,
    up_to: int = 15,
) -> Point:
    return Point(
        owner=TemporalDialect, method=method, moment=moment, counts=counts, seconds=seconds, up_to=up_to
    )


def _loop(method: str, moment: Moment, counts: Condition = lambda _, __: True, *, up_to: int = 15) -> Point:
    return Point(owner=TaskLoop, method=method, moment=moment, counts=counts, up_to=up_to)


def _answering(
    method: str, moment: Moment, counts: Condition = lambda _, __: True, *, up_to: int = 15
) -> Point:
    return Point(owner=Answering, method=method, moment=moment, counts=counts, up_to=up_to)


POINTS: Mapping[str, Point] = {
    # A task comes.
    "poll-open": _dialect("poll_workflow_task", Moment.DURING, seconds=0.05),
    "task-polled": _dialect("poll_workflow_task", Moment.AFTER, _polled(sticky=False), up_to=8),
    "sticky-task-polled": _dialect("poll_workflow_task", Moment.AFTER, _polled(sticky=True)),
    "eager-start-accepted": _loop("accept", Moment.BEFORE, up_to=1),
    "history-read": _dialect("read_history", Moment.AFTER, up_to=8),
    "task-fed": _answering("_feed", Moment.AFTER),
    # Calls are made in place.
    "local-call-open": Point(owner=LocalCalls, method="_make", moment=Moment.DURING, seconds=0.01, up_to=15),
    "local-call-answered": Point(owner=LocalCalls, method="_make", moment=Moment.AFTER),
    "local-result-taken-in": Point(owner=Run, method="take_local", moment=Moment.AFTER),
    # The task is answered.
    "respond-not-sent": _respond(Moment.BEFORE),
    "respond-open": _respond(Moment.DURING),
    "respond-sent": _respond(Moment.AFTER),
    "respond-with-calls-open-sent": _respond(
        Moment.AFTER, lambda arguments, _: arguments["force_next"] is True, up_to=2
    ),
    "update-answer-not-sent": _respond(Moment.BEFORE, _sends(AnswerUpdate), up_to=3),
    "update-answer-sent": _respond(Moment.AFTER, _sends(AnswerUpdate), up_to=3),
    "continue-as-new-sent": _respond(Moment.AFTER, _sends(ContinueAsNew), up_to=3),
    "completion-sent": _respond(Moment.AFTER, _sends(CompleteRun), up_to=1),
    "eager-calls-granted": _answering(
        "_taken", Moment.BEFORE, lambda arguments, _: bool(arguments["completed"].activity_tasks), up_to=8
    ),
    "task-done": _answering("_taken", Moment.AFTER),
    # Calls that the engine has handed out.
    "activity-polled": _dialect("poll_activity_task", Moment.AFTER, _any_result, up_to=3),
    "activity-call-open": Point(
        owner=Activities, method="_execute", moment=Moment.DURING, seconds=0.01, up_to=8
    ),
    "activity-not-reported": _dialect("complete_activity_task", Moment.BEFORE),
    "activity-reported": _dialect("complete_activity_task", Moment.AFTER),
    # Queries.
    "query-not-answered": _dialect("answer_query", Moment.BEFORE, up_to=4),
}
"""By name, in the order of the work."""


def kill_this_process() -> None:
    """As `kill -9` from outside: nothing of the process runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(
    point: Point, passing: int, *, after_seconds: float = 0.0, die: Callable[[], None] = kill_this_process
) -> None:
    """Let this process die when a point is passed.

    Args:
        point: Where; its method is replaced on its class.
        passing: At which passing, from 1.
        after_seconds: Passings before that are not counted.
        die: What happens then.
    """
    original = getattr(point.owner, point.method)
    setattr(
        point.owner,
        point.method,
        _wrapped(original, _Trap(point, passing, time.monotonic() + after_seconds, die)),
    )


class _Trap:
    """Counts the passings of a point."""

    def __init__(self, point: Point, passing: int, since: float, die: Callable[[], None]) -> None:
        self._point = point
        self._left = passing
        self._since = since
        self._die = die

    def begin(self, arguments: Mapping[str, Any]) -> None:
        if self._point.moment is Moment.BEFORE and self._is_due(arguments, None):
            self._die()
        elif self._point.moment is Moment.DURING and self._is_due(arguments, None):
            # From a thread, since the loop is to go on meanwhile and may be busy then.
            threading.Timer(self._point.seconds, self._die).start()

    def end(self, arguments: Mapping[str, Any], result: Any) -> None:
        if self._point.moment is Moment.AFTER and self._is_due(arguments, result):
            self._die()

    def _is_due(self, arguments: Mapping[str, Any], result: Any) -> bool:
        if time.monotonic() < self._since or not self._point.counts(arguments, result):
            return False
        self._left -= 1
        return self._left == 0


def _wrapped(original: Callable[..., Any], trap: _Trap) -> Callable[..., Any]:
    signature = inspect.signature(original)
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            arguments = signature.bind(*args, **kwargs).arguments
            trap.begin(arguments)
            result = await original(*args, **kwargs)
            trap.end(arguments, result)
            return result

        return call_async

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = signature.bind(*args, **kwargs).arguments
        trap.begin(arguments)
        result = original(*args, **kwargs)
        trap.end(arguments, result)
        return result

    return call
