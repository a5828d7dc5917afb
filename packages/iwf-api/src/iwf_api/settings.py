"""What can be configured about the HTTP API.

Plain values, checked when they are made. Where they come from (a file, the environment, the command line) is
the business of `iwf_api.cli`, and what the engine and the interpreter need is not here.
"""

import msgspec

from iwf_models import WorkflowConfig

_MAX_INT32 = 2**31 - 1


def _check_range(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be from {lowest} to {highest}, not {value!r}")


class QueryRetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often a query is asked again that a run has refused, or whose tasks fail.

    A run that is busy, or has no first task yet, is waited for without counting; other failures are final.

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


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may cost before its request is understood, and after it has been answered.

    Times are checked twice a second. A client that goes beyond a limit loses its connection, after an answer
    400 unless another answer is on its way to it.

    Raises:
        ValueError: A value is out of its range.
    """

    max_head_bytes: int = 64 * 1024
    """Request line and headers together, 1024 to 16 MiB."""
    max_headers: int = 100
    """Headers of a request, 1 to 10000."""
    head_seconds: float = 10.0
    """How long request line and headers may take, and how long a new connection may stay silent, 0.1 to
    3600."""
    body_seconds: float = 30.0
    """How long a body may take, 0.1 to 3600; each 16 KiB that have come allow one second more."""
    answer_seconds: float = 30.0
    """How long a client may leave an answer unread, 0.1 to 3600; each 16 KiB that it has read allow one
    second more."""
    idle_seconds: int = 620
    """How long a connection may idle between two requests, 1 to 86400. It should be longer than clients and
    load balancers keep theirs (Go 90 seconds, OkHttp 300, load balancers up to 600): a request that is sent
    when the server gives up the connection fails, and clients do not repeat it."""

    def __post_init__(self) -> None:
        _check_range("idle_seconds", self.idle_seconds, 1, 86_400)
        _check_range("max_head_bytes", self.max_head_bytes, 1024, 16 * 1024 * 1024)
        _check_range("max_headers", self.max_headers, 1, 10_000)
        _check_range("head_seconds", self.head_seconds, 0.1, 3600)
        _check_range("body_seconds", self.body_seconds, 0.1, 3600)
        _check_range("answer_seconds", self.answer_seconds, 0.1, 3600)


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
    max_json_depth: int = 64
    """How many lists and objects may be inside each other, 8 to 500. A deeper body is answered 400."""
    max_id_length: int = 1000
    """Characters of an id, a name or a key, 1 to 100000. A longer one is answered 400. Temporal has a limit
    of its own, `limit.maxIDLength`, in bytes."""
    connection: ConnectionLimits = ConnectionLimits()
    query_workflow_failed_retry_policy: QueryRetryPolicy = QueryRetryPolicy()
    default_workflow_config: WorkflowConfig = WorkflowConfig(continue_as_new_threshold=100)
    """What a workflow gets where its start request overrides nothing."""
    omit_rpc_input_output_in_history: bool = False
    """Leave the debugging copy of an RPC's input and output out of the workflow's history."""
    locked_rpc_max_waiting: int = 100
    """How many RPCs may wait, per workflow, for attributes that others have locked; one more is answered 450.
    0 means that none waits."""
    rpc_updates_from: int = 0
    """From how many RPCs in progress on one workflow, in this process, those that write are handed to the run
    as updates; 0 is never. The longest of them get shorter, and all cost twice the actions
    (`docs/http-api.md`)."""
    fail_at_memo_incompatibility: bool = False
    """Answer 500, rather than ask the run, when data attributes are to be read from the memo of a workflow
    that keeps none there. For tests."""

    def __post_init__(self) -> None:
        _check_range("max_wait_seconds", self.max_wait_seconds, 1, 3600)
        _check_range("max_request_bytes", self.max_request_bytes, 1, _MAX_INT32)
        _check_range("max_json_depth", self.max_json_depth, 8, 500)
        _check_range("max_id_length", self.max_id_length, 1, 100_000)
        _check_range("locked_rpc_max_waiting", self.locked_rpc_max_waiting, 0, _MAX_INT32)
        _check_range("rpc_updates_from", self.rpc_updates_from, 0, _MAX_INT32)
        config = self.default_workflow_config
        for name, value in (
            ("continue_as_new_threshold", config.continue_as_new_threshold),
            ("continue_as_new_page_size_in_bytes", config.continue_as_new_page_size_in_bytes),
        ):
            if value is not None:
                _check_range(f"default_workflow_config.{name}", value, 0, _MAX_INT32)
