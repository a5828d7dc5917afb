"""Observers: told one event after another, and never able to do harm."""

import logging

import pytest

from iwf_interpreter.observer import tell
from iwf_models import EventType, IwfEvent
from scripted_loop import Listener

EVENTS = [
    IwfEvent(event_type=kind, workflow_type="T", workflow_id="w", workflow_run_id="r")
    for kind in (EventType.WORKFLOW_START_EVENT, EventType.WORKFLOW_COMPLETE_EVENT)
]


def test_observer_is_told_every_event_in_order() -> None:
    listener = Listener()

    tell(listener, EVENTS)

    assert listener.events == EVENTS


def test_nobody_is_told_anything() -> None:
    tell(None, EVENTS)


def test_observer_that_fails_is_told_the_next_event_too(caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(failing=True)

    with caplog.at_level(logging.ERROR):
        tell(listener, EVENTS)

    assert listener.events == EVENTS
    assert [record.getMessage() for record in caplog.records] == [
        "the observer failed on WORKFLOW_START_EVENT",
        "the observer failed on WORKFLOW_COMPLETE_EVENT",
    ]
