"""An engine in memory: a complete iWF server without any backend, for tests.

`memory_server` is what most tests want. `docs/memory-engine.md` says what it does as a real engine would, and
what it does not.
"""
