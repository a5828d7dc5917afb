"""State options under old and new names: which one counts (`docs/wire-models.md`)."""

from collections.abc import Callable

import pytest

from iwf_models import (
    ExecuteApiFailurePolicy,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    RetryPolicy,
    StartApiFailurePolicy,
    WaitUntilApiFailurePolicy,
    WorkflowStateOptions,
    compat,
)
from iwf_models.codec import decode, encode

ReadOptions = Callable[[WorkflowStateOptions], object]


def state_options(fields: dict[str, object]) -> WorkflowStateOptions:
    """Options by their names on the wire, as an SDK sends them."""
    return decode(encode(fields), WorkflowStateOptions)


# Time limits


@pytest.mark.parametrize(
    ("read", "legacy", "current"),
    [
        pytest.param(
            compat.wait_until_timeout_seconds,
            "startApiTimeoutSeconds",
            "waitUntilApiTimeoutSeconds",
            id="wait-until",
        ),
        pytest.param(
            compat.execute_timeout_seconds,
            "decideApiTimeoutSeconds",
            "executeApiTimeoutSeconds",
            id="execute",
        ),
    ],
)
@pytest.mark.parametrize(
    ("sent_legacy", "sent_current", "expected"),
    [
        pytest.param(None, None, 30, id="neither"),
        pytest.param(5, None, 5, id="legacy"),
        pytest.param(None, 6, 6, id="current"),
        pytest.param(5, 6, 5, id="legacy-wins"),
        pytest.param(0, 6, 30, id="legacy-zero-hides-current"),
        pytest.param(-1, 6, 30, id="legacy-negative-hides-current"),
        pytest.param(None, 0, 30, id="current-zero"),
        pytest.param(None, -7, 30, id="current-negative"),
    ],
)
def test_timeout(
    read: ReadOptions,
    legacy: str,
    current: str,
    sent_legacy: int | None,
    sent_current: int | None,
    expected: int,
) -> None:
    assert read(state_options({legacy: sent_legacy, current: sent_current})) == expected


# Retries

LEGACY_RETRY = RetryPolicy(maximum_attempts=1)
CURRENT_RETRY = RetryPolicy(maximum_attempts=2)
NO_RETRY_FIELDS = RetryPolicy()


@pytest.mark.parametrize(
    ("read", "legacy", "current", "of_the_other_api"),
    [
        pytest.param(
            compat.wait_until_retry_policy,
            "startApiRetryPolicy",
            "waitUntilApiRetryPolicy",
            ["decideApiRetryPolicy", "executeApiRetryPolicy"],
            id="wait-until",
        ),
        pytest.param(
            compat.execute_retry_policy,
            "decideApiRetryPolicy",
            "executeApiRetryPolicy",
            ["startApiRetryPolicy", "waitUntilApiRetryPolicy"],
            id="execute",
        ),
    ],
)
@pytest.mark.parametrize(
    ("sent_legacy", "sent_current", "expected"),
    [
        pytest.param(None, None, None, id="neither"),
        pytest.param(LEGACY_RETRY, None, LEGACY_RETRY, id="legacy"),
        pytest.param(None, CURRENT_RETRY, CURRENT_RETRY, id="current"),
        pytest.param(LEGACY_RETRY, CURRENT_RETRY, LEGACY_RETRY, id="legacy-wins"),
        pytest.param(NO_RETRY_FIELDS, CURRENT_RETRY, NO_RETRY_FIELDS, id="empty-legacy-hides-current"),
    ],
)
def test_retry_policy(
    read: ReadOptions,
    legacy: str,
    current: str,
    of_the_other_api: list[str],
    sent_legacy: RetryPolicy | None,
    sent_current: RetryPolicy | None,
    expected: RetryPolicy | None,
) -> None:
    fields: dict[str, object] = dict.fromkeys(of_the_other_api, RetryPolicy(maximum_attempts=9))

    options = state_options({**fields, legacy: sent_legacy, current: sent_current})

    assert read(options) == expected


# Failure policies

LEGACY_FAIL = StartApiFailurePolicy.FAIL_WORKFLOW_ON_START_API_FAILURE
LEGACY_PROCEED = StartApiFailurePolicy.PROCEED_TO_DECIDE_ON_START_API_FAILURE
FAIL = WaitUntilApiFailurePolicy.FAIL_WORKFLOW_ON_FAILURE
PROCEED = WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE


@pytest.mark.parametrize(
    ("legacy", "current", "expected"),
    [
        pytest.param(None, None, FAIL, id="neither"),
        pytest.param(LEGACY_FAIL, None, FAIL, id="legacy-fail"),
        pytest.param(LEGACY_PROCEED, None, PROCEED, id="legacy-proceed"),
        pytest.param(None, FAIL, FAIL, id="current-fail"),
        pytest.param(None, PROCEED, PROCEED, id="current-proceed"),
        pytest.param(LEGACY_FAIL, PROCEED, FAIL, id="legacy-fail-wins"),
        pytest.param(LEGACY_PROCEED, FAIL, PROCEED, id="legacy-proceed-wins"),
    ],
)
def test_wait_until_failure_policy(
    legacy: StartApiFailurePolicy | None,
    current: WaitUntilApiFailurePolicy | None,
    expected: WaitUntilApiFailurePolicy,
) -> None:
    options = WorkflowStateOptions(start_api_failure_policy=legacy, wait_until_api_failure_policy=current)

    assert compat.wait_until_failure_policy(options) is expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(None, ExecuteApiFailurePolicy.FAIL_WORKFLOW_ON_EXECUTE_API_FAILURE, id="default"),
        *(pytest.param(policy, policy, id=policy) for policy in ExecuteApiFailurePolicy),
    ],
)
def test_execute_failure_policy(
    sent: ExecuteApiFailurePolicy | None, expected: ExecuteApiFailurePolicy
) -> None:
    options = WorkflowStateOptions(execute_api_failure_policy=sent, start_api_failure_policy=LEGACY_PROCEED)

    assert compat.execute_failure_policy(options) is expected


# Skipping


@pytest.mark.parametrize(
    ("legacy", "current", "expected"),
    [
        pytest.param(None, None, False, id="neither"),
        pytest.param(True, None, True, id="legacy"),
        pytest.param(None, True, True, id="current"),
        pytest.param(None, False, False, id="current-false"),
        pytest.param(True, False, True, id="legacy-true-wins"),
        pytest.param(False, True, False, id="legacy-false-hides-current"),
    ],
)
def test_skips_wait_until(legacy: bool | None, current: bool | None, expected: bool) -> None:
    options = WorkflowStateOptions(skip_start_api=legacy, skip_wait_until=current)

    assert compat.skips_wait_until(options) is expected


# Loading policies

OWN = PersistenceLoadingPolicy(persistence_loading_type=PersistenceLoadingType.LOAD_NONE)
OF_BOTH = PersistenceLoadingPolicy(partial_loading_keys=["of-both-apis"])
LEGACY = PersistenceLoadingPolicy(partial_loading_keys=["legacy"])
EMPTY = PersistenceLoadingPolicy()
UNRELATED = PersistenceLoadingPolicy(locking_keys=["unrelated"])


@pytest.mark.parametrize(
    ("read", "own", "of_the_other_api"),
    [
        pytest.param(
            compat.wait_until_data_attributes_policy,
            "waitUntilApiDataAttributesLoadingPolicy",
            "executeApiDataAttributesLoadingPolicy",
            id="wait-until",
        ),
        pytest.param(
            compat.execute_data_attributes_policy,
            "executeApiDataAttributesLoadingPolicy",
            "waitUntilApiDataAttributesLoadingPolicy",
            id="execute",
        ),
    ],
)
@pytest.mark.parametrize(
    ("sent_own", "sent_of_both", "sent_legacy", "expected"),
    [
        pytest.param(None, None, None, None, id="none"),
        pytest.param(OWN, OF_BOTH, LEGACY, OWN, id="own-wins"),
        pytest.param(OWN, None, LEGACY, OWN, id="own-before-legacy"),
        pytest.param(None, OF_BOTH, LEGACY, OF_BOTH, id="of-both-before-legacy"),
        pytest.param(None, None, LEGACY, LEGACY, id="legacy"),
        pytest.param(EMPTY, OF_BOTH, LEGACY, EMPTY, id="empty-own-hides-the-rest"),
        pytest.param(None, EMPTY, LEGACY, EMPTY, id="empty-of-both-hides-legacy"),
    ],
)
def test_data_attributes_policy(
    read: ReadOptions,
    own: str,
    of_the_other_api: str,
    sent_own: PersistenceLoadingPolicy | None,
    sent_of_both: PersistenceLoadingPolicy | None,
    sent_legacy: PersistenceLoadingPolicy | None,
    expected: PersistenceLoadingPolicy | None,
) -> None:
    options = state_options(
        {
            own: sent_own,
            of_the_other_api: UNRELATED,
            "searchAttributesLoadingPolicy": UNRELATED,
            "dataAttributesLoadingPolicy": sent_of_both,
            "dataObjectsLoadingPolicy": sent_legacy,
        }
    )

    assert read(options) == expected


@pytest.mark.parametrize(
    ("read", "own", "of_the_other_api"),
    [
        pytest.param(
            compat.wait_until_search_attributes_policy,
            "waitUntilApiSearchAttributesLoadingPolicy",
            "executeApiSearchAttributesLoadingPolicy",
            id="wait-until",
        ),
        pytest.param(
            compat.execute_search_attributes_policy,
            "executeApiSearchAttributesLoadingPolicy",
            "waitUntilApiSearchAttributesLoadingPolicy",
            id="execute",
        ),
    ],
)
@pytest.mark.parametrize(
    ("sent_own", "sent_of_both", "expected"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param(OWN, OF_BOTH, OWN, id="own-wins"),
        pytest.param(None, OF_BOTH, OF_BOTH, id="of-both"),
        pytest.param(EMPTY, OF_BOTH, EMPTY, id="empty-own-hides-the-other"),
    ],
)
def test_search_attributes_policy(
    read: ReadOptions,
    own: str,
    of_the_other_api: str,
    sent_own: PersistenceLoadingPolicy | None,
    sent_of_both: PersistenceLoadingPolicy | None,
    expected: PersistenceLoadingPolicy | None,
) -> None:
    options = state_options(
        {
            own: sent_own,
            of_the_other_api: UNRELATED,
            "dataAttributesLoadingPolicy": UNRELATED,
            "dataObjectsLoadingPolicy": UNRELATED,
            "searchAttributesLoadingPolicy": sent_of_both,
        }
    )

    assert read(options) == expected


# No options at all


@pytest.mark.parametrize(
    ("read", "expected"),
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
    ids=lambda value: value.__name__ if callable(value) else "default",
)
def test_absent_options_mean_the_defaults(read: Callable[[None], object], expected: object) -> None:
    assert read(None) == expected


def test_one_request_may_mix_both_styles() -> None:
    """Old names for waitUntil and current ones for execute, as users send them."""
    options = decode(
        b'{"startApiTimeoutSeconds": 5, "startApiRetryPolicy": {"maximumAttempts": 1},'
        b' "startApiFailurePolicy": "PROCEED_TO_DECIDE_ON_START_API_FAILURE",'
        b' "executeApiTimeoutSeconds": 6, "executeApiRetryPolicy": {"maximumAttempts": 2}}',
        WorkflowStateOptions,
    )

    assert compat.wait_until_timeout_seconds(options) == 5
    assert compat.wait_until_retry_policy(options) == LEGACY_RETRY
    assert compat.wait_until_failure_policy(options) is PROCEED
    assert compat.execute_timeout_seconds(options) == 6
    assert compat.execute_retry_policy(options) == CURRENT_RETRY
