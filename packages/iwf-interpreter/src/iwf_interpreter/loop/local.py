"""Calls that are made in place: inside the task that asks for them, without a word to the engine.

A result counts once the engine has taken the answer that records it. Until then it is kept here, by run and
call: when an answer is refused because something new has come, the task is worked on again from history, and
gets the result without another call. Only the end of the process loses it. A call in flight whose task was
lost is not made a second time either: it is waited for.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable

import anyio
import msgspec
from anyio.abc import TaskGroup

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.core import CallExecute, CallRpc, CallWaitUntil
from iwf_interpreter.loop.attempts import Attempt, Attempts
from iwf_interpreter.loop.history import LocalFailure, LocalResult
from iwf_interpreter.loop.runs import LocalCall
from iwf_interpreter.loop.sizes import MAX_RESULT_BYTES
from iwf_interpreter.worker_errors import WorkerCallTimedOut, WorkerError
from iwf_models import WorkflowErrorType, codec

_logger = logging.getLogger(__name__)

MAX_RUNS = 10_000
"""Runs whose results are kept; the oldest make room, and at worst a call of theirs is made again."""

BODY_LIMIT = 500
"""Characters of a worker's answer that the record of a failure keeps."""


class Done(msgspec.Struct, frozen=True):
    """A call that is over."""

    call: LocalCall
    result: LocalResult
    size_bytes: int
    """Length of its record."""


class _RunCalls:
    """The calls of one run: in flight, or done and not recorded yet."""

    def __init__(self) -> None:
        self.in_flight: dict[str, LocalCall] = {}
        self.done: dict[str, Done] = {}
        self.ready: dict[str, None] = {}
        """Those of `done` that the task in hand has not taken in yet, in the order in which they ended."""
        self.changed: anyio.Event | None = None
        """Set when a call has ended, for the task that waits for one."""


class LocalCalls:
    """Makes calls in place, and keeps their results until they are recorded."""

    def __init__(self, attempts: Attempts, max_concurrent: int) -> None:
        self._attempts = attempts
        self._slots = anyio.Semaphore(max_concurrent, fast_acquire=True)
        self._runs: OrderedDict[str, _RunCalls] = OrderedDict()

    def start(
        self,
        work: TaskGroup,
        run_id: str,
        previous_run_id: str,
        call: LocalCall,
        now_ms: Callable[[], int],
    ) -> None:
        """Make a call, unless it is being made or done already.

        Args:
            work: Owns the call: it may outlive the task that asked for it.
            run_id: The run.
            previous_run_id: The run that it continues: what that one has asked for and not recorded counts.
            call: The call.
            now_ms: The time of the run, in Unix milliseconds.
        """
        calls = self._runs.get(run_id)
        if calls is None:
            calls = self._runs[run_id] = self._runs.pop(previous_run_id, None) or _RunCalls()
            while len(self._runs) > MAX_RUNS:
                self._runs.popitem(last=False)
        call_id = call.call_id
        if call_id in calls.done and is_answer_to(calls.done[call_id], call):
            calls.ready[call_id] = None
        elif call_id not in calls.in_flight or not _asks_the_same(calls.in_flight[call_id], call):
            calls.done.pop(call_id, None)
            calls.ready.pop(call_id, None)
            calls.in_flight[call_id] = call
            work.start_soon(self._make, calls, run_id, call, now_ms)

    async def next_done(self, run_id: str) -> Done | None:
        """The next call that is done, again until it is `taken`; `None` when none is being made."""
        calls = self._runs.get(run_id)
        if calls is None:
            return None
        while calls.in_flight and not calls.ready:
            calls.changed = anyio.Event()
            await calls.changed.wait()
        return calls.done[next(iter(calls.ready))] if calls.ready else None

    def taken(self, run_id: str, call_id: str) -> None:
        """Note that the task in hand has taken a result in."""
        calls = self._runs.get(run_id)
        if calls is not None:
            calls.ready.pop(call_id, None)

    def recorded(self, run_id: str, call_ids: Iterable[str]) -> None:
        """Forget results that the engine has taken."""
        calls = self._runs.get(run_id)
        if calls is None:
            return
        for call_id in call_ids:
            calls.done.pop(call_id, None)
            calls.ready.pop(call_id, None)
        if not calls.done and not calls.in_flight:
            del self._runs[run_id]

    def drop(self, run_id: str) -> None:
        """Forget everything of a run that has ended."""
        self._runs.pop(run_id, None)

    async def _make(self, calls: _RunCalls, run_id: str, call: LocalCall, now_ms: Callable[[], int]) -> None:
        try:
            async with self._slots:
                started_at = now_ms() // 1000
                done = _recordable(
                    call, await attempt_in_place(self._attempts, run_id, call, started_at), started_at
                )
        except Exception as error:
            # A bug of ours must not keep the run waiting for ever, nor end the loop.
            _logger.exception("cannot make call %s of run %s", call.call_id, run_id)
            broken = _broken(call, f"{type(error).__name__}: {error}", now_ms() // 1000)
            done = Done(call, broken, len(codec.encode(broken)))
        if calls.in_flight.get(call.call_id) is call:
            del calls.in_flight[call.call_id]
            calls.done[call.call_id] = done
            calls.ready[call.call_id] = None
        if calls.changed is not None:
            calls.changed.set()


async def attempt_in_place(attempts: Attempts, run_id: str, call: LocalCall, now: int) -> LocalResult:
    """Make the one attempt of a call in place; never raises for what a worker does.

    Args:
        attempts: Makes it.
        run_id: The engine's run.
        call: The call.
        now: Unix seconds.
    """
    if isinstance(call, CallRpc):
        try:
            answer = await attempts.rpc(call.worker_url, call.request, call.timeout_seconds)
        except WorkerError as error:
            return LocalResult(call_id=call.call_id, rpc_failure=error.rpc_failure())
        return LocalResult(call_id=call.call_id, rpc=answer)
    attempt = Attempt(number=1, first_attempt_at=now, timeout_seconds=call.timeout_seconds, run_id=run_id)
    try:
        match call:
            case CallWaitUntil():
                return LocalResult(
                    call_id=call.call_id,
                    wait_until=await attempts.wait_until(call.worker_url, call.request, attempt),
                )
            case CallExecute():
                return LocalResult(
                    call_id=call.call_id,
                    execute=await attempts.execute(call.worker_url, call.request, attempt),
                )
    except WorkerCallTimedOut:
        return _failed(call.call_id, timeout_text(call), now, timed_out=True)
    except WorkerError as error:
        return _failed(call.call_id, error.state_api_text(body_limit=BODY_LIMIT), now)


def is_answer_to(done: Done, call: LocalCall) -> bool:
    """Whether a call that was made answers one that is wanted now.

    Worked on again, a run may make the same call under other circumstances, for example after another one has
    written what it has locked.
    """
    return _asks_the_same(done.call, call)


def _asks_the_same(made: LocalCall, wanted: LocalCall) -> bool:
    return _essence(made) == _essence(wanted)


def _essence(call: LocalCall) -> object:
    """What an answer depends on; how many messages wait at the moment is only by the way."""
    if isinstance(call, CallRpc):
        return msgspec.structs.replace(call.request, signal_channel_infos=None, internal_channel_infos=None)
    return call.request


def timeout_text(call: CallWaitUntil | CallExecute) -> str:
    """The words that SDKs look for in `errorMessage` when an attempt ran out of time."""
    kind = "StateApiWaitUntil" if isinstance(call, CallWaitUntil) else "StateApiExecute"
    return (
        f"activity error (type: {kind}, activityID: {call.call_id}): "
        "activity StartToClose timeout (type: StartToClose)"
    )


def _recordable(call: LocalCall, result: LocalResult, started_at: int) -> Done:
    """The result, or a failure in its place when its record would be longer than engines take."""
    size = len(codec.encode(result))
    if size > MAX_RESULT_BYTES:
        result = _broken(call, f"the answer has {size} bytes, the limit is {MAX_RESULT_BYTES}", started_at)
        size = len(codec.encode(result))
    return Done(call, result, size)


def _broken(call: LocalCall, text: str, started_at: int) -> LocalResult:
    if isinstance(call, CallRpc):
        failure = RpcFailure(detail=text, worker_detail="", worker_error_type="", worker_status=0)
        return LocalResult(call_id=call.call_id, rpc_failure=failure)
    return _failed(call.call_id, text, started_at)


def _failed(call_id: str, text: str, started_at: int, *, timed_out: bool = False) -> LocalResult:
    return LocalResult(
        call_id=call_id,
        failure=LocalFailure(
            error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE.value,
            text=text,
            timed_out=timed_out,
            started_at=started_at,
        ),
    )
