"""The worker of a play: which answer a call gets, and what it was told."""

from collections.abc import AsyncGenerator

import aiohttp
import anyio
import msgspec
import pytest

from iwf_testkit.golden import WorkerServer
from iwf_testkit.golden.placeholders import Placeholders
from iwf_testkit.golden.places import Json
from iwf_testkit.golden.scenarios import Answer
from iwf_testkit.golden.scripted_worker import ScriptedWorker

pytestmark = pytest.mark.anyio

PATHS = {"waitUntil": "workflowState/start", "execute": "workflowState/decide", "rpc": "workflowWorker/rpc"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def workers() -> AsyncGenerator[WorkerServer]:
    async with WorkerServer() as workers:
        yield workers


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


class Calls:
    """A scripted worker and calls to it."""

    def __init__(
        self, workers: WorkerServer, http: aiohttp.ClientSession, script: dict[str, list[Json]]
    ) -> None:
        placeholders = Placeholders({"id": "g1"}, lambda: 0.0)
        answers = {key: msgspec.convert(values, tuple[Answer, ...]) for key, values in script.items()}
        self.worker = ScriptedWorker(answers, placeholders)
        self.url = workers.url("g1")
        self._http = http
        workers.add("g1", self.worker)

    async def rpc(self, name: str = "r", **fields: Json) -> tuple[int, str]:
        return await self.post(PATHS["rpc"], {"rpcName": name, **fields})

    async def state(self, api: str, execution_id: str = "S1-1") -> tuple[int, str]:
        context = {"stateExecutionId": execution_id}
        body = {"context": context, "workflowStateId": execution_id.rpartition("-")[0]}
        return await self.post(PATHS[api], body)

    async def post(self, path: str, body: Json) -> tuple[int, str]:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self._http.post(f"{self.url}/api/v1/{path}", data=content) as answer:
            return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        pytest.param({"body": {"got": {"$req": "a/1"}}}, (200, '{"got": 2}'), id="from-the-request"),
        pytest.param({"body": [{"$inc": "count"}]}, (200, '["8"]'), id="one-more"),
        pytest.param({"body": {"$inc": "nothing"}}, (200, '"1"'), id="one-more-than-nothing"),
        pytest.param({"body": {"id": "{{id}}"}}, (200, '{"id": "g1"}'), id="placeholder"),
        pytest.param({"status": 503, "text": "no {{id}}"}, (503, "no g1"), id="text"),
    ],
)
async def test_answers_are_made_as_scripted(
    workers: WorkerServer, http: aiohttp.ClientSession, answer: Json, seen: tuple[int, str]
) -> None:
    calls = Calls(workers, http, {"rpc.r": [answer]})

    assert await calls.rpc(a=[1, 2], count="7") == seen


async def test_headers_and_content_types_are_scripted_too(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    script = {"headers": {"X-Id": "{{id}}"}, "contentType": "text/odd", "text": "x"}
    calls = Calls(workers, http, {"rpc.r": [script]})

    async with http.post(f"{calls.url}/api/v1/workflowWorker/rpc", data=b'{"rpcName": "r"}') as answer:
        assert (answer.headers["X-Id"], answer.headers["Content-Type"]) == ("g1", "text/odd")


async def test_the_nth_call_gets_the_nth_answer_and_the_last_one_repeats(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    calls = Calls(workers, http, {"rpc.r": [{"status": 500}, {"status": 501}]})

    assert [(await calls.rpc())[0] for _ in range(3)] == [500, 501, 501]


async def test_the_most_specific_script_wins(workers: WorkerServer, http: aiohttp.ClientSession) -> None:
    calls = Calls(
        workers,
        http,
        {"*.execute": [{"status": 500}], "S1.execute": [{"status": 501}], "S1-2.execute": [{"status": 502}]},
    )

    statuses = [(await calls.state("execute", name))[0] for name in ("S2-1", "S1-1", "S1-2")]

    assert statuses == [500, 501, 502]


async def test_calls_without_script_get_harmless_answers(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    calls = Calls(workers, http, {})
    graceful = '{"stateDecision": {"nextStates": [{"stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW"}]}}'

    assert await calls.state("waitUntil") == (200, "{}")
    assert await calls.state("execute") == (200, graceful)
    assert await calls.rpc() == (200, "{}")
    assert (await calls.post("nothing", {}))[0] == 404


async def test_a_dropped_call_gets_no_answer(workers: WorkerServer, http: aiohttp.ClientSession) -> None:
    calls = Calls(workers, http, {"rpc.r": [{"drop": True}]})

    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.rpc()


async def test_a_call_that_is_no_object_is_kept_as_text(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    calls = Calls(workers, http, {})

    await calls.post(PATHS["rpc"], b"[1")

    assert calls.worker.calls[0].body == {"<not an object>": "[1"}


async def test_answered_calls_are_told_from_those_that_are_held(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    calls = Calls(workers, http, {"rpc.r": [{"gate": "g"}]})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calls.rpc)
        await calls.worker.wait_for("rpc.r", 1, done=False, timeout_seconds=10)
        assert not calls.worker.calls[0].done
        calls.worker.open("g")
        await calls.worker.wait_for("rpc.r", 1, done=True, timeout_seconds=10)


async def test_after_its_end_a_worker_holds_nothing_and_is_not_found(
    workers: WorkerServer, http: aiohttp.ClientSession
) -> None:
    calls = Calls(workers, http, {"rpc.r": [{"gate": "g"}]})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calls.rpc)
        await calls.worker.wait_for("rpc.r", 1, done=False, timeout_seconds=10)
        calls.worker.end()
    assert (await calls.rpc())[0] == 200
    workers.remove("g1")

    assert (await calls.rpc())[0] == 404
