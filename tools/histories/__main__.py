"""`python -m tools.histories record|check|list`: see `docs/replay.md`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from iwf_interpreter.temporal.replay import CUTS
from tools.histories import checking, corpus
from tools.histories.record import record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "record":
            return anyio.run(record, options.feature, options.again, options.folder)
        case "check":
            return checking.check_paths(options.path or [corpus.FOLDER], cuts=options.cuts)
        case _:
            for entry in corpus.read_manifest():
                print(f"{entry.file}  {entry.sentence}")
            return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools.histories", description="Recorded histories.")
    commands = parser.add_subparsers(dest="command", required=True)
    record_ = commands.add_parser("record", help="record features on servers of its own")
    record_.add_argument("feature", nargs="*", help="features to record; without any, those that are missing")
    record_.add_argument("--again", action="store_true", help="record also what is there already")
    record_.add_argument("--folder", type=Path, default=corpus.FOLDER, help="where to put them")
    check = commands.add_parser("check", help="replay histories, and explain the first mismatch of each")
    check.add_argument("path", nargs="*", type=Path, help="files and folders; without any, the recorded ones")
    check.add_argument("--cuts", type=int, default=CUTS, help="times to replay each one in pieces too")
    commands.add_parser("list", help="print what is recorded")
    return parser


if __name__ == "__main__":
    sys.exit(main())
