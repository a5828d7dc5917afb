"""reset, timer/skip, config/update, triggerContinueAsNew and internal/dump: what the engine is asked for."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from iwf_api.settings import ApiSettings, QueryRetryPolicy
from iwf_interpreter.contract import QueryType, SkipTimerSignal, SystemSignal, TimerInfo, TimerInfosAnswer
from iwf_interpreter.engine import (
    InvalidArgument,
    NoResetPoint,
    QueryFailed,
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
    WorkflowNotFound,
)
from iwf_models import (
    WorkflowConfig,
    WorkflowConfigUpdateRequest,
    WorkflowDumpRequest,
    WorkflowDumpResponse,
)
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

UNCATEGORIZED = "UNCATEGORIZED_SUB_STATUS"
NOT_EXISTS = "WORKFLOW_NOT_EXISTS_SUB_STATUS"

POINTS = [
    pytest.param({"resetType": "BEGINNING"}, ResetToBeginning(), id="beginning"),
    pytest.param(
        {"resetType": "HISTORY_EVENT_ID", "historyEventId": 12}, ResetToEvent(event_id=12), id="event"
    ),
    pytest.param(
        {"resetType": "HISTORY_EVENT_TIME", "historyEventTime": "1970-01-01T00:00:02.5+00:00"},
        ResetToTime(unix_ns=2_500_000_000),
        id="time",
    ),
    pytest.param({"resetType": "STATE_ID", "stateId": "S"}, ResetToState(state_id="S"), id="state"),
    pytest.param(
        {"resetType": "STATE_EXECUTION_ID", "stateExecutionId": "S-2"},
        ResetToStateExecution(execution_id="S-2"),
        id="state-execution",
    ),
    pytest.param(
        {
            "resetType": "STATE_ID",
            "stateId": "S",
            "stateExecutionId": "T-1",
            "historyEventTime": "0001-01-01T00:00:00Z",
        },
        ResetToState(state_id="S"),
        id="fields-of-other-types",
    ),
]


@pytest.mark.parametrize(("body", "point"), POINTS)
async def test_reset_goes_to_the_point_of_its_type(
    engine: ScriptedEngine, post: Post, body: dict[str, object], point: ResetPoint
) -> None:
    answer = await post("reset", {"workflowId": "w", **body})

    assert (answer.status_code, answer.json()) == (200, {"workflowRunId": "run-2"})
    assert engine.calls == [("reset", "w", "", point, "", False, False)]


async def test_reset_passes_on_run_reason_and_what_not_to_give_again(
    engine: ScriptedEngine, post: Post
) -> None:
    await post(
        "reset",
        {
            "workflowId": "w",
            "workflowRunId": "r",
            "resetType": "BEGINNING",
            "reason": "why",
            "skipSignalReapply": True,
            "skipUpdateReapply": True,
        },
    )

    assert engine.calls == [("reset", "w", "r", ResetToBeginning(), "why", True, True)]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"resetType": "HISTORY_EVENT_ID"}, "historyEventId must be set"),
        ({"resetType": "HISTORY_EVENT_ID", "historyEventId": 0}, "historyEventId must be set"),
        ({"resetType": "HISTORY_EVENT_TIME"}, "historyEventTime must be set"),
        ({"resetType": "HISTORY_EVENT_TIME", "historyEventTime": ""}, "historyEventTime must be set"),
        (
            {"resetType": "HISTORY_EVENT_TIME", "historyEventTime": "noon"},
            "historyEventTime: 'noon' is not a time",
        ),
        ({"resetType": "STATE_ID", "stateExecutionId": "S-1"}, "stateId must be set"),
        ({"resetType": "STATE_EXECUTION_ID", "stateExecutionId": ""}, "stateExecutionId must be set"),
    ],
)
async def test_reset_without_what_its_type_needs_is_refused(
    engine: ScriptedEngine, post: Post, body: dict[str, object], detail: str
) -> None:
    answer = await post("reset", {"workflowId": "w", **body})

    assert (answer.status_code, answer.json()["subStatus"]) == (400, UNCATEGORIZED)
    assert answer.json()["detail"].startswith(detail)
    assert engine.calls == []


@pytest.mark.parametrize(
    ("error", "sub_status"),
    [
        pytest.param(NoResetPoint("no"), UNCATEGORIZED, id="no-such-point"),
        pytest.param(InvalidArgument("no"), UNCATEGORIZED, id="not-a-valid-event"),
        pytest.param(WorkflowNotFound("no"), NOT_EXISTS, id="unknown-workflow-or-run"),
    ],
)
async def test_reset_that_cannot_be_made_is_a_400(
    engine: ScriptedEngine, post: Post, error: Exception, sub_status: str
) -> None:
    engine.script("reset", error)

    answer = await post("reset", {"workflowId": "w", "resetType": "BEGINNING"})

    assert (answer.status_code, answer.json()) == (400, {"detail": "no", "subStatus": sub_status})


def timer(status: str, command_id: str | None = None) -> TimerInfo:
    return TimerInfo(command_id=command_id, firing_unix_timestamp_seconds=5, status=status)


TIMERS = TimerInfosAnswer(
    state_execution_current_timer_infos={
        "S-1": [timer("Fired", "a"), timer("Pending", "b"), timer("Skipped"), timer("Pending")]
    }
)
SKIP = {"workflowId": "w", "workflowRunId": "r", "workflowStateExecutionId": "S-1"}


@pytest.mark.parametrize(
    ("named", "command_id", "index"),
    [
        pytest.param({"timerCommandId": "b"}, "b", None, id="by-id"),
        pytest.param({"timerCommandId": "a"}, "a", None, id="by-id-in-any-status"),
        pytest.param({"timerCommandId": "b", "timerCommandIndex": 0}, "b", None, id="id-wins"),
        pytest.param({"timerCommandIndex": 3}, None, 3, id="by-index"),
        pytest.param({"timerCommandId": "", "timerCommandIndex": 1}, None, 1, id="empty-id"),
    ],
)
async def test_timer_is_skipped(
    engine: ScriptedEngine, post: Post, named: dict[str, object], command_id: str | None, index: int | None
) -> None:
    engine.script("query", TIMERS)

    answer = await post("timer/skip", {**SKIP, **named})

    body = SkipTimerSignal(state_execution_id="S-1", command_id=command_id, command_index=index)
    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [
        ("query", "w", "r", QueryType.GET_CURRENT_TIMER_INFOS, None),
        ("signal", "w", "r", SystemSignal.SKIP_TIMER, body),
    ]


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        pytest.param({}, "timerCommandId or timerCommandIndex must be set", id="nothing"),
        pytest.param({"timerCommandId": ""}, "timerCommandId or timerCommandIndex must be set", id="empty"),
        pytest.param({"timerCommandId": "c"}, "has no timer with id 'c'", id="unknown-id"),
        pytest.param({"timerCommandIndex": 0}, "has no timer with index 0", id="fired"),
        pytest.param({"timerCommandIndex": 4}, "has no timer with index 4", id="index-too-large"),
        pytest.param({"timerCommandIndex": -1}, "has no timer with index -1", id="negative-index"),
        pytest.param(
            {"timerCommandIndex": 1, "workflowStateExecutionId": "S-2"},
            "state execution 'S-2' has no timer",
            id="unknown-execution",
        ),
    ],
)
async def test_timer_that_is_not_there_cannot_be_skipped(
    engine: ScriptedEngine, post: Post, named: dict[str, object], reason: str
) -> None:
    engine.script("query", TIMERS)

    answer = await post("timer/skip", {**SKIP, **named})

    body = answer.json()
    assert (answer.status_code, body["subStatus"]) == (400, UNCATEGORIZED)
    assert body["detail"].startswith("invalid request - ")
    assert reason in body["detail"]
    assert engine.calls_of("signal") == []


async def test_timer_that_was_pending_when_the_workflow_closed_cannot_be_skipped(
    engine: ScriptedEngine, post: Post
) -> None:
    engine.script("query", TIMERS)
    engine.script("signal", WorkflowNotFound("closed"))

    answer = await post("timer/skip", {**SKIP, "timerCommandIndex": 1})

    assert (answer.status_code, answer.json()) == (400, {"detail": "closed", "subStatus": NOT_EXISTS})


async def test_new_settings_are_sent_to_the_run(engine: ScriptedEngine, post: Post) -> None:
    answer = await post(
        "config/update",
        {"workflowId": "w", "workflowRunId": "r", "workflowConfig": {"continueAsNewThreshold": 0}},
    )

    request = WorkflowConfigUpdateRequest(
        workflow_id="w",
        workflow_run_id="r",
        workflow_config=WorkflowConfig(continue_as_new_threshold=0),
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [("signal", "w", "r", SystemSignal.UPDATE_CONFIG, request)]


@pytest.mark.parametrize("field", ["continueAsNewThreshold", "continueAsNewPageSizeInBytes"])
async def test_negative_setting_is_refused_by_its_name(
    engine: ScriptedEngine, post: Post, field: str
) -> None:
    answer = await post("config/update", {"workflowId": "w", "workflowConfig": {field: -1}})

    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": f"workflowConfig.{field} must not be negative, got -1", "subStatus": UNCATEGORIZED},
    )
    assert engine.calls == []


async def test_continue_as_new_is_triggered_without_a_body(engine: ScriptedEngine, post: Post) -> None:
    answer = await post("triggerContinueAsNew", {"workflowId": "w", "workflowRunId": "r"})

    assert (answer.status_code, answer.json()) == (200, {})
    assert engine.calls == [("signal", "w", "r", SystemSignal.CONTINUE_AS_NEW, None)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("config/update", {"workflowConfig": {}}),
        ("triggerContinueAsNew", {}),
    ],
)
async def test_closed_workflow_takes_no_settings(
    engine: ScriptedEngine, post: Post, path: str, body: dict[str, object]
) -> None:
    engine.script("signal", WorkflowNotFound("closed"))

    answer = await post(path, {"workflowId": "w", **body})

    assert (answer.status_code, answer.json()) == (400, {"detail": "closed", "subStatus": NOT_EXISTS})


DUMP: dict[str, Any] = {"workflowId": "w", "workflowRunId": "r", "pageSizeInBytes": 10, "pageNum": 1}


async def test_page_of_a_dump_is_what_the_run_says(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", WorkflowDumpResponse(checksum="c", total_pages=2, json_data="}"))

    answer = await post("internal/dump", DUMP)

    request = WorkflowDumpRequest(workflow_id="w", workflow_run_id="r", page_size_in_bytes=10, page_num=1)
    assert (answer.status_code, answer.json()) == (200, {"checksum": "c", "totalPages": 2, "jsonData": "}"})
    assert engine.calls == [("query", "w", "r", QueryType.DUMP_BY_PAGE, request)]


async def test_page_that_does_not_exist_is_a_400_at_once(engine: ScriptedEngine, post: Post) -> None:
    engine.script("query", QueryFailed("pageNum 1 is out of range: there are 1 pages"))

    answer = await post("internal/dump", DUMP)

    detail = "pageNum 1 is out of range: there are 1 pages"
    assert (answer.status_code, answer.json()) == (400, {"detail": detail, "subStatus": UNCATEGORIZED})
    assert len(engine.calls) == 1


async def test_dump_of_a_run_that_cannot_answer_is_asked_again(
    engine: ScriptedEngine, post_with: Callable[[ApiSettings], Post]
) -> None:
    engine.script("query", QueryFailed("early"))
    policy = QueryRetryPolicy(maximum_attempts=2, initial_interval_seconds=0)

    answer = await post_with(ApiSettings(query_workflow_failed_retry_policy=policy))("internal/dump", DUMP)

    assert (answer.status_code, answer.json()["detail"]) == (500, "early")
    assert len(engine.calls) == 2
