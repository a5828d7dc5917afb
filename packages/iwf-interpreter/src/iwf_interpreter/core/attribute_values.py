"""Values of search attributes: what is valid, what an engine stores, what is read back.

A `SearchAttribute` names its type and carries its value in the field of that type; an engine has types and
JSON values of its own. This module translates both ways and refuses what an engine would refuse, because an
engine refuses by failing the run's task again and again. It does not decide which attributes are written.
The rules are in `docs/search-attributes.md`.

Times are whole nanoseconds everywhere: `datetime` carries the seconds only, since it cannot hold more than
microseconds.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NoReturn, TypeAlias, cast

import msgspec

from iwf_interpreter.contract import SYSTEM_SEARCH_ATTRIBUTES
from iwf_models import SearchAttribute, SearchAttributeValueType

EngineType: TypeAlias = Literal["Keyword", "Text", "Int", "Double", "Bool", "Datetime", "KeywordList"]

ENGINE_TYPES: Mapping[SearchAttributeValueType, EngineType] = {
    SearchAttributeValueType.KEYWORD: "Keyword",
    SearchAttributeValueType.TEXT: "Text",
    SearchAttributeValueType.DATETIME: "Datetime",
    SearchAttributeValueType.INT: "Int",
    SearchAttributeValueType.DOUBLE: "Double",
    SearchAttributeValueType.BOOL: "Bool",
    SearchAttributeValueType.KEYWORD_ARRAY: "KeywordList",
}
"""The engine's type for each type of the wire; no two share one."""

MAX_VALUE_BYTES = 2048
"""Longest JSON of a value. Temporal's default limit; it terminates a run that writes a longer one."""

_VALUE_FIELDS = {
    SearchAttributeValueType.KEYWORD: "string_value",
    SearchAttributeValueType.TEXT: "string_value",
    SearchAttributeValueType.DATETIME: "string_value",
    SearchAttributeValueType.INT: "integer_value",
    SearchAttributeValueType.DOUBLE: "double_value",
    SearchAttributeValueType.BOOL: "bool_value",
    SearchAttributeValueType.KEYWORD_ARRAY: "string_array_value",
}
_ALL_VALUE_FIELDS = tuple(dict.fromkeys(_VALUE_FIELDS.values()))

_INT64 = range(-(2**63), 2**63)

_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_NS = 1_000_000_000
_FIRST_NS = (datetime.min - _EPOCH) // _SECOND * _NS
_LAST_NS = (datetime.max.replace(microsecond=0) - _EPOCH) // _SECOND * _NS + _NS - 1

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_UNIX_NANOSECONDS = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_TIME_AGO = re.compile(r"([1-9]\d{0,5})([A-Za-z]+)", re.ASCII)

_MINUTE_SECONDS = 60
_HOUR_SECONDS = 3600
_DAY_SECONDS = 86_400
_UNIT_SECONDS = {
    **dict.fromkeys(("s", "second"), 1),
    **dict.fromkeys(("m", "minute"), _MINUTE_SECONDS),
    **dict.fromkeys(("h", "hour"), _HOUR_SECONDS),
    **dict.fromkeys(("d", "day"), _DAY_SECONDS),
    **dict.fromkeys(("w", "week"), 7 * _DAY_SECONDS),
    **dict.fromkeys(("M", "month"), 30 * _DAY_SECONDS),
    **dict.fromkeys(("y", "year"), 365 * _DAY_SECONDS),
}


class InvalidSearchAttribute(ValueError):
    """A search attribute that cannot be written, or a value that cannot be read as asked.

    The text names the key and the value.
    """


class EngineValue(msgspec.Struct, frozen=True):
    """A search attribute's value in the form that engines store."""

    type: EngineType
    value: str | int | float | bool | list[str]
    """Plain JSON. A `Datetime` is a text, as `format_datetime` writes it."""


def parse_datetime(text: str, now_ns: int) -> int:
    """The point in time that a text means, in Unix nanoseconds.

    Serves `DATETIME` attributes and `historyEventTime`. Digits beyond nanoseconds are cut.

    Args:
        text: `YYYY-MM-DDThh:mm:ss[.fraction]` with `Z` or an offset; or Unix nanoseconds; or a number and a
            unit, which means that long ago, but not before the epoch; or nothing, which is the epoch.
        now_ns: The present, in Unix nanoseconds.

    Raises:
        ValueError: The text is none of these.
    """
    if not text:
        return 0
    instant = _instant_ns(text)
    if instant is not None:
        return instant
    if _UNIX_NANOSECONDS.fullmatch(text) and (unix_ns := int(text)) in _INT64:
        return unix_ns
    ago = _TIME_AGO.fullmatch(text)
    if ago and ago[2] in _UNIT_SECONDS:
        return max(0, now_ns - int(ago[1]) * _UNIT_SECONDS[ago[2]] * _NS)
    raise ValueError(f"{_shown(text)} is not a time")


def format_datetime(unix_ns: int) -> str:
    """RFC 3339 in UTC with `Z`; up to 9 digits of a fraction, without trailing zeros.

    Args:
        unix_ns: Unix nanoseconds within the years 1 to 9999, as `parse_datetime` gives them.
    """
    seconds, nanoseconds = divmod(unix_ns, _NS)
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"{(_EPOCH + seconds * _SECOND).isoformat()}{fraction}Z"


def check(attribute: SearchAttribute, *, registered: Mapping[str, str] | None) -> None:
    """Make sure that an attribute from a client or a worker can be written.

    Args:
        attribute: The attribute, as it arrived.
        registered: The engine's type by attribute name, as `Engine.search_attribute_types` gives it; `None`
            when the engine does not tell, and then any key passes.

    Raises:
        InvalidSearchAttribute: It has no key or no type, its value is not of that type or too long, the key
            is not registered or has another type there, or it belongs to the server.
    """
    value = engine_value(attribute, now_ns=0)
    if len(msgspec.json.encode(value.value)) > MAX_VALUE_BYTES:
        _refuse(attribute, f"is longer than {MAX_VALUE_BYTES} bytes")
    if attribute.key in SYSTEM_SEARCH_ATTRIBUTES:
        _refuse(attribute, "belongs to the server and cannot be written")
    if registered is None:
        return
    known_type = registered.get(attribute.key or "")
    if known_type is None:
        _refuse(attribute, "is not registered with the engine")
    if known_type != value.type:
        _refuse(attribute, f"is registered with the engine as {known_type}, not as {value.type}")


def engine_value(attribute: SearchAttribute, now_ns: int) -> EngineValue:
    """What an engine stores for an attribute. One without a value is stored as the zero of its type.

    Args:
        attribute: The attribute, as it arrived.
        now_ns: The present in Unix nanoseconds, for a time that is relative to it.

    Raises:
        InvalidSearchAttribute: It has no key or no type, or its value is not of that type.
    """
    value_type = attribute.value_type
    if not attribute.key:
        _refuse(attribute, "has no key")
    if value_type is None:
        _refuse(attribute, "has no value type")
    for field in _ALL_VALUE_FIELDS:
        if field != _VALUE_FIELDS[value_type] and getattr(attribute, field) is not None:
            _refuse(attribute, f"is of type {value_type} but has its value in another type's field")
    return EngineValue(ENGINE_TYPES[value_type], _plain_value(attribute, value_type, now_ns))


def wire_attribute(
    key: str, value_type: SearchAttributeValueType, raw_json: bytes | msgspec.Raw
) -> SearchAttribute | None:
    """Read a stored value as a type of the wire.

    Args:
        key: The attribute's name.
        value_type: The type to read it as. It need not be the type it was written with: numbers are read as
            each other, `INT` without the fraction, and so are texts.
        raw_json: The engine's JSON value.

    Returns:
        The attribute, or `None` for a null, which is how engines show an attribute that was removed.

    Raises:
        InvalidSearchAttribute: The value cannot be read as that type.
    """
    stored: Any = msgspec.json.decode(raw_json)
    if stored is None:
        return None
    match value_type:
        case SearchAttributeValueType.KEYWORD | SearchAttributeValueType.TEXT if isinstance(stored, str):
            return SearchAttribute(key=key, value_type=value_type, string_value=stored)
        case SearchAttributeValueType.DATETIME if isinstance(stored, str):
            unix_ns = _instant_ns(stored)
            if unix_ns is not None:
                return SearchAttribute(key=key, value_type=value_type, string_value=format_datetime(unix_ns))
        case SearchAttributeValueType.INT if _is_number(stored):
            if int(stored) in _INT64:
                return SearchAttribute(key=key, value_type=value_type, integer_value=int(stored))
        case SearchAttributeValueType.DOUBLE if _is_number(stored):
            return SearchAttribute(key=key, value_type=value_type, double_value=float(stored))
        case SearchAttributeValueType.BOOL if isinstance(stored, bool):
            return SearchAttribute(key=key, value_type=value_type, bool_value=stored)
        case SearchAttributeValueType.KEYWORD_ARRAY if _is_list_of_texts(stored):
            return SearchAttribute(key=key, value_type=value_type, string_array_value=stored)
        case _:
            pass
    raise InvalidSearchAttribute(f"search attribute {key!r}: {_shown(stored)} cannot be read as {value_type}")


def _plain_value(
    attribute: SearchAttribute, value_type: SearchAttributeValueType, now_ns: int
) -> str | int | float | bool | list[str]:
    match value_type:
        case SearchAttributeValueType.KEYWORD | SearchAttributeValueType.TEXT:
            return attribute.string_value or ""
        case SearchAttributeValueType.DATETIME:
            try:
                return format_datetime(parse_datetime(attribute.string_value or "", now_ns))
            except ValueError:
                _refuse(attribute, "is not a time")
        case SearchAttributeValueType.INT:
            return attribute.integer_value or 0
        case SearchAttributeValueType.DOUBLE:
            return attribute.double_value or 0.0
        case SearchAttributeValueType.BOOL:
            return attribute.bool_value or False
        case _:
            return attribute.string_array_value or []


def _refuse(attribute: SearchAttribute, reason: str) -> NoReturn:
    values = (getattr(attribute, field) for field in _ALL_VALUE_FIELDS)
    value = next((value for value in values if value is not None), None)
    raise InvalidSearchAttribute(f"search attribute {attribute.key!r} with value {_shown(value)} {reason}")


def _shown(value: object) -> str:
    """A value for an error text; a user's text may be long."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list_of_texts(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return all(isinstance(element, str) for element in cast(list[object], value))


def _instant_ns(text: str) -> int | None:
    """Unix nanoseconds of a date and time with an offset; `None` for any other text."""
    match = _INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, offset_hours, offset_minutes = match.group(7, 8, 9, 10)
    offset = int(offset_hours or 0) * _HOUR_SECONDS + int(offset_minutes or 0) * _MINUTE_SECONDS
    if offset >= _DAY_SECONDS or int(offset_minutes or 0) >= 60:
        return None
    try:
        local = (datetime(year, month, day, hour, minute, second) - _EPOCH) // _SECOND
    except ValueError:
        return None
    seconds = local + offset if sign == "-" else local - offset
    unix_ns = seconds * _NS + int((fraction or "")[:9].ljust(9, "0"))
    return unix_ns if _FIRST_NS <= unix_ns <= _LAST_NS else None
