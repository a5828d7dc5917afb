"""Benchmarks: what the server costs, side by side with the floor."""
