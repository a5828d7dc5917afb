"""Timer commands: firing, skipping, and how many timers the engine has to keep."""

from collections.abc import Sequence

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from conformance.flows import Flow, under, until
from conformance.histories import chain, dump, send_skip, timer_infos
from conformance.replies import ALL, ANY, FOREVER, await_commands, rpc_answer, statuses
from iwf_interpreter.temporal import Connection
from iwf_models import CommandRequest, TimerCommand, WorkflowStateStartResponse
from iwf_testkit import dead_end, go_to
from scenario import UNCATEGORIZED, refused

pytestmark = pytest.mark.anyio

GREEDY = pytest.mark.parametrize(
    "config", [pytest.param({}, id="simple"), pytest.param({"optimizeTimer": True}, id="greedy")]
)

THREE = await_commands(ALL, timers=[("second", 1), ("day", 24 * 3600), ("year", FOREVER)])


async def skip(flow: Flow, workflow_id: str, execution_id: str = "S1-1", **timer: object) -> None:
    await flow.ok("timer/skip", workflowId=workflow_id, workflowStateExecutionId=execution_id, **timer)


async def registered(connection: Connection, workflow_id: str, execution_id: str) -> list[str]:
    """Wait until an execution has its timers; their states."""

    async def has_timers() -> bool:
        return execution_id in await timer_infos(connection, workflow_id)

    await until(has_timers)
    return [info["Status"] for info in (await timer_infos(connection, workflow_id))[execution_id]]


@GREEDY
@pytest.mark.requirement("timers.skip", "timers.infos", "timers.fire")
async def test_timers_that_are_skipped_count_as_fired(
    flow: Flow, connection: Connection, config: dict[str, object]
) -> None:
    flow.worker.script("S1.waitUntil", THREE)

    workflow_id, _ = await flow.start(config=config)
    assert await registered(connection, workflow_id, "S1-1") == ["Pending"] * 3
    await skip(flow, workflow_id, timerCommandId="day")
    await skip(flow, workflow_id, timerCommandIndex=2)
    infos = (await timer_infos(connection, workflow_id))["S1-1"]
    await flow.completed(workflow_id)

    assert [info["CommandId"] for info in infos] == ["second", "day", "year"]
    assert [info["Status"] for info in infos[1:]] == ["Skipped", "Skipped"]
    assert statuses(flow.executes("S1")[0].command_results) == ["FIRED"] * 3
    assert flow.counts("S1.execute") == [1]


@pytest.mark.requirement("timers.fire")
async def test_timers_that_are_due_fire_at_once(flow: Flow) -> None:
    timers = [TimerCommand(), TimerCommand(duration_seconds=0), TimerCommand(firing_unix_timestamp_seconds=1)]
    request = CommandRequest(command_waiting_type=ALL, timer_commands=timers)
    flow.worker.script("S1.waitUntil", WorkflowStateStartResponse(command_request=request))

    workflow_id, _ = await flow.start()
    await flow.completed(workflow_id)

    assert statuses(flow.executes("S1")[0].command_results) == ["FIRED"] * 3


@pytest.mark.requirement("timers.skip-needs-a-target")
async def test_skip_of_a_timer_that_is_not_there_is_refused(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ALL, timers=[("a", FOREVER), ("b", FOREVER)]))

    workflow_id, _ = await flow.start()
    await registered(connection, workflow_id, "S1-1")
    await skip(flow, workflow_id, timerCommandIndex=0)

    for execution_id, timer in (
        ("S1-1", {}),
        ("S1-1", {"timerCommandId": ""}),
        ("S1-1", {"timerCommandId": "c"}),
        ("S1-1", {"timerCommandIndex": 2}),
        ("S1-1", {"timerCommandIndex": -1}),
        ("S1-1", {"timerCommandIndex": 0}),
        ("S1-2", {"timerCommandId": "a"}),
    ):
        request = {"workflowId": workflow_id, "workflowStateExecutionId": execution_id, **timer}
        reply = await flow.post("timer/skip", request)
        refused(reply, UNCATEGORIZED)
        assert reply.body["detail"].startswith("invalid request - "), timer


@pytest.mark.requirement("timers.skip")
async def test_id_wins_over_the_index_when_a_timer_is_skipped(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ANY, timers=[("a", FOREVER), ("b", FOREVER)]))

    workflow_id, _ = await flow.start()
    await registered(connection, workflow_id, "S1-1")
    await skip(flow, workflow_id, timerCommandId="b", timerCommandIndex=0)
    await flow.completed(workflow_id)

    assert statuses(flow.executes("S1")[0].command_results) == ["SCHEDULED", "FIRED"]


@pytest.mark.requirement("timers.skip-is-for-one-execution")
async def test_skip_reaches_only_the_execution_that_it_names(flow: Flow, connection: Connection) -> None:
    flow.worker.script("S1.execute", go_to("S", "S"))
    flow.worker.script("S.waitUntil", await_commands(ANY, timers=[("t", FOREVER)], signals=[("", "go")]))
    flow.worker.script("S.execute", dead_end())

    workflow_id, _ = await flow.start()
    await registered(connection, workflow_id, "S-1")
    await registered(connection, workflow_id, "S-2")
    await skip(flow, workflow_id, "S-2", timerCommandId="t")
    await flow.worker.wait_for_calls("S-2.execute")

    assert await registered(connection, workflow_id, "S-1") == ["Pending"]
    assert flow.counts("S-1.execute") == [0]


@pytest.mark.requirement("continue.keeps-timers")
async def test_timers_keep_their_time_and_state_when_the_run_continues(
    flow: Flow, connection: Connection
) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ALL, timers=[("a", 1000), ("b", FOREVER)]))

    workflow_id, _ = await flow.start()
    await registered(connection, workflow_id, "S1-1")
    await skip(flow, workflow_id, timerCommandId="b")
    before = await timer_infos(connection, workflow_id)
    run_id = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.next_run(workflow_id, run_id)

    assert await timer_infos(connection, workflow_id) == before
    assert [info["Status"] for info in before["S1-1"]] == ["Pending", "Skipped"]
    await skip(flow, workflow_id, timerCommandId="a")
    await flow.completed(workflow_id)
    assert statuses(flow.executes("S1")[0].command_results) == ["FIRED", "FIRED"]


@GREEDY
@under("plain")
@pytest.mark.requirement("timers.one-at-the-engine")
async def test_engine_keeps_one_timer_at_a_time(
    flow: Flow, connection: Connection, config: dict[str, object]
) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ALL, timers=[("fifteen", 15), ("thirty", 30)]))
    flow.worker.script("rpc.twenty", rpc_answer("S20"))
    flow.worker.script("rpc.five", rpc_answer("S5"))
    flow.worker.script("S20.waitUntil", await_commands(ALL, timers=[("twenty", 20)]))
    flow.worker.script("S5.waitUntil", await_commands(ALL, timers=[("five", 5)]))

    workflow_id, run_id = await flow.start(config=config)
    await registered(connection, workflow_id, "S1-1")
    await flow.rpc(workflow_id, "twenty")
    await registered(connection, workflow_id, "S20-1")
    await skip(flow, workflow_id, timerCommandId="fifteen")
    await flow.rpc(workflow_id, "five")
    await registered(connection, workflow_id, "S5-1")

    (events,) = await chain(connection, workflow_id, run_id)
    assert armed(events) == [15, 20, 5]


def armed(events: Sequence[HistoryEvent]) -> list[int]:
    """Rounded seconds of the timers that were started; never two at a time."""
    seconds: list[int] = []
    open_timers: set[str] = set()
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_TIMER_STARTED:
                started = event.timer_started_event_attributes
                open_timers.add(started.timer_id)
                seconds.append(round(started.start_to_fire_timeout.ToMilliseconds() / 1000))
            case EventType.EVENT_TYPE_TIMER_CANCELED:
                open_timers.discard(event.timer_canceled_event_attributes.timer_id)
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                assert len(open_timers) <= 1
            case _:
                pass
    return seconds


@pytest.mark.requirement("timers.no-growing-skips")
async def test_skip_that_came_too_late_skips_nothing_else_and_is_not_kept(
    flow: Flow, connection: Connection
) -> None:
    """The skip is sent as a signal, since the endpoint would see that its timer is gone."""
    flow.worker.script("S1.waitUntil", await_commands(ANY, timers=[("t", 0)]))
    flow.worker.script("S1.execute", go_to("S"))
    flow.worker.script("S.waitUntil", await_commands(ANY, timers=[("t", FOREVER), ("t", FOREVER)]))
    flow.worker.script("rpc.more", rpc_answer("S", "S", "S"))

    workflow_id, _ = await flow.start()
    await registered(connection, workflow_id, "S-1")
    await send_skip(connection, workflow_id, {"StateExecutionId": "S1-1", "CommandId": "t"})
    for count in (4, 7, 10):
        await flow.rpc(workflow_id, "more")
        await registered(connection, workflow_id, f"S-{count}")
    infos = await timer_infos(connection, workflow_id)

    assert {info["Status"] for timers in infos.values() for info in timers} == {"Pending"}
    run_id = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    state = await dump(flow, workflow_id, run_id)
    assert len(state.get("StaleSkipTimerSignals") or []) <= 1
