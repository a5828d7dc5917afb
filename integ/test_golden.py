"""Scenarios that were recorded from the reference server, played against this one.

All selected scenarios are played at once, so many at a time, on an event loop of their own in a second
thread; each test waits for its own. In memory time skips on that loop, so all of them take seconds. What
differs must be listed in `golden/deviations.toml`, and what is listed there must differ.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from iwf_testkit import VirtualTimeLoop, iwf_server, memory_server, temporal_dev_server
from iwf_testkit.golden import (
    Case,
    Player,
    Verdict,
    WorkerServer,
    judge,
    load_cases,
    load_deviations,
    load_recording,
    missing,
)

GOLDEN = Path(__file__).parent / "golden"
DOCS = Path(__file__).parents[1] / "docs"
CASES = load_cases(GOLDEN / "scenarios")
DEVIATIONS = load_deviations(GOLDEN / "deviations.toml")

SEARCH_ATTRIBUTES = {
    "CustomKeywordField": "Keyword",
    "CustomIntField": "Int",
    "CustomBoolField": "Bool",
    "CustomDoubleField": "Double",
    "CustomDatetimeField": "Datetime",
    "CustomStringField": "Text",
    "CustomKeywordArrayField": "KeywordList",
}

AT_A_TIME = {"temporal": 8, "memory": 40}
PATIENCE = 2.0
"""For Temporal on a busy machine."""
LONGEST_SECONDS = 120
LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=1)
"""An idle connection is given up before the server does it, perhaps just when a request is sent."""


@asynccontextmanager
async def temporal_player(max_cached_workflows: int) -> AsyncGenerator[Player]:
    """A player of a server on Temporal."""
    async with (
        temporal_dev_server(search_attributes=SEARCH_ATTRIBUTES) as temporal,
        iwf_server(temporal.address, max_cached_workflows=max_cached_workflows) as server,
        WorkerServer() as workers,
        httpx.AsyncClient(base_url=server.url, timeout=None, limits=LIMITS) as http,
    ):
        yield Player(http, workers, patience=PATIENCE)


@asynccontextmanager
async def memory_player() -> AsyncGenerator[Player]:
    """A player of a server in memory."""
    async with memory_server(search_attributes=SEARCH_ATTRIBUTES) as server, WorkerServer() as workers:
        yield Player(server.client, workers, clock=server.engine.now)


class Plays:
    """Plays cases, so many at a time, and compares each with its recording."""

    def __init__(self, player: Player, engine: str) -> None:
        self._player = player
        self._engine = engine
        self._places = anyio.CapacityLimiter(AT_A_TIME[engine])

    async def verdict(self, case: Case) -> Verdict:
        async with self._places:
            actual = await self._player.play(case)
        return judge(case, load_recording(GOLDEN / "recordings", case), actual, DEVIATIONS, self._engine)


@pytest.fixture(scope="session", params=AT_A_TIME)
def backend(request: pytest.FixtureRequest) -> str:
    """`temporal` or `memory`."""
    return request.param


@pytest.fixture(scope="session")
def verdicts(
    request: pytest.FixtureRequest, backend: str, max_cached_workflows: int
) -> Iterator[Mapping[str, Future[Verdict]]]:
    """By case, for all that were selected."""
    names = {item.name for item in request.session.items}
    selected = [case for case in CASES if f"test_plays_as_recorded[{backend}-{case.id}]" in names]
    if backend == "temporal":
        options = {}
        player = temporal_player(max_cached_workflows)
    else:
        options = {"loop_factory": VirtualTimeLoop}
        player = memory_player()
    with (
        start_blocking_portal(backend_options=options) as portal,
        portal.wrap_async_context_manager(player) as opened,
    ):
        plays = portal.call(Plays, opened, backend)
        futures = {case.id: portal.start_task_soon(plays.verdict, case) for case in selected}
        yield futures
        for future in futures.values():
            future.cancel()


@pytest.mark.timeout(LONGEST_SECONDS)
@pytest.mark.requirement("golden.as-recorded")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_plays_as_recorded(verdicts: Mapping[str, Future[Verdict]], case: Case) -> None:
    """Answers, worker calls and ends are those of the reference server, or a listed deviation."""
    verdict = verdicts[case.id].result()

    assert not verdict.unexpected, "".join(f"\n{difference}" for difference in verdict.unexpected)


@pytest.mark.timeout(LONGEST_SECONDS)
@pytest.mark.requirement("golden.deviations-occur")
def test_every_listed_deviation_occurs(verdicts: Mapping[str, Future[Verdict]], backend: str) -> None:
    """The list has no excuse for what is not different, among the scenarios of this run."""
    ended = [future.result() for future in verdicts.values() if future.exception() is None]

    assert missing(ended, DEVIATIONS, backend, all_played=len(ended) == len(CASES)) == []


def test_every_case_has_a_recording_and_every_recording_a_case() -> None:
    names = {case.scenario.name if case.variant == "base" else case.id for case in CASES}
    folder = GOLDEN / "recordings"

    assert names == {file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.json")}


def test_every_deviation_is_documented() -> None:
    """Each says why, and points to a section of our documentation."""
    assert len({deviation.id for deviation in DEVIATIONS}) == len(DEVIATIONS)
    for deviation in DEVIATIONS:
        page, _, anchor = deviation.docs.partition("#")
        assert deviation.reason.endswith("."), deviation.id
        assert anchor in anchors(DOCS / page), deviation.docs


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made on the web."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
