"""What the engine's index should show of a run: search attributes and, in memo mode, data attributes.

Writes are collected over a batch and sent as one command at its end: only what has changed, and nothing
when nothing has.
"""

from iwf_interpreter.contract import SYSTEM_PREFIX
from iwf_interpreter.core.attribute_values import EngineValue, InvalidSearchAttribute, engine_value
from iwf_interpreter.core.commands import Command, SetMemo, SetSearchAttributes
from iwf_interpreter.core.state import ExecutionState
from iwf_models import EncodedObject, KeyValue, SearchAttribute


class IndexChanges:
    """Changes of a batch that the engine's index does not show yet."""

    def __init__(self) -> None:
        self._before: dict[str, SearchAttribute | None] = {}
        self._memo: dict[str, EncodedObject] = {}

    def search_attribute_written(self, key: str, before: SearchAttribute | None) -> None:
        """Note that an attribute was written; `before` is what the run had until then."""
        self._before.setdefault(key, before)

    def data_attribute_written(self, item: KeyValue) -> None:
        """Note that a data attribute of a run in memo mode was written."""
        key = item.key or ""
        if not key.startswith(SYSTEM_PREFIX):
            self._memo[key] = item.value or EncodedObject()

    def take(self, state: ExecutionState, now_ms: int) -> list[Command]:
        """The commands that bring the index up to date; begins a new batch."""
        values: dict[str, EngineValue] = {}
        for key, before in self._before.items():
            after = state.search_attributes[key]
            if after == before:
                continue
            # Values are checked where they come in. One that was sent by hand is kept, but not indexed.
            try:
                values[key] = engine_value(after, now_ms * 1_000_000)
            except InvalidSearchAttribute:
                continue
        commands: list[Command] = []
        if values:
            commands.append(SetSearchAttributes(values=values))
        if self._memo:
            commands.append(SetMemo(values=self._memo))
        self._before, self._memo = {}, {}
        return commands
