"""A server that is killed at any moment loses nothing: `python -m tools.chaos [--kills N] [--seed N]`.

Starts a Temporal development server, an API that is not killed, and servers that are; runs workflows on them
while they are killed, then waits for all workflows and checks every result, every history and every
acknowledged call. Exits with 1 on any difference, and says where the histories of the workflow are.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx
import msgspec

from iwf_interpreter.temporal import Connection, connect
from iwf_testkit import FakeWorker, temporal_dev_server
from tools.chaos import histories
from tools.chaos.clients import Clients, Totals
from tools.chaos.killing import ANY_MOMENT, Killing, plan
from tools.chaos.points import POINTS
from tools.chaos.processes import ServerCommand, server_process
from tools.chaos.program import Plan, script

_HTTP_TIMEOUT_SECONDS = 70


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a session does."""

    kills: int
    seed: int
    workflows: int
    """At a time."""
    servers: int
    """That are killed, at a time."""
    spare_seconds: float
    """How long a server is left alone at most."""
    ends_within_seconds: float
    """Of the last kill."""
    folder: Path
    """For logs, and for the histories of workflows that are not as they must be."""


class Session:
    """One session, and what came of it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._chance = random.Random(options.seed)
        self._open: dict[str, Clients] = {}
        self.totals = Totals()
        self.runs = 0
        """Of all workflows together."""
        self.events = 0
        self.worker_calls = 0
        self.kills: Sequence[tuple[str, int]] = ()
        """Where and how often."""
        self.faults: list[str] = []

    async def run(self) -> None:
        """Run the session."""
        options = self._options
        async with AsyncExitStack() as stack:
            temporal = await stack.enter_async_context(temporal_dev_server())
            worker = await stack.enter_async_context(FakeWorker())
            script(worker, options.seed)
            api = await stack.enter_async_context(
                server_process(
                    ServerCommand(address=temporal.address, role="api", log=options.folder / "api.log")
                )
            )
            await api.ready()
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=api.url, timeout=_HTTP_TIMEOUT_SECONDS, limits=limits)
            )
            connection = await connect(temporal.address)
            killing = Killing(
                temporal.address,
                options.folder / "servers.log",
                plan(options.kills, options.spare_seconds, self._chance),
                options.servers,
                self._chance,
            )
            async with anyio.create_task_group() as servers:
                servers.start_soon(killing.run)
                await self._load(http, worker, killing, connection)
                servers.cancel_scope.cancel()
            self.worker_calls = len(worker.calls)
            self.kills = [(name, killing.counts[name]) for name in [*POINTS, ANY_MOMENT]]
            self.faults += killing.faults

    async def _load(
        self, http: httpx.AsyncClient, worker: FakeWorker, killing: Killing, connection: Connection
    ) -> None:
        """Keep so many workflows running until the last kill, then wait for them."""
        async with anyio.create_task_group() as tasks:

            async def one_after_the_other(chance: random.Random) -> None:
                while not over.is_set():
                    clients = Clients(http, killing.urls, worker.url, chance, _draw_plan(chance), self.totals)
                    await self._one(clients, connection)

            over = anyio.Event()
            for _ in range(self._options.workflows):
                tasks.start_soon(one_after_the_other, random.Random(self._chance.random()))
            await killing.wait_until_over()
            over.set()
            tasks.cancel_scope.deadline = anyio.current_time() + self._options.ends_within_seconds
        for workflow_id in self._open:
            runs = await histories.read_chain(connection, workflow_id)
            where = histories.save(self._options.folder, workflow_id, runs)
            texts = ["has not ended", *self._open[workflow_id].faults]
            self.faults += [f"workflow {workflow_id}: {text} ({where})" for text in texts]

    async def _one(self, clients: Clients, connection: Connection) -> None:
        workflow_id = clients.workflow_id
        self._open[workflow_id] = clients
        await clients.run()
        del self._open[workflow_id]
        runs = await histories.read_chain(connection, workflow_id)
        self.runs += len(runs)
        self.events += sum(map(len, runs.values()))
        faults = [*clients.faults]
        for run_id, events in runs.items():
            faults += histories.faults(workflow_id, run_id, events)
        if faults:
            where = histories.save(self._options.folder, workflow_id, runs)
            self.faults += [f"workflow {workflow_id}: {text} ({where})" for text in faults]
            print(*self.faults[-len(faults) :], sep="\n", flush=True)


def _draw_plan(chance: random.Random) -> Plan:
    return Plan(messages=chance.randint(2, 4), timers=chance.randint(1, 2), fan=chance.randint(1, 4))


def report(session: Session, seconds: float) -> None:
    """Print what was done and what is wrong."""
    for name, count in session.kills:
        print(f"{count:5} kills at {name}")
    print(f"{sum(count for _, count in session.kills):5} kills in all, in {seconds:.0f} s")
    totals = session.totals
    print(
        f"workflows: {totals.started} started, {totals.completed} completed, in {session.runs} runs with "
        f"{session.events} events\n"
        f"calls of clients: {totals.signals} signals, {totals.locked_rpcs} locked RPCs, {totals.rpcs} RPCs, "
        f"{totals.waits} waits for states; {totals.unacknowledged} not acknowledged\n"
        f"calls of the worker: {session.worker_calls}"
    )
    for fault in session.faults:
        print(f"DIFFERENCE: {fault}")
    print(f"{len(session.faults)} differences", flush=True)


def main() -> None:
    """Run a session and report it."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.chaos", description="Kill servers at every step, and see that nothing is lost."
    )
    parser.add_argument("--kills", type=int, default=500, help="in all, default 500")
    parser.add_argument("--seed", type=int, default=1, help="of points, pauses and plans, default 1")
    parser.add_argument("--workflows", type=int, default=40, help="at a time, default 40")
    parser.add_argument("--servers", type=int, default=3, help="that are killed, at a time, default 3")
    parser.add_argument(
        "--spare", type=float, default=6.0, help="seconds that a server is left alone at most, default 6"
    )
    parser.add_argument(
        "--folder", type=Path, help="for logs and histories; default a new one for temporary files"
    )
    parsed = parser.parse_args()
    folder = parsed.folder or Path(tempfile.mkdtemp(prefix="iwf-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    session = Session(
        Options(
            kills=parsed.kills,
            seed=parsed.seed,
            workflows=parsed.workflows,
            servers=parsed.servers,
            spare_seconds=parsed.spare,
            ends_within_seconds=300,
            folder=folder,
        )
    )
    print(f"logs and histories: {folder}", flush=True)
    began = time.monotonic()
    anyio.run(session.run)
    report(session, time.monotonic() - began)
    sys.exit(1 if session.faults else 0)


if __name__ == "__main__":
    main()
