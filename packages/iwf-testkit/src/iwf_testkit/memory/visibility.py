"""The index of runs: which of them a list filter matches, and in what order.

It answers as a Temporal development server does, oddities included, so that a query that works here works
there. That server keeps the index in SQLite, and the oddities are of its tables:

- A run without a value for a field matches neither a comparison nor its opposite, as with SQL's `NULL`; but a
  `Text` or a `KeywordList` that is missing is unequal to everything.
- A custom `Datetime` is held as text with three digits of a fraction, a constant is written with up to six
  and no trailing zeros. So `=` finds a time only if its third digit is the last and not zero; others are
  found by `>=`, and by `>` too. The engine's own times are held like constants.
- Quotes, backslashes and control characters in a constant are escaped in a way that SQLite does not know, so
  a `Keyword` that holds one is not found by it. In a `Text` or `KeywordList` a double quote fails the call;
  SQLite may overlook it where another part of the query settles the answer, this index never does.
- Single quotes at either end of a constant are lost.
- `STARTS_WITH` ignores the case of ASCII letters, and `KeywordList` the case of all.
- A `Text` matches if any of the constant's words is in it; a word with punctuation is a phrase. Case and
  accents do not matter.
- `HistoryLength`, `CloseTime` and `ExecutionDuration` are missing as long as the run is open.

One thing is not as there: `ORDER BY` is taken, as servers with Elasticsearch take it.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from iwf_interpreter.engine import EngineError, InvalidArgument
from iwf_testkit.memory import index_values
from iwf_testkit.memory.index_records import Field, Record, find_field
from iwf_testkit.memory.index_values import FieldType, Scalar
from iwf_testkit.memory.query_language import (
    Between,
    Comparison,
    Condition,
    IsNull,
    Junction,
    Not,
    Order,
    Value,
    parse,
)

__all__ = ("Record", "search")


def search(records: Iterable[Record], query: str, types: Mapping[str, str]) -> list[Record]:
    """All records that match; without `ORDER BY` open runs before closed ones, and of each the newest first.

    Args:
        records: The index.
        query: A list filter; an empty one matches everything.
        types: The engine's type by name of each custom attribute that is registered.

    Raises:
        InvalidArgument: The query is malformed, has an unknown field, or compares it with what it cannot be
            compared with.
        EngineError: Temporal's own query would fail in its database.
    """
    wanted = parse(query)
    found = list(records)
    if wanted.condition is not None:
        reader = _Reader(types)
        matches = reader.test(wanted.condition)
        if reader.failure:
            raise EngineError(reader.failure)
        found = [record for record in found if matches(record)]
    found.sort(key=_newest_first)
    # Sorting keeps the order of equals, so the last field goes first.
    for order in reversed(wanted.order):
        found = _in_order(found, order, types)
    return found


def _in_order(records: list[Record], order: Order, types: Mapping[str, str]) -> list[Record]:
    """The records by one field; those without it come last."""
    field = find_field(order.field, types)
    if field.type in ("Text", "KeywordList"):
        raise InvalidArgument(f"invalid query: {field.type} {order.field!r} is nothing to order by")
    values = [(field.read(record), record) for record in records]
    with_value = [(value, record) for value, record in values if value is not None]
    with_value.sort(key=lambda each: each[0], reverse=order.descending)
    return [record for _, record in with_value] + [record for value, record in values if value is None]


def _newest_first(record: Record) -> tuple[bool, int, int, str]:
    closed = record.close_time_ns
    return closed is not None, -((closed or 0) // 1000), -(record.start_time_ns // 1000), record.run_id


_Test: TypeAlias = Callable[[Record], bool | None]
"""Whether a record matches; `None` is SQL's third answer, unknown."""


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "IN": lambda value, constants: value in constants,
}
_OPERATORS: Mapping[FieldType, frozenset[str]] = {
    **dict.fromkeys(("Int", "Double", "Bool", "Datetime", "Duration", "Status"), frozenset(_COMPARE)),
    "Keyword": frozenset({*_COMPARE, "STARTS_WITH"}),
    "KeywordList": frozenset({"=", "!=", "IN"}),
    "Text": frozenset({"=", "!="}),
}
_WITHOUT_RANGES = frozenset({"Bool", "Text", "KeywordList"})


class _Reader:
    """Turns conditions into tests, and checks them on the way."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.failure = ""
        """What only the database would find wrong, which is after everything else was found right."""

    def test(self, condition: Condition) -> _Test:
        match condition:
            case Junction(word, conditions):
                return _joined([self.test(each) for each in conditions], decisive=word == "OR")
            case Not(negated):
                return _opposite(self.test(negated))
            case IsNull(name):
                field = find_field(name, self._types)
                return lambda record: field.read(record) is None
            case Between():
                return self._range(condition)
            case _:
                return self._comparison(condition)

    def _range(self, between: Between) -> _Test:
        field = find_field(between.field, self._types)
        if field.type in _WITHOUT_RANGES:
            raise InvalidArgument(
                f"invalid query: BETWEEN {between.low!r} is not for {field.name} of type {field.type}"
            )
        low, high = (self._constant(field, value, within=False) for value in (between.low, between.high))
        at_least = _compared(field, operator.ge, low)
        at_most = _compared(field, operator.le, high)
        return _joined([at_least, at_most], decisive=False)

    def _comparison(self, comparison: Comparison) -> _Test:
        field, sign = find_field(comparison.field, self._types), comparison.operator
        if sign not in _OPERATORS[field.type]:
            raise InvalidArgument(
                f"invalid query: {sign} {comparison.value!r} is not for {field.name} of type {field.type}"
            )
        if field.type in ("Text", "KeywordList") or sign == "STARTS_WITH":
            if (sign == "IN") is not isinstance(comparison.value, tuple):
                raise InvalidArgument(
                    f"invalid query: {field.name} {sign} does not take several values, but got "
                    f"{comparison.value!r}"
                )
        constant = self._constant(field, comparison.value, within=sign == "IN")
        if sign == "STARTS_WITH":
            return _starting(field, constant)
        if field.type in ("Text", "KeywordList"):
            holds = self._holding(field, constant if sign == "IN" else (constant,))
            return _opposite(holds) if sign == "!=" else holds
        return _compared(field, _COMPARE[sign], constant)

    def _holding(self, field: Field, constants: tuple[str, ...]) -> _Test:
        """Whether a text has one of the words, or a list one of the elements."""
        if any('"' in constant for constant in constants):
            self.failure = f"the index cannot look for a double quote in {field.name}: {constants!r}"
        if field.type == "KeywordList":
            elements = frozenset(map(index_values.folded, constants))
            return lambda record: not elements.isdisjoint(field.read(record) or ())
        phrases = [index_values.words(word) for constant in constants for word in constant.split(" ")]
        return lambda record: any(index_values.holds(field.read(record) or (), each) for each in phrases)

    def _constant(self, field: Field, value: Value, *, within: bool) -> Any:
        """A constant or, `within` the parentheses of `IN`, several, in the index's form."""
        if isinstance(value, tuple):
            if not within:
                self.failure = f"{field.name} does not compare with several values: {value!r}"
            return tuple(self._constant(field, each, within=False) for each in value)
        constant = index_values.constant(field.name, field.type, value)
        if not isinstance(constant, str):
            return constant
        if "\0" in constant:
            self.failure = f"a text for {field.name} has a zero byte: {value!r}"
        return index_values.escaped(constant)


def _compared(field: Field, compare: Callable[[Any, Any], bool], constant: Scalar) -> _Test:
    def test(record: Record) -> bool | None:
        value = field.read(record)
        return None if value is None else compare(value, constant)

    return test


def _starting(field: Field, prefix: str) -> _Test:
    def lower(text: str) -> str:
        return "".join(each.lower() if each.isascii() else each for each in text)

    start = lower(prefix)
    return _compared(field, lambda value, _: lower(value).startswith(start), prefix)


def _opposite(test: _Test) -> _Test:
    def opposite(record: Record) -> bool | None:
        answer = test(record)
        return None if answer is None else not answer

    return opposite


def _joined(tests: list[_Test], *, decisive: bool) -> _Test:
    """One answer of `decisive` settles it; else one unknown leaves it unknown."""

    def joined(record: Record) -> bool | None:
        answers = [test(record) for test in tests]
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive

    return joined
