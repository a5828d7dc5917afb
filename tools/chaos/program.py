"""The workflow of the load: every kind of work at once, and each effect leaves exactly one trace.

Every answer is a function of the request alone, so that a call that is made again gets the same answer. What
a state does is noted in a data attribute that only its own thread writes, as a list that grows by one entry
per execution: an effect that was applied twice, or not at all, shows in the list. Several threads and RPCs
write `TOKENS`, under a lock.

- `Signals` and `Calls` take one message per execution, from clients, until `END` comes.
- `Publish` sends numbers to `Collect` through an internal channel.
- `Timer` waits for a second, a few times.
- `Fan`, several at a time, writes under the lock; `Slow` takes its time.
- `Join` waits until all threads are done; `Finish` returns all data attributes as the result.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    StateDecision,
    StateMovement,
    TimerStatus,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartRequest,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcRequest,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import Answer, FakeWorker, graceful_complete, value, wait_for
from iwf_testkit.fake_worker import ScriptItem, WorkerAnswer, WorkerRequest

END = "end"
"""The last message to a thread, and the only one that may come twice."""

SIGNALS = "signals"
"""Signal channel, and the data attribute of what came through it."""
CALLS = "calls"
"""Internal channel that the RPC `call` publishes to, and the data attribute of what came through it."""
TOKENS = "tokens"
"""Data attribute that is written under a lock only."""
CALLED = "called"
"""Data attribute that the RPC `call` writes."""

API_SECONDS = 3
"""Time limit of a worker call: a call whose server was killed is made again after it."""
SLOW_SECONDS = 1.4


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much a workflow does; the input of every state."""

    messages: int = 3
    timers: int = 1
    fan: int = 2

    @property
    def threads(self) -> list[str]:
        """What `Join` waits for."""
        return sorted(["Signals", "Calls", "Publish", "Collect", "Timer", "Slow", *["Fan"] * self.fan])


def expected_notes(plan: Plan) -> dict[str, list[str]]:
    """The data attributes in the end, less those that depend on what clients have sent."""
    numbers = [str(number) for number in range(1, plan.messages + 1)]
    return {
        "published": [f"Publish-{number}" for number in numbers],
        "collected": [f"Collect-{at} {text}" for at, text in enumerate([*numbers, END], 1)],
        "timer-waits": [f"Timer-{at}" for at in range(1, plan.timers + 1)],
        "timers": [f"Timer-{at} FIRED" for at in range(1, plan.timers + 1)],
        "slow": ["Slow-1"],
        "joined": plan.threads,
    }


def script(worker: FakeWorker, seed: int) -> None:
    """Teach a worker the workflow; how long its answers take is drawn from the seed."""
    pauses = random.Random(seed)

    def answers(answer: Callable[[Any], WorkerAnswer], at_least: float = 0.0) -> ScriptItem:
        def delayed(request: WorkerRequest) -> Answer:
            return Answer(body=answer(request), delay_seconds=at_least + pauses.choice((0, 0, 0.01, 0.05)))

        return delayed

    programs: Mapping[str, Callable[[Any], WorkerAnswer]] = {
        "Begin.execute": _begin,
        "Signals.waitUntil": lambda _: wait_for(signals=(SIGNALS,)),
        "Signals.execute": _take_signal,
        "Calls.waitUntil": lambda _: wait_for(channels=(CALLS,)),
        "Calls.execute": _take_call,
        "Publish.execute": _publish,
        "Collect.waitUntil": lambda _: wait_for(channels=("numbers",)),
        "Collect.execute": _collect,
        "Timer.waitUntil": _wait_for_time,
        "Timer.execute": _time_has_come,
        "Fan.execute": _write_under_lock,
        "Join.waitUntil": _wait_for_all,
        "Join.execute": _join,
        "Finish.execute": _finish,
        "rpc.add": _add,
        "rpc.call": _call,
    }
    for key, answer in programs.items():
        worker.script(key, answers(answer))
    worker.script("Slow.execute", answers(_slow, at_least=SLOW_SECONDS))


# Reading requests

_CallRequest = WorkflowStateStartRequest | WorkflowStateDecideRequest


def _plan(request: _CallRequest) -> Plan:
    assert request.state_input is not None
    return msgspec.json.decode(request.state_input.data or "", type=Plan)


def _execution(request: _CallRequest) -> str:
    assert request.context.state_execution_id is not None
    return request.context.state_execution_id


def _number(request: _CallRequest) -> int:
    return int(_execution(request).rpartition("-")[2])


def notes(attributes: Sequence[KeyValue] | None, key: str) -> list[str]:
    """The list in a data attribute."""
    for item in attributes or ():
        if item.key == key and item.value is not None:
            return msgspec.json.decode(item.value.data or "[]", type=list[str])
    return []


def _noted(attributes: Sequence[KeyValue] | None, key: str, *entries: str) -> list[KeyValue]:
    grown = [*notes(attributes, key), *entries]
    return [KeyValue(key=key, value=value(msgspec.json.encode(grown).decode()))]


# Writing answers

LOCK = PersistenceLoadingPolicy(
    persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
    partial_loading_keys=[TOKENS],
    locking_keys=[TOKENS],
)


def options(*, skips_wait_until: bool = False, locks: bool = False) -> WorkflowStateOptions:
    """Options of a state."""
    return WorkflowStateOptions(
        skip_wait_until=skips_wait_until or None,
        wait_until_api_timeout_seconds=API_SECONDS,
        execute_api_timeout_seconds=API_SECONDS,
        execute_api_data_attributes_loading_policy=LOCK if locks else None,
    )


def _to(state_id: str, plan: Plan, *, key: str | None = None) -> StateMovement:
    skips = state_id in ("Publish", "Slow", "Finish")
    return StateMovement(
        state_id=state_id,
        state_input=value(msgspec.json.encode(plan).decode()),
        state_options=options(skips_wait_until=skips, locks=state_id == "Fan"),
        wait_for_key=key,
    )


def _message(channel: str, text: str) -> InterStateChannelPublishing:
    return InterStateChannelPublishing(channel_name=channel, value=value(text))


def _goes_on(
    request: WorkflowStateDecideRequest,
    written: list[KeyValue],
    *,
    done: bool,
    publish: Sequence[InterStateChannelPublishing] = (),
) -> WorkflowStateDecideResponse:
    """The same state once more, or the end of the thread."""
    state_id = request.workflow_state_id
    following = StateMovement(state_id="_SYS_DEAD_END") if done else _to(state_id, _plan(request))
    messages = [*publish, *([_message("done", state_id)] if done else [])]
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(next_states=[following]),
        upsert_data_objects=written,
        publish_to_inter_state_channel=messages or None,
    )


# The states


def _begin(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    plan = _plan(request)
    states = ["Join", "Signals", "Calls", "Publish", "Collect", "Timer", "Slow"]
    movements = [_to(state_id, plan, key="slow" if state_id == "Slow" else None) for state_id in states]
    movements += [_to("Fan", plan) for _ in range(plan.fan)]
    return WorkflowStateDecideResponse(state_decision=StateDecision(next_states=movements))


def _take_signal(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    assert request.command_results is not None
    (result,) = request.command_results.signal_results or []
    return _take(request, SIGNALS, (result.signal_value and result.signal_value.data) or "")


def _take_call(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    return _take(request, CALLS, _channel_message(request))


def _take(request: WorkflowStateDecideRequest, key: str, text: str) -> WorkflowStateDecideResponse:
    written = _noted(request.data_objects, key, f"{_execution(request)} {text}")
    return _goes_on(request, written, done=text == END)


def _channel_message(request: WorkflowStateDecideRequest) -> str:
    assert request.command_results is not None
    (result,) = request.command_results.inter_state_channel_results or []
    return (result.value and result.value.data) or ""


def _publish(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    last = _number(request) == _plan(request).messages
    texts = [str(_number(request)), *([END] if last else [])]
    return _goes_on(
        request,
        _noted(request.data_objects, "published", _execution(request)),
        done=last,
        publish=[_message("numbers", text) for text in texts],
    )


def _collect(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    text = _channel_message(request)
    written = _noted(request.data_objects, "collected", f"{_execution(request)} {text}")
    return _goes_on(request, written, done=text == END)


def _wait_for_time(request: WorkflowStateStartRequest) -> WorkflowStateStartResponse:
    return msgspec.structs.replace(
        wait_for(timers=(1,)),
        upsert_data_objects=_noted(request.data_objects, "timer-waits", _execution(request)),
    )


def _time_has_come(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    assert request.command_results is not None
    (result,) = request.command_results.timer_results or []
    status = TimerStatus(result.timer_status).value
    written = _noted(request.data_objects, "timers", f"{_execution(request)} {status}")
    return _goes_on(request, written, done=_number(request) == _plan(request).timers)


def _write_under_lock(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    return _goes_on(request, _noted(request.data_objects, TOKENS, _execution(request)), done=True)


def _slow(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    return _goes_on(request, _noted(request.data_objects, "slow", _execution(request)), done=True)


def _wait_for_all(request: WorkflowStateStartRequest) -> WorkflowStateStartResponse:
    count = len(_plan(request).threads)
    command = InterStateChannelCommand(channel_name="done", at_least=count, at_most=count)
    return WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=CommandWaitingType.ALL_COMPLETED, inter_state_channel_commands=[command]
        )
    )


def _join(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    assert request.command_results is not None
    (result,) = request.command_results.inter_state_channel_results or []
    joined = sorted(item.data or "" for item in result.values or ())
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(next_states=[_to("Finish", _plan(request))]),
        upsert_data_objects=_noted(request.data_objects, "joined", *joined),
    )


def _finish(request: WorkflowStateDecideRequest) -> WorkflowStateDecideResponse:
    attributes = request.data_objects or ()
    result = {item.key or "": notes(attributes, item.key or "") for item in attributes}
    return graceful_complete(msgspec.json.encode(result).decode())


# RPCs


def _token(request: WorkflowWorkerRpcRequest) -> str:
    return (request.input and request.input.data) or ""


def _add(request: WorkflowWorkerRpcRequest) -> WorkflowWorkerRpcResponse:
    """Called with the lock."""
    return WorkflowWorkerRpcResponse(
        output=request.input, upsert_data_attributes=_noted(request.data_attributes, TOKENS, _token(request))
    )


def _call(request: WorkflowWorkerRpcRequest) -> WorkflowWorkerRpcResponse:
    """Called without a lock: only one client at a time calls it."""
    return WorkflowWorkerRpcResponse(
        output=request.input,
        upsert_data_attributes=_noted(request.data_attributes, CALLED, _token(request)),
        publish_to_inter_state_channel=[_message(CALLS, _token(request))],
    )
