"""An outbox that stands in for a mail service: it prints what it sends, and remembers it.

A server calls a worker again when it did not get the answer, so a state may run twice. The outbox takes a
key with every message and sends nothing twice under one key; a real mail service has a field for that.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    """One message."""

    key: str
    """Same key, same message: the second one is dropped."""
    to: str
    subject: str


class Outbox:
    """Where the workflow sends its mail. May be used from several threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._sent: dict[str, Mail] = {}
        self._changed = threading.Condition()

    @property
    def sent(self) -> list[Mail]:
        """All messages so far, oldest first."""
        with self._changed:
            return list(self._sent.values())

    def send(self, mail: Mail) -> None:
        """Send a message, unless one with its key was sent before."""
        with self._changed:
            if mail.key in self._sent:
                return
            self._sent[mail.key] = mail
            self._changed.notify_all()
        self._say(f"e-mail to {mail.to}: {mail.subject}")

    def wait_for(self, subject: str, timeout_seconds: float) -> None:
        """Wait until a message with this subject was sent.

        Raises:
            TimeoutError: None was.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: any(mail.subject == subject for mail in self._sent.values()), timeout_seconds
            ):
                raise TimeoutError(f"no e-mail {subject!r} within {timeout_seconds} s")
