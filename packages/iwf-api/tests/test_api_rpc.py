"""RPC: what is asked of the run, what the worker receives, and what its answer changes."""

from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
import httpx
import msgspec
import pytest

from iwf_api.settings import ApiSettings, QueryRetryPolicy
from iwf_interpreter.contract import PrepareRpcAnswer, PrepareRpcQuery, QueryType, RpcSignal, SystemSignal
from iwf_interpreter.engine import QueryFailed, WorkflowNotFound
from iwf_models import (
    ChannelInfo,
    Context,
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    SearchAttribute,
    SearchAttributeValueType,
    StateDecision,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import Answer, FakeWorker, value
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

REQUEST = {"workflowId": "w", "rpcName": "R"}
COLOR = SearchAttribute(key="Color", value_type=SearchAttributeValueType.KEYWORD, string_value="red")


@pytest.fixture
async def worker(anyio_backend: str, engine: ScriptedEngine) -> AsyncGenerator[FakeWorker]:
    """The worker of the run that the engine has."""
    async with FakeWorker() as worker:
        engine.script("query", prepared(worker))
        engine.script("search_attribute_types", {"Color": "Keyword"})
        yield worker


def prepared(worker: FakeWorker) -> PrepareRpcAnswer:
    return PrepareRpcAnswer(
        data_objects=[KeyValue(key="a", value=value("1"))],
        search_attributes=[COLOR],
        workflow_run_id="first-run",
        workflow_started_timestamp=100,
        iwf_workflow_type="Order",
        iwf_worker_url=worker.url,
        signal_channel_info={"s": 2},
        internal_channel_info={},
    )


async def test_worker_receives_what_the_run_has(
    engine: ScriptedEngine, worker: FakeWorker, post: Post
) -> None:
    policy = {"persistenceLoadingType": "LOAD_NONE"}

    answer = await post(
        "rpc",
        {
            **REQUEST,
            "workflowRunId": "r",
            "input": {"encoding": "json", "data": "7"},
            "dataAttributesLoadingPolicy": policy,
            "searchAttributesLoadingPolicy": policy,
        },
    )

    load_none = PersistenceLoadingPolicy(persistence_loading_type=PersistenceLoadingType.LOAD_NONE)
    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [
        (
            "query",
            "w",
            "r",
            QueryType.PREPARE_RPC,
            PrepareRpcQuery(
                data_objects_loading_policy=load_none, search_attributes_loading_policy=load_none
            ),
        )
    ]
    assert [call.request for call in worker.calls] == [
        WorkflowWorkerRpcRequest(
            context=Context(workflow_id="w", workflow_run_id="first-run", workflow_started_timestamp=100),
            workflow_type="Order",
            rpc_name="R",
            input=value("7"),
            search_attributes=[COLOR],
            data_attributes=[KeyValue(key="a", value=value("1"))],
            signal_channel_infos={"s": ChannelInfo(size=2)},
            internal_channel_infos={},
        )
    ]


async def test_worker_receives_no_empty_lists(engine: ScriptedEngine, worker: FakeWorker, post: Post) -> None:
    engine.script("query", msgspec.structs.replace(prepared(worker), data_objects=[], search_attributes=[]))

    await post("rpc", REQUEST)

    request = worker.calls[0].request
    assert isinstance(request, WorkflowWorkerRpcRequest)
    assert (request.data_attributes, request.search_attributes) == (None, None)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(WorkflowWorkerRpcResponse(output=value("8")), id="output"),
        pytest.param(
            WorkflowWorkerRpcResponse(
                output=value("8"),
                upsert_data_attributes=[],
                upsert_search_attributes=[],
                record_events=[],
                publish_to_inter_state_channel=[],
                state_decision=StateDecision(next_states=[]),
            ),
            id="empty-lists",
        ),
        pytest.param(
            WorkflowWorkerRpcResponse(output=value("8"), upsert_state_locals=[KeyValue(key="l")]),
            id="state-locals",
        ),
    ],
)
async def test_rpc_without_changes_leaves_no_trace(
    engine: ScriptedEngine, worker: FakeWorker, post: Post, answer: WorkflowWorkerRpcResponse
) -> None:
    worker.script("rpc.R", answer)

    response = await post("rpc", REQUEST)

    assert (response.status_code, response.json()) == (200, {"output": {"encoding": "json", "data": "8"}})
    assert engine.calls_of("signal") == []


CHANGES = [
    pytest.param(
        WorkflowWorkerRpcResponse(upsert_data_attributes=[KeyValue(key="a")]),
        RpcSignal(upsert_data_objects=[KeyValue(key="a")]),
        id="data-attributes",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(upsert_search_attributes=[COLOR]),
        RpcSignal(upsert_search_attributes=[COLOR]),
        id="search-attributes",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(record_events=[KeyValue(key="e")]),
        RpcSignal(record_events=[KeyValue(key="e")]),
        id="events",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(
            publish_to_inter_state_channel=[InterStateChannelPublishing(channel_name="c")]
        ),
        RpcSignal(inter_state_channel_publishing=[InterStateChannelPublishing(channel_name="c")]),
        id="messages",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(state_decision=StateDecision(next_states=[StateMovement(state_id="S2")])),
        RpcSignal(state_decision=StateDecision(next_states=[StateMovement(state_id="S2")])),
        id="states",
    ),
]


@pytest.mark.parametrize(("answer", "signal"), CHANGES)
async def test_changes_travel_as_one_signal_with_input_and_output(
    engine: ScriptedEngine,
    worker: FakeWorker,
    post: Post,
    answer: WorkflowWorkerRpcResponse,
    signal: RpcSignal,
) -> None:
    worker.script("rpc.R", msgspec.structs.replace(answer, output=value("8")))

    response = await post("rpc", {**REQUEST, "workflowRunId": "r", "input": {"data": "7"}})

    assert response.json() == {"output": {"encoding": "json", "data": "8"}}
    expected = msgspec.structs.replace(signal, rpc_input=EncodedObject(data="7"), rpc_output=value("8"))
    assert engine.calls_of("signal") == [("w", "r", SystemSignal.EXECUTE_RPC, expected)]


async def test_input_and_output_can_be_left_out_of_the_history(
    engine: ScriptedEngine, worker: FakeWorker, post_with: Callable[[ApiSettings], Post]
) -> None:
    changed = WorkflowWorkerRpcResponse(output=value("8"), upsert_data_attributes=[KeyValue(key="a")])
    worker.script("rpc.R", changed)
    post = post_with(ApiSettings(omit_rpc_input_output_in_history=True))

    response = await post("rpc", {**REQUEST, "input": {"data": "7"}})

    assert response.json() == {"output": {"encoding": "json", "data": "8"}}
    assert engine.calls_of("signal") == [
        ("w", "", SystemSignal.EXECUTE_RPC, RpcSignal(upsert_data_objects=[KeyValue(key="a")]))
    ]


async def test_changes_of_a_closed_workflow_are_reported_as_not_made(
    engine: ScriptedEngine, worker: FakeWorker, post: Post
) -> None:
    worker.script("rpc.R", WorkflowWorkerRpcResponse(upsert_data_attributes=[KeyValue(key="a")]))
    engine.script("signal", WorkflowNotFound("closed"))

    response = await post("rpc", REQUEST)

    assert (response.status_code, response.json()) == (
        400,
        {"detail": "closed", "subStatus": "WORKFLOW_NOT_EXISTS_SUB_STATUS"},
    )


QUICK = QueryRetryPolicy(maximum_attempts=2, initial_interval_seconds=0)


async def test_run_that_could_not_answer_is_asked_again_but_not_for_ever(
    engine: ScriptedEngine, worker: FakeWorker, post_with: Callable[[ApiSettings], Post]
) -> None:
    engine.script("query", QueryFailed("early"))

    response = await post_with(ApiSettings(query_workflow_failed_retry_policy=QUICK))("rpc", REQUEST)

    assert (response.status_code, response.json()["detail"]) == (500, "early")
    assert (len(engine.calls_of("query")), worker.calls) == (2, [])


WORKER_FAILURES = [
    pytest.param(
        Answer(status=501, body={"detail": "broken", "errorType": "Oops"}),
        {
            "detail": "worker API error, status:501, errorType:Oops",
            "originalWorkerErrorDetail": "broken",
            "originalWorkerErrorType": "Oops",
            "originalWorkerErrorStatus": 501,
        },
        id="error-object",
    ),
    pytest.param(
        Answer(status=502, text="<html>"),
        {
            "detail": "unable to decode worker response body to WorkerErrorResponse: body<html>",
            "originalWorkerErrorDetail": "<html>",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 502,
        },
        id="error-text",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(
            state_decision=StateDecision(next_states=[StateMovement(state_id="_SYS_DEAD_END")])
        ),
        {
            "detail": "an RPC cannot close the workflow or end a thread of states",
            "originalWorkerErrorDetail": "",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 0,
        },
        id="closing-decision",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(state_decision=StateDecision(conditional_close=WorkflowConditionalClose())),
        {
            "detail": "an RPC cannot close the workflow or end a thread of states",
            "originalWorkerErrorDetail": "",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 0,
        },
        id="conditional-close",
    ),
    pytest.param(
        WorkflowWorkerRpcResponse(upsert_search_attributes=[msgspec.structs.replace(COLOR, key="Unknown")]),
        {
            "detail": "search attribute 'Unknown' with value 'red' is not registered with the engine",
            "originalWorkerErrorDetail": "",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 0,
        },
        id="search-attribute",
    ),
]


@pytest.mark.parametrize(("answer", "error"), WORKER_FAILURES)
async def test_failure_of_the_worker_is_told_and_changes_nothing(
    engine: ScriptedEngine,
    worker: FakeWorker,
    post: Post,
    answer: Answer | WorkflowWorkerRpcResponse,
    error: dict[str, object],
) -> None:
    worker.script("rpc.R", answer)

    response = await post("rpc", REQUEST)

    assert (response.status_code, response.json()) == (420, {"subStatus": "WORKER_API_ERROR", **error})
    assert (len(worker.calls), engine.calls_of("signal")) == (1, [])


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(Answer(drop=True), 0, id="no-answer"),
        pytest.param(Answer(text="not JSON"), 200, id="not-json"),
        pytest.param(Answer(body={"output": 5}), 200, id="wrong-type"),
    ],
)
async def test_unreadable_answer_of_the_worker_is_its_failure(
    engine: ScriptedEngine, worker: FakeWorker, post: Post, answer: Answer, status: int
) -> None:
    worker.script("rpc.R", answer)

    response = await post("rpc", REQUEST)

    body = response.json()
    assert (response.status_code, body["subStatus"], body["originalWorkerErrorStatus"]) == (
        420,
        "WORKER_API_ERROR",
        status,
    )
    assert (len(worker.calls), engine.calls_of("signal")) == (1, [])


async def test_worker_that_takes_longer_than_the_rpc_may_is_a_failure(
    engine: ScriptedEngine, worker: FakeWorker, post: Post
) -> None:
    gate = anyio.Event()
    worker.script("rpc.R", Answer(gate=gate))

    response = await post("rpc", {**REQUEST, "timeoutSeconds": 1})
    gate.set()

    assert (response.status_code, response.json()["subStatus"]) == (420, "WORKER_API_ERROR")
    assert "no answer from the worker within" in response.json()["detail"]
    assert engine.calls_of("signal") == []
