"""What a play saw becomes a recording that another play of the same server would give too."""

from typing import Any

import pytest

from iwf_testkit.golden import Case, Recording, Scenario
from iwf_testkit.golden.places import Json
from iwf_testkit.golden.recording import Sighting, recorded
from iwf_testkit.golden.scenarios import Variant
from iwf_testkit.golden.scripted_worker import WorkerCall

NOW = 1700000000.0
ONE = "11111111-2222-3333-4444-555555555555"
TWO = "aaaaaaaa-2222-3333-4444-555555555555"


def record(
    answers: dict[str, dict[str, Json]] | None = None,
    *,
    calls: list[WorkerCall] | None = None,
    variant: Variant = "base",
    **fields: Any,
) -> Recording:
    scenario = Scenario(name="a/one", about="x", steps=(), **fields)
    sighting = Sighting(
        prefix="g0123",
        worker_url="http://127.0.0.1:5000/g0123",
        server_url="http://127.0.0.1:8801",
        now=NOW,
        answers=answers or {},
        calls=calls or [],
        final={},
    )
    return recorded(Case(scenario=scenario, variant=variant), sighting)


def body_of(body: dict[str, Json], *, status: int = 200, variant: Variant = "base", **fields: Any) -> Json:
    """The body of an answer as it is recorded."""
    answers = {"a": {"status": status, "body": body}}
    return record(answers, variant=variant, **fields).answers["a"]["body"]


def call(workflow_id: str, api: Any, **body: Json) -> WorkerCall:
    context = {"workflowId": workflow_id, **body.pop("context", {})}
    return WorkerCall(
        path="/api/x", api=api, body={"context": context, **body}, content_type="application/json"
    )


def test_addresses_and_the_prefix_of_a_play_are_named() -> None:
    body = body_of({"a": "http://127.0.0.1:5000/g0123/x", "b": "http://127.0.0.1:8801/y", "g0123-2": "g0123"})

    assert body == {"a": "<worker>/x", "b": "<server>/y", "<id>-2": "<id>"}


def test_uuids_are_numbered_by_first_appearance() -> None:
    assert body_of({"a": TWO, "b": f"{ONE} {TWO}"}) == {"a": "<uuid-1>", "b": "<uuid-2> <uuid-1>"}


def test_plausible_times_are_hidden_and_others_kept() -> None:
    body = body_of({"workflowStartedTimestamp": int(NOW), "firstAttemptTimestamp": 0, "other": int(NOW)})

    assert body == {"workflowStartedTimestamp": "<time>", "firstAttemptTimestamp": 0, "other": int(NOW)}


def test_empty_lists_that_mean_absent_are_left_out() -> None:
    assert body_of({"objects": [], "results": [], "x": {"dataObjects": []}}) == {"results": [], "x": {}}


def test_very_long_texts_are_compared_by_hash() -> None:
    one = body_of({"a": "x" * 4000 + ONE})
    other = body_of({"a": "x" * 4000 + TWO})
    longer = body_of({"a": "x" * 4001 + ONE})

    assert one["a"].startswith("<4036 characters, sha256 ")
    assert one == other != longer


@pytest.mark.parametrize(
    ("detail", "kept"),
    [
        pytest.param("anything", "<text>", id="free"),
        pytest.param("WorkflowId is not set on request.", "WorkflowId is not set on request.", id="literal"),
        pytest.param("invalid request - no timer", "invalid request - <text>", id="start-kept"),
        pytest.param("worker API error, status:500, x", "worker API error, status:500, x", id="worker-error"),
    ],
)
def test_error_texts_are_hidden_unless_clients_test_for_them(detail: str, kept: str) -> None:
    assert body_of({"detail": detail}, status=400) == {"detail": kept}


def test_a_schema_error_is_cut_and_always_has_a_sub_status() -> None:
    body = body_of({"detail": "invalid request schema: x"}, status=400)

    assert body == {"detail": "invalid request schema", "subStatus": "UNCATEGORIZED_SUB_STATUS"}


def test_a_detail_of_a_good_answer_is_kept() -> None:
    assert body_of({"detail": "x"}) == {"detail": "x"}


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        pytest.param("anything", "<text>", id="free"),
        pytest.param(
            "statusCode: 500, responseBody: no, errMsg: 500 Internal",
            "statusCode: 500, responseBody: no, errMsg: <text>",
            id="worker-failure",
        ),
        pytest.param("err msg: x, response: {}", "err msg: <text>, response: <json>", id="bad-answer"),
        pytest.param(
            "activity error (x): activity StartToClose timeout (y)",
            "activity error <text> activity StartToClose timeout <text>",
            id="time-limit",
        ),
    ],
)
def test_error_messages_keep_what_clients_look_for(message: str, kept: str) -> None:
    assert body_of({"errorMessage": message}) == {"errorMessage": kept}


def test_the_reason_of_a_fail_stop_is_kept() -> None:
    body = {"errorMessage": "because", "errorType": "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"}

    assert body_of(body) == body


def test_a_dump_is_read_and_its_checksum_hidden() -> None:
    assert body_of({"jsonData": '{"a": 1}', "checksum": "x"}) == {
        "jsonData": {"a": 1},
        "checksum": "<checksum>",
    }
    assert body_of({"jsonData": '{"a', "checksum": "x"})["jsonData"] == "<slice>"


def test_search_results_are_sorted_and_tokens_and_hosts_hidden() -> None:
    body = body_of(
        {
            "workflowExecutions": [{"workflowId": "b"}, {"workflowId": "a"}],
            "nextPageToken": "x",
            "hostname": "h",
        }
    )

    assert body == {
        "workflowExecutions": [{"workflowId": "a"}, {"workflowId": "b"}],
        "nextPageToken": "<token>",
        "hostname": "<host>",
    }


@pytest.mark.parametrize(
    ("variant", "fields"),
    [pytest.param("can1", {}, id="variant"), pytest.param("base", {"many_runs": True}, id="scenario")],
)
def test_current_run_ids_are_not_compared_where_runs_follow_each_other(
    variant: Variant, fields: dict[str, Any]
) -> None:
    status = {"workflowStatus": "RUNNING", "workflowRunId": ONE}

    body = body_of(status, variant=variant, **fields)
    calls = [
        call("g0123", "rpc", rpcName="r", context={"workflowRunId": TWO}),
        call("g0123", "execute", context={"workflowRunId": ONE, "stateExecutionId": "S1-1"}),
    ]
    worker = record(calls=calls, variant=variant, **fields).worker["<id>"]

    assert body == {"workflowStatus": "RUNNING", "workflowRunId": "<run>"}
    assert worker["rpc.r"][0]["body"]["context"]["workflowRunId"] == "<run>"
    assert worker["S1-1"][0]["body"]["context"]["workflowRunId"] == "<uuid-1>"


def test_worker_calls_are_grouped_by_workflow_and_execution_in_order() -> None:
    calls = [
        call("g0123-2", "rpc", rpcName="r"),
        call("g0123", "waitUntil", context={"stateExecutionId": "S2-1"}),
        call("g0123", "execute", context={"stateExecutionId": "S1-1"}),
        call("g0123", "execute", context={"stateExecutionId": "S2-1"}),
    ]

    recording = record(calls=calls, ordered=True)

    assert {
        workflow_id: {name: [seen["api"] for seen in group] for name, group in groups.items()}
        for workflow_id, groups in recording.worker.items()
    } == {"<id>": {"S1-1": ["execute"], "S2-1": ["waitUntil", "execute"]}, "<id>-2": {"rpc.r": ["rpc"]}}
    assert recording.order == ["rpc r", "S2-1 waitUntil", "S1-1 execute", "S2-1 execute"]


def test_a_call_of_another_path_or_content_type_shows() -> None:
    strange = WorkerCall(path="/x", api=None, body={}, content_type="text/plain")

    recording = record(calls=[strange])

    assert recording.worker == {"None": {"None": [{"api": "/x", "contentType": "text/plain", "body": {}}]}}


def test_free_texts_in_place_of_a_body_are_hidden() -> None:
    recording = record({"a": {"status": 404, "text": "not here", "contentType": "text/plain"}})

    assert recording.answers["a"] == {"status": 404, "text": "<text>", "contentType": "text/plain"}


def test_ignored_places_are_hidden_and_unordered_lists_sorted() -> None:
    answers: dict[str, dict[str, Json]] = {
        "a": {"status": 200, "body": {"x": 1, "l": [{"k": "b"}, {"k": "a"}]}},
        "b": {"status": 200},
    }

    recording = record(
        answers, ignore=("answers/a/body/x", "worker"), unordered=("answers/*/l", "answers/b/status")
    )

    assert recording == Recording(
        answers={
            "a": {"status": 200, "body": {"x": "<not compared>", "l": [{"k": "a"}, {"k": "b"}]}},
            "b": {"status": 200},
        },
        worker="<not compared>",
        final={},
    )
