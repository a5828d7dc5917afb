"""Replaying files, a line for each."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from iwf_interpreter.temporal import ReplayMismatch, UnreadableHistory, check_history, load_history

_MANIFEST = "manifest.json"


def check_paths(paths: Iterable[Path], *, cuts: int) -> int:
    """Replay files and all files of folders; returns an exit code."""
    count = failures = 0
    for path in paths:
        files = list(_files(path))
        if not files:
            print(f"no histories in {path}", file=sys.stderr)
            failures += 1
        for file in files:
            count += 1
            failures += not _check(file, cuts)
    print(f"{count} histories, {failures} failures")
    return 1 if failures else 0


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    yield from sorted(file for file in path.rglob("*.json") if file.name != _MANIFEST)


def _check(file: Path, cuts: int) -> bool:
    try:
        history = load_history(file)
        tasks = check_history(history, cuts=cuts)
    except (OSError, UnreadableHistory) as error:
        print(f"BAD   {file}: {error}")
        return False
    except ReplayMismatch as mismatch:
        explanation = "\n      ".join(str(mismatch).splitlines())
        print(f"FAILS {file}\n      {explanation}")
        return False
    print(f"ok    {file}: {len(history.events)} events, {tasks} tasks")
    return True
