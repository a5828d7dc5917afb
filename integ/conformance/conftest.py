"""Every test here runs under several variants of configuration, without a cache, and on memory."""

from collections.abc import AsyncGenerator

import httpx
import pytest

from conformance.flows import VARIANTS, Flow, Variant, variant_names
from engines import IMPATIENT_URL, InMemory
from iwf_api.dev.temporal_server import TemporalDevServer
from iwf_api.listener import listen
from iwf_api.server import Role, ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_interpreter.temporal import InterpreterOptions
from iwf_testkit import FakeWorker, IwfServer, iwf_server


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(*ids): what the test shows; integ/requirements.toml")
    config.addinivalue_line("markers", "variants(*names): those that a test runs under, instead of all")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", variant_names(metafunc), indirect=True)


@pytest.fixture
def variant(request: pytest.FixtureRequest) -> Variant:
    """How the test's workflows are run."""
    return VARIANTS[request.param]


@pytest.fixture(scope="session")
async def uncached_server(temporal: TemporalDevServer) -> AsyncGenerator[IwfServer]:
    """It replays the whole history at every task."""
    async with iwf_server(
        temporal.address, task_queue="iwf-conformance-uncached", max_cached_workflows=0
    ) as server:
        yield server


@pytest.fixture
def impatient_api(variant: Variant, request: pytest.FixtureRequest) -> str | InMemory:
    """URL of an API beside the server's own, which lets two locked RPCs wait and no more."""
    if variant.engine == "memory":
        return InMemory(lambda stage: IMPATIENT_URL)
    return request.getfixturevalue("impatient_temporal_api")


@pytest.fixture
def flow(variant: Variant, request: pytest.FixtureRequest) -> Flow | InMemory:
    """A server, a worker, and starts that carry the variant's configuration."""
    if variant.engine == "memory":
        return InMemory(lambda stage: Flow(stage.server, stage.worker, stage.http, variant))
    return request.getfixturevalue("temporal_flow")


@pytest.fixture
async def impatient_temporal_api(
    server: IwfServer, uncached_server: IwfServer, variant: Variant
) -> AsyncGenerator[str]:
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
async def temporal_flow(
    variant: Variant, server: IwfServer, uncached_server: IwfServer
) -> AsyncGenerator[Flow]:
    chosen = server if variant.cached else uncached_server
    async with FakeWorker() as worker, httpx.AsyncClient(timeout=70) as http:
        flow = Flow(chosen, worker, http, variant)
        yield flow
        await flow.terminate_all()
