"""Calls that the engine hands out: what the attempt adds, how it is reported, and what observers are told."""

from collections.abc import Mapping

import pytest

from iwf_interpreter.contract import ActivityType, SnapshotPage, SnapshotPageQuery
from iwf_interpreter.core import CallExecute, CallWaitUntil, EarlierAttempts, LoadSnapshotPage
from iwf_interpreter.loop.activities import Activities, RegularCall, activity_input, activity_type
from iwf_interpreter.loop.dialect import ActivityTask
from iwf_interpreter.worker_errors import WorkerCallError, WorkerCallTimedOut
from iwf_models import (
    Context,
    EventType,
    IwfEvent,
    IwfEventError,
    RetryPolicy,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
    codec,
)
from scripted_loop import Listener, ScriptedDialect, ScriptedWorker, attempts, decision

pytestmark = pytest.mark.anyio

CONTEXT = Context(
    workflow_id="w", workflow_run_id="first", workflow_started_timestamp=1, state_execution_id="S-1"
)
KEYWORD = SearchAttribute(key="k", value_type=SearchAttributeValueType.KEYWORD, string_value="v")


def wait_until(earlier: EarlierAttempts | None = None) -> CallWaitUntil:
    return CallWaitUntil(
        call_id="wu/S-1",
        worker_url="http://w",
        request=WorkflowStateStartRequest(
            context=CONTEXT, workflow_type="T", workflow_state_id="S", search_attributes=[KEYWORD]
        ),
        timeout_seconds=9,
        retry_policy=RetryPolicy(),
        earlier=earlier,
    )


def execute(earlier: EarlierAttempts | None = None) -> CallExecute:
    return CallExecute(
        call_id="ex/S-1",
        worker_url="http://w",
        request=WorkflowStateDecideRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S"),
        timeout_seconds=9,
        retry_policy=RetryPolicy(),
        earlier=earlier,
    )


PAGE = LoadSnapshotPage(
    call_id="snapshot/0/1", workflow_id="w", run_id="before", query=SnapshotPageQuery(page=1, pages=3)
)


def task(call: RegularCall, *, attempt: int = 1) -> ActivityTask:
    return ActivityTask(
        token=b"t",
        workflow_id="w",
        run_id="r",
        call_id=call.call_id,
        activity_type=activity_type(call),
        input=activity_input(call),
        attempt=attempt,
        scheduled_at=1_700_000_000,
        timeout_seconds=9.0,
    )


async def run(
    task: ActivityTask,
    worker: ScriptedWorker,
    listener: Listener | None = None,
    registered: Mapping[str, str] | None = None,
) -> ScriptedDialect:
    async def registered_attributes() -> Mapping[str, str] | None:
        return registered

    dialect = ScriptedDialect()
    await Activities(dialect, attempts(worker, listener, registered_attributes)).run(task)
    return dialect


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(wait_until(), ActivityType.WAIT_UNTIL, id="wait-until"),
        pytest.param(execute(), ActivityType.EXECUTE, id="execute"),
        pytest.param(PAGE, ActivityType.LOAD_SNAPSHOT_PAGE, id="snapshot-page"),
    ],
)
def test_every_call_has_an_activity(call: RegularCall, kind: ActivityType) -> None:
    assert activity_type(call) is kind


async def test_answer_to_wait_until_is_reported() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse())

    dialect = await run(task(wait_until()), worker)

    (result,) = dialect.results
    assert codec.decode(result, WorkflowStateStartResponse) == WorkflowStateStartResponse()


async def test_answer_to_execute_is_reported() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", decision("T"))

    dialect = await run(task(execute()), worker)

    (result,) = dialect.results
    assert codec.decode(result, WorkflowStateDecideResponse) == decision("T")


async def test_page_is_read_from_the_run_before() -> None:
    dialect = await run(task(PAGE), ScriptedWorker())

    assert dialect.pages == [("w", "before", SnapshotPageQuery(page=1, pages=3), 9.0)]
    (result,) = dialect.results
    assert codec.decode(result, SnapshotPage) == SnapshotPage(text="text", sha256="digest")


@pytest.mark.parametrize("call", [wait_until(), execute()], ids=["wait-until", "execute"])
async def test_worker_sees_the_number_of_the_attempt(call: RegularCall) -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse() if isinstance(call, CallWaitUntil) else decision("T"))

    await run(task(call, attempt=3), worker)

    ((_, request),) = worker.calls
    assert (request.context.attempt, request.context.first_attempt_timestamp) == (3, 1_700_000_000)
    assert worker.timeouts == [9.0]


IN_PLACE = EarlierAttempts(count=1, first_attempt_at=1_699_999_990)


@pytest.mark.parametrize("call", [wait_until(IN_PLACE), execute(IN_PLACE)], ids=["wait-until", "execute"])
async def test_attempts_that_were_made_in_place_count(call: RegularCall) -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkflowStateStartResponse() if isinstance(call, CallWaitUntil) else decision("T"))

    await run(task(call, attempt=2), worker)

    ((_, request),) = worker.calls
    assert (request.context.attempt, request.context.first_attempt_timestamp) == (3, 1_699_999_990)


async def test_failed_attempt_is_reported_with_its_text() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", WorkerCallError(status=500, body="no", reason="500 Error"))

    dialect = await run(task(execute()), worker)

    assert dialect.results == [
        b"STATE_API_FAIL_ERROR_TYPE: statusCode: 500, responseBody: no, errMsg: 500 Error"
    ]


async def test_attempt_that_ran_out_of_time_reports_nothing() -> None:
    """The engine ends it by the same limit, in the words that clients look for."""
    worker = ScriptedWorker()
    worker.answer("S-1", WorkerCallTimedOut(9))

    dialect = await run(task(execute()), worker)

    assert dialect.results == []


async def test_bug_is_reported_as_an_error_of_the_server() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", RuntimeError("our bug"))

    dialect = await run(task(execute()), worker)

    assert dialect.results == [b"SERVER_INTERNAL_ERROR_TYPE: our bug"]


async def test_unknown_activity_is_reported_as_an_error_of_the_server() -> None:
    unknown = ActivityTask(
        token=b"t",
        workflow_id="w",
        run_id="r",
        call_id="x",
        activity_type="Other",
        input=b"{}",
        attempt=1,
        scheduled_at=1,
        timeout_seconds=1.0,
    )

    dialect = await run(unknown, ScriptedWorker())

    assert dialect.results == [b"SERVER_INTERNAL_ERROR_TYPE: unknown activity type 'Other'"]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        pytest.param(
            wait_until(), WorkflowStateStartResponse(upsert_search_attributes=[KEYWORD]), id="wait-until"
        ),
        pytest.param(
            execute(),
            WorkflowStateDecideResponse(
                state_decision=decision("T").state_decision, upsert_search_attributes=[KEYWORD]
            ),
            id="execute",
        ),
    ],
)
@pytest.mark.parametrize(("registered", "taken"), [({"k": "Keyword"}, True), ({"other": "Int"}, False)])
async def test_written_search_attributes_are_checked_against_the_registered_ones(
    call: RegularCall, answer: object, registered: Mapping[str, str], taken: bool
) -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", answer)

    dialect = await run(task(call), worker, registered=registered)

    (result,) = dialect.results
    assert result.startswith(b"STATE_API_FAIL_ERROR_TYPE") is not taken


async def test_written_search_attributes_of_an_rpc_are_checked_too() -> None:
    worker = ScriptedWorker()
    answer = WorkflowWorkerRpcResponse(upsert_search_attributes=[KEYWORD])
    worker.answer("pay", answer)
    request = WorkflowWorkerRpcRequest(context=CONTEXT, workflow_type="T", rpc_name="pay")

    assert await attempts(worker).rpc("http://w", request, 5.0) == answer
    assert worker.timeouts == [5.0]


@pytest.mark.parametrize(
    ("call", "answer", "kind", "error"),
    [
        pytest.param(
            wait_until(),
            WorkflowStateStartResponse(),
            EventType.STATE_WAIT_UNTIL_ATTEMPT_SUCC_EVENT,
            None,
            id="wait-until",
        ),
        pytest.param(
            execute(), decision("T"), EventType.STATE_EXECUTE_ATTEMPT_SUCC_EVENT, None, id="execute"
        ),
        pytest.param(
            wait_until(),
            WorkerCallError(status=0, body="", reason="refused"),
            EventType.STATE_WAIT_UNTIL_ATTEMPT_FAIL_EVENT,
            "statusCode: 0, responseBody: None, errMsg: refused",
            id="wait-until-failed",
        ),
        pytest.param(
            execute(),
            WorkerCallTimedOut(9),
            EventType.STATE_EXECUTE_ATTEMPT_FAIL_EVENT,
            "statusCode: 0, responseBody: None, errMsg: no answer from the worker within 9 seconds",
            id="execute-timed-out",
        ),
    ],
)
async def test_observer_is_told_of_every_attempt(
    call: RegularCall, answer: object, kind: EventType, error: str | None
) -> None:
    worker, listener = ScriptedWorker(), Listener()
    worker.answer("S-1", answer)

    await run(task(call), worker, listener)

    (event,) = listener.events
    assert event == IwfEvent(
        event_type=kind,
        workflow_type="T",
        workflow_id="w",
        workflow_run_id="r",
        state_id="S",
        state_execution_id="S-1",
        start_timestamp_in_ms=event.start_timestamp_in_ms,
        end_timestamp_in_ms=event.end_timestamp_in_ms,
        error=None if error is None else IwfEventError(type="STATE_API_FAIL_ERROR_TYPE", details=error),
        search_attributes=[KEYWORD] if isinstance(call, CallWaitUntil) else None,
    )
    assert 0 < (event.start_timestamp_in_ms or 0) <= (event.end_timestamp_in_ms or 0)


async def test_observer_that_fails_does_not_change_the_result() -> None:
    worker = ScriptedWorker()
    worker.answer("S-1", decision("T"))

    dialect = await run(task(execute()), worker, Listener(failing=True))

    assert codec.decode(dialect.results[0], WorkflowStateDecideResponse) == decision("T")
