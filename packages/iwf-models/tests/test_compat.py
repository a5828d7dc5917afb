"""Settings with two names: which one counts. Present means sent, also as 0 or `false`."""

from collections.abc import Callable
from typing import Any

import pytest

from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    DeciderTriggerType,
    ExecuteApiFailurePolicy,
    IDReusePolicy,
    PersistenceLoadingPolicy,
    RetryPolicy,
    StartApiFailurePolicy,
    TimerCommand,
    WaitUntilApiFailurePolicy,
    WorkflowIDReusePolicy,
    WorkflowStartOptions,
    WorkflowStateOptions,
    compat,
)

A = PersistenceLoadingPolicy(partial_loading_keys=["a"])
B = PersistenceLoadingPolicy(partial_loading_keys=["b"])
C = PersistenceLoadingPolicy(partial_loading_keys=["c"])
EMPTY = PersistenceLoadingPolicy()
FAIL = WaitUntilApiFailurePolicy.FAIL_WORKFLOW_ON_FAILURE
PROCEED = WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE
OLD_FAIL = StartApiFailurePolicy.FAIL_WORKFLOW_ON_START_API_FAILURE
OLD_PROCEED = StartApiFailurePolicy.PROCEED_TO_DECIDE_ON_START_API_FAILURE
GO_ELSEWHERE = ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE

StateSetting = Callable[[WorkflowStateOptions | None], Any]


def choices(
    setting: StateSetting, first: str, second: str, *, values: tuple[Any, Any], zero: Any
) -> list[Any]:
    """Cases of a setting with two names, where `zero` is a value that could be taken for none.

    `values` are values of the two fields that mean different things, and `zero` goes to the first one.
    """
    one, two = values
    name = setting.__name__
    return [
        pytest.param(setting, {first: one, second: two}, one, id=f"{name}-both"),
        pytest.param(setting, {first: one}, one, id=f"{name}-first-only"),
        pytest.param(setting, {second: two}, two, id=f"{name}-second-only"),
        pytest.param(setting, {first: zero[0], second: two}, zero[1], id=f"{name}-first-is-blank"),
    ]


@pytest.mark.parametrize(
    ("setting", "options", "expected"),
    [
        *choices(
            compat.wait_until_timeout_seconds,
            "start_api_timeout_seconds",
            "wait_until_api_timeout_seconds",
            values=(5, 6),
            zero=(0, 30),
        ),
        pytest.param(
            compat.wait_until_timeout_seconds,
            {"wait_until_api_timeout_seconds": -1},
            30,
            id="negative-timeout",
        ),
        *choices(
            compat.execute_timeout_seconds,
            "decide_api_timeout_seconds",
            "execute_api_timeout_seconds",
            values=(5, 6),
            zero=(0, 30),
        ),
        *choices(
            compat.wait_until_retry_policy,
            "start_api_retry_policy",
            "wait_until_api_retry_policy",
            values=(RetryPolicy(maximum_attempts=1), RetryPolicy(maximum_attempts=2)),
            zero=(RetryPolicy(), RetryPolicy()),
        ),
        *choices(
            compat.execute_retry_policy,
            "decide_api_retry_policy",
            "execute_api_retry_policy",
            values=(RetryPolicy(maximum_attempts=1), RetryPolicy(maximum_attempts=2)),
            zero=(RetryPolicy(), RetryPolicy()),
        ),
        pytest.param(
            compat.wait_until_failure_policy,
            {"start_api_failure_policy": OLD_FAIL, "wait_until_api_failure_policy": PROCEED},
            FAIL,
            id="legacy-failure-policy-fails",
        ),
        pytest.param(
            compat.wait_until_failure_policy,
            {"start_api_failure_policy": OLD_PROCEED, "wait_until_api_failure_policy": FAIL},
            PROCEED,
            id="legacy-failure-policy-proceeds",
        ),
        pytest.param(
            compat.wait_until_failure_policy,
            {"wait_until_api_failure_policy": PROCEED},
            PROCEED,
            id="current-failure-policy",
        ),
        pytest.param(
            compat.execute_failure_policy,
            {"execute_api_failure_policy": GO_ELSEWHERE},
            GO_ELSEWHERE,
            id="execute-failure-policy",
        ),
        *choices(
            compat.skips_wait_until,
            "skip_start_api",
            "skip_wait_until",
            values=(True, True),
            zero=(False, False),
        ),
        *(
            case
            for setting, own in (
                (compat.wait_until_data_attributes_policy, "wait_until_api_data_attributes_loading_policy"),
                (compat.execute_data_attributes_policy, "execute_api_data_attributes_loading_policy"),
            )
            for case in (
                *choices(setting, own, "data_attributes_loading_policy", values=(A, B), zero=(EMPTY, EMPTY)),
                pytest.param(
                    setting,
                    {"data_attributes_loading_policy": B, "data_objects_loading_policy": C},
                    B,
                    id=f"{setting.__name__}-legacy-hidden",
                ),
                pytest.param(
                    setting, {"data_objects_loading_policy": C}, C, id=f"{setting.__name__}-legacy-only"
                ),
            )
        ),
        *choices(
            compat.wait_until_search_attributes_policy,
            "wait_until_api_search_attributes_loading_policy",
            "search_attributes_loading_policy",
            values=(A, B),
            zero=(EMPTY, EMPTY),
        ),
        *choices(
            compat.execute_search_attributes_policy,
            "execute_api_search_attributes_loading_policy",
            "search_attributes_loading_policy",
            values=(A, B),
            zero=(EMPTY, EMPTY),
        ),
    ],
)
def test_setting_of_a_state_is_the_first_present(
    setting: StateSetting, options: dict[str, Any], expected: object
) -> None:
    assert setting(WorkflowStateOptions(**options)) == expected


@pytest.mark.parametrize("options", [None, WorkflowStateOptions()], ids=["no-options", "empty-options"])
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (compat.wait_until_timeout_seconds, 30),
        (compat.execute_timeout_seconds, 30),
        (compat.wait_until_retry_policy, None),
        (compat.execute_retry_policy, None),
        (compat.wait_until_failure_policy, FAIL),
        (compat.execute_failure_policy, ExecuteApiFailurePolicy.FAIL_WORKFLOW_ON_EXECUTE_API_FAILURE),
        (compat.skips_wait_until, False),
        (compat.wait_until_data_attributes_policy, None),
        (compat.execute_data_attributes_policy, None),
        (compat.wait_until_search_attributes_policy, None),
        (compat.execute_search_attributes_policy, None),
    ],
)
def test_setting_of_a_state_has_a_default(
    setting: StateSetting, options: WorkflowStateOptions | None, expected: object
) -> None:
    assert setting(options) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(None, IDReusePolicy.ALLOW_IF_NO_RUNNING, id="no-options"),
        pytest.param(WorkflowStartOptions(), IDReusePolicy.ALLOW_IF_NO_RUNNING, id="empty-options"),
        pytest.param(
            WorkflowStartOptions(
                id_reuse_policy=IDReusePolicy.DISALLOW_REUSE,
                workflow_id_reuse_policy=WorkflowIDReusePolicy.TERMINATE_IF_RUNNING,
            ),
            IDReusePolicy.DISALLOW_REUSE,
            id="current-name-wins",
        ),
        pytest.param(
            WorkflowStartOptions(id_reuse_policy=IDReusePolicy.ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY),
            IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY,
            id="misspelt",
        ),
        *(
            pytest.param(WorkflowStartOptions(workflow_id_reuse_policy=legacy), current, id=legacy.lower())
            for legacy, current in (
                (WorkflowIDReusePolicy.ALLOW_DUPLICATE, IDReusePolicy.ALLOW_IF_NO_RUNNING),
                (
                    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    IDReusePolicy.ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY,
                ),
                (WorkflowIDReusePolicy.REJECT_DUPLICATE, IDReusePolicy.DISALLOW_REUSE),
                (WorkflowIDReusePolicy.TERMINATE_IF_RUNNING, IDReusePolicy.ALLOW_TERMINATE_IF_RUNNING),
            )
        ),
    ],
)
def test_reuse_policy_has_one_meaning(options: WorkflowStartOptions | None, expected: IDReusePolicy) -> None:
    assert compat.id_reuse_policy(options) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(CommandRequest(), None, id="neither"),
        pytest.param(
            CommandRequest(
                command_waiting_type=CommandWaitingType.ANY_COMPLETED,
                decider_trigger_type=DeciderTriggerType.ALL_COMMAND_COMPLETED,
            ),
            CommandWaitingType.ANY_COMPLETED,
            id="current-name-wins",
        ),
        *(
            pytest.param(CommandRequest(decider_trigger_type=legacy), current, id=legacy.lower())
            for legacy, current in zip(DeciderTriggerType, CommandWaitingType, strict=True)
        ),
    ],
)
def test_waiting_type_has_one_meaning(request_: CommandRequest, expected: CommandWaitingType | None) -> None:
    assert compat.command_waiting_type(request_) is expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(TimerCommand(), 1_500, id="no-time"),
        pytest.param(TimerCommand(duration_seconds=2), 3_500, id="duration"),
        pytest.param(TimerCommand(firing_unix_timestamp_seconds=9), 9_000, id="legacy"),
        pytest.param(
            TimerCommand(duration_seconds=2, firing_unix_timestamp_seconds=9), 3_500, id="duration-wins"
        ),
        pytest.param(
            TimerCommand(duration_seconds=0, firing_unix_timestamp_seconds=9), 1_500, id="zero-duration-wins"
        ),
        pytest.param(TimerCommand(firing_unix_timestamp_seconds=0), 0, id="legacy-epoch"),
    ],
)
def test_timer_fires_at_one_time(command: TimerCommand, expected: int) -> None:
    assert compat.timer_fires_at_ms(command, now_ms=1_500) == expected
