"""The tests that the published Python SDK ships in its wheel (`iwf.tests`), run against a server of ours.

They are run as they are: not a line of them is copied or changed. What they expect of their surroundings,
fixed ports, is arranged by `tools.sdk_suite.redirecting`, a pytest plugin that is loaded before them. How to
run it, and what it shows, is in `docs/compatibility.md`.
"""

from tools.sdk_suite.running import SDK_VERSION, SEARCH_ATTRIBUTES, TESTS, Outcome, read_outcome

__all__ = ("SDK_VERSION", "TESTS", "SEARCH_ATTRIBUTES", "Outcome", "read_outcome")
