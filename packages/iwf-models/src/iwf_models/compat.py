"""Settings that the wire knows under two names: which one counts, in the terms of the current names.

The only place that reads legacy fields. A field is present when it was sent and is not null, even as 0 or
`false`; a field that is present hides the next choice, whatever its value.

The order of choice is not uniform. For time limits, retries, the failure policy and skipping, the legacy
name wins; for the reuse of ids, the trigger of commands, the loading policies and timers, the current one
does. Users mix both styles in one request. The table is in `docs/wire-models.md`.
"""

from typing import TypeVar

import msgspec

from iwf_models.commands import CommandRequest, CommandWaitingType, DeciderTriggerType, TimerCommand
from iwf_models.common import PersistenceLoadingPolicy, RetryPolicy, WorkflowConfig
from iwf_models.decisions import (
    ExecuteApiFailurePolicy,
    StartApiFailurePolicy,
    WaitUntilApiFailurePolicy,
    WorkflowStateOptions,
)
from iwf_models.workflows import IDReusePolicy, WorkflowIDReusePolicy, WorkflowStartOptions

__all__ = (
    "DEFAULT_API_TIMEOUT_SECONDS",
    "wait_until_timeout_seconds",
    "execute_timeout_seconds",
    "wait_until_retry_policy",
    "execute_retry_policy",
    "wait_until_failure_policy",
    "execute_failure_policy",
    "skips_wait_until",
    "wait_until_data_attributes_policy",
    "execute_data_attributes_policy",
    "wait_until_search_attributes_policy",
    "execute_search_attributes_policy",
    "id_reuse_policy",
    "merged_config",
    "command_waiting_type",
    "timer_fires_at_ms",
)

T = TypeVar("T")

DEFAULT_API_TIMEOUT_SECONDS = 30
"""Limit of one attempt at waitUntil or execute that sets none."""

_NO_STATE_OPTIONS = WorkflowStateOptions()
_NO_START_OPTIONS = WorkflowStartOptions()

_FAILURE_POLICIES = {
    StartApiFailurePolicy.FAIL_WORKFLOW_ON_START_API_FAILURE: (
        WaitUntilApiFailurePolicy.FAIL_WORKFLOW_ON_FAILURE
    ),
    StartApiFailurePolicy.PROCEED_TO_DECIDE_ON_START_API_FAILURE: (
        WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE
    ),
}

_REUSE_POLICIES = {
    WorkflowIDReusePolicy.ALLOW_DUPLICATE: IDReusePolicy.ALLOW_IF_NO_RUNNING,
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY: IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY,
    WorkflowIDReusePolicy.REJECT_DUPLICATE: IDReusePolicy.DISALLOW_REUSE,
    WorkflowIDReusePolicy.TERMINATE_IF_RUNNING: IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING,
}

_WAITING_TYPES = {
    DeciderTriggerType.ALL_COMMAND_COMPLETED: CommandWaitingType.ALL_COMPLETED,
    DeciderTriggerType.ANY_COMMAND_COMPLETED: CommandWaitingType.ANY_COMPLETED,
    DeciderTriggerType.ANY_COMMAND_COMBINATION_COMPLETED: CommandWaitingType.ANY_COMBINATION_COMPLETED,
}


def wait_until_timeout_seconds(options: WorkflowStateOptions | None) -> int:
    """Limit of one attempt at waitUntil, always positive."""
    options = options or _NO_STATE_OPTIONS
    return _timeout(options.start_api_timeout_seconds, options.wait_until_api_timeout_seconds)


def execute_timeout_seconds(options: WorkflowStateOptions | None) -> int:
    """Limit of one attempt at execute, always positive."""
    options = options or _NO_STATE_OPTIONS
    return _timeout(options.decide_api_timeout_seconds, options.execute_api_timeout_seconds)


def wait_until_retry_policy(options: WorkflowStateOptions | None) -> RetryPolicy | None:
    """Retries of waitUntil; `None` means that all defaults apply."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(options.start_api_retry_policy, options.wait_until_api_retry_policy)


def execute_retry_policy(options: WorkflowStateOptions | None) -> RetryPolicy | None:
    """Retries of execute; `None` means that all defaults apply."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(options.decide_api_retry_policy, options.execute_api_retry_policy)


def wait_until_failure_policy(options: WorkflowStateOptions | None) -> WaitUntilApiFailurePolicy:
    """What a waitUntil that failed for good leads to; by default the workflow fails."""
    options = options or _NO_STATE_OPTIONS
    if options.start_api_failure_policy is not None:
        return _FAILURE_POLICIES[options.start_api_failure_policy]
    return options.wait_until_api_failure_policy or WaitUntilApiFailurePolicy.FAIL_WORKFLOW_ON_FAILURE


def execute_failure_policy(options: WorkflowStateOptions | None) -> ExecuteApiFailurePolicy:
    """What an execute that failed for good leads to; by default the workflow fails. Has no legacy name."""
    options = options or _NO_STATE_OPTIONS
    return options.execute_api_failure_policy or ExecuteApiFailurePolicy.FAIL_WORKFLOW_ON_EXECUTE_API_FAILURE


def skips_wait_until(options: WorkflowStateOptions | None) -> bool:
    """Whether the state goes straight to execute."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(options.skip_start_api, options.skip_wait_until) or False


def wait_until_data_attributes_policy(
    options: WorkflowStateOptions | None,
) -> PersistenceLoadingPolicy | None:
    """Data attributes for waitUntil; `None` means all, without locking."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(
        options.wait_until_api_data_attributes_loading_policy,
        options.data_attributes_loading_policy,
        options.data_objects_loading_policy,
    )


def execute_data_attributes_policy(options: WorkflowStateOptions | None) -> PersistenceLoadingPolicy | None:
    """Data attributes for execute; `None` means all, without locking."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(
        options.execute_api_data_attributes_loading_policy,
        options.data_attributes_loading_policy,
        options.data_objects_loading_policy,
    )


def wait_until_search_attributes_policy(
    options: WorkflowStateOptions | None,
) -> PersistenceLoadingPolicy | None:
    """Search attributes for waitUntil; `None` means all, without locking."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(
        options.wait_until_api_search_attributes_loading_policy,
        options.search_attributes_loading_policy,
    )


def execute_search_attributes_policy(
    options: WorkflowStateOptions | None,
) -> PersistenceLoadingPolicy | None:
    """Search attributes for execute; `None` means all, without locking."""
    options = options or _NO_STATE_OPTIONS
    return _first_present(
        options.execute_api_search_attributes_loading_policy,
        options.search_attributes_loading_policy,
    )


def id_reuse_policy(options: WorkflowStartOptions | None) -> IDReusePolicy:
    """Whether a used workflow id may start again, never misspelt; by default if none is running."""
    options = options or _NO_START_OPTIONS
    policy = options.id_reuse_policy
    if policy is IDReusePolicy.ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY:
        return IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY
    if policy is not None:
        return policy
    if options.workflow_id_reuse_policy is not None:
        return _REUSE_POLICIES[options.workflow_id_reuse_policy]
    return IDReusePolicy.ALLOW_IF_NO_RUNNING


def merged_config(config: WorkflowConfig, override: WorkflowConfig | None) -> WorkflowConfig:
    """A config with every field replaced that the override carries."""
    if override is None:
        return config
    given = {
        field: value
        for field in override.__struct_fields__
        if (value := getattr(override, field)) is not None
    }
    return msgspec.structs.replace(config, **given)


def command_waiting_type(request: CommandRequest) -> CommandWaitingType | None:
    """Trigger of a command request. `None` when none was sent, which is legal only without commands."""
    if request.command_waiting_type is None and request.decider_trigger_type is not None:
        return _WAITING_TYPES[request.decider_trigger_type]
    return request.command_waiting_type


def timer_fires_at_ms(command: TimerCommand, *, now_ms: int) -> int:
    """Unix milliseconds at which a timer fires; `now_ms` itself when its command names no time.

    Not bounded: a command may name any 64-bit number of seconds, which no engine can represent.

    Args:
        command: The timer, with a duration or with an absolute time.
        now_ms: Unix milliseconds from which a duration counts.
    """
    if command.duration_seconds is not None:
        return now_ms + command.duration_seconds * 1000
    if command.firing_unix_timestamp_seconds is not None:
        return command.firing_unix_timestamp_seconds * 1000
    return now_ms


def _timeout(*choices: int | None) -> int:
    seconds = _first_present(*choices)
    return seconds if seconds is not None and seconds > 0 else DEFAULT_API_TIMEOUT_SECONDS


def _first_present(*choices: T | None) -> T | None:
    return next((choice for choice in choices if choice is not None), None)
