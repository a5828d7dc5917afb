"""What can be configured about the HTTP API.

Plain values, checked when they are made. Where they come from (a file, the environment, the command line) is
the business of `iwf_api.cli`, and what the engine and the interpreter need is not here.
"""

import msgspec

from iwf_models import WorkflowConfig

_MAX_INT32 = 2**31 - 1


def _check_range(name: str, value: float, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest} to {highest}, not {value!r}")


class QueryRetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a query that a run could not answer is asked again.

    It bridges the moments in which a run has no first task yet. Every other failure is final at once.

    Raises:
        ValueError: A value is out of its range.
    """

    maximum_attempts: int = 5
    """Attempts in all, 1 to 100."""
    initial_interval_seconds: float = 1.0
    """The fixed pause between two attempts, 0 to 60."""

    def __post_init__(self) -> None:
        _check_range("maximum_attempts", self.maximum_attempts, 1, 100)
        _check_range("initial_interval_seconds", self.initial_interval_seconds, 0, 60)


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one API process.

    Raises:
        ValueError: A value is out of its range.
    """

    max_wait_seconds: int = 58
    """Cap of every wait for a workflow or a worker's RPC, 1 to 3600. Java and Python clients give up reading
    after 60 seconds and would then miss the answer."""
    max_request_bytes: int = 10 * 1024 * 1024
    """Size of the largest accepted request body, at least 1. A bigger one is answered 413."""
    query_workflow_failed_retry_policy: QueryRetryPolicy = QueryRetryPolicy()
    default_workflow_config: WorkflowConfig = WorkflowConfig(continue_as_new_threshold=100)
    """What a workflow gets where its start request overrides nothing."""
    omit_rpc_input_output_in_history: bool = False
    """Leave the debugging copy of an RPC's input and output out of the workflow's history."""
    locked_rpc_max_waiting: int = 100
    """How many RPCs may wait, per workflow, for attributes that others have locked; one more is answered 450.
    0 means that none waits."""
    fail_at_memo_incompatibility: bool = False
    """Answer 500, rather than ask the run, when data attributes are to be read from the memo of a workflow
    that keeps none there. For tests."""

    def __post_init__(self) -> None:
        _check_range("max_wait_seconds", self.max_wait_seconds, 1, 3600)
        _check_range("max_request_bytes", self.max_request_bytes, 1, _MAX_INT32)
        _check_range("locked_rpc_max_waiting", self.locked_rpc_max_waiting, 0, _MAX_INT32)
        config = self.default_workflow_config
        for name, value in (
            ("continue_as_new_threshold", config.continue_as_new_threshold),
            ("continue_as_new_page_size_in_bytes", config.continue_as_new_page_size_in_bytes),
        ):
            if value is not None:
                _check_range(f"default_workflow_config.{name}", value, 0, _MAX_INT32)
