"""The engines under test: one Temporal server for the whole run, a server in memory for each test.

A test that needs nothing of Temporal itself runs on both, and is given the same on both. On memory it runs on
a loop of its own, where waiting takes no time.
"""

import inspect
import os
from collections.abc import AsyncGenerator

import anyio
import httpx
import pytest

from engines import NEEDS_TEMPORAL, InMemory, MemoryStage
from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_interpreter.temporal import Connection, connect
from iwf_testkit import FakeWorker, IwfServer, VirtualTimeLoop, iwf_server, temporal_dev_server
from scenario import Scenario

SEARCH_ATTRIBUTES = {
    "CustomKeywordField": "Keyword",
    "CustomTextField": "Text",
    "CustomIntField": "Int",
    "CustomDoubleField": "Double",
    "CustomBoolField": "Bool",
    "CustomDatetimeField": "Datetime",
    "CustomKeywordArrayField": "KeywordList",
}

LAST = "test_every_history_replays"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The replay of all histories comes when there are some."""
    items.sort(key=lambda item: item.name.startswith(LAST))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def temporal(anyio_backend: str) -> AsyncGenerator[TemporalDevServer]:
    async with temporal_dev_server(search_attributes=SEARCH_ATTRIBUTES) as server:
        yield server


@pytest.fixture(scope="session")
def max_cached_workflows() -> int:
    """The size of the cache; the suite must pass without one too."""
    return int(os.environ.get("IWF_TEST_MAX_CACHED_WORKFLOWS", "1000"))


@pytest.fixture(scope="session")
async def server(temporal: TemporalDevServer, max_cached_workflows: int) -> AsyncGenerator[IwfServer]:
    async with iwf_server(temporal.address, max_cached_workflows=max_cached_workflows) as server:
        yield server


@pytest.fixture(scope="session")
async def connection(temporal: TemporalDevServer) -> Connection:
    return await connect(temporal.address)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        engines = ["temporal"] if NEEDS_TEMPORAL & set(metafunc.fixturenames) else ["temporal", "memory"]
        metafunc.parametrize("engine", engines, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run a test on memory: what it needs is opened on the loop that it runs on."""
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    if not any(isinstance(argument, InMemory) for argument in arguments.values()):
        return None

    async def run() -> None:
        async with MemoryStage.open(SEARCH_ATTRIBUTES) as stage:
            opened = {
                name: stage.give(argument) if isinstance(argument, InMemory) else argument
                for name, argument in arguments.items()
            }
            await pyfuncitem.obj(**opened)

    anyio.run(run, backend_options={"loop_factory": VirtualTimeLoop})
    return True


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """`temporal` or `memory`."""
    return request.param


@pytest.fixture
def scenario(engine: str, request: pytest.FixtureRequest) -> Scenario | InMemory:
    """A server under test and a worker."""
    if engine == "memory":
        return InMemory(lambda stage: Scenario(stage.server, stage.worker, stage.http))
    return request.getfixturevalue("temporal_scenario")


@pytest.fixture
async def temporal_scenario(server: IwfServer) -> AsyncGenerator[Scenario]:
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=70) as http:
        yield Scenario(server, worker, http)
