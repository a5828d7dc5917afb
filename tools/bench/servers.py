"""The processes of a benchmark: each server one of its own, so that its CPU can be told apart.

Wall time on a shared machine says little; the CPU of the server process is the figure.
"""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager

import msgspec

from iwf_testkit import temporal_dev_server

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Server(msgspec.Struct, frozen=True):
    """A server under measurement."""

    pid: int
    url: str

    def cpu_seconds(self) -> float:
        """User and system time of the process so far, all threads."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that runs."""

    temporal_address: str
    temporal_metrics_url: str
    worker_url: str
    iwf: Server
    floor: Server | None


@contextmanager
def process(*command: str) -> Generator[tuple[int, str]]:
    """Run a process that prints one line when it is ready; yields its id and the line."""
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.pid, child.stdout.readline().strip()
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


@asynccontextmanager
async def bench(
    *, with_floor: bool = False, dynamic_config: Mapping[str, object] | None = None, rpc_updates_from: int = 0
) -> AsyncGenerator[Bench]:
    """Run a Temporal development server, the worker, the iWF server and, if wanted, the floor."""
    updates_from = ("--rpc-updates-from", str(rpc_updates_from))
    async with temporal_dev_server(dynamic_config=dynamic_config) as temporal:
        with ExitStack() as stack:
            _, worker_url = stack.enter_context(process("-m", "tools.bench.worker"))
            iwf_pid, line = stack.enter_context(
                process("-m", "iwf_api", "start", "--address", temporal.address, "--port", "0", *updates_from)
            )
            iwf_url = "http" + line.partition("API on http")[2].partition(",")[0]
            floor: Server | None = None
            if with_floor:
                floor = Server(*stack.enter_context(process("-m", "tools.bench.floor", temporal.address)))
            yield Bench(
                temporal_address=temporal.address,
                temporal_metrics_url=temporal.metrics_url,
                worker_url=worker_url,
                iwf=Server(iwf_pid, iwf_url),
                floor=floor,
            )
