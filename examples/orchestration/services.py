"""Stand-ins for the four services: they print and record their calls, and answer with a short text."""

import threading
from collections.abc import Callable


class Services:
    """API1 to API4. May be used from several threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._calls: list[tuple[str, str]] = []
        self._changed = threading.Condition()

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Names and arguments of all calls so far, oldest first."""
        with self._changed:
            return list(self._calls)

    def call(self, api: str, argument: str) -> str:
        """Call one of the services."""
        with self._changed:
            self._calls.append((api, argument))
            self._changed.notify_all()
        self._say(f"{api}({argument!r})")
        return f"{api} of {argument}"

    def wait_for(self, api: str, argument: str, timeout_seconds: float) -> None:
        """Wait until a service was called with an argument.

        Raises:
            TimeoutError: It was not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: (api, argument) in self._calls, timeout_seconds):
                raise TimeoutError(f"no call of {api} with {argument!r} within {timeout_seconds} s")
