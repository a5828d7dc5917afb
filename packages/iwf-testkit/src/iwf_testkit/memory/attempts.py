"""Calls of workers by the in-memory engine: attempts, pauses and giving up, as engines do it.

A call in place is one attempt. Every other one is repeated as its retry policy says, until it is answered,
the policy gives up, or its run is over.
"""

from collections.abc import Awaitable, Callable

import msgspec

from iwf_interpreter.contract import ActivityType
from iwf_interpreter.core import calls, commands, events
from iwf_interpreter.loop.attempts import Attempt, Attempts
from iwf_interpreter.loop.local import attempt_in_place
from iwf_interpreter.worker_errors import WorkerCallTimedOut, WorkerError
from iwf_models import WorkflowErrorType
from iwf_testkit.memory.backoff import pause_ms
from iwf_testkit.memory.runs import LocalCall, Run
from iwf_testkit.memory.timetable import Timetable

_STATE_API_FAIL = WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE


class _Failure(msgspec.Struct, frozen=True):
    """Why an attempt has failed; without a text it ran out of time."""

    error_type: WorkflowErrorType
    text: str | None


class Caller:
    """Makes the calls that runs ask for."""

    def __init__(self, attempts: Attempts, timetable: Timetable) -> None:
        self._attempts = attempts
        self._timetable = timetable

    async def call_in_place(self, run: Run, call: LocalCall) -> None:
        """Make the one attempt of a call in place."""
        now = self._timetable.now_ms() // 1000
        result = await attempt_in_place(self._attempts, run.origin.run_id, call, now)
        run.local_call_ended(call.call_id, result.event())

    async def call(self, run: Run, call: commands.StateCall) -> None:
        """Make a call until it is over."""
        scheduled_ms = self._timetable.now_ms()
        ends_ms = _ends_ms(run, call, scheduled_ms)
        earlier = call.earlier
        number = 0
        before: _Failure | None = None
        while run.is_open(call.call_id):
            number += 1
            left = None if ends_ms is None else (ends_ms - self._timetable.now_ms()) / 1000
            is_cut = left is not None and left < call.timeout_seconds
            attempt = Attempt(
                number=number + (earlier.count if earlier else 0),
                first_attempt_at=earlier.first_attempt_at if earlier else scheduled_ms // 1000,
                timeout_seconds=left if left is not None and is_cut else call.timeout_seconds,
                run_id=run.origin.run_id,
            )
            outcome = await self._attempt(call, attempt)
            if not isinstance(outcome, _Failure):
                run.call_ended(call.call_id, outcome)
                return
            pause = pause_ms(call.retry_policy, number)
            ran_out_of_time = outcome.text is None
            if (
                (is_cut and ran_out_of_time)
                or (call.retry_policy.maximum_attempts and number >= call.retry_policy.maximum_attempts)
                or (ends_ms is not None and self._timetable.now_ms() + pause >= ends_ms)
            ):
                kind = "ScheduleToClose" if is_cut else "StartToClose"
                run.call_ended(call.call_id, _failed(call, _told(outcome, before), kind))
                return
            before = outcome
            await self._timetable.sleep(pause)

    async def _attempt(self, call: commands.StateCall, attempt: Attempt) -> events.Event | _Failure:
        execution_id = calls.execution_id(call.call_id)
        match call:
            case commands.CallWaitUntil():

                async def make() -> events.Event:
                    answer = await self._attempts.wait_until(call.worker_url, call.request, attempt)
                    return events.WaitUntilAnswered(execution_id=execution_id, answer=answer)

            case commands.CallExecute():

                async def make() -> events.Event:
                    answer = await self._attempts.execute(call.worker_url, call.request, attempt)
                    return events.ExecuteAnswered(execution_id=execution_id, answer=answer)

        return await _outcome(make)


async def _outcome(make: Callable[[], Awaitable[events.Event]]) -> events.Event | _Failure:
    try:
        return await make()
    except WorkerCallTimedOut:
        return _Failure(_STATE_API_FAIL, None)
    except WorkerError as error:
        return _Failure(_STATE_API_FAIL, error.state_api_text())


def _ends_ms(run: Run, call: commands.StateCall, scheduled_ms: int) -> int | None:
    """When the last attempt must be over; no attempt is made for after the end of the workflow's own time."""
    duration = call.retry_policy.maximum_attempts_duration_seconds
    limits = [scheduled_ms + duration * 1000] if duration else []
    if run.origin.deadline_ms is not None:
        limits.append(run.origin.deadline_ms)
    return min(limits, default=None)


def _told(last: _Failure, before: _Failure | None) -> _Failure:
    """What a run is told: an attempt that ran out of time leaves the word to the one before."""
    return before if last.text is None and before is not None and before.text is not None else last


def _failed(call: commands.StateCall, failure: _Failure, timeout: str) -> events.Event:
    text = failure.text
    is_execute = isinstance(call, commands.CallExecute)
    if text is None:
        activity = ActivityType.EXECUTE if is_execute else ActivityType.WAIT_UNTIL
        text = (
            f"activity error (type: {activity}, activityID: {call.call_id}): "
            f"activity {timeout} timeout (type: {timeout})"
        )
    kind = events.ExecuteFailed if is_execute else events.WaitUntilFailed
    return kind(execution_id=calls.execution_id(call.call_id), error_type=failure.error_type.value, text=text)
