"""Placeholders in the strings of a scenario: `{{id}}`, `{{now+60}}`, `{{repeat:x:1000}}`, saved values.

A string that is one placeholder and nothing else takes the type of the value; elsewhere the value is put in
as text.
"""

import re
from collections.abc import Callable
from uuid import uuid4

from iwf_testkit.golden.places import Json, is_list, is_object

_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
_NOW = re.compile(r"now([+-]\d+)?")
_REPEAT = re.compile(r"repeat:(.+):(\d+)", re.DOTALL)


class UnknownPlaceholder(LookupError):
    """A scenario uses a name that nothing has set."""


class Placeholders:
    """The names of one play and their values."""

    def __init__(self, values: dict[str, Json], clock: Callable[[], float]) -> None:
        self._values = values
        self._clock = clock

    def save(self, name: str, value: Json) -> None:
        """Give a name a value from now on."""
        self._values[name] = value

    def with_value(self, name: str, value: Json) -> "Placeholders":
        """The same names and one more; later saves on either side do not show on the other."""
        return Placeholders({**self._values, name: value}, self._clock)

    def fill(self, value: Json) -> Json:
        """The value with all placeholders replaced, in keys too.

        Raises:
            UnknownPlaceholder: One has no value.
        """
        if isinstance(value, str):
            return self._fill_text(value) if "{{" in value else value
        if is_list(value):
            return [self.fill(item) for item in value]
        if is_object(value):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        return value

    def _fill_text(self, text: str) -> Json:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole is not None:
            return self._lookup(whole[1].strip())
        return _PLACEHOLDER.sub(lambda match: str(self._lookup(match[1].strip())), text)

    def _lookup(self, expression: str) -> Json:
        if expression in self._values:
            return self._values[expression]
        if now := _NOW.fullmatch(expression):
            return int(self._clock()) + int(now[1] or 0)
        if repeat := _REPEAT.fullmatch(expression):
            return repeat[1] * int(repeat[2])
        if expression == "uuid":
            return str(uuid4())
        raise UnknownPlaceholder(expression)
