"""Bodies of error answers: the server's to its clients, and a worker's to the server."""

from enum import StrEnum

from iwf_models._base import Int32, WireStruct


class ErrorSubStatus(StrEnum):
    """What went wrong, finer than the HTTP status."""

    UNCATEGORIZED_SUB_STATUS = "UNCATEGORIZED_SUB_STATUS"
    WORKFLOW_ALREADY_STARTED_SUB_STATUS = "WORKFLOW_ALREADY_STARTED_SUB_STATUS"
    WORKFLOW_NOT_EXISTS_SUB_STATUS = "WORKFLOW_NOT_EXISTS_SUB_STATUS"
    WORKER_API_ERROR = "WORKER_API_ERROR"
    LONG_POLL_TIME_OUT_SUB_STATUS = "LONG_POLL_TIME_OUT_SUB_STATUS"


class ErrorResponse(WireStruct, frozen=True, kw_only=True):
    """Body of every answer of the server that is not 200.

    SDKs read `detail` and `sub_status` without checking, so both are set in practice.
    """

    detail: str | None = None
    sub_status: ErrorSubStatus | None = None
    original_worker_error_detail: str | None = None
    """This and the two below: only when an RPC failed in the worker."""
    original_worker_error_type: str | None = None
    original_worker_error_status: Int32 | None = None
    """HTTP status of the worker, 0 when there was no HTTP answer."""


class WorkerErrorResponse(WireStruct, frozen=True, kw_only=True):
    """Body that SDKs send when a worker's API fails. Workers may send anything else instead."""

    detail: str | None = None
    error_type: str | None = None
