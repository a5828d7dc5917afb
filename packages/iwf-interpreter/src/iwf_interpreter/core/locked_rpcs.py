"""RPCs that lock attributes: taken on as updates, queued first come first served, their worker called once.

A request either gets its locks in its turn or is refused before anything of it is recorded. One that still
waits when the run drains to continue as new, or whose client has gone, ends without its worker having been
called (`docs/interpreter.md`).
"""

import msgspec

from iwf_interpreter.contract import LockedRpcAnswer, LockedRpcRequest, UpdateError
from iwf_interpreter.core import channels, persistence
from iwf_interpreter.core.commands import AnswerUpdate, CallRpc, FailUpdate
from iwf_interpreter.core.events import LockedRpcRequested, RpcAnswered
from iwf_interpreter.core.locks import Locks, wanted_locks
from iwf_interpreter.core.notices import Notices
from iwf_interpreter.core.state import ExecutionState, LockedRpc
from iwf_interpreter.core.writes import Writes
from iwf_models import ChannelInfo, Context, IwfEventError, WorkflowErrorType, WorkflowWorkerRpcRequest

RPC_PREFIX = "rpc/"

DEFAULT_TIMEOUT_SECONDS = 60

ASK_AGAIN = "the run continues as a new one, which will take the update"


class LockedRpcs:
    """The locked RPCs of one run."""

    def __init__(self, state: ExecutionState, locks: Locks, writes: Writes, notices: Notices) -> None:
        self._state = state
        self._locks = locks
        self._writes = writes
        self._notices = notices
        self._ended: list[AnswerUpdate | FailUpdate] = []

    def calls_in_flight(self) -> int:
        """How many workers are being called."""
        return sum(rpc.calling for rpc in self._state.locked_rpcs.values())

    def must_refuse(self, request: LockedRpcRequest) -> bool:
        """Whether a request would have to wait, and too many wait already."""
        if not self._locks.would_wait(_wanted(request)):
            return False
        waiting = sum(not rpc.calling for rpc in self._state.locked_rpcs.values())
        return waiting >= request.max_waiting

    def request(self, event: LockedRpcRequested, now_ms: int) -> None:
        """Queue an RPC for its locks."""
        self._state.locked_rpcs[event.update_id] = LockedRpc(request=event.request, began_at_ms=now_ms)
        self._locks.request(RPC_PREFIX + event.update_id, _wanted(event.request))

    def answered(self, event: RpcAnswered, now_ms: int) -> None:
        """Apply a worker's answer, all of it together, and let the locks go."""
        state = self._state
        rpc = state.locked_rpcs.pop(event.update_id)
        state.calls_in_flight -= 1
        state.calls_in_place -= 1
        answer, failure = event.answer, event.failure
        if answer is not None:
            state.operations += 1
            self._writes.apply(
                answer.upsert_search_attributes,
                answer.upsert_data_attributes,
                answer.publish_to_inter_state_channel,
            )
            self._writes.start_states(answer.state_decision)
        self._locks.release(RPC_PREFIX + event.update_id)
        result = LockedRpcAnswer(output=answer and answer.output, failure=failure)
        self._ended.append(AnswerUpdate(update_id=event.update_id, result=result))
        self._notices.rpc_ended(
            rpc.request.rpc_name,
            rpc.began_at_ms,
            now_ms,
            failure
            and IwfEventError(type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE.value, details=failure.detail),
        )

    def make_calls(self, now_ms: int) -> list[CallRpc]:
        """The calls of the RPCs that hold their locks now; those that nobody waits for any more end."""
        made: list[CallRpc] = []
        for update_id, rpc in list(self._state.locked_rpcs.items()):
            if rpc.calling or not self._locks.granted(RPC_PREFIX + update_id):
                continue
            seconds = _seconds_left(rpc.request, now_ms)
            if seconds <= 0:
                self._end(update_id, UpdateError.EXPIRED, "the locks came free after the client's deadline")
                continue
            self._state.locked_rpcs[update_id] = msgspec.structs.replace(rpc, calling=True)
            self._state.calls_in_flight += 1
            self._state.calls_in_place += 1
            made.append(self._call(update_id, rpc.request, seconds))
        return made

    def end_waiting(self) -> None:
        """End the RPCs whose worker was not called: the run drains."""
        for update_id, rpc in list(self._state.locked_rpcs.items()):
            if not rpc.calling:
                self._end(update_id, UpdateError.ASK_AGAIN, ASK_AGAIN)

    def take_ended(self) -> list[AnswerUpdate | FailUpdate]:
        """How RPCs have ended since the last time, in order."""
        ended, self._ended = self._ended, []
        return ended

    def _end(self, update_id: str, error: UpdateError, text: str) -> None:
        del self._state.locked_rpcs[update_id]
        self._locks.release(RPC_PREFIX + update_id)
        self._ended.append(FailUpdate(update_id=update_id, error=error, text=text))

    def _call(self, update_id: str, request: LockedRpcRequest, seconds: float) -> CallRpc:
        state = self._state
        return CallRpc(
            call_id=RPC_PREFIX + update_id,
            worker_url=state.worker_url,
            timeout_seconds=seconds,
            request=WorkflowWorkerRpcRequest(
                context=Context(
                    workflow_id=state.workflow_id,
                    workflow_run_id=state.first_run_id,
                    workflow_started_timestamp=state.started_at,
                ),
                workflow_type=state.workflow_type,
                rpc_name=request.rpc_name,
                input=request.input,
                search_attributes=persistence.load_search_attributes(
                    state, request.search_attributes_loading_policy
                )
                or None,
                data_attributes=persistence.load_data_attributes(
                    state, request.data_attributes_loading_policy
                )
                or None,
                signal_channel_infos=_infos(channels.sizes(state.signal_channels)),
                internal_channel_infos=_infos(channels.sizes(state.internal_channels)),
            ),
        )


def _wanted(request: LockedRpcRequest) -> list[str]:
    return wanted_locks(request.data_attributes_loading_policy, request.search_attributes_loading_policy)


def _seconds_left(request: LockedRpcRequest, now_ms: int) -> float:
    seconds = float(request.timeout_seconds or DEFAULT_TIMEOUT_SECONDS)
    if request.expires_at_ms is not None:
        seconds = min(seconds, (request.expires_at_ms - now_ms) / 1000)
    return seconds


def _infos(sizes: dict[str, int]) -> dict[str, ChannelInfo]:
    return {name: ChannelInfo(size=size) for name, size in sizes.items()}
