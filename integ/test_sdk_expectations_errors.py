"""How SDKs read errors: each of them tells what they look at, and nothing that they fail on.

The tests name the lines of `docs/compatibility.md` that they show, by letter and number.
"""

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any, cast

import anyio
import httpx
import msgspec
import pytest

from engines import IMPATIENT_URL, InMemory
from iwf_api import errors
from iwf_api.app import create_app
from iwf_api.listener import listen
from iwf_api.server import Role, ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_interpreter.engine import Engine
from iwf_interpreter.temporal import InterpreterOptions
from iwf_interpreter.worker_client import WorkerClient
from iwf_testkit import Answer, FakeWorker, IwfServer, graceful_complete
from raw_worker import RawAnswer, RawWorker
from scenario import ALREADY_STARTED, NOT_EXISTS, PREFIX, UNCATEGORIZED, Reply, Scenario, refused

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("sdk.client-errors")
async def test_three_kinds_of_400_are_told_apart_by_sub_status(scenario: Scenario) -> None:
    """E1."""
    workflow_id, _ = await scenario.start(None, None)
    start = {
        "workflowId": workflow_id,
        "iwfWorkflowType": "Test",
        "iwfWorkerUrl": scenario.worker.url,
        "workflowTimeoutSeconds": 60,
    }
    refused(await scenario.post("start", start), ALREADY_STARTED)
    refused(await scenario.post("get", {"workflowId": "nobody"}), NOT_EXISTS)
    refused(await scenario.post("reset", {"workflowId": workflow_id}), UNCATEGORIZED)


@pytest.mark.requirement("sdk.long-polls")
async def test_waits_that_end_in_vain_are_420_with_the_sub_status_of_long_polls(scenario: Scenario) -> None:
    """E2 and E3; the text of the first is one that clients match."""
    workflow_id, _ = await scenario.start(None, None)
    wait = {"workflowId": workflow_id, "waitTimeSeconds": 1}
    close = await scenario.post("getWithWait", wait)
    state = await scenario.post("waitForStateCompletion", {**wait, "stateExecutionId": "S1-1"})

    for reply in (close, state):
        refused(reply, "LONG_POLL_TIME_OUT_SUB_STATUS", status=420)
    expected = "workflow is still running, waiting has exceeded timeout limit, please retry"
    assert close.body["detail"] == expected


@pytest.mark.requirement("sdk.rpc-errors")
@pytest.mark.parametrize(
    ("answer", "detail", "original"),
    [
        pytest.param(
            RawAnswer(
                status=501,
                text='{"detail":"boom","errorType":"java.lang.RuntimeException"}',
                content_type="application/json",
            ),
            "worker API error, status:501, errorType:java.lang.RuntimeException",
            ("boom", "java.lang.RuntimeException", 501),
            id="error-of-the-worker",
        ),
        pytest.param(
            {"stateDecision": {"nextStates": [{"stateId": "_SYS_FORCE_FAILING_WORKFLOW"}]}},
            None,
            ("", "", 0),
            id="closing",
        ),
    ],
)
@pytest.mark.parametrize("locking", [False, True])
async def test_failed_rpc_is_420_and_always_has_the_three_original_fields(
    scenario: Scenario,
    answer: RawAnswer | dict[str, Any],
    detail: str | None,
    original: tuple[str, str, int],
    locking: bool,
) -> None:
    """E4."""
    policy = {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["d"]}
    async with RawWorker() as worker:
        worker.script("rpc r", answer)
        workflow_id, _ = await scenario.start(None, None, iwfWorkerUrl=worker.url)
        body: dict[str, object] = {"workflowId": workflow_id, "rpcName": "r"}
        if locking:
            body["dataAttributesLoadingPolicy"] = policy
        reply = await scenario.post("rpc", body)

    refused(reply, "WORKER_API_ERROR", status=420)
    found = [reply.body[f"originalWorkerError{name}"] for name in ("Detail", "Type", "Status")]
    assert found == [*original]
    assert detail is None or reply.body["detail"] == detail


@pytest.fixture
async def impatient_temporal(server: IwfServer) -> AsyncGenerator[Scenario]:
    options = ServerOptions(
        address=server.temporal_address,
        namespace=server.namespace,
        role=Role.API,
        interpreter=InterpreterOptions(task_queue=server.task_queue),
        api=ApiSettings(locked_rpc_max_waiting=2),
    )
    with listen("127.0.0.1", 0, flag="--port") as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        impatient = msgspec.structs.replace(server, url=url)
        async with (
            running(options, listening),
            FakeWorker() as worker,
            httpx.AsyncClient(timeout=70) as http,
        ):
            yield Scenario(impatient, worker, http)


@pytest.fixture
def impatient(scenario: Scenario | InMemory, request: pytest.FixtureRequest) -> Scenario | InMemory:
    """An API that lets two locked RPCs of a workflow wait and no more."""
    if isinstance(scenario, InMemory):
        return InMemory(
            lambda stage: Scenario(
                msgspec.structs.replace(stage.server, url=IMPATIENT_URL), stage.worker, stage.http
            )
        )
    return request.getfixturevalue("impatient_temporal")


@pytest.mark.requirement("sdk.lock-errors")
async def test_rpc_that_finds_its_keys_locked_and_no_room_to_wait_is_450(impatient: Scenario) -> None:
    """E5: with the text that clients match, and without the fields of a worker that was not called."""
    policy = {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["d"]}
    gate = anyio.Event()
    impatient.worker.script("S1.execute", Answer(body=graceful_complete(), gate=gate))
    locks = {"skipWaitUntil": True, "executeApiDataAttributesLoadingPolicy": policy}
    workflow_id, _ = await impatient.start(stateOptions=locks)
    await impatient.worker.wait_for_calls("S1.execute")
    request = {"workflowId": workflow_id, "rpcName": "r", "dataAttributesLoadingPolicy": policy}
    replies: list[Reply] = []

    async def call() -> None:
        replies.append(await impatient.post("rpc", request))
        gate.set()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)

    refused(replies[0], "WORKER_API_ERROR", status=450)
    assert replies[0].body == {
        "detail": "requested data or search attributes are being locked by other operations",
        "subStatus": "WORKER_API_ERROR",
    }


@pytest.mark.requirement("sdk.other-errors")
async def test_errors_of_routing_and_size_are_json_like_any_other(scenario: Scenario) -> None:
    """E6; a wrong method is a column of `docs/endpoints.md`."""
    too_long = b" " * (ApiSettings().max_request_bytes + 1)

    refused(await scenario.post("nowhere", {}), UNCATEGORIZED, status=404)
    refused(await scenario.post("get", None, raw=too_long), UNCATEGORIZED, status=413)


@pytest.mark.requirement("sdk.other-errors")
async def test_unexpected_failure_is_500_with_the_body_of_any_other_error() -> None:
    """E7: an application whose engine cannot even be called."""
    app = create_app(cast("Engine", object()), WorkerClient(), ApiSettings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://iwf") as http:
        answer = await http.post(PREFIX + "get", json={"workflowId": "w"})

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["subStatus"] == UNCATEGORIZED
    assert answer.json()["detail"]


@pytest.mark.requirement("sdk.known-statuses")
def test_no_error_is_answered_with_a_status_that_an_sdk_cannot_take() -> None:
    """E8: Python's SDK adds 420 and 450 to those of `HTTPStatus`, once imported, and fails on any other."""
    statuses = {answer.status for answer in errors.ANSWERS.values()}

    assert statuses - {*HTTPStatus} <= {420, 450}
    assert statuses <= {400, 404, 405, 413, 420, 450, 500}
