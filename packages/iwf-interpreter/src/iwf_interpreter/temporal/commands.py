"""The core's commands, as Temporal takes them.

Activity ids are the call ids, so that the state execution shows in every tool; summaries say it again for
the web UI. A payload beyond the server's limit is refused here, because the server would terminate the run
for it. What an update is told travels as a message beside the commands; a command stands for it in their
order.
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

from iwf_interpreter.core import commands
from iwf_interpreter.loop.activities import RegularCall, activity_input, activity_type
from iwf_interpreter.loop.history import HeldBack, LocalResult, Outgoing
from iwf_interpreter.temporal import payloads
from iwf_interpreter.temporal.events import HELD_BACK_MARKER, LOCAL_CALL_MARKER, MARKER_DETAIL
from iwf_interpreter.temporal.retry_policies import call_retry_policy, workflow_retry_policy
from iwf_interpreter.temporal.search_attributes import search_attribute_payload
from iwf_interpreter.temporal.update_messages import acceptance_id, end_id

MAX_INPUT_BYTES = 2_000_000
"""Largest input of a call. The server's limit, 2 MiB, includes what it adds itself."""

FAILURE_SOURCE = "iwf-interpreter"


MAX_ANSWER_BYTES = 3_500_000
"""Longest answer to a task. The server takes no message beyond 4 MiB."""

_SNAPSHOT_PAGE_SECONDS = 10


class TooLarge(ValueError):
    """Something is over the limit of the server, which would terminate the run."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(
            f"{what} has {size} bytes, the limit is {MAX_INPUT_BYTES}: load fewer data attributes in this "
            "state, or make them smaller"
        )


def translate(outgoing: Sequence[Outgoing], *, task_queue: str, eager_calls: int) -> list[TemporalCommand]:
    """Translate the commands of one task, in order.

    Args:
        outgoing: What the run asks for, and what it has done in place.
        task_queue: Queue of the activities.
        eager_calls: How many of the calls the server may hand back at once.

    Raises:
        TooLarge: The input of a call is over the limit.
    """
    translated: list[TemporalCommand] = []
    for command in outgoing:
        match command:
            case commands.CallWaitUntil() | commands.CallExecute():
                translated.append(_state_call(command, task_queue, eager=eager_calls > 0))
                eager_calls -= 1
            case commands.LoadSnapshotPage():
                translated.append(_load_snapshot_page(command, task_queue))
            case commands.CallRpc():
                raise AssertionError("an RPC is called in place")
            case LocalResult():
                translated.append(_local_result(command))
            case HeldBack():
                translated.append(held_back())
            case commands.AcceptUpdate():
                translated.append(_message(acceptance_id(command.update_id)))
            case commands.AnswerUpdate() | commands.FailUpdate():
                translated.append(_message(end_id(command.update_id)))
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
            case commands.ContinueAsNew():
                translated.append(_continue_as_new(command))
    return translated


def fitting(translated: Sequence[TemporalCommand]) -> int:
    """How many of the commands, from the first on, fit into one answer.

    An answer that closes the run is never divided: nothing can follow it. Nor is one divided before a result
    in place, which belongs to its task; `iwf_interpreter.loop.sizes` sees to it that those fit.
    """
    if not translated or translated[-1].command_type in _CLOSING:
        return len(translated)
    size = 0
    cut = 0
    for count, command in enumerate(translated):
        size += command.ByteSize()
        if command.command_type == CommandType.COMMAND_TYPE_RECORD_MARKER:
            cut = 0
        elif size > MAX_ANSWER_BYTES and count and not cut:
            cut = count
    return cut or len(translated)


def held_back() -> TemporalCommand:
    """Tells a replay that the rest of the commands came with the next task's."""
    marker = TemporalCommand(command_type=CommandType.COMMAND_TYPE_RECORD_MARKER)
    marker.record_marker_command_attributes.marker_name = HELD_BACK_MARKER
    return marker


def failure(error_type: str, text: str, *details: object) -> Failure:
    """A failure with an iWF error type and one detail, as clients read it."""
    return Failure(
        message=text,
        source=FAILURE_SOURCE,
        application_failure_info=ApplicationFailureInfo(
            type=error_type, details=payloads.to_payloads(*details) if details else None
        ),
    )


def _call(call: RegularCall, task_queue: str) -> TemporalCommand:
    call_input = activity_input(call)
    if len(call_input) > MAX_INPUT_BYTES:
        raise TooLarge(f"input of call {call.call_id!r}", len(call_input))
    scheduled = TemporalCommand(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = scheduled.schedule_activity_task_command_attributes
    attributes.activity_id = call.call_id
    attributes.activity_type.CopyFrom(TemporalActivityType(name=activity_type(call)))
    attributes.task_queue.CopyFrom(TaskQueue(name=task_queue))
    attributes.input.payloads.append(payloads.encode_raw(call_input))
    return scheduled


def _load_snapshot_page(call: commands.LoadSnapshotPage, task_queue: str) -> TemporalCommand:
    scheduled = _call(call, task_queue)
    attributes = scheduled.schedule_activity_task_command_attributes
    attributes.start_to_close_timeout.seconds = _SNAPSHOT_PAGE_SECONDS
    attributes.retry_policy.CopyFrom(
        TemporalRetryPolicy(initial_interval=Duration(seconds=1), maximum_interval=Duration(seconds=5))
    )
    return scheduled


def _state_call(call: commands.StateCall, task_queue: str, *, eager: bool) -> TemporalCommand:
    policy = call.retry_policy
    scheduled = _call(call, task_queue)
    scheduled.user_metadata.CopyFrom(_summary(call.request.context.state_execution_id or ""))
    attributes = scheduled.schedule_activity_task_command_attributes
    attributes.start_to_close_timeout.seconds = call.timeout_seconds
    if policy.maximum_attempts_duration_seconds:
        attributes.schedule_to_close_timeout.seconds = policy.maximum_attempts_duration_seconds
    attributes.retry_policy.CopyFrom(call_retry_policy(policy))
    attributes.request_eager_execution = eager
    return scheduled


def _local_result(result: LocalResult) -> TemporalCommand:
    detail = payloads.to_payloads(result)
    size = len(detail.payloads[0].data)
    if size > MAX_INPUT_BYTES:
        raise TooLarge(f"result of call {result.call_id!r}", size)
    marker = TemporalCommand(
        command_type=CommandType.COMMAND_TYPE_RECORD_MARKER, user_metadata=_summary(result.call_id)
    )
    attributes = marker.record_marker_command_attributes
    attributes.marker_name = LOCAL_CALL_MARKER
    attributes.details[MARKER_DETAIL].CopyFrom(detail)
    return marker


def _message(message_id: str) -> TemporalCommand:
    command = TemporalCommand(command_type=CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE)
    command.protocol_message_command_attributes.message_id = message_id
    return command


def _continue_as_new(command: commands.ContinueAsNew) -> TemporalCommand:
    again = TemporalCommand(command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    attributes = again.continue_as_new_workflow_execution_command_attributes
    attributes.input.CopyFrom(payloads.to_payloads(command.input))
    # None of these goes over to the new run by itself.
    for key, value in command.search_attributes.items():
        attributes.search_attributes.indexed_fields[key].CopyFrom(search_attribute_payload(value))
    for key, item in command.memo.items():
        attributes.memo.fields[key].CopyFrom(payloads.encode(item))
    if command.input.retry_policy is not None:
        attributes.retry_policy.CopyFrom(workflow_retry_policy(command.input.retry_policy))
    attributes.cron_schedule = command.input.cron_schedule or ""
    return again


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


_CLOSING = frozenset(
    {
        CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
        CommandType.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
        CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
    }
)
