"""The calls of a state's two APIs: requests, locks, time limits and retry policies.

A request is complete but for the two fields that only an attempt knows, `context.attempt` and
`context.firstAttemptTimestamp`. Options come with each movement and are not inherited.

With `optimizeActivity` a call is first made once in place, which costs less. A call that fails there goes to
the engine for the attempts that its policy still allows.
"""

import msgspec

from iwf_interpreter.core import persistence
from iwf_interpreter.core.commands import CallExecute, CallWaitUntil, StateCall
from iwf_interpreter.core.locks import wanted_locks
from iwf_interpreter.core.results import command_results
from iwf_interpreter.core.state import ExecutionState, Phase, StateExecution
from iwf_models import (
    Context,
    RetryPolicy,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    compat,
)

WAIT_UNTIL_PREFIX = "wu/"
EXECUTE_PREFIX = "ex/"

MAX_LOCAL_SECONDS = 5
"""Limit of an attempt in place: the run does nothing else for that long."""

MAX_SLOW_LOCALLY = 2
"""After this many attempts in place of a state's calls that took too long, they are not tried there."""


def call_id(execution_id: str, phase: Phase) -> str:
    """Id of the call that an execution makes next, or is making."""
    prefix = WAIT_UNTIL_PREFIX if phase.is_before_waiting else EXECUTE_PREFIX
    return prefix + execution_id


def execution_id(call_id: str) -> str:
    """The state execution that makes a call."""
    return call_id.removeprefix(EXECUTE_PREFIX).removeprefix(WAIT_UNTIL_PREFIX)


def call_locks(execution: StateExecution) -> list[str]:
    """The locks that the next call of an execution needs."""
    options = execution.movement.state_options
    if options is None:
        return []
    if execution.phase.is_before_waiting:
        return wanted_locks(
            compat.wait_until_data_attributes_policy(options),
            compat.wait_until_search_attributes_policy(options),
        )
    return wanted_locks(
        compat.execute_data_attributes_policy(options), compat.execute_search_attributes_policy(options)
    )


def retry_policy(execution: StateExecution) -> RetryPolicy:
    """The effective policy of the call that an execution makes next, or is making."""
    options = execution.movement.state_options
    if execution.phase.is_before_waiting:
        return effective_retry_policy(compat.wait_until_retry_policy(options))
    return effective_retry_policy(compat.execute_retry_policy(options))


def allows_another_attempt(execution: StateExecution, first_attempt_at: int, now_ms: int) -> bool:
    """Whether a call may be made again, after the usual pause, when its first attempt has failed in place."""
    policy = retry_policy(execution)
    limit = policy.maximum_attempts_duration_seconds
    next_at_ms = now_ms + (policy.initial_interval_seconds or 0) * 1000
    return policy.maximum_attempts != 1 and (not limit or next_at_ms < (first_attempt_at + limit) * 1000)


def state_call(state: ExecutionState, execution_id: str, execution: StateExecution, now_ms: int) -> StateCall:
    """The call that an execution in phase `START` or `READY` makes, with the attributes as they are now."""
    call = (
        _wait_until_call(state, execution_id, execution)
        if execution.phase is Phase.START
        else _execute_call(state, execution_id, execution)
    )
    if execution.earlier is not None:
        policy = _remaining(call.retry_policy, execution.earlier.first_attempt_at, now_ms)
        return msgspec.structs.replace(call, retry_policy=policy, earlier=execution.earlier)
    if not state.config.optimize_activity:
        return call
    slow = state.slow_locally.get(execution.movement.state_id, 0) >= MAX_SLOW_LOCALLY
    # Cut short, the only attempt of a call would fail although it has time left.
    too_long = call.timeout_seconds > MAX_LOCAL_SECONDS and call.retry_policy.maximum_attempts == 1
    if slow or too_long:
        return call
    return msgspec.structs.replace(
        call, local=True, timeout_seconds=min(call.timeout_seconds, MAX_LOCAL_SECONDS)
    )


def _wait_until_call(state: ExecutionState, execution_id: str, execution: StateExecution) -> CallWaitUntil:
    movement = execution.movement
    options = movement.state_options
    request = WorkflowStateStartRequest(
        context=_context(state, execution_id),
        workflow_type=state.workflow_type,
        workflow_state_id=movement.state_id,
        state_input=movement.state_input,
        search_attributes=persistence.load_search_attributes(
            state, compat.wait_until_search_attributes_policy(options)
        )
        or None,
        data_objects=persistence.load_data_attributes(
            state, compat.wait_until_data_attributes_policy(options)
        )
        or None,
    )
    return CallWaitUntil(
        call_id=WAIT_UNTIL_PREFIX + execution_id,
        worker_url=state.worker_url,
        request=request,
        timeout_seconds=compat.wait_until_timeout_seconds(options),
        retry_policy=effective_retry_policy(compat.wait_until_retry_policy(options)),
    )


def _execute_call(state: ExecutionState, execution_id: str, execution: StateExecution) -> CallExecute:
    movement = execution.movement
    options = movement.state_options
    request = WorkflowStateDecideRequest(
        context=_context(state, execution_id),
        workflow_type=state.workflow_type,
        workflow_state_id=movement.state_id,
        state_input=movement.state_input,
        search_attributes=persistence.load_search_attributes(
            state, compat.execute_search_attributes_policy(options)
        )
        or None,
        data_objects=persistence.load_data_attributes(state, compat.execute_data_attributes_policy(options))
        or None,
        state_locals=execution.locals or None,
        command_results=command_results(execution),
    )
    return CallExecute(
        call_id=EXECUTE_PREFIX + execution_id,
        worker_url=state.worker_url,
        request=request,
        timeout_seconds=compat.execute_timeout_seconds(options),
        retry_policy=effective_retry_policy(compat.execute_retry_policy(options)),
    )


def effective_retry_policy(policy: RetryPolicy | None) -> RetryPolicy:
    """The policy with every default filled in, in the bounds that engines accept.

    Intervals are at least one second, the coefficient is at least 1, and the default cap of the interval
    is 100 seconds or the first interval, whichever is longer. 0 attempts and 0 seconds in total mean no
    limit.
    """
    policy = policy or RetryPolicy()
    initial = max(1, policy.initial_interval_seconds or 1)
    maximum = policy.maximum_interval_seconds or max(100, initial)
    return RetryPolicy(
        initial_interval_seconds=initial,
        backoff_coefficient=max(1.0, policy.backoff_coefficient or 2.0),
        maximum_interval_seconds=max(initial, maximum),
        maximum_attempts=max(0, policy.maximum_attempts or 0),
        maximum_attempts_duration_seconds=max(0, policy.maximum_attempts_duration_seconds or 0),
    )


def _remaining(policy: RetryPolicy, first_attempt_at: int, now_ms: int) -> RetryPolicy:
    """What a policy still allows after one attempt."""
    attempts = policy.maximum_attempts or 0
    limit = policy.maximum_attempts_duration_seconds or 0
    return msgspec.structs.replace(
        policy,
        maximum_attempts=attempts - 1 if attempts else 0,
        maximum_attempts_duration_seconds=max(1, first_attempt_at + limit - now_ms // 1000) if limit else 0,
    )


def _context(state: ExecutionState, execution_id: str) -> Context:
    return Context(
        workflow_id=state.workflow_id,
        workflow_run_id=state.first_run_id,
        workflow_started_timestamp=state.started_at,
        state_execution_id=execution_id,
    )
