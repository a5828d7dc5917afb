"""The admin listener: what probes are told, and how often the engine is asked for it."""

from collections.abc import Mapping

import anyio
import httpx
import pytest

from iwf_api.admin import EngineCheck, Phase, Readiness, create_admin_app
from iwf_interpreter.engine import EngineError

pytestmark = pytest.mark.anyio

NEEDED = {"A": "Keyword", "B": "Int"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Asked:
    """An engine whose answer, and whose clock, the test sets."""

    def __init__(self) -> None:
        self.now = 100.0
        self.count = 0
        self.answer: Mapping[str, str] | EngineError = NEEDED
        self.is_silent = False

    async def types(self) -> Mapping[str, str]:
        self.count += 1
        if self.is_silent:
            await anyio.sleep_forever()
        if isinstance(self.answer, EngineError):
            raise self.answer
        return self.answer

    def check(self) -> EngineCheck:
        return EngineCheck(self.types, NEEDED, lambda: self.now)


async def probe(readiness: Readiness, path: str = "/readyz", method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(create_admin_app(readiness))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as http:
        return await http.request(method, path)


def serving(asked: Asked, *, is_polling: bool = True) -> Readiness:
    readiness = Readiness()
    readiness.engine = asked.check()
    readiness.is_polling = lambda: is_polling
    readiness.phase = Phase.SERVING
    return readiness


async def test_process_that_serves_is_ready() -> None:
    answer = await probe(serving(Asked()))

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ready": True,
            "checks": {"process": "ok", "engine": "ok", "searchAttributes": "ok", "interpreter": "ok"},
        },
    )
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_process_without_interpreter_is_not_checked_for_one() -> None:
    readiness = serving(Asked())
    readiness.is_polling = None

    answer = await probe(readiness)

    assert (answer.status_code, "interpreter" in answer.json()["checks"]) == (200, False)


async def test_process_that_is_not_connected_is_not_ready() -> None:
    answer = await probe(Readiness())

    assert (answer.status_code, answer.json()) == (
        503,
        {"ready": False, "checks": {"process": "starting", "engine": "not connected yet"}},
    )


async def test_process_that_stops_is_not_ready() -> None:
    readiness = serving(Asked())
    readiness.phase = Phase.STOPPING

    answer = await probe(readiness)

    assert (answer.status_code, answer.json()["checks"]["process"]) == (503, "stopping")


async def test_interpreter_that_does_not_poll_is_not_ready() -> None:
    answer = await probe(serving(Asked(), is_polling=False))

    assert (answer.status_code, answer.json()["checks"]["interpreter"]) == (503, "not polling")


@pytest.mark.parametrize("types", [{"A": "Keyword"}, {"A": "Keyword", "B": "Text"}], ids=["missing", "type"])
async def test_search_attribute_that_is_missing_is_named(types: dict[str, str]) -> None:
    asked = Asked()
    asked.answer = types

    answer = await probe(serving(asked))

    assert answer.status_code == 503
    assert answer.json()["checks"]["searchAttributes"] == "missing, or of another type: B"


async def test_engine_that_never_answered_is_told_with_its_failure() -> None:
    asked = Asked()
    asked.answer = EngineError("connection refused")

    answer = await probe(serving(asked))

    checks = answer.json()["checks"]
    assert (answer.status_code, checks["engine"], checks["searchAttributes"]) == (
        503,
        "connection refused",
        "unknown",
    )


async def test_engine_may_fail_for_a_while() -> None:
    asked = Asked()
    readiness = serving(asked)
    statuses: list[int] = []

    for now in (100, 107, 114, 121, 128):
        asked.now = now
        asked.answer = NEEDED if now in (100, 128) else EngineError("down")
        statuses.append((await probe(readiness)).status_code)

    assert statuses == [200, 200, 200, 503, 200]


async def test_many_probes_ask_the_engine_once() -> None:
    asked = Asked()
    readiness = serving(asked)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(probe, readiness)
    asked.now += 4.9
    await probe(readiness)
    before = asked.count
    asked.now += 0.1
    await probe(readiness)

    assert (before, asked.count) == (1, 2)


async def test_engine_that_does_not_answer_is_given_up() -> None:
    asked = Asked()
    asked.is_silent = True

    answer = await probe(serving(asked))

    assert answer.json()["checks"]["engine"] == "no answer within 3 seconds"


async def test_process_is_alive_whatever_it_is_ready_for() -> None:
    answer = await probe(Readiness(), "/livez")

    assert (answer.status_code, answer.json()) == (200, {"alive": True})


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/readyz", "POST", 405)])
async def test_nothing_else_is_served(path: str, method: str, status: int) -> None:
    assert (await probe(Readiness(), path, method)).status_code == status
