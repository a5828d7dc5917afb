"""The core's commands as Temporal takes them; pure translation, no server."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType

from iwf_interpreter.contract import (
    ContinuedRun,
    InterpreterInput,
    InterpreterOutput,
    LockedRpcAnswer,
    SnapshotPageQuery,
    UpdateError,
)
from iwf_interpreter.core import (
    AcceptUpdate,
    AnswerUpdate,
    CallExecute,
    CallRpc,
    CallWaitUntil,
    CancelRun,
    CancelTimer,
    CompleteRun,
    ContinueAsNew,
    FailRun,
    FailUpdate,
    LoadSnapshotPage,
    SetMemo,
    SetSearchAttributes,
    StartTimer,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.loop.activities import ExecuteInput, SnapshotPageInput, WaitUntilInput
from iwf_interpreter.loop.history import HeldBack, LocalResult, Outgoing
from iwf_interpreter.temporal import commands, payloads
from iwf_models import (
    Context,
    EncodedObject,
    RetryPolicy,
    StateCompletionOutput,
    WorkflowConfig,
    WorkflowErrorType,
    WorkflowRetryPolicy,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
)

CONTEXT = Context(
    workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1, state_execution_id="S-1"
)
POLICY = RetryPolicy(
    initial_interval_seconds=1,
    backoff_coefficient=2.0,
    maximum_interval_seconds=100,
    maximum_attempts=3,
    maximum_attempts_duration_seconds=60,
)


def wait_until(data: str = "in", policy: RetryPolicy = POLICY) -> CallWaitUntil:
    return CallWaitUntil(
        call_id="wu/S-1",
        worker_url="http://w",
        request=WorkflowStateStartRequest(
            context=CONTEXT,
            workflow_type="T",
            workflow_state_id="S",
            state_input=EncodedObject(data=data),
        ),
        timeout_seconds=9,
        retry_policy=policy,
    )


def execute() -> CallExecute:
    return CallExecute(
        call_id="ex/S-1",
        worker_url="http://w",
        request=WorkflowStateDecideRequest(context=CONTEXT, workflow_type="T", workflow_state_id="S"),
        timeout_seconds=9,
        retry_policy=POLICY,
    )


def translated(*outgoing: Outgoing, eager_calls: int = 0) -> list[Command]:
    return commands.translate(outgoing, task_queue="queue", eager_calls=eager_calls)


def one(outgoing: Outgoing) -> Command:
    (command,) = translated(outgoing)
    return command


def summary(command: Command) -> str:
    return payloads.decode(command.user_metadata.summary, str)


def test_state_call_is_an_activity_with_its_own_limits() -> None:
    call = wait_until()

    command = one(call)

    assert command.command_type == CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK
    activity = command.schedule_activity_task_command_attributes
    assert (activity.activity_id, activity.activity_type.name) == ("wu/S-1", "StateApiWaitUntil")
    assert activity.task_queue.name == "queue"
    assert activity.start_to_close_timeout == Duration(seconds=9)
    assert activity.schedule_to_close_timeout == Duration(seconds=60)
    assert activity.retry_policy.maximum_attempts == 3
    assert payloads.decode(activity.input.payloads[0], WaitUntilInput) == WaitUntilInput(
        worker_url="http://w", request=call.request
    )
    assert summary(command) == "S-1"


def test_state_call_without_a_limit_in_total_has_none() -> None:
    policy = RetryPolicy(
        initial_interval_seconds=1,
        backoff_coefficient=2.0,
        maximum_interval_seconds=100,
        maximum_attempts=0,
        maximum_attempts_duration_seconds=0,
    )

    activity = one(wait_until(policy=policy)).schedule_activity_task_command_attributes

    assert not activity.HasField("schedule_to_close_timeout")


def test_execute_call_has_an_input_of_its_own() -> None:
    activity = one(execute()).schedule_activity_task_command_attributes

    assert activity.activity_type.name == "StateApiExecute"
    assert payloads.decode(activity.input.payloads[0], ExecuteInput) == ExecuteInput(
        worker_url="http://w", request=execute().request
    )


def test_only_as_many_calls_are_eager_as_there_are_slots() -> None:
    found = translated(
        wait_until(),
        StartTimer(timer_id="t", delay_ms=1, execution_id="S-1"),
        execute(),
        execute(),
        eager_calls=2,
    )

    eager = [
        command.schedule_activity_task_command_attributes.request_eager_execution
        for command in found
        if command.command_type == CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK
    ]
    assert eager == [True, True, False]


def test_reading_a_page_is_repeated_until_it_succeeds() -> None:
    query = SnapshotPageQuery(page=1, pages=3)

    activity = one(
        LoadSnapshotPage(call_id="snapshot/0/1", workflow_id="w", run_id="before", query=query)
    ).schedule_activity_task_command_attributes

    assert (activity.activity_id, activity.activity_type.name) == ("snapshot/0/1", "LoadSnapshotPage")
    assert activity.start_to_close_timeout == Duration(seconds=10)
    assert activity.retry_policy.maximum_interval == Duration(seconds=5)
    assert activity.retry_policy.maximum_attempts == 0
    assert payloads.decode(activity.input.payloads[0], SnapshotPageInput) == SnapshotPageInput(
        workflow_id="w", run_id="before", query=query
    )


def test_result_in_place_is_a_marker_that_names_its_call() -> None:
    result = LocalResult(call_id="wu/S-1", now_ms=5, wait_until=WorkflowStateStartResponse())

    command = one(result)

    marker = command.record_marker_command_attributes
    assert marker.marker_name == "iwf-local-call"
    assert payloads.decode(marker.details["call"].payloads[0], LocalResult) == result
    assert summary(command) == "wu/S-1"


def test_held_back_commands_leave_a_marker() -> None:
    assert one(HeldBack()) == commands.held_back()
    assert commands.held_back().record_marker_command_attributes.marker_name == "iwf-held-back"


@pytest.mark.parametrize(
    ("command", "message_id"),
    [
        pytest.param(AcceptUpdate(update_id="u"), "u/accept", id="accept"),
        pytest.param(AnswerUpdate(update_id="u", result=LockedRpcAnswer()), "u/complete", id="answer"),
        pytest.param(
            FailUpdate(update_id="u", error=UpdateError.EXPIRED, text="late"), "u/complete", id="fail"
        ),
    ],
)
def test_updates_have_their_place_among_the_commands(command: Outgoing, message_id: str) -> None:
    found = one(command)

    assert found.command_type == CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE
    assert found.protocol_message_command_attributes.message_id == message_id


def test_timer_is_started_with_milliseconds() -> None:
    command = one(StartTimer(timer_id="timer/1", delay_ms=1500, execution_id="S-1"))

    timer = command.start_timer_command_attributes
    assert (timer.timer_id, timer.start_to_fire_timeout.ToMilliseconds()) == ("timer/1", 1500)
    assert summary(command) == "S-1"


def test_timer_is_cancelled_by_its_id() -> None:
    command = one(CancelTimer(timer_id="timer/1"))

    assert command.command_type == CommandType.COMMAND_TYPE_CANCEL_TIMER
    assert command.cancel_timer_command_attributes.timer_id == "timer/1"


def test_search_attributes_carry_their_types() -> None:
    command = one(SetSearchAttributes(values={"k": EngineValue("Keyword", "v"), "n": EngineValue("Int", 5)}))

    fields = command.upsert_workflow_search_attributes_command_attributes.search_attributes.indexed_fields
    assert {key: (payloads.raw(field), field.metadata["type"]) for key, field in fields.items()} == {
        "k": (b'"v"', b"Keyword"),
        "n": (b"5", b"Int"),
    }


def test_memo_carries_data_attributes() -> None:
    command = one(SetMemo(values={"d": EncodedObject(data="1")}))

    fields = command.modify_workflow_properties_command_attributes.upserted_memo.fields
    assert payloads.decode(fields["d"], EncodedObject) == EncodedObject(data="1")


def test_completion_carries_the_outputs() -> None:
    command = one(CompleteRun(output=InterpreterOutput()))

    result = command.complete_workflow_execution_command_attributes.result
    assert payloads.decode(result.payloads[0], InterpreterOutput) == InterpreterOutput()


OUTPUT = StateCompletionOutput(completed_state_id="S", completed_state_execution_id="S-1")


@pytest.mark.parametrize(
    ("command", "message", "details"),
    [
        pytest.param(
            FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, text="broken"),
            "broken",
            [b'"broken"'],
            id="text",
        ),
        pytest.param(FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE), "", [], id="nothing"),
        pytest.param(
            FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, outputs=[OUTPUT]),
            "",
            [b'[{"completedStateId":"S","completedStateExecutionId":"S-1"}]'],
            id="outputs",
        ),
    ],
)
def test_failure_carries_the_message_or_the_outputs(
    command: FailRun, message: str, details: list[bytes]
) -> None:
    failure = one(command).fail_workflow_execution_command_attributes.failure

    assert failure.message == message
    assert failure.application_failure_info.type == "STATE_API_FAIL_ERROR_TYPE"
    assert [found.data for found in failure.application_failure_info.details.payloads] == details


def test_cancelled_run_says_so() -> None:
    command = one(CancelRun())

    assert command.command_type == CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION
    assert command.HasField("cancel_workflow_execution_command_attributes")


def continuing(**fields: Any) -> ContinueAsNew:
    start = InterpreterInput(
        iwf_workflow_type="T",
        iwf_worker_url="http://w",
        config=WorkflowConfig(),
        continued=ContinuedRun(snapshot="{}"),
        **fields,
    )
    return ContinueAsNew(
        input=start,
        search_attributes={"k": EngineValue("Keyword", "v")},
        memo={"m": EncodedObject(data="1")},
        timeout_seconds=5,
    )


def test_next_run_is_given_everything_explicitly() -> None:
    command = continuing(retry_policy=WorkflowRetryPolicy(maximum_attempts=2), cron_schedule="@daily")

    again = one(command).continue_as_new_workflow_execution_command_attributes

    assert payloads.decode(again.input.payloads[0], InterpreterInput) == command.input
    assert payloads.raw(again.search_attributes.indexed_fields["k"]) == b'"v"'
    assert payloads.decode(again.memo.fields["m"], EncodedObject) == EncodedObject(data="1")
    assert (again.retry_policy.maximum_attempts, again.cron_schedule) == (2, "@daily")


def test_next_run_has_no_policies_unless_the_workflow_has() -> None:
    again = one(continuing()).continue_as_new_workflow_execution_command_attributes

    assert (again.HasField("retry_policy"), again.cron_schedule) == (False, "")


def test_commands_keep_their_order() -> None:
    found = translated(
        AcceptUpdate(update_id="u"), SetMemo(values={}), wait_until(), CompleteRun(output=InterpreterOutput())
    )

    assert [command.command_type for command in found] == [
        CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE,
        CommandType.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES,
        CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
    ]


LONG = "x" * commands.MAX_INPUT_BYTES


@pytest.mark.parametrize(
    ("make", "what"),
    [
        pytest.param(lambda: wait_until(LONG), "input of call 'wu/S-1'", id="input"),
        pytest.param(lambda: LocalResult(call_id=LONG), "result of call 'xxx", id="result"),
    ],
)
def test_what_the_server_would_terminate_the_run_for_is_refused(
    make: Callable[[], Outgoing], what: str
) -> None:
    with pytest.raises(commands.TooLarge, match=f"^{what}"):
        translated(make())


def test_rpc_is_never_left_to_the_engine() -> None:
    call = CallRpc(
        call_id="rpc/u",
        worker_url="http://w",
        request=WorkflowWorkerRpcRequest(context=CONTEXT, workflow_type="T", rpc_name="pay"),
        timeout_seconds=1,
    )

    with pytest.raises(AssertionError):
        translated(call)


def long(count: int) -> list[Outgoing]:
    """Calls of which three fit into one answer."""
    return [wait_until("x" * 1_000_000) for _ in range(count)]


SHORT_RESULT = LocalResult(call_id="wu/S-1", wait_until=WorkflowStateStartResponse())


@pytest.mark.parametrize(
    ("outgoing", "fit"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param(long(3), 3, id="all"),
        pytest.param(long(5), 3, id="first-three"),
        pytest.param([wait_until("x" * 1_999_000), *long(3)], 2, id="by-length"),
        pytest.param([*long(4), CancelRun()], 5, id="closing-is-never-divided"),
        pytest.param([*long(4), SHORT_RESULT], 5, id="never-divided-before-a-result"),
        pytest.param([*long(4), SHORT_RESULT, *long(1)], 5, id="divided-behind-the-last-result"),
    ],
)
def test_answer_that_is_too_long_is_divided(outgoing: list[Outgoing], fit: int) -> None:
    assert commands.fitting(translated(*outgoing)) == fit
