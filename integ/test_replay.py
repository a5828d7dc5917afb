"""Replay: the same history gives the same state and commands, however it is cut into tasks."""

import subprocess

import anyio
import pytest

from iwf_api.dev.temporal_server import TemporalDevServer, temporal_binary
from iwf_interpreter.core import snapshot
from iwf_interpreter.temporal import Connection, History, check_history, read_history
from iwf_interpreter.temporal.replay import replay_by_task
from iwf_testkit import go_to, wait_for
from scenario import Scenario, all_runs, history

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


async def finished(scenario: Scenario) -> tuple[str, str]:
    """A completed workflow with every kind of command."""
    scenario.worker.script("S1.waitUntil", wait_for(timers=(1,), signals=("go",)))
    scenario.worker.script("S1.execute", go_to("S2"))
    workflow_id, run_id = await scenario.start()
    await scenario.ok(
        "searchattributes/set",
        workflowId=workflow_id,
        searchAttributes=[{"key": "CustomIntField", "valueType": "INT", "integerValue": 1}],
    )
    await scenario.result(workflow_id)
    return workflow_id, run_id


async def test_history_with_every_kind_of_event_replays(scenario: Scenario, connection: Connection) -> None:
    workflow_id, run_id = await finished(scenario)

    events = await history(connection, workflow_id, run_id)

    assert check_history(History.of(events)) > 3


async def test_history_that_the_temporal_command_prints_replays(
    scenario: Scenario, connection: Connection, temporal: TemporalDevServer
) -> None:
    workflow_id, run_id = await finished(scenario)
    command = [temporal_binary(), "workflow", "show", "--address", temporal.address, "--output", "json"]

    printed = await anyio.run_process([*command, "--workflow-id", workflow_id], stderr=subprocess.PIPE)
    read = read_history(printed.stdout)

    assert (read.workflow_id, read.run_id) == (workflow_id, run_id)
    assert list(read.events) == await history(connection, workflow_id, run_id)
    assert check_history(read) > 3


async def test_every_history_replays(connection: Connection) -> None:
    """Runs last: the histories of all other tests, each run of a chain for itself."""
    runs = await all_runs(connection)
    replayed = 0
    for workflow_id, run_id in runs:
        found = History(
            workflow_id=workflow_id, run_id=run_id, events=await history(connection, workflow_id, run_id)
        )
        assert History.of(found.events) == found
        replayed += check_history(found)
        states = [outcome.state for outcome in replay_by_task(found, lambda: False) if outcome.state]
        assert all(snapshot.encode(snapshot.decode(state)) == state for state in states), workflow_id
    print(f"{len(runs)} histories with {replayed} tasks replayed")
    assert replayed > len(runs) / 2
