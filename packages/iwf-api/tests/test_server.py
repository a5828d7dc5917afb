"""The parts of the server together, against a Temporal development server."""

import logging
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import httpx
import pytest

from iwf_api.dev.ports import free_port
from iwf_api.dev.temporal_server import TemporalDevServer, TemporalServerOptions
from iwf_api.exits import BackendMisconfigured, BackendUnreachable
from iwf_api.listener import base_url, listen
from iwf_api.server import Role, ServerOptions, running
from iwf_interpreter.temporal import InterpreterOptions, ProtocolOptions

pytestmark = pytest.mark.anyio

QUICK = InterpreterOptions(protocol=ProtocolOptions(poll_seconds=3.0))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def temporal(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[TemporalDevServer]:
    options = TemporalServerOptions(
        port=free_port(),
        http_port=free_port(),
        metrics_port=free_port(),
        ui_port=None,
        db=None,
        log=tmp_path_factory.mktemp("temporal") / "temporal.log",
        search_attributes={"Color": "Keyword"},
    )
    async with TemporalDevServer(options) as server:
        yield server


async def start_endless(url: str, workflow_id: str) -> None:
    """Start a workflow whose worker does not exist, so that it runs until it is stopped."""
    request = {
        "workflowId": workflow_id,
        "iwfWorkflowType": "Endless",
        "workflowTimeoutSeconds": 60,
        "iwfWorkerUrl": f"http://127.0.0.1:{free_port()}",
        "startStateId": "S1",
    }
    async with httpx.AsyncClient() as http:
        (await http.post(f"{url}/api/v1/workflow/start", json=request)).raise_for_status()


async def test_stopping_answers_a_long_poll_as_timed_out(temporal: TemporalDevServer) -> None:
    options = ServerOptions(address=temporal.address, interpreter=QUICK)
    answers: list[httpx.Response] = []
    sent = anyio.Event()

    async def note_sent(name: str, info: object) -> None:
        if name == "http11.send_request_body.complete":
            sent.set()

    async def poll(url: str) -> None:
        async with httpx.AsyncClient(timeout=60) as http:
            answers.append(
                await http.post(
                    f"{url}/api/v1/workflow/getWithWait",
                    json={"workflowId": "drained"},
                    extensions={"trace": note_sent},
                )
            )

    async with anyio.create_task_group() as tasks:
        with listen("127.0.0.1", 0, flag="--port") as listening:
            async with running(options, listening), httpx.AsyncClient() as http:
                url = base_url(listening)
                await start_endless(url, "drained")
                tasks.start_soon(poll, url)
                await sent.wait()
                # What is sent later is answered later, so the poll has been received by then.
                await http.get(f"{url}/info/healthcheck")

    assert [(answer.status_code, answer.json()["subStatus"]) for answer in answers] == [
        (420, "LONG_POLL_TIME_OUT_SUB_STATUS")
    ]


async def test_api_role_serves_without_running_workflows(
    temporal: TemporalDevServer, caplog: pytest.LogCaptureFixture
) -> None:
    options = ServerOptions(address=temporal.address, role=Role.API)

    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening), httpx.AsyncClient() as http:
            health = await http.get(f"{base_url(listening)}/info/healthcheck")

    assert health.json()["condition"] == "OK"
    assert caplog.messages == []


async def test_interpreter_role_needs_no_port(temporal: TemporalDevServer) -> None:
    options = ServerOptions(address=temporal.address, role=Role.INTERPRETER, interpreter=QUICK)

    async with running(options, None):
        pass


async def test_api_that_others_can_reach_is_warned_about(
    temporal: TemporalDevServer, caplog: pytest.LogCaptureFixture
) -> None:
    options = ServerOptions(address=temporal.address, role=Role.API)

    with caplog.at_level(logging.WARNING), listen("0.0.0.0", 0, flag="--port") as listening:
        async with running(options, listening):
            pass

    assert caplog.messages == ["the API can be reached from other machines, and lets everybody do everything"]


async def test_search_attribute_of_another_type_is_refused(temporal: TemporalDevServer) -> None:
    options = ServerOptions(
        address=temporal.address, role=Role.INTERPRETER, search_attributes={"Color": "Int"}
    )

    with pytest.raises(BackendMisconfigured, match=r"'Color' has the type Keyword .* needs Int"):
        async with running(options, None):
            pass


async def test_missing_search_attribute_is_created(temporal: TemporalDevServer) -> None:
    options = ServerOptions(address=temporal.address, role=Role.API, search_attributes={"Size": "Int"})

    with listen("127.0.0.1", 0, flag="--port") as listening:
        async with running(options, listening):
            pass
        conflicting = ServerOptions(
            address=temporal.address, role=Role.INTERPRETER, search_attributes={"Size": "Text"}
        )
        with pytest.raises(BackendMisconfigured, match="'Size' has the type Int"):
            async with running(conflicting, None):
                pass


async def test_server_waits_for_temporal(tmp_path: Path) -> None:
    port = free_port()
    temporal = TemporalServerOptions(
        port=port,
        http_port=free_port(),
        metrics_port=free_port(),
        ui_port=None,
        db=None,
        log=tmp_path / "temporal.log",
    )
    entered = anyio.Event()

    async def start_temporal() -> None:
        async with TemporalDevServer(temporal):
            await entered.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start_temporal)
        options = ServerOptions(address=f"127.0.0.1:{port}", role=Role.INTERPRETER, interpreter=QUICK)
        async with running(options, None):
            pass
        entered.set()


async def test_server_gives_up_on_a_temporal_that_does_not_come() -> None:
    port = free_port()
    options = ServerOptions(address=f"127.0.0.1:{port}", role=Role.INTERPRETER, connect_within_seconds=0.3)

    with pytest.raises(BackendUnreachable, match=f"cannot connect to Temporal at 127.0.0.1:{port}"):
        async with running(options, None):
            pass
