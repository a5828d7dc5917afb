"""Replay: the same history gives the same state and commands, however it is cut into tasks."""

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.core import ExecutionState, snapshot
from iwf_interpreter.loop.history import Outgoing, UpdateRequest
from iwf_interpreter.loop.runs import Run
from iwf_interpreter.temporal import Connection
from iwf_interpreter.temporal.events import EventReader, updates_taken_on
from iwf_testkit import go_to, wait_for
from scenario import Scenario, all_runs, history

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

_CUTS_PER_HISTORY = 20
_LOSES_CACHE = 0.4


def tasks(events: Sequence[HistoryEvent]) -> Iterator[tuple[int, int]]:
    """Index borders of the events that each completed task brought: `events[begin:end]`."""
    begin = 0
    for index, event in enumerate(events[:-1]):
        completed = events[index + 1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED and completed:
            yield begin, index + 1
            begin = index + 1


def accepted_updates(events: Sequence[HistoryEvent], behind: int) -> list[UpdateRequest]:
    """The updates that the task which ends at an index has taken on, as the task brought them."""
    return [
        UpdateRequest(update_id=event.update_id, event=event, message=None)
        for event in updates_taken_on(events, behind)
    ]


def in_tasks(
    workflow_id: str, run_id: str, events: Sequence[HistoryEvent], loses_cache: Callable[[], bool]
) -> tuple[list[list[Outgoing]], ExecutionState | None]:
    """Commands of every task, and the state after the last one.

    Where the cache is lost a fresh core is fed everything up to the task, else the same core only what the
    task brought.
    """
    run = Run(EventReader(workflow_id, run_id))
    commands: list[list[Outgoing]] = []
    for begin, end in tasks(events):
        if loses_cache():
            run = Run(EventReader(workflow_id, run_id))
            begin = 0
        run.feed(events[begin:end], accepted_updates(events, end))
        commands.append(list(run.outgoing))
    return commands, run.state if commands else None


def never() -> bool:
    return False


def now_and_then(chance: random.Random) -> Callable[[], bool]:
    return lambda: chance.random() < _LOSES_CACHE


async def test_history_with_every_kind_of_event_replays(scenario: Scenario, connection: Connection) -> None:
    scenario.worker.script("S1.waitUntil", wait_for(timers=(1,), signals=("go",)))
    scenario.worker.script("S1.execute", go_to("S2"))
    workflow_id, run_id = await scenario.start()
    await scenario.ok(
        "searchattributes/set",
        workflowId=workflow_id,
        searchAttributes=[{"key": "CustomIntField", "valueType": "INT", "integerValue": 1}],
    )
    await scenario.result(workflow_id)

    events = await history(connection, workflow_id, run_id)

    commands, _ = in_tasks(workflow_id, run_id, events, never)
    assert len(commands) > 3


async def test_every_history_replays(connection: Connection) -> None:
    """Runs last: the histories of all other tests."""
    runs = await all_runs(connection)
    replayed = 0
    for workflow_id, run_id in runs:
        events = await history(connection, workflow_id, run_id)
        # The whole history, its end included, must agree with what the core asks for.
        Run(EventReader(workflow_id, run_id)).feed(events)
        expected = in_tasks(workflow_id, run_id, events, never)
        replayed += len(expected[0])
        loses_cache = now_and_then(random.Random(run_id))
        for _ in range(_CUTS_PER_HISTORY):
            assert in_tasks(workflow_id, run_id, events, loses_cache) == expected, workflow_id
        state = expected[1]
        assert state is None or snapshot.decode(snapshot.encode(state)) == state
    print(f"{len(runs)} histories with {replayed} tasks replayed")
    assert replayed > len(runs) / 2
