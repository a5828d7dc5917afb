"""Temporal histories that a test writes event by event."""

from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Input, Meta, Request

from iwf_interpreter.contract import StateTarget
from iwf_interpreter.loop.history import Item
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.events import EventReader


class History:
    """A history that is written event by event; ids count from 1."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def add(self, kind: str, *, at_ms: int = 0, **attributes: Any) -> int:
        """Append an event; the kind is the name of its type without the prefix."""
        event = HistoryEvent(event_id=len(self.events) + 1)
        event.event_type = EventType.Value(f"EVENT_TYPE_{kind}")
        event.event_time.FromMilliseconds(at_ms)
        field = getattr(event, f"{kind.lower()}_event_attributes")
        field.SetInParent()
        for name, value in attributes.items():
            if isinstance(value, str | int | bool):
                setattr(field, name, value)
            else:
                getattr(field, name).CopyFrom(value)
        self.events.append(event)
        return event.event_id

    def task(self, at_ms: int, *, completed: bool = True, suggested: bool = False) -> None:
        self.add("WORKFLOW_TASK_SCHEDULED")
        self.add("WORKFLOW_TASK_STARTED", at_ms=at_ms, suggest_continue_as_new=suggested)
        if completed:
            self.add("WORKFLOW_TASK_COMPLETED")

    def read(self, reader: EventReader | None = None, begin: int = 0) -> list[Item]:
        return list((reader or EventReader("w", "r")).read(self.events[begin:]))


def body(value: object) -> Payloads:
    return payloads.to_payloads(value)


def scheduled(history: History, call_id: str) -> int:
    return history.add("ACTIVITY_TASK_SCHEDULED", activity_id=call_id)


def wait_request(update_id: str = "u") -> Request:
    return Request(
        meta=Meta(update_id=update_id),
        input=Input(name="WaitForStateCompletion", args=body(StateTarget(state_execution_id="S-1"))),
    )


def accept(history: History, update_id: str) -> None:
    history.add(
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        protocol_instance_id=update_id,
        accepted_request=wait_request(update_id),
    )
