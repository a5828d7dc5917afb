"""What runs begin with: given by a start, by the run before, or by a reset."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import uuid4

import msgspec

from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.core import commands
from iwf_interpreter.core.attribute_values import EngineValue, engine_value
from iwf_interpreter.engine import InvalidArgument, StartRequest
from iwf_models import EncodedObject, WorkflowRetryPolicy, codec
from iwf_testkit.memory import cron
from iwf_testkit.memory.backoff import pause_ms

T = TypeVar("T")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run comes from: what its start, or the run before, has given it."""

    workflow_id: str
    run_id: str
    first_run_id: str
    """Of the chain, as workers see it."""
    previous_run_id: str = ""
    input: InterpreterInput
    started_at_ms: int
    begins_at_ms: int
    """Its first task is not before this time."""
    deadline_ms: int | None
    retry_policy: WorkflowRetryPolicy | None
    attempt: int = 1
    """From 1, over the retries of a failed workflow."""
    cron_schedule: str | None
    scheduled_at_ms: int
    """When the schedule began, for a workflow that recurs."""
    memo: Mapping[str, EncodedObject]
    search_attributes: Mapping[str, EngineValue]


def first_origin(request: StartRequest, now_ms: int) -> Origin:
    """What the first run of a chain begins with; raises `InvalidArgument`."""
    _check_retry_policy(request.retry_policy)
    schedule = cron.parse(request.cron_schedule) if request.cron_schedule else None
    run_id = str(uuid4())
    attributes = (engine_value(each, now_ms * 1_000_000) for each in request.search_attributes)
    return Origin(
        workflow_id=request.workflow_id,
        run_id=run_id,
        first_run_id=run_id,
        input=_own_copy(request.input),
        started_at_ms=now_ms,
        begins_at_ms=(schedule(now_ms, now_ms) if schedule else now_ms + request.start_delay_seconds * 1000),
        deadline_ms=now_ms + request.timeout_seconds * 1000 if request.timeout_seconds else None,
        retry_policy=request.retry_policy,
        cron_schedule=request.cron_schedule,
        scheduled_at_ms=now_ms,
        memo=dict(request.memo),
        search_attributes={
            each.key or "": value
            for each, value in zip(request.search_attributes, attributes, strict=True)
            if value.value != []
        },
    )


def next_origin(before: Origin, close: commands.Close | None, now_ms: int) -> Origin | None:
    """What the run that carries a chain on begins with, `None` when the chain is over."""
    run_id = str(uuid4())
    match close:
        case commands.ContinueAsNew():
            return msgspec.structs.replace(
                before,
                run_id=run_id,
                previous_run_id=before.run_id,
                input=_own_copy(close.input),
                started_at_ms=now_ms,
                begins_at_ms=now_ms,
                memo=close.memo,
                search_attributes={
                    key: value for key, value in close.search_attributes.items() if value.value != []
                },
                attempt=1,
            )
        case commands.FailRun() if (pause := _retry_pause_ms(before, now_ms)) is not None:
            return msgspec.structs.replace(
                before,
                run_id=run_id,
                previous_run_id=before.run_id,
                started_at_ms=now_ms,
                begins_at_ms=now_ms + pause,
                attempt=before.attempt + 1,
            )
        case commands.CompleteRun() | commands.FailRun() if before.cron_schedule:
            begins_at_ms = cron.parse(before.cron_schedule)(before.scheduled_at_ms, now_ms)
            return msgspec.structs.replace(
                before,
                run_id=run_id,
                # Each recurrence is a workflow of its own to its workers.
                first_run_id=run_id,
                previous_run_id="",
                input=msgspec.structs.replace(before.input, continued=None),
                started_at_ms=now_ms,
                begins_at_ms=begins_at_ms,
                attempt=1,
            )
        case _:
            return None


def reset_origin(before: Origin, now_ms: int) -> Origin:
    """What a run begins with that goes on from an earlier point of another one."""
    deadline_ms = before.deadline_ms
    if deadline_ms is not None:
        # It may take as long as the other one was given.
        deadline_ms = now_ms + deadline_ms - before.started_at_ms
    return msgspec.structs.replace(before, run_id=str(uuid4()), deadline_ms=deadline_ms)


def _own_copy(value: T) -> T:
    """What an engine makes of a value: it is written and read."""
    return codec.decode(codec.encode(value), type(value))


def _retry_pause_ms(origin: Origin, now_ms: int) -> int | None:
    """How long a failed workflow waits until it is tried again; `None` when it is not."""
    policy = origin.retry_policy
    if policy is None or (policy.maximum_attempts and origin.attempt >= policy.maximum_attempts):
        return None
    pause = pause_ms(policy, origin.attempt)
    if origin.deadline_ms is not None and now_ms + pause >= origin.deadline_ms:
        return None
    return pause


def _check_retry_policy(policy: WorkflowRetryPolicy | None) -> None:
    if policy is None:
        return
    initial = policy.initial_interval_seconds or 1
    if policy.backoff_coefficient and policy.backoff_coefficient < 1:
        raise InvalidArgument("backoffCoefficient cannot be less than 1 on a retry policy")
    if policy.maximum_interval_seconds and policy.maximum_interval_seconds < initial:
        raise InvalidArgument(
            "maximumIntervalSeconds cannot be less than initialIntervalSeconds on a retry policy"
        )
