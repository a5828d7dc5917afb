"""How the CPU of the server process grows with the states of a workflow: no faster than they do."""

from collections.abc import Mapping, Sequence

from tools.bench.driving import IN_PLACE, QUIET, drive
from tools.bench.growth import Growth
from tools.bench.servers import Bench
from tools.bench.shapes import Kind, Shape

ROW_SIZES = (2, 8, 32, 128, 256)
FAN_SIZES = (8, 32, 128, 512)
STATES = 256
"""Executions to run at each size at least: CPU time is told in hundredths of a second."""
_TIMES_IN_PLACE = 4
"""So many times as many when calls are made in place, which costs less."""
REPEATS = 2

ONE_RUN: Mapping[str, object] = {**QUIET, "continueAsNewThreshold": 0}
"""Does not continue as new by itself."""
ONE_RUN_IN_PLACE: Mapping[str, object] = {**ONE_RUN, **IN_PLACE}

SERIES: Mapping[str, tuple[Kind, Mapping[str, object]]] = {
    "states in a row, regular": (Kind.ROW, ONE_RUN),
    "states in a row, in place": (Kind.ROW, ONE_RUN_IN_PLACE),
    "states in parallel, regular": (Kind.FAN, ONE_RUN),
    "states in parallel, in place": (Kind.FAN, ONE_RUN_IN_PLACE),
}


async def grow(
    processes: Bench, name: str, *, sizes: Sequence[int] = (), states: int = STATES, repeats: int = REPEATS
) -> Growth:
    """Measure one series: server seconds for one workflow at each size, of the cheapest repetition."""
    kind, config = SERIES[name]
    sizes = sizes or (ROW_SIZES if kind is Kind.ROW else FAN_SIZES)
    if config is ONE_RUN_IN_PLACE:
        states *= _TIMES_IN_PLACE
    await _workflow_seconds(processes, Shape(kind, sizes[0]), config, 5)
    seconds = [
        min(
            [
                await _workflow_seconds(processes, Shape(kind, size), config, max(1, states // size))
                for _ in range(repeats)
            ]
        )
        for size in sizes
    ]
    return Growth(name=name, sizes=sizes, seconds=seconds)


async def _workflow_seconds(
    processes: Bench, shape: Shape, config: Mapping[str, object], workflows: int
) -> float:
    cost = await drive(processes.iwf, processes.worker_url, shape, config, workflows=workflows, concurrency=4)
    return cost.cpu_seconds / workflows
