"""Every test here runs under several variants of its workflow's configuration, and once without a cache."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from conformance.flows import VARIANTS, Flow, Variant
from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_api.listener import listen
from iwf_api.server import Role, ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_interpreter.temporal import InterpreterOptions
from iwf_testkit import FakeWorker, IwfServer, iwf_server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): what the test shows; integ/requirements.toml")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    """All variants, unless a test names those that it is about."""
    return VARIANTS[request.param]


@pytest.fixture(scope="session")
async def uncached_server(temporal: TemporalDevServer) -> AsyncGenerator[IwfServer]:
    """It replays the whole history at every task."""
    async with iwf_server(
        temporal.address, task_queue="iwf-conformance-uncached", max_cached_workflows=0
    ) as server:
        yield server


@pytest.fixture
async def impatient_api(
    server: IwfServer, uncached_server: IwfServer, variant: Variant
) -> AsyncGenerator[str]:
    """URL of an API beside the server's own, which lets two locked RPCs wait and no more."""
    chosen = server if variant.cached else uncached_server
    options = ServerOptions(
        address=chosen.temporal_address,
        namespace=chosen.namespace,
        role=Role.API,
        interpreter=InterpreterOptions(task_queue=chosen.task_queue),
        api=ApiSettings(locked_rpc_max_waiting=2),
    )
    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
async def flow(variant: Variant, server: IwfServer, uncached_server: IwfServer) -> AsyncGenerator[Flow]:
    """A server, a worker, and starts that carry the variant's configuration."""
    chosen = server if variant.cached else uncached_server
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=70) as http:
        flow = Flow(chosen, worker, http, variant)
        yield flow
        await flow.terminate_all()
