"""Runs kept in memory between tasks, so that a task need not replay its history.

The cache only saves work: a run that is not in it, or whose state may be stale, is rebuilt from history.
"""

from collections import OrderedDict

import anyio

from iwf_interpreter.loop.runs import Run


class CachedRun:
    """A run in the cache; whoever uses it holds its lock."""

    __slots__ = ("lock", "run")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lock = anyio.Lock(fast_acquire=True)


class RunCache:
    """The runs used last, by run id.

    Args:
        max_runs: How many are kept; 0 keeps none.
        max_bytes: How much they may hold together, as `Run.size_bytes` estimates it; the last one stays.
    """

    def __init__(self, max_runs: int, max_bytes: int) -> None:
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, CachedRun] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, run_id: str) -> CachedRun | None:
        """The entry of a run, which becomes the one used last."""
        entry = self._entries.get(run_id)
        if entry is not None:
            self._entries.move_to_end(run_id)
        return entry

    def put(self, run_id: str, entry: CachedRun) -> None:
        """Keep a run; the ones unused for longest make room."""
        self._entries[run_id] = entry
        self._entries.move_to_end(run_id)
        self._bytes += entry.run.size_bytes - self._sizes.get(run_id, 0)
        self._sizes[run_id] = entry.run.size_bytes
        while len(self._entries) > self._max_runs or (
            self._bytes > self._max_bytes and len(self._entries) > 1
        ):
            self.drop(next(iter(self._entries)))

    def drop(self, run_id: str) -> None:
        """Forget a run."""
        self._entries.pop(run_id, None)
        self._bytes -= self._sizes.pop(run_id, 0)
