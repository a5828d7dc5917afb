"""The clock for what happens in this process: CPU time of the thread, whatever else the machine does."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def cpu_seconds() -> float:
    """CPU time of this thread so far."""
    return time.thread_time()


def cheapest(repeats: int, measure: Callable[[], T], cost: Callable[[T], float]) -> T:
    """The cheapest of several measurements, each begun without garbage of others."""
    results: list[T] = []
    for _ in range(repeats):
        gc.collect()
        results.append(measure())
    return min(results, key=cost)
