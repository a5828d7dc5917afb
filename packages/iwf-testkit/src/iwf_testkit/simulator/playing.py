"""Playing many seeds, in several processes if wished.

Not in the module that is the command: other processes cannot import that one.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from iwf_testkit.simulator import confluence
from iwf_testkit.simulator.mutants import planted
from iwf_testkit.simulator.simulation import Report, simulate


def find(seed: int) -> Report:
    """Play a seed in every way that there is: the first finding, or the plain report."""
    report = simulate(seed)
    if report.finding is None and seed % confluence.EVERY == 0:
        report = confluence.compare(seed) or report
    return report


def play(seeds: Iterable[int], jobs: int) -> Iterator[Report]:
    """Play seeds, in that many processes; reports come in the order of the seeds."""
    if jobs <= 1:
        yield from map(find, seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(find, seeds, chunksize=100)


def first_finding(name: str, *, first: int = 0, most: int) -> Report | None:
    """The first seed that finds a mutant."""
    with planted(name):
        for seed in range(first, first + most):
            report = find(seed)
            if report.finding is not None:
                return report
    return None
