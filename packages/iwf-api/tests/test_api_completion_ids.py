"""get and getWithWait of the ids that stand for the completion of a state."""

from collections.abc import Awaitable, Callable

import httpx
import msgspec
import pytest

from iwf_interpreter.contract import StateCompletionAnswer, StateTarget
from iwf_interpreter.engine import NotStartedYet, WorkflowNotFound
from iwf_models import WorkflowStatus
from scripted_engine import RUNNING, ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

UNKNOWN = WorkflowNotFound("no such workflow")
CLOSED = msgspec.structs.replace(RUNNING, status=WorkflowStatus.COMPLETED)
NOT_YET = StateCompletionAnswer(completed=False)
COMPLETED = StateCompletionAnswer(completed=True)


def execution(id_: str) -> StateTarget:
    return StateTarget(state_execution_id=id_)


def key(state_id: str, key: str) -> StateTarget:
    return StateTarget(state_id=state_id, wait_for_key=key)


@pytest.mark.parametrize("endpoint", ["get", "getWithWait"])
@pytest.mark.parametrize(
    ("id_", "workflows", "answers", "asked"),
    [
        pytest.param("w_S-1", ["w"], [COMPLETED], [("w", execution("S-1"))], id="execution"),
        pytest.param(
            "w_S_k",
            ["w_S", "w"],
            [NOT_YET, COMPLETED],
            [("w", execution("S_k")), ("w", key("S", "k"))],
            id="key",
        ),
        pytest.param(
            "a_b_S-1", ["a_b"], [COMPLETED], [("a_b", execution("S-1"))], id="underscore-in-workflow-id"
        ),
        pytest.param(
            "w_S_k_1",
            ["w_S_k", "w_S", "w"],
            [NOT_YET, NOT_YET, COMPLETED],
            [("w", execution("S_k_1")), ("w", key("S", "k_1")), ("w", key("S_k", "1"))],
            id="underscores-everywhere",
        ),
    ],
)
async def test_state_that_has_completed_shows_as_a_completed_workflow(
    engine: ScriptedEngine,
    post: Post,
    endpoint: str,
    id_: str,
    workflows: list[str],
    answers: list[StateCompletionAnswer],
    asked: list[tuple[str, StateTarget]],
) -> None:
    engine.script("describe", *[UNKNOWN] * len(workflows), RUNNING)
    engine.script("query", *answers)

    answer = await post(endpoint, {"workflowId": f"__IwfSystem_{id_}"})

    expected = {"workflowRunId": "run-1", "workflowStatus": "COMPLETED"}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert [call[0] for call in engine.calls_of("describe")] == [f"__IwfSystem_{id_}", *workflows]
    assert [(call[0], call[3]) for call in engine.calls_of("query")] == asked


@pytest.mark.parametrize("answer", [NOT_YET, NotStartedYet("delayed")], ids=["not-yet", "not-begun"])
async def test_state_that_has_not_completed_shows_as_a_running_workflow(
    engine: ScriptedEngine, post: Post, answer: object
) -> None:
    engine.script("describe", UNKNOWN, RUNNING)
    engine.script("query", answer)

    response = await post("get", {"workflowId": "__IwfSystem_w_S-1"})

    expected = {"workflowRunId": "run-1", "workflowStatus": "RUNNING"}
    assert (response.status_code, response.json()) == (200, expected)


async def test_state_can_be_waited_for(engine: ScriptedEngine, post: Post) -> None:
    engine.script("describe", UNKNOWN, RUNNING)
    engine.script("query", NOT_YET, NOT_YET, COMPLETED)

    answer = await post("getWithWait", {"workflowId": "__IwfSystem_w_S-1"})

    assert (answer.status_code, answer.json()["workflowStatus"]) == (200, "COMPLETED")


async def test_wait_ends_with_the_clients_time(engine: ScriptedEngine, post: Post) -> None:
    engine.script("describe", UNKNOWN, RUNNING)
    engine.script("query", NOT_YET)

    answer = await post("getWithWait", {"workflowId": "__IwfSystem_w_S-1", "waitTimeSeconds": 1})

    assert (answer.status_code, answer.json()["subStatus"]) == (420, "LONG_POLL_TIME_OUT_SUB_STATUS")


@pytest.mark.parametrize("endpoint", ["get", "getWithWait"])
async def test_state_that_a_closed_workflow_never_completed_does_not_exist(
    engine: ScriptedEngine, post: Post, endpoint: str
) -> None:
    engine.script("describe", UNKNOWN, CLOSED)
    engine.script("query", NOT_YET)

    answer = await post(endpoint, {"workflowId": "__IwfSystem_w_S-1"})

    assert (answer.status_code, answer.json()["subStatus"]) == (400, "WORKFLOW_NOT_EXISTS_SUB_STATUS")


@pytest.mark.parametrize("endpoint", ["get", "getWithWait"])
@pytest.mark.parametrize(
    ("id_", "tried"),
    [
        pytest.param("w_S-1", 1, id="no-prefix"),
        pytest.param("__IwfSystem_w", 1, id="no-state"),
        pytest.param("__IwfSystem__", 1, id="nothing"),
        pytest.param("__IwfSystem_w_S-1", 2, id="unknown-workflow"),
        pytest.param("__IwfSystem_" + "_" * 900, 33, id="too-many-ways-to-read-it"),
    ],
)
async def test_id_that_stands_for_nothing_does_not_exist(
    engine: ScriptedEngine, post: Post, endpoint: str, id_: str, tried: int
) -> None:
    engine.script("describe", UNKNOWN)

    answer = await post(endpoint, {"workflowId": id_})

    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "no such workflow", "subStatus": "WORKFLOW_NOT_EXISTS_SUB_STATUS"},
    )
    assert len(engine.calls) == tried


async def test_workflow_that_really_has_such_an_id_is_told_as_it_is(
    engine: ScriptedEngine, post: Post
) -> None:
    answer = await post("get", {"workflowId": "__IwfSystem_w_S-1"})

    assert (answer.status_code, answer.json()["workflowStatus"]) == (200, "RUNNING")
    assert len(engine.calls) == 1
