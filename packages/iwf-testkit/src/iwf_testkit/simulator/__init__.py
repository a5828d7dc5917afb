"""A seeded simulator of the interpreter's core: random workflows, random schedules, faults, invariants.

Everything follows from the seed: the same one gives the same program, schedule and report, on any machine.
`docs/simulation.md` says what is simulated, what is checked, and how to read a finding.
"""

from iwf_testkit.simulator.simulation import Finding, Report, replay, simulate

__all__ = ("Finding", "Report", "replay", "simulate")
