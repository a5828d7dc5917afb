"""Recorded Temporal histories, which every later build must replay: recording and checking them.

Not part of any package: the replay itself is `iwf_interpreter.temporal.replay`, and the unit tests replay the
recorded ones. How and when to record is in `docs/replay.md`.
"""
