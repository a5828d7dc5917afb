"""Updates in a history: looked up ahead, or brought along by a reset."""

import pytest

from iwf_interpreter.contract import StateTarget
from iwf_interpreter.core import (
    StateWaitRequested,
)
from iwf_interpreter.loop.history import Border, Echo, Fact
from iwf_interpreter.temporal.events import UnknownEvent
from written_histories import History, accept, scheduled, wait_request


def wanted(update_id: str = "u") -> StateWaitRequested:
    return StateWaitRequested(update_id=update_id, target=StateTarget(state_execution_id="S-1"))


def test_update_is_a_fact_of_the_task_that_took_it_on() -> None:
    """It is recorded behind the task, among its commands."""
    history = History()
    history.task(1000)
    scheduled(history, "wu/S-1")
    accept(history, "u1")
    accept(history, "u2")
    history.task(2000, completed=False)

    assert history.read() == [
        Fact(wanted("u1")),
        Fact(wanted("u2")),
        Border(1000),
        Echo("call", "wu/S-1"),
        Echo("update accept", "u1"),
        Echo("update accept", "u2"),
        Border(2000, in_hand=True, updates=[]),
    ]


def test_update_of_a_later_task_is_not_looked_up_too_early() -> None:
    history = History()
    history.task(1000)
    history.task(2000)
    accept(history, "u")

    assert history.read() == [Border(1000), Fact(wanted()), Border(2000), Echo("update accept", "u")]


def test_update_that_a_reset_brings_along_is_offered_to_the_task_in_hand() -> None:
    history = History()
    history.task(1000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request())
    history.task(2000, completed=False)

    *_, border = history.read()

    assert isinstance(border, Border)
    assert [(update.update_id, update.event) for update in border.updates] == [("u", wanted())]


def test_update_that_a_reset_brought_along_is_looked_up_where_it_was_admitted() -> None:
    history = History()
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request("other"))
    history.add("WORKFLOW_EXECUTION_UPDATE_ADMITTED", request=wait_request())
    history.task(2000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", protocol_instance_id="u")

    assert history.read() == [Fact(wanted()), Border(2000), Echo("update accept", "u")]


def test_accepted_update_without_any_request_suspends_the_run() -> None:
    history = History()
    history.task(2000)
    history.add("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", protocol_instance_id="u")

    with pytest.raises(UnknownEvent, match="update 'u' was accepted"):
        history.read()
