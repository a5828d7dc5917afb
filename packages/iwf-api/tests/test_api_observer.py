"""What an observer is told of RPCs that the API carries out."""

import httpx
import msgspec
import pytest

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import PrepareRpcAnswer
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import EventType, IwfEvent, IwfEventError
from iwf_testkit import Answer, FakeWorker
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

REQUEST = {"workflowId": "w", "rpcName": "R"}


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[IwfEvent] = []

    def on_event(self, event: IwfEvent) -> None:
        self.events.append(event)


class Broken:
    """Fails whatever it is told."""

    def on_event(self, event: IwfEvent) -> None:
        raise RuntimeError("no")


async def call(engine: ScriptedEngine, observer: Recorder | Broken, *script: Answer) -> httpx.Response:
    async with FakeWorker() as worker, WorkerClient() as client:
        if script:
            worker.script("rpc.R", *script)
        engine.script(
            "query",
            PrepareRpcAnswer(
                data_objects=[],
                search_attributes=[],
                workflow_run_id="r",
                workflow_started_timestamp=1,
                iwf_workflow_type="Order",
                iwf_worker_url=worker.url,
                signal_channel_info={},
                internal_channel_info={},
            ),
        )
        transport = httpx.ASGITransport(create_app(engine, client, ApiSettings(), observer))
        async with httpx.AsyncClient(transport=transport, base_url="http://iwf") as http:
            return await http.post("/api/v1/workflow/rpc", content=msgspec.json.encode(REQUEST))


def without_times(event: IwfEvent) -> IwfEvent:
    assert event.start_timestamp_in_ms is not None
    assert event.end_timestamp_in_ms is not None
    assert event.start_timestamp_in_ms <= event.end_timestamp_in_ms
    return msgspec.structs.replace(event, start_timestamp_in_ms=None, end_timestamp_in_ms=None)


async def test_rpc_is_told_once_its_worker_was_called(anyio_backend: str, engine: ScriptedEngine) -> None:
    observer = Recorder()

    await call(engine, observer)

    assert [without_times(event) for event in observer.events] == [
        IwfEvent(
            event_type=EventType.RPC_EXECUTION_EVENT,
            workflow_type="Order",
            workflow_id="w",
            workflow_run_id="r",
            rpc_name="R",
        )
    ]


async def test_failed_rpc_is_told_with_its_error(anyio_backend: str, engine: ScriptedEngine) -> None:
    observer = Recorder()

    await call(engine, observer, Answer(status=500, body={"detail": "boom", "errorType": "E"}))

    assert observer.events[0].error == IwfEventError(
        type="STATE_API_FAIL_ERROR_TYPE", details="worker API error, status:500, errorType:E"
    )


async def test_observer_that_fails_changes_nothing(anyio_backend: str, engine: ScriptedEngine) -> None:
    answer = await call(engine, Broken())

    assert answer.status_code == 200
