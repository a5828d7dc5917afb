"""Why a call to a worker gave nothing to go on with, and how that is told.

    WorkerError                 the call failed
    ├── WorkerCallError         no answer, a status other than 200, or a body that is not the expected model
    │   └── WorkerCallTimedOut  the caller's time limit passed first
    └── InvalidWorkerAnswer     the answer was read, but breaks a rule of `iwf_interpreter.worker_answers`

Each of them can be told in two ways: as the text of a failed attempt of a state API, and as the parts of a
failed RPC. SDKs match both, so the frames of these texts never change; they are listed in
`docs/worker-calls.md`. Texts are cut by characters, never inside one.
"""

from abc import ABC, abstractmethod

import msgspec

from iwf_interpreter.contract import RpcFailure
from iwf_models import WorkerErrorResponse, codec

RPC_BODY_LIMIT = 4096
"""Characters of a body that is not a worker's error object, in the failure of an RPC."""

ANSWER_LIMIT = 16_384
"""Characters of a refused answer. An engine would not take a failure as long as an answer can be."""


class WorkerError(Exception, ABC):
    """A call to a worker failed."""

    @abstractmethod
    def state_api_text(self, *, body_limit: int = 500, reason_limit: int = 50) -> str:
        """Text of a failed attempt of a state API; that of the last attempt becomes `errorMessage`.

        Args:
            body_limit: Characters of the worker's body to keep. SDKs look for fragments in the first 500.
            reason_limit: Characters of the reason to keep.
        """

    @abstractmethod
    def rpc_failure(self) -> RpcFailure:
        """The same failure for the client of an RPC."""


class WorkerCallError(WorkerError):
    """There was no answer, or one with another status than 200, or one that cannot be decoded."""

    def __init__(self, *, status: int, body: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        """HTTP status, 0 when there was no answer."""
        self.body = body
        self.reason = reason
        """What went wrong; for a status other than 200 the status line."""

    def state_api_text(self, *, body_limit: int = 500, reason_limit: int = 50) -> str:
        body = cut(self.body, body_limit) if self.status else "None"
        return f"statusCode: {self.status}, responseBody: {body}, errMsg: {cut(self.reason, reason_limit)}"

    def rpc_failure(self) -> RpcFailure:
        if not self.status:
            return RpcFailure(detail=self.reason, worker_detail="", worker_error_type="", worker_status=0)
        error = read_worker_error(self.body)
        if error is None:
            body = cut(self.body, RPC_BODY_LIMIT)
            return RpcFailure(
                detail=f"unable to decode worker response body to WorkerErrorResponse: body{body}",
                worker_detail=body,
                worker_error_type="",
                worker_status=self.status,
            )
        error_type = error.error_type or ""
        return RpcFailure(
            detail=f"worker API error, status:{self.status}, errorType:{error_type}",
            worker_detail=error.detail or "",
            worker_error_type=error_type,
            worker_status=self.status,
        )


class WorkerCallTimedOut(WorkerCallError):
    """The caller's time limit passed before the worker's answer was there.

    A state API has no text for this: its engine ends the attempt by the same limit and must be the one to
    report it, because SDKs look for the engine's words.
    """

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(
            status=0, body="", reason=f"no answer from the worker within {timeout_seconds:g} seconds"
        )


class InvalidWorkerAnswer(WorkerError):
    """The worker answered 200 with something that cannot be applied."""

    def __init__(self, reason: str, answer: str) -> None:
        super().__init__(f"err msg: {reason}, response: {cut(answer, ANSWER_LIMIT)}")
        self.reason = reason

    def state_api_text(self, *, body_limit: int = 500, reason_limit: int = 50) -> str:
        return str(self)

    def rpc_failure(self) -> RpcFailure:
        return RpcFailure(detail=self.reason, worker_detail="", worker_error_type="", worker_status=0)


def cut(text: str, limit: int) -> str:
    """The first `limit` characters, with `...` when that is not all of them."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def read_worker_error(body: str) -> WorkerErrorResponse | None:
    """The error object in a body, if there is one."""
    try:
        return codec.decode(body.encode(), WorkerErrorResponse)
    except msgspec.DecodeError:
        return None
