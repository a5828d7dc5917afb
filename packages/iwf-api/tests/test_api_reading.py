"""get and getWithWait: how the end of a run is told, and how long a wait is."""

from collections.abc import Awaitable, Callable

import anyio
import httpx
import msgspec
import pytest

from iwf_api.operations import reading
from iwf_api.operations.service import Service
from iwf_api.settings import ApiSettings
from iwf_interpreter.engine import WaitTimedOut, WorkflowOutcome
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import WorkflowGetRequest, WorkflowStatus
from scripted_engine import RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

STATUSES = list(WorkflowStatus)


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


COMPLETED = WorkflowOutcome(
    status=WorkflowStatus.COMPLETED,
    result=raw(
        {
            "stateCompletionOutputs": [
                {
                    "completedStateId": "S1",
                    "completedStateExecutionId": "S1-1",
                    "completedStateOutput": {"data": "1"},
                }
            ]
        }
    ),
)
RESULTS = [
    {"completedStateId": "S1", "completedStateExecutionId": "S1-1", "completedStateOutput": {"data": "1"}}
]


def failed(type_: str | None, details: object = None, message: str = "") -> WorkflowOutcome:
    return WorkflowOutcome(
        status=WorkflowStatus.FAILED,
        failure_type=type_,
        failure_details=None if details is None else raw(details),
        failure_message=message,
    )


OUTCOMES = [
    pytest.param(COMPLETED, {"workflowStatus": "COMPLETED", "results": RESULTS}, id="completed"),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=raw({})),
        {"workflowStatus": "COMPLETED"},
        id="completed-without-outputs",
    ),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED, result=raw({"stateCompletionOutputs": []})),
        {"workflowStatus": "COMPLETED"},
        id="completed-with-no-outputs",
    ),
    pytest.param(
        WorkflowOutcome(status=WorkflowStatus.COMPLETED),
        {"workflowStatus": "COMPLETED"},
        id="completed-without-result",
    ),
    *(
        pytest.param(WorkflowOutcome(status=status), {"workflowStatus": status}, id=status.lower())
        for status in (WorkflowStatus.TIMEOUT, WorkflowStatus.TERMINATED, WorkflowStatus.CANCELED)
    ),
    pytest.param(
        failed("STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE", RESULTS),
        {
            "workflowStatus": "FAILED",
            "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
            "results": RESULTS,
        },
        id="failed-by-a-state",
    ),
    pytest.param(
        failed("STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"),
        {"workflowStatus": "FAILED", "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE"},
        id="failed-by-a-state-without-output",
    ),
    *(
        pytest.param(
            failed(type_, "why", "other text"),
            {"workflowStatus": "FAILED", "errorType": type_, "errorMessage": "why"},
            id=type_.lower(),
        )
        for type_ in (
            "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE",
            "STATE_API_FAIL_ERROR_TYPE",
            "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE",
            "RPC_ACQUIRE_LOCK_FAILURE",
            "SERVER_INTERNAL_ERROR_TYPE",
        )
    ),
    pytest.param(
        failed("STATE_API_FAIL_ERROR_TYPE", message="text"),
        {"workflowStatus": "FAILED", "errorType": "STATE_API_FAIL_ERROR_TYPE", "errorMessage": "text"},
        id="failed-without-details",
    ),
    pytest.param(
        failed("CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE", ""),
        {"workflowStatus": "FAILED", "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"},
        id="failed-with-empty-message",
    ),
    pytest.param(
        failed("Surprise", {"any": "details"}, "text"),
        {
            "workflowStatus": "FAILED",
            "errorType": "SERVER_INTERNAL_ERROR_TYPE",
            "errorMessage": "Surprise: text",
        },
        id="failed-by-unknown-type",
    ),
    pytest.param(
        failed(None, message="text"),
        {
            "workflowStatus": "FAILED",
            "errorType": "SERVER_INTERNAL_ERROR_TYPE",
            "errorMessage": "unknown failure: text",
        },
        id="failed-without-type",
    ),
]


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES)
async def test_get_tells_how_a_run_ended(
    engine: ScriptedEngine, post: Post, outcome: WorkflowOutcome, expected: dict[str, object]
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=outcome.status))
    engine.script("outcome", outcome)

    answer = await post("get", {"workflowId": "w", "needsResults": True})

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-1", **expected})
    assert engine.calls == [("describe", "w", ""), ("outcome", "w", "run-1")]


@pytest.mark.parametrize(("outcome", "expected"), OUTCOMES)
async def test_get_with_wait_tells_how_the_chain_ended(
    engine: ScriptedEngine, post: Post, outcome: WorkflowOutcome, expected: dict[str, object]
) -> None:
    engine.script("wait", outcome)

    answer = await post("getWithWait", {"workflowId": "w", "workflowRunId": "r"})

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-1", **expected})
    assert engine.calls_of("describe") == [("w", "r")]
    assert engine.calls_of("wait")[0][:2] == ("w", "run-1")


@pytest.mark.parametrize("status", STATUSES)
async def test_get_without_results_does_not_read_the_outcome(
    engine: ScriptedEngine, post: Post, status: WorkflowStatus
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=status))

    answer = await post("get", {"workflowId": "w"})

    assert answer.json() == {"workflowRunId": "run-1", "workflowStatus": status}
    assert engine.calls == [("describe", "w", "")]


@pytest.mark.parametrize("status", [WorkflowStatus.RUNNING, WorkflowStatus.CONTINUED_AS_NEW])
async def test_get_of_a_run_without_outcome_has_no_results(
    engine: ScriptedEngine, post: Post, status: WorkflowStatus
) -> None:
    engine.script("describe", msgspec.structs.replace(RUNNING, status=status))

    answer = await post("get", {"workflowId": "w", "needsResults": True})

    assert answer.json() == {"workflowRunId": "run-1", "workflowStatus": status}
    assert engine.calls == [("describe", "w", "")]


async def test_wait_without_end_is_a_long_poll_that_timed_out(engine: ScriptedEngine, post: Post) -> None:
    engine.script("wait", WaitTimedOut())

    answer = await post("getWithWait", {"workflowId": "w"})

    assert (answer.status_code, answer.json()) == (
        420,
        {
            "detail": "workflow is still running, waiting has exceeded timeout limit, please retry",
            "subStatus": "LONG_POLL_TIME_OUT_SUB_STATUS",
        },
    )


@pytest.mark.parametrize(
    ("requested", "seconds"),
    [
        pytest.param(10, 9.75, id="less-than-limit"),
        pytest.param(58, 57.75, id="limit"),
        pytest.param(59, 57.75, id="more-than-limit"),
        pytest.param(0, 57.75, id="zero"),
        pytest.param(-1, 57.75, id="negative"),
        pytest.param(None, 57.75, id="absent"),
    ],
)
async def test_wait_counts_from_the_start_of_the_second(
    engine: ScriptedEngine, requested: int | None, seconds: float
) -> None:
    service = Service(engine=engine, worker=WorkerClient(), settings=ApiSettings(), clock=lambda: 1000.25)

    assert service.wait_seconds(requested) == seconds


class SlowEngine(ScriptedEngine):
    """It takes a moment to answer, as engines do."""

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        await anyio.sleep(0.02)
        return await super().wait(workflow_id, run_id, timeout_seconds)


async def test_how_a_closed_workflow_ended_is_told_at_the_very_end_of_a_second() -> None:
    """A wait of one second is counted from the start of the current one, of which nothing may be left."""
    engine = SlowEngine()
    engine.script("describe", msgspec.structs.replace(RUNNING, status=WorkflowStatus.COMPLETED))
    async with WorkerClient() as worker:
        service = Service(engine=engine, worker=worker, settings=ApiSettings(), clock=lambda: 1_000_000.999)

        answer = await reading.get_with_wait(
            service, WorkflowGetRequest(workflow_id="w", wait_time_seconds=1)
        )

    assert answer.workflow_status is WorkflowStatus.COMPLETED
