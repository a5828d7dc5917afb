"""The kills: which server dies where, and servers that are started again as soon as they are dead.

Kills come in rounds. A round has every fault point once and one kill at any moment, from outside, in an
order that the seed decides; so does the passing at which a point kills. Before that a server is left alone
for a while: where every server dies within a second or two, a task that is lost is lost again and again, and
the engine gives it ever more time. A server that does not reach its point in time is killed from outside,
which counts as a kill at any moment, and its point comes again.
"""

import random
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

import anyio
import msgspec

from iwf_api.dev.ports import free_port
from tools.chaos.forking import ForkedServer, forked_server
from tools.chaos.points import POINTS
from tools.chaos.processes import ServerCommand

ANY_MOMENT = "any-moment"
"""Name of the kills from outside."""

_TOLD_EVERY = 25
_REACHES_WITHIN_SECONDS = 12.0
_MISSES_AT_MOST = 5
"""How often in all a point may be missed, on average over the rounds, before it is given up."""


class Blow(msgspec.Struct, frozen=True):
    """One kill that is to come."""

    point: str
    passing: int = 1
    spare_seconds: float = 0.0


def plan(kills: int, spare_seconds: float, chance: random.Random) -> deque[Blow]:
    """The kills of a session, in whole rounds as far as they go; servers are spared so long at most."""
    blows: deque[Blow] = deque()
    while len(blows) < kills:
        names = [*POINTS, ANY_MOMENT]
        chance.shuffle(names)
        blows += [
            Blow(name, chance.randint(1, _up_to(name)), chance.uniform(0, spare_seconds)) for name in names
        ]
    while len(blows) > kills:
        blows.pop()
    return blows


def _up_to(name: str) -> int:
    return POINTS[name].up_to if name in POINTS else 1


class Killing:
    """Servers that are killed and started again.

    Args:
        temporal: `HOST:PORT` of Temporal.
        log: Standard error of all of them.
        blows: The kills.
        servers: How many run at a time.
        chance: Decides when kills from outside come.
    """

    def __init__(
        self, temporal: str, log: Path, blows: deque[Blow], servers: int, chance: random.Random
    ) -> None:
        self._temporal = temporal
        self._log = log
        self._left = blows
        self._open = 0
        self._chance = chance
        self._ports = [free_port() for _ in range(servers)]
        self._misses: Counter[str] = Counter()
        self._over = anyio.Event()
        self.counts: Counter[str] = Counter()
        """Kills by point."""
        self.faults: list[str] = []
        """Servers that ended otherwise, and points that were not reached."""

    @property
    def urls(self) -> Sequence[str]:
        """Of the APIs of the servers, whether they live or not."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    async def wait_until_over(self) -> None:
        """Return when the last kill has come; the servers go on."""
        await self._over.wait()

    async def run(self) -> None:
        """Run the servers until cancelled."""
        async with anyio.create_task_group() as tasks:
            for port in self._ports:
                tasks.start_soon(self._serve, port)

    async def _serve(self, port: int) -> None:
        while self._left:
            blow = self._left.popleft()
            self._open += 1
            await self._strike(blow, port)
            self._open -= 1
            if self.counts.total() % _TOLD_EVERY == 0:
                print(f"{self.counts.total()} kills, missed points: {dict(self._misses)}", flush=True)
        if self._open == 0:
            self._over.set()
        command = ServerCommand(address=self._temporal, log=self._log, port=port)
        async with forked_server(command, self._out(port)) as server:
            self.faults.append(f"a server ended with exit code {await server.wait()}")

    async def _strike(self, blow: Blow, port: int) -> None:
        command = ServerCommand(
            address=self._temporal,
            log=self._log,
            port=port,
            kill=None if blow.point == ANY_MOMENT else f"{blow.point}:{blow.passing}",
            spare_seconds=blow.spare_seconds,
        )
        async with forked_server(command, self._out(port)) as server:
            if blow.point == ANY_MOMENT:
                await server.ready()
                await self._killed_within(server, blow.spare_seconds + self._chance.uniform(0, 2))
                self.counts[ANY_MOMENT] += 1
            elif await self._killed_within(server, blow.spare_seconds + _REACHES_WITHIN_SECONDS):
                self.counts[blow.point] += 1
            else:
                self.counts[ANY_MOMENT] += 1
                self._missed(blow)

    def _out(self, port: int) -> Path:
        return self._log.with_name(f"{port}.out")

    async def _killed_within(self, server: ForkedServer, seconds: float) -> bool:
        """Whether the server has killed itself by then; kills it otherwise."""
        with anyio.move_on_after(seconds):
            code = await server.wait()
            if code != -9:
                self.faults.append(f"a server ended with exit code {code}")
            return True
        server.kill()
        await server.wait()
        return False

    def _missed(self, blow: Blow) -> None:
        self._misses[blow.point] += 1
        if self._misses[blow.point] > _MISSES_AT_MOST * (1 + self.counts[blow.point]):
            self.faults.append(f"point {blow.point} was not reached")
        else:
            self._left.append(Blow(blow.point))
