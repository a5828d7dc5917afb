"""The admin listener's application: is the process alive, and should requests be sent to it?

It is served on a port of its own, so that it can be kept from clients. What must stay true: nothing is done
between two probes, and many probes cost the engine no more than few do.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from iwf_api.json_answers import JSON
from iwf_interpreter.engine import EngineError

OK = "ok"

_ASKED_EVERY_SECONDS = 5.0
_ANSWER_SECONDS = 3.0
_VALID_SECONDS = 15.0


class Phase(StrEnum):
    """Where a process is between its start and its end."""

    STARTING = "starting"
    SERVING = OK
    STOPPING = "stopping"


class Report(msgspec.Struct, frozen=True):
    """What a readiness probe is told."""

    ready: bool
    checks: Mapping[str, str]
    """`ok`, or what is wrong, by name."""


class EngineCheck:
    """Whether the engine answers, and has the search attributes that are needed.

    Args:
        ask: Asks the engine for the types of its search attributes, by name.
        needed: The types that they must have.
        clock: Seconds, by any clock that never goes back.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Mapping[str, str]]],
        needed: Mapping[str, str],
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._ask = ask
        self._needed = needed
        self._clock = clock
        self._lock = anyio.Lock(fast_acquire=True)
        self._asked_at: float | None = None
        self._answered_at: float | None = None
        self._failure = ""
        self._types: Mapping[str, str] = {}

    async def results(self) -> Mapping[str, str]:
        """The check of the engine and that of the search attributes; asks if the last answer is not fresh."""
        async with self._lock:
            if self._asked_at is None or self._clock() - self._asked_at >= _ASKED_EVERY_SECONDS:
                await self._ask_again()
        return {"engine": self._engine(), "searchAttributes": self._search_attributes()}

    async def _ask_again(self) -> None:
        self._asked_at = self._clock()
        self._failure = f"no answer within {_ANSWER_SECONDS:g} seconds"
        with anyio.move_on_after(_ANSWER_SECONDS):
            try:
                self._types = await self._ask()
            except EngineError as error:
                self._failure = str(error)
            else:
                self._answered_at = self._clock()

    def _engine(self) -> str:
        is_valid = self._answered_at is not None and self._clock() - self._answered_at <= _VALID_SECONDS
        return OK if is_valid else self._failure

    def _search_attributes(self) -> str:
        if self._answered_at is None:
            return "unknown"
        wrong = sorted(name for name, type_ in self._needed.items() if self._types.get(name) != type_)
        return f"missing, or of another type: {', '.join(wrong)}" if wrong else OK


class Readiness:
    """What is known of a process while it starts, serves and stops."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.engine: EngineCheck | None = None
        """Once there is a connection."""
        self.is_polling: Callable[[], bool] | None = None
        """Whether the interpreter takes tasks, in a process that has one."""

    async def report(self) -> Report:
        """Carry out all checks."""
        checks: dict[str, str] = {"process": self.phase}
        if self.engine is None:
            checks["engine"] = "not connected yet"
        else:
            checks |= await self.engine.results()
        if self.is_polling is not None:
            checks["interpreter"] = OK if self.is_polling() else "not polling"
        return Report(all(result == OK for result in checks.values()), checks)


def create_admin_app(readiness: Readiness) -> Starlette:
    """Make the application: `GET /livez` and `GET /readyz`."""

    async def livez(request: Request) -> Response:
        return Response(b'{"alive":true}', headers={"content-type": JSON})

    async def readyz(request: Request) -> Response:
        report = await readiness.report()
        return Response(
            msgspec.json.encode(report), 200 if report.ready else 503, headers={"content-type": JSON}
        )

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz)])
