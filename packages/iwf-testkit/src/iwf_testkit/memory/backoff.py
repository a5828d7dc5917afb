"""The pause before the next attempt, of a call or of a whole workflow."""

from iwf_models import RetryPolicy, WorkflowRetryPolicy


def pause_ms(policy: RetryPolicy | WorkflowRetryPolicy, attempts: int) -> int:
    """Milliseconds to wait after so many attempts; absent fields have their documented values."""
    initial = policy.initial_interval_seconds or 1
    longest = policy.maximum_interval_seconds or max(100, initial)
    try:
        pause = initial * (policy.backoff_coefficient or 2.0) ** (attempts - 1)
    except OverflowError:
        pause = longest
    return round(min(pause, longest) * 1000)
