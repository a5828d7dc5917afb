"""The hook for what happens to workflows: the feed of metrics, logs and traces.

Events are told at least once: a task of a run that has to be answered again tells its events again, a replay
does not. An observer is called in the event loop, so it must be quick and must not block; what it raises is
logged and has no other effect. The events are listed in `docs/interpreter.md`.
"""

import logging
from collections.abc import Iterable
from typing import Protocol

from iwf_models import IwfEvent

_logger = logging.getLogger(__name__)


class Observer(Protocol):
    """Wants to know what happens."""

    def on_event(self, event: IwfEvent) -> None:
        """Take notice of an event."""
        ...


def tell(observer: Observer | None, events: Iterable[IwfEvent]) -> None:
    """Hand events to an observer, if there is one; never raises."""
    if observer is None:
        return
    for event in events:
        try:
            observer.on_event(event)
        except Exception:
            _logger.exception("the observer failed on %s", event.event_type)
