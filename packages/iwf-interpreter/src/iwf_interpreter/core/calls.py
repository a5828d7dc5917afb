"""The calls of a state's two APIs: requests, time limits and retry policies.

A request is complete but for the two fields that only an attempt knows, `context.attempt` and
`context.firstAttemptTimestamp`. Options come with each movement and are not inherited.
"""

from iwf_interpreter.core import persistence
from iwf_interpreter.core.commands import CallExecute, CallWaitUntil
from iwf_interpreter.core.state import ExecutionState, StateExecution
from iwf_models import (
    CommandResults,
    Context,
    RetryPolicy,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    compat,
)

WAIT_UNTIL_PREFIX = "wu/"
EXECUTE_PREFIX = "ex/"


def wait_until_call(state: ExecutionState, execution_id: str, execution: StateExecution) -> CallWaitUntil:
    """The call of waitUntil, with the attributes as they are now."""
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


def execute_call(
    state: ExecutionState, execution_id: str, execution: StateExecution, results: CommandResults | None
) -> CallExecute:
    """The call of execute, with the attributes as they are now."""
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
        command_results=results,
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


def _context(state: ExecutionState, execution_id: str) -> Context:
    return Context(
        workflow_id=state.workflow_id,
        workflow_run_id=state.first_run_id,
        workflow_started_timestamp=state.started_at,
        state_execution_id=execution_id,
    )
