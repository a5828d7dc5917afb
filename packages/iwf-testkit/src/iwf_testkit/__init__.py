"""Test tools for iWF: a scripted worker, a server in memory, and servers that a test starts and stops.

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
from iwf_testkit.memory.engine import MemoryEngine
from iwf_testkit.memory.server import MemoryServer, memory_server
from iwf_testkit.servers import IwfServer, iwf_server, temporal_dev_server
from iwf_testkit.virtual_time import VirtualTimeLoop

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
    "memory_server",
    "MemoryServer",
    "MemoryEngine",
    "VirtualTimeLoop",
    "temporal_dev_server",
    "iwf_server",
    "IwfServer",
)
