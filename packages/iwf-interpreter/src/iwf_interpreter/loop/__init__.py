"""The task loop: runs the interpreter core on an engine that speaks in tasks and histories.

A worker of an engine's SDK exists to run users' workflow code deterministically. There is no user code
here, only a pure core, so the loop is short: poll a task, find the run in the cache or feed its history
from the start, feed the new events, settle, translate the commands, respond (`docs/design.md`).
What differs between engines is a `Dialect`.
"""
