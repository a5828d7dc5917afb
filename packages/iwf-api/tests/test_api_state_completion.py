"""waitForStateCompletion: when the run is only asked, when it is waited for, and how waits are shared."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import httpx
import msgspec
import pytest

from iwf_api.operations import state_completion
from iwf_api.operations.service import Service
from iwf_api.settings import ApiSettings
from iwf_interpreter.contract import (
    QueryType,
    StateCompletionAnswer,
    StateTarget,
    UpdateError,
    UpdateType,
)
from iwf_interpreter.engine import (
    EngineError,
    NotStartedYet,
    RunEnded,
    TooManyUpdates,
    UpdateRefused,
    WaitTimedOut,
    WorkflowNotFound,
)
from iwf_interpreter.worker_client import WorkerClient
from iwf_models import (
    EncodedObject,
    StateCompletionOutput,
    WorkflowStatus,
    WorkflowWaitForStateCompletionRequest,
)
from scripted_engine import FOREVER, RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

T = TypeVar("T")

Post = Callable[[str, object], Awaitable[httpx.Response]]

TARGET = StateTarget(state_execution_id="S-1")
REQUEST = {"workflowId": "w", "stateExecutionId": "S-1"}
BRIEF = {**REQUEST, "waitTimeSeconds": 2}
"""A wait of one to two seconds, as it is counted from the start of the current one."""
NOT_YET = StateCompletionAnswer(completed=False)
COMPLETED = StateCompletionAnswer(
    completed=True,
    output=StateCompletionOutput(
        completed_state_id="S",
        completed_state_execution_id="S-1",
        completed_state_output=EncodedObject(data="1"),
    ),
)
OUTPUT = {
    "stateCompletionOutput": {
        "completedStateId": "S",
        "completedStateExecutionId": "S-1",
        "completedStateOutput": {"data": "1"},
    }
}
ASK_AGAIN = UpdateRefused(UpdateError.ASK_AGAIN, "another run goes on")
CLOSED = msgspec.structs.replace(RUNNING, status=WorkflowStatus.COMPLETED)


def assert_timed_out(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["subStatus"]) == (420, "LONG_POLL_TIME_OUT_SUB_STATUS")


async def test_state_that_has_completed_is_told_at_once(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", COMPLETED)

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)
    assert engine.calls == [("query", "w", "", QueryType.STATE_COMPLETION, TARGET)]


async def test_state_that_has_not_completed_is_waited_for(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", COMPLETED)

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)
    assert engine.calls == [
        ("query", "w", "", QueryType.STATE_COMPLETION, TARGET),
        ("update", "w", "", UpdateType.WAIT_FOR_STATE, "wait/S-1", TARGET, 58),
    ]


@pytest.mark.parametrize(
    ("body", "target", "update_id"),
    [
        pytest.param({"stateExecutionId": "S-1"}, TARGET, "wait/S-1", id="execution"),
        pytest.param({"stateExecutionId": "S-1", "waitForKey": ""}, TARGET, "wait/S-1", id="empty-key"),
        pytest.param(
            {"stateId": "a/b c", "waitForKey": "k/1", "stateExecutionId": "S-1"},
            StateTarget(state_id="a/b c", wait_for_key="k/1"),
            "wait-key/a%2Fb%20c/k/1",
            id="key-wins",
        ),
    ],
)
async def test_each_target_has_an_update_of_its_own(
    engine: ScriptedEngine, post: Post, body: dict[str, object], target: StateTarget, update_id: str
) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", COMPLETED)

    await post("waitForStateCompletion", {"workflowId": "w", **body})

    [(_, _, _, sent_id, argument, _)] = engine.calls_of("update")
    assert (sent_id, argument) == (update_id, target)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param({}, "stateExecutionId, or stateId and waitForKey, must be set", id="nothing"),
        pytest.param(
            {"stateId": "S"}, "stateExecutionId, or stateId and waitForKey, must be set", id="state-only"
        ),
        pytest.param({"waitForKey": "k"}, "waitForKey needs stateId", id="key-without-state"),
        pytest.param(
            {"waitForKey": "k", "stateExecutionId": "S-1"},
            "waitForKey needs stateId",
            id="key-with-execution",
        ),
    ],
)
async def test_request_that_does_not_say_which_state_is_refused(
    engine: ScriptedEngine, post: Post, body: dict[str, object], detail: str
) -> None:
    answer = await post("waitForStateCompletion", {"workflowId": "w", **body})

    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": detail, "subStatus": "UNCATEGORIZED_SUB_STATUS"},
    )
    assert engine.calls == []


async def test_unknown_workflow_is_not_waited_for(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", WorkflowNotFound("no such workflow"))

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "no such workflow", "subStatus": "WORKFLOW_NOT_EXISTS_SUB_STATUS"},
    )


async def test_wait_ends_with_the_clients_time(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", FOREVER)

    answer = await post("waitForStateCompletion", BRIEF)

    assert_timed_out(answer)
    assert engine.cancelled == ["update"]


@pytest.mark.parametrize(
    "interruption",
    [
        pytest.param(ASK_AGAIN, id="continues-as-new"),
        pytest.param(RunEnded("over", accepted=True), id="run-ended"),
        pytest.param(RunEnded("over", accepted=False), id="run-ended-before"),
        pytest.param(TooManyUpdates("full"), id="too-many-updates"),
        pytest.param(NotStartedYet("early"), id="next-run-not-begun"),
    ],
)
async def test_wait_is_taken_up_again_as_the_same_update(
    engine: ScriptedEngine, post: Post, interruption: Exception
) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", interruption, WaitTimedOut("long poll"), COMPLETED)

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)
    assert [call[3] for call in engine.calls_of("update")] == ["wait/S-1"] * 3


async def test_run_with_too_many_updates_is_asked_instead(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", NOT_YET, NOT_YET, NOT_YET, COMPLETED)
    engine.script("update", TooManyUpdates("full"))

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)
    assert len(engine.calls_of("query")) == 4


async def test_state_that_completed_as_the_workflow_closed_is_told(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("query", NOT_YET, COMPLETED)
    engine.script("update", WorkflowNotFound("closed"))
    engine.script("describe", CLOSED)

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)


@pytest.mark.parametrize(
    "end",
    [WorkflowNotFound("closed"), RunEnded("over", accepted=True), ASK_AGAIN],
    ids=["closed-before", "closed-meanwhile", "closed-while-it-continued-as-new"],
)
async def test_workflow_that_closed_without_the_state_lets_clients_wait_without_asking_it(
    engine: ScriptedEngine, post: Post, end: Exception
) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", end)
    engine.script("describe", CLOSED)

    answer = await post("waitForStateCompletion", BRIEF)

    assert_timed_out(answer)
    assert [call[0] for call in engine.calls] == ["query", "update", "describe", "query"]


async def test_workflow_that_has_not_begun_is_waited_for(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", NotStartedYet("delayed"), NotStartedYet("delayed"), COMPLETED)
    engine.script("update", NotStartedYet("delayed"))

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()) == (200, OUTPUT)


@pytest.mark.parametrize("error", [EngineError("broken"), UpdateRefused("Unknown", "broken")])
async def test_failure_of_the_engine_ends_the_wait(
    engine: ScriptedEngine, post: Post, error: Exception
) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", error)

    answer = await post("waitForStateCompletion", REQUEST)

    assert (answer.status_code, answer.json()["detail"]) == (500, "broken")


async def test_clients_that_wait_for_the_same_state_share_one_update(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("query", NOT_YET)
    engine.script("update", FOREVER, COMPLETED)
    answers: list[httpx.Response] = []

    async def wait(body: object) -> None:
        answers.append(await post("waitForStateCompletion", body))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, BRIEF)
        await engine.waiting.wait()
        tasks.start_soon(wait, REQUEST)
        tasks.start_soon(wait, REQUEST)

    # The first one leaves at the end of its time, and one of the others goes on with the wait.
    assert [answer.status_code for answer in answers] == [420, 200, 200]
    assert [call[3] for call in engine.calls_of("update")] == ["wait/S-1"] * 2


class SlowEngine(ScriptedEngine):
    """It takes a moment to answer, as engines do."""

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        await anyio.sleep(0.02)
        return await super().query(workflow_id, run_id, query, argument, answer_type, timeout_seconds)


async def test_what_is_known_already_is_told_at_the_very_end_of_a_second() -> None:
    """A wait of one second is counted from the start of the current one, of which nothing may be left."""
    engine = SlowEngine()
    engine.script("query", COMPLETED)
    async with WorkerClient() as worker:
        service = Service(engine=engine, worker=worker, settings=ApiSettings(), clock=lambda: 1_000_000.999)
        request = WorkflowWaitForStateCompletionRequest(
            workflow_id="w", state_execution_id="S-1", wait_time_seconds=1
        )

        answer = await state_completion.wait(service, request)

    assert answer.state_completion_output == COMPLETED.output
