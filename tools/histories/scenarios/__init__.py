"""What is recorded: one scripted workflow per feature.

A scenario is written so that its history is the same each time, up to ids and times, and short. Its name is
that of its file, so it keeps it for good.
"""

from tools.histories.scenarios import (
    attributes,
    closing,
    continuing,
    local_calls,
    recovery,
    starting,
    states,
    updates,
    waiting,
)
from tools.histories.scenarios._scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    scenario.feature: scenario
    for module in (
        states,
        waiting,
        closing,
        attributes,
        updates,
        local_calls,
        continuing,
        starting,
        recovery,
    )
    for scenario in module.SCENARIOS
}
"""By feature."""

__all__ = ("SCENARIOS", "Scenario")
