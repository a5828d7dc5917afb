"""Retry policies: defaults, and the bounds that engines accept."""

import pytest

from iwf_interpreter.core.calls import effective_retry_policy
from iwf_models import RetryPolicy


@pytest.mark.parametrize(
    ("given", "effective"),
    [
        pytest.param(None, (1, 2.0, 100, 0, 0), id="none"),
        pytest.param(RetryPolicy(maximum_attempts=3), (1, 2.0, 100, 3, 0), id="attempts"),
        pytest.param(RetryPolicy(initial_interval_seconds=200), (200, 2.0, 200, 0, 0), id="long-interval"),
        pytest.param(
            RetryPolicy(initial_interval_seconds=50, maximum_interval_seconds=10),
            (50, 2.0, 50, 0, 0),
            id="cap-below-interval",
        ),
        pytest.param(RetryPolicy(backoff_coefficient=0.5), (1, 1.0, 100, 0, 0), id="shrinking"),
        pytest.param(
            RetryPolicy(
                initial_interval_seconds=-1, maximum_attempts=-1, maximum_attempts_duration_seconds=-1
            ),
            (1, 2.0, 100, 0, 0),
            id="negative",
        ),
    ],
)
def test_policy_is_completed_and_kept_in_bounds(
    given: RetryPolicy | None, effective: tuple[int, float, int, int, int]
) -> None:
    initial, coefficient, maximum, attempts, duration = effective

    assert effective_retry_policy(given) == RetryPolicy(
        initial_interval_seconds=initial,
        backoff_coefficient=coefficient,
        maximum_interval_seconds=maximum,
        maximum_attempts=attempts,
        maximum_attempts_duration_seconds=duration,
    )
