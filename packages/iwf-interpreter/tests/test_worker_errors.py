import pytest

from iwf_interpreter.contract import RpcFailure
from iwf_interpreter.worker_errors import (
    InvalidWorkerAnswer,
    WorkerCallError,
    WorkerCallTimedOut,
    WorkerError,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(
            WorkerCallError(status=0, body="", reason="Connection refused (w:1)"),
            "statusCode: 0, responseBody: None, errMsg: Connection refused (w:1)",
            id="no-answer",
        ),
        pytest.param(
            WorkerCallError(status=500, body='{"detail":"D"}', reason="500 Internal Server Error"),
            'statusCode: 500, responseBody: {"detail":"D"}, errMsg: 500 Internal Server Error',
            id="status",
        ),
        pytest.param(
            WorkerCallError(status=501, body="", reason="501 Not Implemented"),
            "statusCode: 501, responseBody: , errMsg: 501 Not Implemented",
            id="empty-body",
        ),
        pytest.param(
            WorkerCallError(status=500, body="b" * 500, reason="r" * 50),
            f"statusCode: 500, responseBody: {'b' * 500}, errMsg: {'r' * 50}",
            id="at-the-limits",
        ),
        pytest.param(
            WorkerCallError(status=500, body="b" * 501, reason="r" * 51),
            f"statusCode: 500, responseBody: {'b' * 500}..., errMsg: {'r' * 50}...",
            id="beyond-the-limits",
        ),
        pytest.param(
            WorkerCallError(status=500, body="é" * 501, reason="中" * 51),
            f"statusCode: 500, responseBody: {'é' * 500}..., errMsg: {'中' * 50}...",
            id="characters-are-not-split",
        ),
        pytest.param(
            InvalidWorkerAnswer("no decision", '{"recordEvents":[]}'),
            'err msg: no decision, response: {"recordEvents":[]}',
            id="refused-answer",
        ),
        pytest.param(
            InvalidWorkerAnswer("no decision", "a" * 16_385),
            f"err msg: no decision, response: {'a' * 16_384}...",
            id="refused-long-answer",
        ),
    ],
)
def test_a_failed_attempt_has_a_text_in_its_frame(error: WorkerError, text: str) -> None:
    assert error.state_api_text() == text


def test_an_attempt_may_ask_for_a_shorter_text() -> None:
    error = WorkerCallError(status=500, body="b" * 51, reason="r" * 6)

    text = error.state_api_text(body_limit=50, reason_limit=5)

    assert text == f"statusCode: 500, responseBody: {'b' * 50}..., errMsg: rrrrr..."


def test_the_text_of_a_refused_answer_does_not_depend_on_the_limits() -> None:
    error = InvalidWorkerAnswer("no decision", "{}")

    assert error.state_api_text(body_limit=1, reason_limit=1) == str(error)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        pytest.param(
            501,
            '{"detail":"boom","errorType":"java.lang.RuntimeException","more":1}',
            RpcFailure(
                detail="worker API error, status:501, errorType:java.lang.RuntimeException",
                worker_detail="boom",
                worker_error_type="java.lang.RuntimeException",
                worker_status=501,
            ),
            id="error-object",
        ),
        pytest.param(
            500,
            "{}",
            RpcFailure(
                detail="worker API error, status:500, errorType:",
                worker_detail="",
                worker_error_type="",
                worker_status=500,
            ),
            id="empty-object",
        ),
        pytest.param(
            503,
            '{"detail":null,"errorType":null}',
            RpcFailure(
                detail="worker API error, status:503, errorType:",
                worker_detail="",
                worker_error_type="",
                worker_status=503,
            ),
            id="nulls",
        ),
        pytest.param(
            200,
            '{"output":{"data":1}}',
            RpcFailure(
                detail="worker API error, status:200, errorType:",
                worker_detail="",
                worker_error_type="",
                worker_status=200,
            ),
            id="undecodable-200",
        ),
        pytest.param(
            500,
            "plain text",
            RpcFailure(
                detail="unable to decode worker response body to WorkerErrorResponse: bodyplain text",
                worker_detail="plain text",
                worker_error_type="",
                worker_status=500,
            ),
            id="plain-text",
        ),
        pytest.param(
            500,
            "",
            RpcFailure(
                detail="unable to decode worker response body to WorkerErrorResponse: body",
                worker_detail="",
                worker_error_type="",
                worker_status=500,
            ),
            id="empty-body",
        ),
        pytest.param(
            400,
            '["x"]',
            RpcFailure(
                detail='unable to decode worker response body to WorkerErrorResponse: body["x"]',
                worker_detail='["x"]',
                worker_error_type="",
                worker_status=400,
            ),
            id="list",
        ),
        pytest.param(
            500,
            '{"detail":5}',
            RpcFailure(
                detail='unable to decode worker response body to WorkerErrorResponse: body{"detail":5}',
                worker_detail='{"detail":5}',
                worker_error_type="",
                worker_status=500,
            ),
            id="detail-is-no-text",
        ),
        pytest.param(
            500,
            '{"errorType":{}}',
            RpcFailure(
                detail='unable to decode worker response body to WorkerErrorResponse: body{"errorType":{}}',
                worker_detail='{"errorType":{}}',
                worker_error_type="",
                worker_status=500,
            ),
            id="error-type-is-no-text",
        ),
        pytest.param(
            500,
            "é" * 4097,
            RpcFailure(
                detail="unable to decode worker response body to WorkerErrorResponse: body"
                + "é" * 4096
                + "...",
                worker_detail="é" * 4096 + "...",
                worker_error_type="",
                worker_status=500,
            ),
            id="long-text",
        ),
        pytest.param(
            500,
            "[" * 100_000,
            RpcFailure(
                detail="unable to decode worker response body to WorkerErrorResponse: body"
                + "[" * 4096
                + "...",
                worker_detail="[" * 4096 + "...",
                worker_error_type="",
                worker_status=500,
            ),
            id="deeply-nested",
        ),
    ],
)
def test_an_rpc_failure_quotes_the_workers_error(status: int, body: str, failure: RpcFailure) -> None:
    assert WorkerCallError(status=status, body=body, reason="unused").rpc_failure() == failure


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        pytest.param(
            WorkerCallError(status=0, body="", reason="Server disconnected"),
            "Server disconnected",
            id="no-answer",
        ),
        pytest.param(WorkerCallTimedOut(1.5), "no answer from the worker within 1.5 seconds", id="deadline"),
        pytest.param(
            InvalidWorkerAnswer("it closes the workflow", "{}"), "it closes the workflow", id="refused"
        ),
    ],
)
def test_an_rpc_failure_without_a_workers_error_has_only_a_detail(error: WorkerError, detail: str) -> None:
    assert error.rpc_failure() == RpcFailure(
        detail=detail, worker_detail="", worker_error_type="", worker_status=0
    )
