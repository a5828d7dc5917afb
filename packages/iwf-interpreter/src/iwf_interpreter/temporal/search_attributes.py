"""Search attributes in Temporal's own form, and the list of those that can be written."""

import time
from collections.abc import Mapping
from contextlib import suppress

import anyio
from temporalio.api.common.v1 import Payload

from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.engine import EngineError
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.connection import Connection, listed_search_attributes

_FRESH_SECONDS = 10.0
"""How long an attribute that was just registered may still be refused."""


def search_attribute_payload(value: EngineValue) -> Payload:
    """A value with the type that Temporal expects beside it."""
    payload = payloads.encode(value.value)
    payload.metadata["type"] = value.type.encode()
    return payload


class RegisteredSearchAttributes:
    """The search attributes of a namespace, asked for every few seconds at most."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._types: Mapping[str, str] | None = None
        self._asked_at: float | None = None
        self._lock = anyio.Lock(fast_acquire=True)

    async def types(self) -> Mapping[str, str] | None:
        """Type by name, or `None` where the server does not tell, as Temporal Cloud.

        What it told before stays valid while it cannot be asked.
        """
        async with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > _FRESH_SECONDS:
                with suppress(EngineError):
                    self._types = await listed_search_attributes(self._connection)
                self._asked_at = time.monotonic()
            return self._types
