"""Reuse of ids, triggers and timers under old and new names: which one counts (`docs/wire-models.md`)."""

import inspect

import pytest

from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    DeciderTriggerType,
    IDReusePolicy,
    TimerCommand,
    WorkflowIDReusePolicy,
    WorkflowStartOptions,
    compat,
)


def test_public_names_are_these() -> None:
    functions = {name for name, _ in inspect.getmembers(compat, inspect.isfunction) if name[0] != "_"}

    assert sorted(compat.__all__) == sorted(functions | {"DEFAULT_API_TIMEOUT_SECONDS"})


@pytest.mark.parametrize(
    ("current", "legacy", "expected"),
    [
        pytest.param(None, None, "ALLOW_IF_NO_RUNNING", id="neither"),
        pytest.param(None, "ALLOW_DUPLICATE", "ALLOW_IF_NO_RUNNING", id="legacy-allow"),
        pytest.param(
            None, "ALLOW_DUPLICATE_FAILED_ONLY", "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY", id="legacy-failed-only"
        ),
        pytest.param(None, "REJECT_DUPLICATE", "DISALLOW_REUSE", id="legacy-reject"),
        pytest.param(None, "TERMINATE_IF_RUNNING", "ALLOW_TERMINATE_IF_RUNNING", id="legacy-terminate"),
        pytest.param("ALLOW_IF_NO_RUNNING", None, "ALLOW_IF_NO_RUNNING", id="allow"),
        pytest.param(
            "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY", None, "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY", id="abnormally"
        ),
        pytest.param(
            "ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY", None, "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY", id="misspelt"
        ),
        pytest.param("DISALLOW_REUSE", None, "DISALLOW_REUSE", id="disallow"),
        pytest.param("ALLOW_TERMINATE_IF_RUNNING", None, "ALLOW_TERMINATE_IF_RUNNING", id="terminate"),
        pytest.param("ALLOW_IF_NO_RUNNING", "REJECT_DUPLICATE", "ALLOW_IF_NO_RUNNING", id="current-wins"),
        pytest.param(
            "ALLOW_IF_PREVIOUS_EXISTS_ABNORMALLY",
            "REJECT_DUPLICATE",
            "ALLOW_IF_PREVIOUS_EXITS_ABNORMALLY",
            id="misspelt-wins",
        ),
    ],
)
def test_id_reuse_policy(current: str | None, legacy: str | None, expected: str) -> None:
    options = WorkflowStartOptions(
        id_reuse_policy=None if current is None else IDReusePolicy(current),
        workflow_id_reuse_policy=None if legacy is None else WorkflowIDReusePolicy(legacy),
    )

    assert compat.id_reuse_policy(options) is IDReusePolicy(expected)


def test_absent_start_options_allow_if_none_is_running() -> None:
    assert compat.id_reuse_policy(None) is IDReusePolicy.ALLOW_IF_NO_RUNNING


@pytest.mark.parametrize(
    ("current", "legacy", "expected"),
    [
        pytest.param(None, None, None, id="neither"),
        pytest.param(None, "ALL_COMMAND_COMPLETED", "ALL_COMPLETED", id="legacy-all"),
        pytest.param(None, "ANY_COMMAND_COMPLETED", "ANY_COMPLETED", id="legacy-any"),
        pytest.param(
            None, "ANY_COMMAND_COMBINATION_COMPLETED", "ANY_COMBINATION_COMPLETED", id="legacy-combination"
        ),
        pytest.param("ALL_COMPLETED", None, "ALL_COMPLETED", id="all"),
        pytest.param("ANY_COMPLETED", None, "ANY_COMPLETED", id="any"),
        pytest.param("ANY_COMBINATION_COMPLETED", None, "ANY_COMBINATION_COMPLETED", id="combination"),
        pytest.param("ALL_COMPLETED", "ANY_COMMAND_COMPLETED", "ALL_COMPLETED", id="current-wins"),
    ],
)
def test_command_waiting_type(current: str | None, legacy: str | None, expected: str | None) -> None:
    request = CommandRequest(
        command_waiting_type=None if current is None else CommandWaitingType(current),
        decider_trigger_type=None if legacy is None else DeciderTriggerType(legacy),
    )

    assert compat.command_waiting_type(request) == expected


@pytest.mark.parametrize(
    ("command", "expected_ms"),
    [
        pytest.param(TimerCommand(), 5_500, id="neither-fires-at-once"),
        pytest.param(TimerCommand(duration_seconds=3), 8_500, id="duration"),
        pytest.param(TimerCommand(firing_unix_timestamp_seconds=60), 60_000, id="absolute"),
        pytest.param(
            TimerCommand(duration_seconds=3, firing_unix_timestamp_seconds=60), 8_500, id="duration-wins"
        ),
        pytest.param(
            TimerCommand(duration_seconds=0, firing_unix_timestamp_seconds=60),
            5_500,
            id="zero-duration-hides-absolute",
        ),
        pytest.param(TimerCommand(firing_unix_timestamp_seconds=0), 0, id="absolute-zero"),
        pytest.param(TimerCommand(duration_seconds=-2), 3_500, id="negative-duration"),
        pytest.param(
            TimerCommand(duration_seconds=2**63 - 1), 5_500 + (2**63 - 1) * 1000, id="any-64-bit-number"
        ),
    ],
)
def test_timer_fires_at(command: TimerCommand, expected_ms: int) -> None:
    assert compat.timer_fires_at_ms(command, now_ms=5_500) == expected_ms
