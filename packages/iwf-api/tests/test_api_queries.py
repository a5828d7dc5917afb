"""Queries on behalf of requests: shared where they can be, and given up when the client's time is over."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import httpx
import pytest

from iwf_api.app import create_app
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import DataAttributesAnswer, QueryType
from iwf_interpreter.engine import EngineError, WaitTimedOut
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import EncodedObject, KeyValue
from scripted_engine import FOREVER, ScriptedEngine

pytestmark = pytest.mark.anyio

T = TypeVar("T")
Post = Callable[[str, object], Awaitable[httpx.Response]]

NO_ANSWER = "workflow 'w' did not answer a query in time, its tasks are not run or fail"


class SlowEngine(ScriptedEngine):
    """Sees the writes that come before a query is sent, and answers it when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[KeyValue] = []
        self.gates: list[anyio.Event] = []

    async def signal(self, workflow_id: str, run_id: str, name: str, body: Any) -> None:
        self.written += body.upsert_data_objects

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        seen, gate = list(self.written), anyio.Event()
        self.calls.append(("query", workflow_id, run_id, argument))
        self.gates.append(gate)
        await gate.wait()
        answer = DataAttributesAnswer(data_attributes=seen)
        assert isinstance(answer, answer_type)
        return answer


async def test_every_reader_sees_what_was_written_before_it_asked() -> None:
    engine = SlowEngine()
    async with WorkerClient() as worker:
        transport = httpx.ASGITransport(create_app(engine, worker, ApiSettings()))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://iwf/api/v1/workflow/dataobjects/"
        ) as http:
            answers: dict[str, list[str]] = {}

            async def read(name: str, **more: object) -> None:
                answer = (await http.post("get", json={"workflowId": "w", **more})).json()
                answers[name] = [item["key"] for item in answer.get("objects", ())]

            async def write(key: str) -> None:
                objects = [{"key": key, "value": {"data": "1"}}]
                answer = await http.post("set", json={"workflowId": "w", "objects": objects})
                assert answer.status_code == 200

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read, "first")
                await anyio.wait_all_tasks_blocked()
                await write("a")
                for name in ("second", "third"):
                    tasks.start_soon(read, name)
                    await anyio.wait_all_tasks_blocked()
                tasks.start_soon(lambda: read("of a run", workflowRunId="r"))
                tasks.start_soon(lambda: read("of a key", keys=["b"]))
                await anyio.wait_all_tasks_blocked()
                assert [call[1] for call in engine.calls_of("query")].count("r") == 1
                assert len(engine.gates) == 3
                await write("b")
                engine.gates[0].set()
                await anyio.wait_all_tasks_blocked()
                assert len(engine.gates) == 4
                for gate in engine.gates:
                    gate.set()

    assert answers == {
        "first": [],
        "second": ["a", "b"],
        "third": ["a", "b"],
        "of a run": ["a"],
        "of a key": ["a"],
    }
    assert engine.written == [KeyValue(key=key, value=EncodedObject(data="1")) for key in "ab"]


async def test_read_that_a_run_does_not_answer_in_time_is_a_500(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", WaitTimedOut("late"))

    answer = await post("dataobjects/get", {"workflowId": "w"})

    assert (answer.status_code, answer.json()) == (
        500,
        {"detail": NO_ANSWER, "subStatus": "UNCATEGORIZED_SUB_STATUS"},
    )
    assert len(engine.calls_of("query")) == 1


@pytest.mark.parametrize("outcome", [WaitTimedOut("late"), FOREVER], ids=["told", "cut-off"])
async def test_rpc_whose_time_is_over_before_the_worker_could_be_called_is_a_420(
    engine: ScriptedEngine, post: Post, outcome: object
) -> None:
    engine.script("query", outcome)

    answer = await post("rpc", {"workflowId": "w", "rpcName": "R", "timeoutSeconds": 1})

    assert (answer.status_code, answer.json()) == (
        420,
        {
            "detail": "no answer from the workflow or its worker within 1 seconds",
            "subStatus": "WORKER_API_ERROR",
            "originalWorkerErrorDetail": "",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 0,
        },
    )


async def test_failure_of_the_engine_is_told_to_all_who_share_a_query(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("query", EngineError("gone"))

    answer = await post("rpc", {"workflowId": "w", "rpcName": "R"})

    assert (answer.status_code, answer.json()["detail"]) == (500, "gone")


async def test_query_has_the_time_that_the_client_has_left() -> None:
    times: list[float] = []

    class Timed(ScriptedEngine):
        async def query(
            self,
            workflow_id: str,
            run_id: str,
            query: QueryType,
            argument: Any,
            answer_type: type[T],
            timeout_seconds: float,
        ) -> T:
            times.append(timeout_seconds)
            raise EngineError("no")

    async with WorkerClient() as worker:
        app = create_app(Timed(), worker, ApiSettings(max_wait_seconds=30), clock=lambda: 1000.25)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://iwf/api/v1/workflow/") as http:
            await http.post("rpc", json={"workflowId": "w", "rpcName": "R", "timeoutSeconds": 7})
            await http.post("dataobjects/get", json={"workflowId": "w"})

    assert times == [pytest.approx(6.75, abs=0.2), pytest.approx(29.75, abs=0.2)]
