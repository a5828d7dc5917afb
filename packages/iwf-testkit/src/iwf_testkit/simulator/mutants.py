"""Known defects, put back one at a time: proof that the simulator would find them.

Each mutant is a defect that an interpreter of this kind has had, or could easily have. `planted` patches the
core at run time for the length of a `with` block; what ships has no switch for any of this. A mutant that
nothing finds means that the simulator is blind there, not that the mutant is harmless.
"""

from iwf_testkit.simulator import mutants_of_calls, mutants_of_promises, mutants_of_runs
from iwf_testkit.simulator.planting import MUTANTS, planted

__all__ = ("MUTANTS", "planted", "mutants_of_calls", "mutants_of_promises", "mutants_of_runs")
