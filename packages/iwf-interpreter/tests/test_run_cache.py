"""Runs in memory between tasks: which are kept, and how much they may hold."""

from iwf_interpreter.loop.cache import CachedRun, RunCache
from iwf_interpreter.loop.runs import Run
from scripted_loop import Items


def entry(size_bytes: int = 1) -> CachedRun:
    run = Run(Items())
    run.size_bytes = size_bytes
    return CachedRun(run)


def kept(cache: RunCache, names: str) -> str:
    return "".join(name for name in names if cache.get(name) is not None)


def test_runs_that_were_unused_for_longest_make_room() -> None:
    cache = RunCache(2, 10**9)
    cache.put("a", entry())
    cache.put("b", entry())
    cache.get("a")

    cache.put("c", entry())

    assert kept(cache, "abc") == "ac"
    assert len(cache) == 2


def test_run_that_is_put_again_is_the_one_used_last() -> None:
    cache = RunCache(2, 10**9)
    first = entry()
    cache.put("a", first)
    cache.put("b", entry())
    cache.put("a", first)

    cache.put("c", entry())

    assert kept(cache, "abc") == "ac"


def test_runs_hold_no_more_bytes_together_than_they_may() -> None:
    cache = RunCache(10, 100)
    cache.put("a", entry(40))
    cache.put("b", entry(60))

    cache.put("c", entry(1))

    assert kept(cache, "abc") == "bc"


def test_run_that_grows_makes_others_leave() -> None:
    cache = RunCache(10, 100)
    growing = entry(10)
    cache.put("a", entry(50))
    cache.put("b", growing)
    growing.run.size_bytes = 60

    cache.put("b", growing)

    assert kept(cache, "ab") == "b"


def test_last_run_stays_however_large_it_is() -> None:
    cache = RunCache(10, 100)
    cache.put("a", entry(1))

    cache.put("b", entry(1000))

    assert kept(cache, "ab") == "b"


def test_dropped_run_frees_its_bytes() -> None:
    cache = RunCache(10, 100)
    cache.put("a", entry(90))
    cache.drop("a")
    cache.put("b", entry(90))

    cache.put("c", entry(10))

    assert kept(cache, "abc") == "bc"


def test_dropping_an_unknown_run_changes_nothing() -> None:
    cache = RunCache(10, 100)
    cache.put("a", entry(90))

    cache.drop("b")

    assert kept(cache, "a") == "a"


def test_cache_of_no_runs_keeps_none() -> None:
    cache = RunCache(0, 100)

    cache.put("a", entry())

    assert len(cache) == 0
