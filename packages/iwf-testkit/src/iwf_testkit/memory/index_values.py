"""Values as the index of runs holds and compares them.

A value of a run and a constant of a query meet in one form for each type: times are texts, a status is a
number, a duration is nanoseconds. The forms are those of Temporal's tables in SQLite, since what is equal
there depends on them; `visibility` lists the consequences.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Literal, TypeAlias

from iwf_interpreter.core.attribute_values import parse_datetime
from iwf_interpreter.engine import InvalidArgument
from iwf_models import WorkflowStatus

FieldType: TypeAlias = Literal[
    "Keyword", "Text", "Int", "Double", "Bool", "Datetime", "KeywordList", "Status", "Duration"
]
"""The types of search attributes, and two that only the engine's own fields have."""

Scalar: TypeAlias = str | int | float | bool

STATUS_NUMBERS: Mapping[WorkflowStatus, int] = {
    WorkflowStatus.RUNNING: 1,
    WorkflowStatus.COMPLETED: 2,
    WorkflowStatus.FAILED: 3,
    WorkflowStatus.CANCELED: 4,
    WorkflowStatus.TERMINATED: 5,
    WorkflowStatus.CONTINUED_AS_NEW: 6,
    WorkflowStatus.TIMEOUT: 7,
}
"""What `ExecutionStatus` is compared by."""

_STATUS_NAMES = (
    *("Unspecified", "Running", "Completed", "Failed", "Canceled", "Terminated"),
    *("ContinuedAsNew", "TimedOut", "Paused"),
)
_STATUS_OF_NAME = {
    **{name: number for number, name in enumerate(_STATUS_NAMES)},
    **{
        "WORKFLOW_EXECUTION_STATUS_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper(): number
        for number, name in enumerate(_STATUS_NAMES)
    },
}

_EPOCH = datetime(1970, 1, 1)
_NS = 1_000_000_000
_LAST_MS = (datetime(9999, 12, 31, 23, 59, 59) - _EPOCH) // timedelta(milliseconds=1) + 999
_INT64 = range(-(2**63), 2**63)

# As lenient as Go, which reads the constant on the server.
_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_BEFORE_ALL, _AFTER_9999 = "0000", "10000"

_UNIT_NS = {
    **{"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": _NS},
    **{"m": 60 * _NS, "h": 3600 * _NS, "d": 86_400 * _NS},
}
_AMOUNT = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)"
_AMOUNTS = re.compile(rf"[+-]?(?:{_AMOUNT})+", re.ASCII)
_CLOCK = re.compile(r"([+-]?\d+):(\d\d?):(\d\d?)", re.ASCII)

_SQL_ESCAPES = str.maketrans({'"': '\\"', "\b": "\\b", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"})


def constant(field: str, type_: FieldType, value: Scalar) -> Scalar:
    """A constant of a query, in the form that it is compared in.

    Raises:
        InvalidArgument: It is not of the field's type, or means nothing there.
    """
    if isinstance(value, str):
        # Temporal takes off the quotes around a text, and those of the text itself with them.
        value = value.strip("'")
    match type_, value:
        case ("Bool", bool()) | ("Keyword" | "KeywordList", str()):
            return value
        case "Text", str() if value.strip():
            return value
        case ("Int" | "Double", int() | float()) | ("Duration", int()) if not isinstance(value, bool):
            return value
        case "Datetime", int() if not isinstance(value, bool):
            return time_text(value)
        case "Datetime", str() if (text := _instant_text(value)) is not None:
            return text
        case "Duration", str() if (nanoseconds := _duration_ns(value)) is not None:
            return nanoseconds
        case "Status", str() if value in _STATUS_OF_NAME:
            return _STATUS_OF_NAME[value]
        case "Status", int() if not isinstance(value, bool) and 0 <= value < len(_STATUS_NAMES):
            return value
        case _:
            raise InvalidArgument(f"invalid query: {field} of type {type_} does not compare with {value!r}")


def escaped(text: str) -> str:
    """A text constant as SQLite gets to see it."""
    return text.translate(_SQL_ESCAPES)


def time_text(unix_ns: int) -> str:
    """Up to six digits of a fraction, no trailing zeros: constants, and the engine's own times."""
    seconds, nanoseconds = divmod(unix_ns, _NS)
    return _time_text(_EPOCH + timedelta(seconds=seconds), f"{nanoseconds:09d}")


def attribute_time_text(value: str) -> str:
    """Three digits of a fraction, rounded: a custom `Datetime`, of which `value` is the RFC 3339 text."""
    milliseconds = min((parse_datetime(value, 0) + 500_000) // 1_000_000, _LAST_MS)
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat(sep=' ')}.{fraction:03d}+00:00"


def folded(text: str) -> str:
    """The text without the difference between capitals and small letters, character by character."""
    return "".join(small if len(small := each.casefold()) == 1 else each for each in text)


def words(text: str) -> tuple[str, ...]:
    """Runs of letters and digits, without case and accents, in order."""
    split: list[str] = [""]
    for each in unicodedata.normalize("NFD", text):
        category = unicodedata.category(each)[0]
        if category in "LN":
            split[-1] += folded(each)
        elif category != "M" and split[-1]:
            split.append("")
    return tuple(split if split[-1] else split[:-1])


def holds(text: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    """Whether the words of a phrase stand next to each other in a text; an empty phrase is in none."""
    starts = range(len(text) - len(phrase) + 1)
    return bool(phrase) and any(text[start : start + len(phrase)] == phrase for start in starts)


def _time_text(utc: datetime, fraction: str) -> str:
    digits = fraction[:6].rstrip("0")
    return f"{utc.isoformat(sep=' ')}{'.' if digits else ''}{digits}+00:00"


def _instant_text(text: str) -> str | None:
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    if int(offset_hours or 0) > 24 or int(offset_minutes or 0) > 60:
        return None
    if year == 0:
        return _BEFORE_ALL
    try:
        local = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    try:
        utc = local + offset if sign == "-" else local - offset
    except OverflowError:
        return _AFTER_9999 if sign == "-" else _BEFORE_ALL
    return _time_text(utc, fraction or "")


def _duration_ns(text: str) -> int | None:
    """Nanoseconds as a number, amounts with units as `1h30m`, or `hours:minutes:seconds`."""
    nanoseconds: int | None = None
    if re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII):
        nanoseconds = int(text)
    elif _AMOUNTS.fullmatch(text):
        amounts = re.findall(_AMOUNT, text, re.ASCII)
        total = sum(int(Fraction(amount) * _UNIT_NS[unit]) for amount, unit in amounts)
        nanoseconds = -total if text.startswith("-") else total
    elif clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(int, clock.groups())
        if minutes < 60 and seconds < 60:
            nanoseconds = (hours * 3600 + minutes * 60 + seconds) * _NS
    return nanoseconds if nanoseconds is not None and nanoseconds in _INT64 else None
