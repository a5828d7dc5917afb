"""When a schedule is due: the cron expressions that engines take.

Five fields, `@hourly` and its like, and `@every` with a duration. The five fields are evaluated by `cronsim`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from iwf_interpreter.engine import InvalidArgument

_NAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

Schedule = Callable[[int, int], int]
"""The next time after the second argument; the first is when the schedule began. Unix milliseconds."""


def parse(expression: str) -> Schedule:
    """Read an expression; raises `InvalidArgument`."""
    text = expression.strip()
    if text.startswith(_EVERY):
        return _every(text.removeprefix(_EVERY).strip(), expression)
    text = _NAMES.get(text, text)
    if len(text.split()) != 5:
        raise _invalid(expression, "it must have five fields")
    try:
        CronSim(text, datetime(2000, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise _invalid(expression, str(error)) from error

    def next_time(begun_ms: int, after_ms: int) -> int:
        try:
            found = next(CronSim(text, datetime.fromtimestamp(after_ms / 1000, UTC)))
        except StopIteration:
            raise _invalid(expression, "it is never due") from None
        return round(found.timestamp() * 1000)

    return next_time


def _every(text: str, expression: str) -> Schedule:
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    interval_ms = ((hours * 60 + minutes) * 60 + seconds) * 1000
    if not interval_ms:
        raise _invalid(expression, f"{text!r} is not a duration of at least a second")

    def next_time(begun_ms: int, after_ms: int) -> int:
        return begun_ms + ((after_ms - begun_ms) // interval_ms + 1) * interval_ms

    return next_time


def _invalid(expression: str, reason: str) -> InvalidArgument:
    return InvalidArgument(f"invalid cron schedule {expression!r}: {reason}")
