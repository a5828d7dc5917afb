"""`python -m tools.bench [compare | scale | replay | rpc]`: what the server costs (`docs/benchmarks.md`).

`compare`, which is the default, measures the CPU of the server process side by side with the floor; `scale`
how costs grow and how long tasks take at the worst; `replay` what rebuilding a run from its history costs;
`rpc` how long RPCs take that several clients make on one workflow.
Everything that they need is started as processes of their own. Figures are printed, nothing is judged by
the exit code: on a shared machine they are for people to read.
"""

import argparse
import sys
from collections.abc import Sequence

import anyio

from tools.bench import comparing, core_scaling, machine, replaying, rpcs, server_scaling, task_times
from tools.bench.servers import bench

_PARTS = ("core", "server", "tasks")


async def _compare(options: argparse.Namespace) -> None:
    await comparing.compare(options.only, states=options.states, rounds=options.rounds)


async def _scale(options: argparse.Namespace) -> None:
    parts: Sequence[str] = options.only or _PARTS
    if "core" in parts:
        print("core alone, CPU of the thread:", flush=True)
        for name in core_scaling.SCENARIOS:
            print(core_scaling.grow(name, options.sizes or core_scaling.SIZES).table(), flush=True)
    if "server" not in parts and "tasks" not in parts:
        return
    async with bench() as processes:
        if "server" in parts:
            print("server process, CPU:", flush=True)
            for name in server_scaling.SERIES:
                growth = await server_scaling.grow(processes, name, sizes=options.sizes or ())
                print(growth.table(), flush=True)
        if "tasks" in parts:
            print(f"workflow tasks, none of which is to take more than {task_times.LIMIT_MS} ms:")
            print(task_times.HEADER, flush=True)
            for name, (shape, config) in task_times.SCENARIOS.items():
                print((await task_times.measure(processes, name, shape, config)).line(), flush=True)


async def _replay(options: argparse.Namespace) -> None:
    async with bench() as processes:
        for name, (shape, config) in replaying.scenarios(options.events).items():
            print((await replaying.measure(processes, name, shape, config)).line(), flush=True)


async def _rpc(options: argparse.Namespace) -> None:
    await rpcs.compare(
        clients=options.clients,
        count=options.count,
        locked=options.locked,
        updates_from=options.updates_from,
        buffered=options.buffered_queries or (rpcs.OURS, rpcs.TEMPORALS),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="What the server costs.", epilog="Default: compare."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    compare = commands.add_parser("compare", help="CPU of the server, side by side with the floor")
    workloads = [workload.name for workload in comparing.WORKLOADS]
    compare.add_argument("--only", action="append", choices=workloads, default=[], help="repeatable")
    compare.add_argument("--states", type=int, default=200, help="per server and round, default 200")
    compare.add_argument("--rounds", type=int, default=5, help="of each server, default 5")
    compare.set_defaults(run=_compare)

    scale = commands.add_parser("scale", help="how costs grow, and how long tasks take at the worst")
    scale.add_argument("--only", action="append", choices=_PARTS, default=[], help="repeatable")
    scale.add_argument("--sizes", type=int, nargs="+", help="at least two, in place of the usual ones")
    scale.set_defaults(run=_scale)

    replay = commands.add_parser("replay", help="what rebuilding a run from its history costs")
    replay.add_argument("--events", type=int, default=replaying.EVENTS, help="default 1000")
    replay.set_defaults(run=_replay)

    rpc = commands.add_parser("rpc", help="RPCs that write, by several clients on one workflow")
    rpc.add_argument("--clients", type=int, default=10, help="at a time, default 10")
    rpc.add_argument("--count", type=int, default=200, help="RPCs of each, default 200")
    rpc.add_argument("--locked", action="store_true", help="have the workflow call the worker, in updates")
    rpc.add_argument(
        "--updates-from", type=int, default=0, metavar="N", help="the server's --rpc-updates-from, default 0"
    )
    rpc.add_argument(
        "--buffered-queries",
        type=int,
        action="append",
        help="Temporal's buffer, repeatable, default 200 and 1",
    )
    rpc.set_defaults(run=_rpc)
    return parser


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    is_named = bool(arguments) and (not arguments[0].startswith("-") or arguments[0] in ("-h", "--help"))
    options = _parser().parse_args(arguments if is_named else ["compare", *arguments])
    print(machine.describe(), flush=True)
    anyio.run(options.run, options)


if __name__ == "__main__":
    main(sys.argv[1:])
