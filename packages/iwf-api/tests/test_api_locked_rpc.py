"""RPCs that lock attributes: what is handed to the run, and what its answers are for the client."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest

from iwf_api.operations.locked_rpc import locked_rpc
from iwf_api.operations.service import Service
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, RpcFailure, UpdateError, UpdateType
from iwf_interpreter.engine import (
    EngineError,
    NotStartedYet,
    NotSupported,
    RunEnded,
    TooManyUpdates,
    UpdateRefused,
    WaitTimedOut,
    WorkflowNotFound,
)
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import (
    EncodedObject,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    WorkflowRpcRequest,
    WorkflowStatus,
)
from scripted_engine import RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

LOCKING = {"persistenceLoadingType": "LOAD_ALL_WITH_PARTIAL_LOCK", "lockingKeys": ["a"]}
REQUEST = {"workflowId": "w", "rpcName": "R", "dataAttributesLoadingPolicy": LOCKING}
DONE = LockedRpcAnswer(output=EncodedObject(data="8"))
DONE_BODY = {"output": {"data": "8"}}
NOT_EXISTS = "WORKFLOW_NOT_EXISTS_SUB_STATUS"
CLOSED = msgspec.structs.replace(RUNNING, status=WorkflowStatus.COMPLETED)


def refused(error_type: str) -> UpdateRefused:
    return UpdateRefused(error_type, "no")


def ended(*, accepted: bool) -> RunEnded:
    return RunEnded("over", accepted=accepted)


def update_ids(engine: ScriptedEngine) -> list[Any]:
    return [call[3] for call in engine.calls_of("update")]


@pytest.mark.parametrize("field", ["dataAttributesLoadingPolicy", "searchAttributesLoadingPolicy"])
@pytest.mark.parametrize("loading", ["LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "LOAD_ALL_WITH_PARTIAL_LOCK"])
async def test_policy_that_locks_makes_the_run_call_the_worker(
    engine: ScriptedEngine, post: Post, field: str, loading: str
) -> None:
    engine.script("update", DONE)

    answer = await post(
        "rpc", {"workflowId": "w", "rpcName": "R", field: {"persistenceLoadingType": loading}}
    )

    assert (answer.status_code, answer.json()) == (200, DONE_BODY)
    assert [call[0] for call in engine.calls] == ["update"]


async def test_run_receives_the_request_and_how_long_it_may_take(engine: ScriptedEngine) -> None:
    engine.script("update", DONE)
    settings = ApiSettings(locked_rpc_max_waiting=7)
    service = Service(engine=engine, worker=WorkerClient(), settings=settings, clock=lambda: 1000.25)
    policy = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK
    )

    await locked_rpc(
        service,
        WorkflowRpcRequest(
            workflow_id="w",
            workflow_run_id="r",
            rpc_name="R",
            input=EncodedObject(data="7"),
            search_attributes_loading_policy=policy,
            timeout_seconds=10,
        ),
    )

    [(workflow_id, run_id, update, _, argument, timeout)] = engine.calls_of("update")
    assert (workflow_id, run_id, update) == ("w", "r", UpdateType.LOCKED_RPC)
    assert argument == LockedRpcRequest(
        rpc_name="R",
        input=EncodedObject(data="7"),
        search_attributes_loading_policy=policy,
        timeout_seconds=10,
        expires_at_ms=1_010_000,
        max_waiting=7,
    )
    assert timeout == pytest.approx(9.75, abs=0.2)


async def test_up_to_100_rpcs_may_wait_and_their_time_is_capped(engine: ScriptedEngine, post: Post) -> None:
    engine.script("update", LockedRpcAnswer())

    answer = await post("rpc", {**REQUEST, "timeoutSeconds": 1000})

    argument = engine.calls_of("update")[0][4]
    assert isinstance(argument, LockedRpcRequest)
    assert (answer.json(), argument.max_waiting, argument.timeout_seconds) == ({}, 100, 58)


async def test_attributes_that_others_hold_are_a_450_without_worker_error(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("update", refused(UpdateError.LOCKED))

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (
        450,
        {
            "detail": "requested data or search attributes are being locked by other operations",
            "subStatus": "WORKER_API_ERROR",
        },
    )


async def test_failure_of_the_worker_is_told_as_without_locks(engine: ScriptedEngine, post: Post) -> None:
    failure = RpcFailure(
        detail="worker API error, status:501, errorType:Oops",
        worker_detail="broken",
        worker_error_type="Oops",
        worker_status=501,
    )
    engine.script("update", LockedRpcAnswer(failure=failure))

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (
        420,
        {
            "detail": "worker API error, status:501, errorType:Oops",
            "subStatus": "WORKER_API_ERROR",
            "originalWorkerErrorDetail": "broken",
            "originalWorkerErrorType": "Oops",
            "originalWorkerErrorStatus": 501,
        },
    )


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(refused(UpdateError.EXPIRED), id="expired-in-the-run"),
        pytest.param(WaitTimedOut("late"), id="deadline"),
    ],
)
async def test_rpc_that_takes_too_long_is_a_worker_failure_without_status(
    engine: ScriptedEngine, post: Post, outcome: Exception
) -> None:
    engine.script("update", outcome)

    answer = await post("rpc", {**REQUEST, "timeoutSeconds": 10})

    assert (answer.status_code, answer.json()) == (
        420,
        {
            "detail": "no answer from the workflow or its worker within 10 seconds",
            "subStatus": "WORKER_API_ERROR",
            "originalWorkerErrorDetail": "",
            "originalWorkerErrorType": "",
            "originalWorkerErrorStatus": 0,
        },
    )
    assert len(engine.calls_of("update")) == 1


@pytest.mark.parametrize(
    "reason",
    [refused(UpdateError.ASK_AGAIN), ended(accepted=False), TooManyUpdates("full")],
    ids=["continues-as-new", "run-ended", "too-many"],
)
async def test_repeating_ends_with_the_clients_time(
    engine: ScriptedEngine, post: Post, reason: Exception
) -> None:
    engine.script("update", reason)

    answer = await post("rpc", {**REQUEST, "timeoutSeconds": 1})

    assert (answer.status_code, answer.json()["subStatus"]) == (420, "WORKER_API_ERROR")


async def test_rpc_that_a_run_leaves_to_the_next_one_is_sent_as_a_new_update(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("update", refused(UpdateError.ASK_AGAIN), refused(UpdateError.ASK_AGAIN), DONE)

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (200, DONE_BODY)
    assert len(set(update_ids(engine))) == 3
    first, *later = [call[4] for call in engine.calls_of("update")]
    assert later == [first, first]


@pytest.mark.parametrize(
    "reason",
    [ended(accepted=False), ended(accepted=True), TooManyUpdates("full")],
    ids=["run-ended-before", "run-ended-within", "too-many"],
)
async def test_rpc_that_may_have_been_begun_is_sent_again_as_the_same_update(
    engine: ScriptedEngine, post: Post, reason: Exception
) -> None:
    engine.script("update", reason, DONE)

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (200, DONE_BODY)
    assert len(update_ids(engine)) == 2
    assert len(set(update_ids(engine))) == 1


async def test_rpc_of_a_workflow_that_ended_meanwhile_is_not_made(engine: ScriptedEngine, post: Post) -> None:
    engine.script("update", ended(accepted=False), WorkflowNotFound("closed"))

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (400, {"detail": "closed", "subStatus": NOT_EXISTS})


@pytest.mark.parametrize(
    ("run_id", "described"),
    [pytest.param("", CLOSED, id="last-run"), pytest.param("r", RUNNING, id="named-run")],
)
async def test_rpc_that_was_begun_when_the_workflow_ended_is_not_sent_again(
    engine: ScriptedEngine, post: Post, run_id: str, described: object
) -> None:
    engine.script("update", ended(accepted=True))
    engine.script("describe", described)

    answer = await post("rpc", {**REQUEST, "workflowRunId": run_id})

    assert (answer.status_code, answer.json()) == (400, {"detail": "over", "subStatus": NOT_EXISTS})
    assert len(update_ids(engine)) == 1


@pytest.mark.parametrize(
    ("error", "status", "sub_status"),
    [
        pytest.param(WorkflowNotFound("no"), 400, NOT_EXISTS, id="closed-or-unknown"),
        pytest.param(NotStartedYet("no"), 400, "UNCATEGORIZED_SUB_STATUS", id="start-delay"),
        pytest.param(NotSupported("no"), 400, "UNCATEGORIZED_SUB_STATUS", id="engine-without-locks"),
        pytest.param(refused(UpdateError.INVALID), 400, "UNCATEGORIZED_SUB_STATUS", id="invalid"),
        pytest.param(refused("Unknown"), 500, "UNCATEGORIZED_SUB_STATUS", id="unknown-refusal"),
        pytest.param(EngineError("no"), 500, "UNCATEGORIZED_SUB_STATUS", id="engine-failure"),
    ],
)
async def test_other_failures_are_answered_once(
    engine: ScriptedEngine, post: Post, error: Exception, status: int, sub_status: str
) -> None:
    engine.script("update", error)

    answer = await post("rpc", REQUEST)

    assert (answer.status_code, answer.json()) == (status, {"detail": "no", "subStatus": sub_status})
    assert len(update_ids(engine)) == 1
