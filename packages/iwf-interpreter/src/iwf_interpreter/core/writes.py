"""What answers and RPCs write: attributes and messages, applied all together."""

from collections.abc import Iterable

from iwf_interpreter.contract import RESERVED_STATE_PREFIX
from iwf_interpreter.core import channels
from iwf_interpreter.core.state import ExecutionState
from iwf_interpreter.core.visibility import IndexChanges
from iwf_models import InterStateChannelPublishing, KeyValue, SearchAttribute, StateDecision


class Writes:
    """Writes to one run; the index learns of what it shows."""

    def __init__(self, state: ExecutionState, index: IndexChanges) -> None:
        self._state = state
        self._index = index

    def apply(
        self,
        search_attributes: Iterable[SearchAttribute] | None,
        data_attributes: Iterable[KeyValue] | None,
        publishing: Iterable[InterStateChannelPublishing] | None,
    ) -> None:
        """Replace whole attributes by key, and append messages to internal channels in order."""
        state = self._state
        for attribute in search_attributes or ():
            key = attribute.key or ""
            self._index.search_attribute_written(key, state.search_attributes.get(key))
            state.search_attributes[key] = attribute
        for item in data_attributes or ():
            state.data_attributes[item.key or ""] = item.value
            if state.use_memo:
                self._index.data_attribute_written(item)
        for message in publishing or ():
            channels.publish(state.internal_channels, message.channel_name, message.value)

    def start_states(self, decision: StateDecision | None) -> None:
        """Queue the next states of an RPC."""
        if decision is not None:
            # RPCs that close are refused before; a signal made by hand must not run a reserved id as a state.
            self._state.queue += [
                movement
                for movement in decision.next_states or ()
                if not movement.state_id.startswith(RESERVED_STATE_PREFIX)
            ]
