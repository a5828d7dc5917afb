"""Golden recordings: playing scripted scenarios against a server and comparing what it does.

The scenarios and what the reference server did are data of the end-to-end suite; this package plays and
compares them.
"""

from iwf_testkit.golden.client import Unplayable
from iwf_testkit.golden.comparing import (
    Deviation,
    Difference,
    Missing,
    Verdict,
    differences,
    judge,
    load_deviations,
    missing,
)
from iwf_testkit.golden.playing import Player
from iwf_testkit.golden.scenarios import Case, Recording, Scenario, load_cases, load_recording
from iwf_testkit.golden.scripted_worker import CallsMissing, WorkerServer

__all__ = (
    "load_cases",
    "load_recording",
    "load_deviations",
    "Case",
    "Scenario",
    "Recording",
    "Player",
    "WorkerServer",
    "Unplayable",
    "CallsMissing",
    "judge",
    "missing",
    "differences",
    "Verdict",
    "Difference",
    "Deviation",
    "Missing",
)
