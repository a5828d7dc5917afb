"""CPU of the server process beside the floor: the same run, alternating, medians of several rounds.

The floor writes no search attributes, so the iWF workflows that it is compared with have
`executingStateIdMode` `DISABLED`; the default, which writes them, is reported beside.
"""

import statistics
from collections.abc import Mapping, Sequence

import msgspec

from tools.bench.driving import DEFAULT, IN_PLACE, QUIET, drive
from tools.bench.servers import Bench, Server, bench
from tools.bench.shapes import Kind, Shape

CONCURRENCY = 20


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Workflows that both servers run."""

    name: str
    shape: Shape
    in_place: bool = False
    """Whether calls are made in place; the floor makes them as local activities."""
    target: float | None = None
    """Ratio to the floor that must not be exceeded."""
    weight: int = 1
    """How many times as many workflows are run: CPU time is told in hundredths of a second."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of CPU per state execution, one value for each round."""

    workload: Workload
    quiet: list[float]
    default: list[float]
    floor: list[float]

    @property
    def ratio(self) -> float:
        """Median of the ratios to the floor within each round."""
        return statistics.median(a / b for a, b in zip(self.quiet, self.floor, strict=True))

    @property
    def default_ratio(self) -> float:
        """As `ratio`, with the default configuration."""
        return statistics.median(a / b for a, b in zip(self.default, self.floor, strict=True))


WORKLOADS = (
    Workload(name="two-regular", shape=Shape(Kind.ROW, 2), target=0.65),
    Workload(name="two-in-place", shape=Shape(Kind.ROW, 2), in_place=True, target=0.40, weight=2),
    Workload(name="forty-in-place", shape=Shape(Kind.ROW, 40), in_place=True, target=0.18, weight=4),
    Workload(name="forty-regular", shape=Shape(Kind.ROW, 40)),
    Workload(name="forty-skip", shape=Shape(Kind.ROW, 40, True)),
)


async def compare(names: Sequence[str], *, states: int, rounds: int) -> list[Comparison]:
    """Measure these workloads, or all, and print as it goes.

    Args:
        names: Of the workloads; none means all.
        states: State executions per server and round, times the weight of the workload.
        rounds: How often.
    """
    chosen = [workload for workload in WORKLOADS if not names or workload.name in names]
    async with bench(with_floor=True) as processes:
        results: list[Comparison] = []
        for workload in chosen:
            results.append(await _compare(processes, workload, states, rounds))
            print(f"{_line(results[-1])}\n", flush=True)
    return results


async def _compare(processes: Bench, workload: Workload, states: int, rounds: int) -> Comparison:
    assert processes.floor is not None
    config: Mapping[str, object] = IN_PLACE if workload.in_place else DEFAULT
    runs: list[tuple[str, Server, Mapping[str, object]]] = [
        ("quiet", processes.iwf, {**config, **QUIET}),
        ("floor", processes.floor, config),
        ("default", processes.iwf, config),
    ]
    workflows = max(1, workload.weight * states // workload.shape.count)
    found: dict[str, list[float]] = {name: [] for name, _, _ in runs}
    for number in range(rounds + 1):
        for name, server, its_config in runs:
            warms_up = number == 0
            count = max(1, workflows // 5) if warms_up else workflows
            cost = await drive(
                server,
                processes.worker_url,
                workload.shape,
                its_config,
                workflows=count,
                concurrency=CONCURRENCY,
            )
            if warms_up:
                continue
            figure = 1000 * cost.cpu_seconds / (count * workload.shape.states)
            found[name].append(figure)
            print(
                f"{workload.name:<15} round {number} {name:<8} {figure:6.3f} ms CPU per state execution, "
                f"{cost.seconds:6.2f} s",
                flush=True,
            )
    return Comparison(workload=workload, **found)


def _line(each: Comparison) -> str:
    target = each.workload.target
    return (
        f"{each.workload.name:<15} iwf {statistics.median(each.quiet):.3f} ms, "
        f"floor {statistics.median(each.floor):.3f} ms, ratio {each.ratio:.2f}"
        + ("" if target is None else f" (target {target:.2f})")
        + f"; with executing state ids {statistics.median(each.default):.3f} ms, "
        f"ratio {each.default_ratio:.2f}"
    )
