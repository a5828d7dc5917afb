"""A server that kills itself, or that has a bug: `python -m tools.chaos.victim [OPTIONS] start ...`.

What follows the options is the command line of `iwf-server`, which then runs in this process. `--kill
POINT:N` arms a fault point (`points`): the process dies when it is passed for the n-th time, not counting
the first `--spare` seconds. `--bug NAME` plants a bug (`bugs`).
"""

import argparse
import sys

from iwf_api import cli
from tools.chaos.bugs import BUGS, plant
from tools.chaos.points import POINTS, arm


def main(arguments: list[str] | None = None) -> None:
    """Arm what is asked for, then be the server."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.chaos.victim", description="An iWF server that dies or errs on purpose."
    )
    parser.add_argument(
        "--kill", type=kill, metavar="POINT:N", help=f"die at the n-th passing; POINT is {', '.join(POINTS)}"
    )
    parser.add_argument(
        "--spare", type=float, default=0.0, metavar="SECONDS", help="of a life without danger"
    )
    parser.add_argument("--bug", choices=list(BUGS), help="run with a bug")
    options, rest = parser.parse_known_args(arguments)
    if options.kill is not None:
        name, passing = options.kill
        arm(POINTS[name], passing, after_seconds=options.spare)
    if options.bug is not None:
        plant(options.bug)
    cli.main(rest)


def kill(text: str) -> tuple[str, int]:
    """Read `POINT:N`."""
    name, _, passing = text.partition(":")
    if name not in POINTS or not passing.isdecimal() or int(passing) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not POINT:N")
    return name, int(passing)


if __name__ == "__main__":
    main(sys.argv[1:])
