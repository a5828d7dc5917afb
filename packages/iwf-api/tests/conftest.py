"""The application on a scripted engine, called without a network."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.worker_client import WorkerClient
from scripted_engine import ScriptedEngine

Post = Callable[[str, object], Awaitable[httpx.Response]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def post_with(
    anyio_backend: str, engine: ScriptedEngine
) -> AsyncGenerator[Callable[[ApiSettings], Post]]:
    """Makes a way to call endpoints, given the settings of the API."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(WorkerClient())

        def with_settings(settings: ApiSettings) -> Post:
            transport = httpx.ASGITransport(create_app(engine, worker, settings))

            async def post(endpoint: str, body: object) -> httpx.Response:
                """Call an endpoint; bytes are sent as they are, everything else as JSON."""
                content = body if isinstance(body, bytes) else msgspec.json.encode(body)
                async with httpx.AsyncClient(transport=transport, base_url="http://iwf") as http:
                    return await http.post(f"/api/v1/workflow/{endpoint}", content=content)

            return post

        yield with_settings


@pytest.fixture
def post(post_with: Callable[[ApiSettings], Post]) -> Post:
    return post_with(ApiSettings())
