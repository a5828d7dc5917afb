"""One Temporal development server and one iWF server for the whole run, a worker for each test."""

import os
from collections.abc import AsyncGenerator

import httpx
import pytest

from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_interpreter.temporal import Connection, connect
from iwf_testkit import FakeWorker, IwfServer, iwf_server, temporal_dev_server
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


@pytest.fixture
async def scenario(server: IwfServer) -> AsyncGenerator[Scenario]:
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=70) as http:
        yield Scenario(server, worker, http)
