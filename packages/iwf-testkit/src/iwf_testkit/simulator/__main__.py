"""`python -m iwf_testkit.simulator`: play seeds, show one, or look how soon known defects are found."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from iwf_testkit.simulator import confluence
from iwf_testkit.simulator.mutants import MUTANTS, planted
from iwf_testkit.simulator.playing import first_finding, play
from iwf_testkit.simulator.reading import described
from iwf_testkit.simulator.shrinking import shrink
from iwf_testkit.simulator.simulation import simulate

MOST_SEEDS_PER_MUTANT = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status is 1 when something was found that should not be."""
    options = _parser().parse_args(arguments)
    if options.mutant is not None:
        return _mutants(list(MUTANTS) if options.mutant == "all" else [options.mutant])
    if options.seed is not None:
        return _one(options.seed, verbose=options.verbose)
    return _many(range(options.first, options.first + options.seeds), options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m iwf_testkit.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5000, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one only")
    parser.add_argument("--verbose", action="store_true", help="with --seed: show everything that happens")
    parser.add_argument("--mutant", choices=["all", *MUTANTS], help="plant a defect and look for it")
    parser.add_argument("--jobs", type=int, default=1, help="processes to use")
    return parser


def _one(seed: int, *, verbose: bool) -> int:
    report = simulate(seed, log=print if verbose else None)
    if report.finding is None:
        report = confluence.compare(seed) or report
    print(f"seed {seed}: {report.ending}, {report.runs} runs, {report.borders} batches")
    if report.finding is None:
        return 0
    print("the shortest schedule found:")
    print(described(shrink(report)))
    return 1


def _many(seeds: Sequence[int], jobs: int) -> int:
    began = time.monotonic()
    endings: Counter[str] = Counter()
    failed: list[int] = []
    batches = 0
    for report in play(seeds, jobs):
        endings[report.ending] += 1
        batches += report.borders
        if report.finding is not None:
            failed.append(report.seed)
            if len(failed) == 1:
                print(described(shrink(report)), flush=True)
    seconds = time.monotonic() - began
    print(f"{len(seeds)} seeds, {batches} batches, {seconds:.1f} s; {len(failed)} found something")
    print(", ".join(f"{ending}: {count}" for ending, count in sorted(endings.items())))
    if failed:
        print("seeds: " + ", ".join(str(seed) for seed in failed[:20]))
    return 1 if failed else 0


def _mutants(names: Sequence[str]) -> int:
    missed = 0
    for name in names:
        report = first_finding(name, most=MOST_SEEDS_PER_MUTANT)
        if report is None or report.finding is None:
            missed += 1
            print(f"{name}: not found in {MOST_SEEDS_PER_MUTANT} seeds", flush=True)
            continue
        print(f"{name}: {report.seed + 1} seeds, {report.finding.invariant}", flush=True)
        if len(names) == 1:
            with planted(name):
                print(described(shrink(report)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
