"""How long an answer to a task gets, while calls in place add to it.

Results in place are batches: they cannot be held back for the next task, whose events would then come before
them in a replay. So a result is taken in only if what the answer has so far leaves room; otherwise the task
is answered first. What the last batch asks for may be long, and is divided if need be.
"""

from collections.abc import Sequence

from iwf_interpreter.core import CallExecute, CallWaitUntil, SetMemo, SetSearchAttributes
from iwf_interpreter.loop.activities import activity_input
from iwf_interpreter.loop.history import Outgoing
from iwf_models import codec

MAX_RESULT_BYTES = 2_000_000
"""Longest record of a result in place."""

MAX_BEFORE_RESULT_BYTES = 2_200_000
"""How long the answer may be before another result, and with it."""

_OTHER_BYTES = 500


class AnswerBudget:
    """The length of the answer to one task, counted as it grows."""

    def __init__(self) -> None:
        self._counted = 0
        self._bytes = 0

    def has_room_for(self, result_bytes: int, outgoing: Sequence[Outgoing]) -> bool:
        """Whether another result in place fits behind what is outgoing; the first of a task always does.

        One that fits is counted: the caller takes it in.

        Args:
            result_bytes: Length of the result.
            outgoing: What the answer has, with everything that it had at the last call first.
        """
        for index in range(self._counted, len(outgoing)):
            self._bytes += _size_bytes(outgoing[index])
        self._counted = len(outgoing)
        if outgoing and self._bytes + result_bytes > MAX_BEFORE_RESULT_BYTES:
            return False
        self._bytes += result_bytes
        return True


def _size_bytes(outgoing: Outgoing) -> int:
    """About how long one command gets, results in place aside: those are counted when they come."""
    match outgoing:
        case CallWaitUntil() | CallExecute():
            return _OTHER_BYTES + len(activity_input(outgoing))
        case SetMemo() | SetSearchAttributes():
            return _OTHER_BYTES + len(codec.encode(outgoing.values))
        case _:
            return _OTHER_BYTES
