"""Retry policies of workflows and of calls, as Temporal takes them."""

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import RetryPolicy as TemporalRetryPolicy

from iwf_models import RetryPolicy, WorkflowRetryPolicy


def workflow_retry_policy(policy: WorkflowRetryPolicy) -> TemporalRetryPolicy:
    """The policy by which a failed workflow is run again; absent fields get the documented defaults."""
    initial = policy.initial_interval_seconds or 1
    return TemporalRetryPolicy(
        initial_interval=Duration(seconds=initial),
        backoff_coefficient=policy.backoff_coefficient or 2.0,
        maximum_interval=Duration(seconds=policy.maximum_interval_seconds or max(100, initial)),
        maximum_attempts=policy.maximum_attempts or 0,
    )


def call_retry_policy(policy: RetryPolicy) -> TemporalRetryPolicy:
    """The policy of a call, whose fields the core has filled in."""
    return TemporalRetryPolicy(
        initial_interval=Duration(seconds=policy.initial_interval_seconds or 0),
        backoff_coefficient=policy.backoff_coefficient or 0.0,
        maximum_interval=Duration(seconds=policy.maximum_interval_seconds or 0),
        maximum_attempts=policy.maximum_attempts or 0,
    )
