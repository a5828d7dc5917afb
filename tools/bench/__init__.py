"""Benchmarks: what the server costs beside the floor, and how that grows (`docs/benchmarks.md`)."""
