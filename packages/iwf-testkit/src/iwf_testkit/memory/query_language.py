"""The text of a list filter, read into a tree.

The language is the condition of an SQL `WHERE`, as Temporal's `ListWorkflowExecutions` takes it, and an
`ORDER BY`, which servers with Elasticsearch take and those with an SQL database refuse. Here is only its
grammar: which fields there are, of what type, and what a comparison means is `visibility`. What no server
takes (`LIMIT`, functions, arithmetic) is refused; `GROUP BY`, which is ignored in a list, is refused too.
"""

import math
import re
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from iwf_interpreter.engine import InvalidArgument
from iwf_testkit.memory.reserved_words import READ_IN_LOWER_CASE, RESERVED

Value: TypeAlias = "str | int | float | bool | tuple[Value, ...]"
"""A constant of a query. Two or more in parentheses are a tuple, and so is any right side of `IN`."""

Operator: TypeAlias = Literal["=", "!=", "<", ">", "<=", ">=", "IN", "STARTS_WITH"]


class Comparison(msgspec.Struct, frozen=True):
    """`field operator value`."""

    field: str
    operator: Operator
    value: Value


class Between(msgspec.Struct, frozen=True):
    """`field BETWEEN low AND high`, both included."""

    field: str
    low: Value
    high: Value


class IsNull(msgspec.Struct, frozen=True):
    """`field IS NULL`."""

    field: str


class Not(msgspec.Struct, frozen=True):
    """The opposite, also of `NOT IN`, `NOT BETWEEN`, `NOT STARTS_WITH` and `IS NOT NULL`."""

    condition: "Condition"


class Junction(msgspec.Struct, frozen=True):
    """Conditions joined by one of the two words; there are at least two."""

    word: Literal["AND", "OR"]
    conditions: "tuple[Condition, ...]"


Condition: TypeAlias = Comparison | Between | IsNull | Not | Junction


class Order(msgspec.Struct, frozen=True):
    """One field of `ORDER BY`."""

    field: str
    descending: bool


class Query(msgspec.Struct, frozen=True):
    """A whole query."""

    condition: Condition | None = None
    """`None` lists everything."""
    order: tuple[Order, ...] = ()
    """Empty leaves the order to the index."""


def parse(query: str) -> Query:
    """Read a query.

    Raises:
        InvalidArgument: The text is not of this language.
    """
    if not query.strip():
        return Query()
    return _Parser(query).query()


_MAX_DEPTH = 100
_INT64 = range(-(2**63), 2**63)

_TOKEN = re.compile(
    r"""
    (?P<space>   [ \t\r\n]+ | (?:--|//|\#)[^\n]* | /\*.*?\*/ )
    | (?P<text>  '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" )
    | (?P<quoted>`[^`]+(?:``[^`]+)*` )
    | (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_@]) )
    | (?P<word>  [A-Za-z_@][A-Za-z0-9_@.]* )
    | (?P<sign>  <=|>=|<>|!=|&&|\|\||[-+=<>(),;] )
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD_OF_SIGN = {"&&": "AND", "||": "OR", "<>": "!="}
_COMPARISONS: Mapping[str, Operator] = {"=": "=", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}

_ESCAPE = {quote: re.compile(rf"\\(.)|{quote * 2}", re.DOTALL) for quote in ("'", '"')}
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


class _Token(msgspec.Struct, frozen=True):
    kind: str
    """`text`, `quoted`, `number`, `word`, `sign`, or `end`."""
    text: str
    """As written."""
    position: int

    @property
    def symbol(self) -> str:
        """What the grammar calls it: a sign, or a word in capitals."""
        symbol = self.text.upper() if self.kind in ("word", "sign") else self.kind
        return _WORD_OF_SIGN.get(symbol, symbol)


def _tokens(query: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(query):
        match = _TOKEN.match(query, position)
        if match is None:
            raise InvalidArgument(f"malformed query: {query[position:][:50]!r} at position {position}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match[0], position))
        position = match.end()
    return [*tokens, _Token("end", "", position)]


class _Parser:
    """One method for each rule of the grammar; each leaves `_next` at the first token it did not take."""

    def __init__(self, query: str) -> None:
        self._tokens = _tokens(query)
        self._next = 0
        self._depth = 0
        self._about = ""
        """The field of the latest condition, for errors."""

    def query(self) -> Query:
        condition = None if self._peek() == "ORDER" else self._alternatives()
        order = self._order() if self._take("ORDER") else ()
        self._take(";")
        if self._peek() != "end":
            raise self._malformed()
        return Query(condition, order)

    def _order(self) -> tuple[Order, ...]:
        self._expect("BY")
        fields: list[Order] = []
        while not fields or self._take(","):
            field = self._field()
            descending = self._take("DESC")
            if not descending:
                self._take("ASC")
            fields.append(Order(field, descending))
        return tuple(fields)

    def _alternatives(self) -> Condition:
        conditions = [self._conjunction()]
        while self._take("OR"):
            conditions.append(self._conjunction())
        return conditions[0] if len(conditions) == 1 else Junction("OR", tuple(conditions))

    def _conjunction(self) -> Condition:
        conditions = [self._negation()]
        while self._take("AND"):
            conditions.append(self._negation())
        return conditions[0] if len(conditions) == 1 else Junction("AND", tuple(conditions))

    def _negation(self) -> Condition:
        negated = False
        while self._take("NOT"):
            negated = not negated
        condition = self._parenthesised() if self._peek() == "(" else self._predicate()
        return Not(condition) if negated else condition

    def _parenthesised(self) -> Condition:
        self._enter()
        condition = self._alternatives()
        self._leave()
        return condition

    def _predicate(self) -> Condition:
        field = self._field()
        if self._take("IS"):
            negated = self._take("NOT")
            self._expect("NULL")
            return Not(IsNull(field)) if negated else IsNull(field)
        if (comparison := _COMPARISONS.get(self._peek())) is not None:
            self._next += 1
            return Comparison(field, comparison, self._value())
        negated = self._take("NOT")
        condition = self._range_or_set(field)
        return Not(condition) if negated else condition

    def _range_or_set(self, field: str) -> Condition:
        if self._take("IN"):
            return Comparison(field, "IN", self._values())
        if self._take("STARTS_WITH"):
            return Comparison(field, "STARTS_WITH", self._value())
        if self._take("BETWEEN"):
            low = self._value()
            self._expect("AND")
            return Between(field, low, self._value())
        raise self._malformed()

    def _field(self) -> str:
        token = self._tokens[self._next]
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text.lower() in RESERVED):
            raise self._malformed()
        self._next += 1
        name = token.text.replace("`", "")
        if token.kind == "word" and name.lower() in READ_IN_LOWER_CASE:
            name = name.lower()
        self._about = name
        return name

    def _values(self) -> tuple[Value, ...]:
        self._enter()
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        self._leave()
        return tuple(values)

    def _value(self) -> Value:
        token = self._tokens[self._next]
        match token.symbol:
            case "(":
                values = self._values()
                if len(values) == 1:
                    raise InvalidArgument(
                        f"malformed query: ({values[0]!r}) is not a value for {self._about}"
                    )
                return values
            case "TRUE" | "FALSE":
                self._next += 1
                return token.symbol == "TRUE"
            case "text":
                self._next += 1
                return _ESCAPE[token.text[0]].sub(_unescaped, token.text[1:-1])
            case _:
                return self._number()

    def _number(self) -> int | float:
        signs = ""
        while self._peek() in ("+", "-"):
            signs += self._peek()
            self._next += 1
        token = self._tokens[self._next]
        if token.kind != "number":
            raise self._malformed()
        self._next += 1
        number = int(token.text) if len(token.text) < 20 and token.text.isdigit() else float(token.text)
        if isinstance(number, int) and number not in _INT64:
            number = float(number)
        if math.isinf(number) or (isinstance(number, float) and len(signs) > 1):
            raise InvalidArgument(f"malformed query: {signs + token.text!r} is no number for {self._about}")
        return -number if signs.count("-") % 2 else number

    def _enter(self) -> None:
        self._expect("(")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidArgument(f"malformed query: more than {_MAX_DEPTH} parentheses in each other")

    def _leave(self) -> None:
        self._expect(")")
        self._depth -= 1

    def _peek(self) -> str:
        return self._tokens[self._next].symbol

    def _take(self, symbol: str) -> bool:
        taken = self._peek() == symbol
        self._next += taken
        return taken

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            raise self._malformed()

    def _malformed(self) -> InvalidArgument:
        """The error for a next token that cannot stand there."""
        token = self._tokens[self._next]
        about = f", in or after the condition on {self._about}" if self._about else ""
        if token.kind == "end":
            return InvalidArgument(f"malformed query: it ends too early{about}")
        hint = ""
        if (
            token.kind in ("word", "quoted")
            and self._next
            and self._tokens[self._next - 1].text in _COMPARISONS
        ):
            hint = "; a text stands in quotes"
        elif token.symbol in ("GROUP", "LIMIT"):
            hint = f"; {token.symbol} is not supported"
        return InvalidArgument(
            f"malformed query: {token.text!r} cannot stand at position {token.position}{about}{hint}"
        )


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    return match[0][0] if escaped is None else _ESCAPED.get(escaped, escaped)
