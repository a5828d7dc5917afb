"""The core's commands, as Temporal takes them.

Activity ids are the call ids, so that the state execution shows in every tool; summaries say it again for
the web UI. A payload beyond the server's limit is refused here, because the server would terminate the run
for it.
"""

from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command as TemporalCommand
from temporalio.api.common.v1 import ActivityType as TemporalActivityType
from temporalio.api.common.v1 import RetryPolicy as TemporalRetryPolicy
from temporalio.api.enums.v1 import CommandType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue

from iwf_interpreter.core import Command, commands
from iwf_interpreter.core.commands import Call
from iwf_interpreter.loop.activities import activity_input, activity_type
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.search_attributes import search_attribute_payload
from iwf_models import RetryPolicy

MAX_INPUT_BYTES = 2_000_000
"""Largest input of a call. The server's limit, 2 MiB, includes what it adds itself."""

FAILURE_SOURCE = "iwf-interpreter"


class InputTooLarge(ValueError):
    """A call's input is over the limit of the server, which would terminate the run."""

    def __init__(self, call_id: str, size: int) -> None:
        super().__init__(
            f"input of call {call_id!r} has {size} bytes, the limit is {MAX_INPUT_BYTES}: load fewer data "
            "attributes in this state, or make them smaller"
        )


def translate(asked: Sequence[Command], *, task_queue: str, eager_calls: int) -> list[TemporalCommand]:
    """Translate the commands of one task, in order.

    Args:
        asked: What the core asks for.
        task_queue: Queue of the activities.
        eager_calls: How many of the calls the server may hand back at once.

    Raises:
        InputTooLarge: The input of a call is over the limit.
    """
    translated: list[TemporalCommand] = []
    for command in asked:
        match command:
            case commands.CallWaitUntil() | commands.CallExecute():
                translated.append(_call(command, task_queue, eager=eager_calls > 0))
                eager_calls -= 1
            case commands.StartTimer():
                translated.append(_start_timer(command))
            case commands.CancelTimer():
                cancel = TemporalCommand(command_type=CommandType.COMMAND_TYPE_CANCEL_TIMER)
                cancel.cancel_timer_command_attributes.timer_id = command.timer_id
                translated.append(cancel)
            case commands.SetSearchAttributes():
                translated.append(_set_search_attributes(command))
            case commands.SetMemo():
                memo = TemporalCommand(command_type=CommandType.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES)
                fields = memo.modify_workflow_properties_command_attributes.upserted_memo.fields
                for key, value in command.values.items():
                    fields[key].CopyFrom(payloads.encode(value))
                translated.append(memo)
            case commands.CompleteRun():
                complete = TemporalCommand(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
                complete.complete_workflow_execution_command_attributes.result.CopyFrom(
                    payloads.to_payloads(command.output)
                )
                translated.append(complete)
            case commands.FailRun():
                translated.append(_fail(command))
            case commands.CancelRun():
                cancel_run = TemporalCommand(command_type=CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION)
                cancel_run.cancel_workflow_execution_command_attributes.SetInParent()
                translated.append(cancel_run)
    return translated


def failure(error_type: str, text: str, *details: object) -> Failure:
    """A failure with an iWF error type and one detail, as clients read it."""
    return Failure(
        message=text,
        source=FAILURE_SOURCE,
        application_failure_info=ApplicationFailureInfo(
            type=error_type, details=payloads.to_payloads(*details) if details else None
        ),
    )


def _call(call: Call, task_queue: str, *, eager: bool) -> TemporalCommand:
    call_input = activity_input(call)
    if len(call_input) > MAX_INPUT_BYTES:
        raise InputTooLarge(call.call_id, len(call_input))
    policy = call.retry_policy
    scheduled = TemporalCommand(
        command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        user_metadata=_summary(call.request.context.state_execution_id or ""),
    )
    attributes = scheduled.schedule_activity_task_command_attributes
    attributes.activity_id = call.call_id
    attributes.activity_type.CopyFrom(TemporalActivityType(name=activity_type(call)))
    attributes.task_queue.CopyFrom(TaskQueue(name=task_queue))
    attributes.input.payloads.append(payloads.encode_raw(call_input))
    attributes.start_to_close_timeout.seconds = call.timeout_seconds
    if policy.maximum_attempts_duration_seconds:
        attributes.schedule_to_close_timeout.seconds = policy.maximum_attempts_duration_seconds
    attributes.retry_policy.CopyFrom(_retry_policy(policy))
    attributes.request_eager_execution = eager
    return scheduled


def _retry_policy(policy: RetryPolicy) -> TemporalRetryPolicy:
    return TemporalRetryPolicy(
        initial_interval=Duration(seconds=policy.initial_interval_seconds or 0),
        backoff_coefficient=policy.backoff_coefficient or 0.0,
        maximum_interval=Duration(seconds=policy.maximum_interval_seconds or 0),
        maximum_attempts=policy.maximum_attempts or 0,
    )


def _start_timer(command: commands.StartTimer) -> TemporalCommand:
    start = TemporalCommand(
        command_type=CommandType.COMMAND_TYPE_START_TIMER, user_metadata=_summary(command.execution_id)
    )
    attributes = start.start_timer_command_attributes
    attributes.timer_id = command.timer_id
    attributes.start_to_fire_timeout.FromTimedelta(timedelta(milliseconds=command.delay_ms))
    return start


def _set_search_attributes(command: commands.SetSearchAttributes) -> TemporalCommand:
    upsert = TemporalCommand(command_type=CommandType.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
    fields = upsert.upsert_workflow_search_attributes_command_attributes.search_attributes.indexed_fields
    for key, value in command.values.items():
        fields[key].CopyFrom(search_attribute_payload(value))
    return upsert


def _fail(command: commands.FailRun) -> TemporalCommand:
    detail = command.text if command.outputs is None else command.outputs
    fail = TemporalCommand(command_type=CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION)
    fail.fail_workflow_execution_command_attributes.failure.CopyFrom(
        failure(command.error_type, command.text or "", *([] if detail is None else [detail]))
    )
    return fail


def _summary(text: str) -> UserMetadata:
    return UserMetadata(summary=payloads.encode(text))
