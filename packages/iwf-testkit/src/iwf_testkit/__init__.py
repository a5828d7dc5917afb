"""Test tools for iWF: a worker scripted in Python, and servers that a test starts and stops.

Never imported by anything that ships.
"""

from iwf_testkit.answers import (
    dead_end,
    force_complete,
    force_fail,
    go_to,
    graceful_complete,
    next_states,
    value,
    wait_for,
)
from iwf_testkit.fake_worker import Answer, FakeWorker, UnexpectedCalls, WorkerCall
from iwf_testkit.servers import IwfServer, iwf_server, temporal_dev_server

__all__ = (
    "FakeWorker",
    "Answer",
    "WorkerCall",
    "UnexpectedCalls",
    "value",
    "go_to",
    "next_states",
    "wait_for",
    "graceful_complete",
    "force_complete",
    "force_fail",
    "dead_end",
    "temporal_dev_server",
    "iwf_server",
    "IwfServer",
)
