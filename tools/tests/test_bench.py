"""The benchmarks work, tried at small sizes: what they find out is for people to read, not for a test."""

import math

import pytest
from temporalio.api.enums.v1 import EventType

from iwf_interpreter.temporal import connect
from iwf_models import Context, WorkflowStateDecideRequest
from tools.bench import (
    answers,
    comparing,
    core_scaling,
    growth,
    machine,
    replaying,
    rpcs,
    server_scaling,
    task_times,
)
from tools.bench.__main__ import main
from tools.bench.driving import drive
from tools.bench.histories import chain, task_milliseconds, tasks
from tools.bench.servers import bench
from tools.bench.shapes import Kind, Shape, parse


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("shape", [Shape(Kind.ROW, 40), Shape(Kind.LOCKED_FAN, 7, True)])
def test_workflow_type_tells_the_shape(shape: Shape) -> None:
    assert parse(shape.workflow_type) == shape


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_slope_is_the_exponent(exponent: float) -> None:
    sizes = (8, 32, 128)
    found = growth.Growth(name="power", sizes=sizes, seconds=[3 * size**exponent for size in sizes])

    assert math.isclose(found.slope, exponent)
    assert math.isclose(found.last_slope, exponent)
    assert ("SUPERLINEAR" in found.table()) == (exponent > growth.LIMIT)


def test_states_in_a_row_end_with_the_last() -> None:
    def next_state(state_id: str) -> str:
        request = WorkflowStateDecideRequest(
            context=Context(workflow_id="w", workflow_run_id="r", workflow_started_timestamp=0),
            workflow_type=Shape(Kind.ROW, 2).workflow_type,
            workflow_state_id=state_id,
        )
        decision = answers.execute(request).state_decision
        assert decision is not None
        assert decision.next_states is not None
        return decision.next_states[0].state_id

    assert next_state("S1") == "S2"
    assert next_state("S2") == "_SYS_GRACEFUL_COMPLETING_WORKFLOW"


@pytest.mark.parametrize("name", core_scaling.SCENARIOS)
def test_core_is_measured_to_its_end(name: str) -> None:
    found = core_scaling.grow(name, sizes=(1, 3), repeats=1)

    assert min(found.seconds) > 0
    assert min(found.longest) > 0


def test_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["scale", "--only", "nothing"])

    assert "nothing" in capsys.readouterr().err


def test_command_prints_the_machine_and_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    main(["scale", "--only", "core", "--sizes", "1", "2"])

    printed = capsys.readouterr().out
    assert machine.describe()[:10] in printed
    assert all(name in printed for name in core_scaling.SCENARIOS)


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_both_servers_are_measured() -> None:
    results = await comparing.compare(["two-regular", "two-in-place"], states=4, rounds=1)

    assert [len(each.quiet) for each in results] == [1, 1]
    assert [len(each.floor) for each in results] == [1, 1]


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_growth_and_histories_of_one_server_are_measured() -> None:
    async with bench() as processes:
        name = "states in parallel, in place"
        grown = await server_scaling.grow(processes, name, sizes=(1, 2), states=2, repeats=1)
        assert len(grown.seconds) == 2

        config = server_scaling.ONE_RUN
        for kind in (Kind.MESSAGES, Kind.LOCKED_FAN):
            times = await task_times.measure(processes, kind, Shape(kind, 2), config)
            assert times.tasks > 1
            assert times.longest_feed_ms > 0

        cost = await drive(processes.iwf, processes.worker_url, Shape(Kind.ROW, 1), config)
        (history,) = await chain(await connect(processes.temporal_address), cost.workflow_ids[0])
        assert len(task_milliseconds(history)) == 3
        for _, end in tasks(history.events):
            assert history.events[end - 1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
        replayed = replaying.replay("row", history, repeats=2)
        assert replayed.events == len(history.events)
        assert replayed.feeding > 0


@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.parametrize("locked", [False, True], ids=["signals", "updates"])
async def test_rpcs_are_measured_and_their_writes_are_looked_for(locked: bool) -> None:
    async with bench(dynamic_config={rpcs.BUFFERED_QUERIES: 1}) as processes:
        times = await rpcs.measure(processes, clients=2, count=3, locked=locked)

    assert (len(times.milliseconds), times.failures, times.lost) == (6, [], 0)
    queries, signals, updates = times.calls
    assert (signals, updates >= 6, queries > 0) == ((0, True, False) if locked else (6, False, True))
    assert times.events > 6
    assert "p99" in times.line("signals")


def test_percentile_is_the_time_within_which_that_share_was_answered() -> None:
    times = rpcs.Times(
        milliseconds=[float(number) for number in range(1, 101)],
        seconds=1.0,
        cpu_seconds=0.1,
        events=100,
        calls=[0, 0, 0],
        failures=[],
        lost=0,
    )

    assert [times.percentile(share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
