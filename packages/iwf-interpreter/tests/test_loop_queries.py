"""Queries: decoded, answered from the state, or answered with the reason why not."""

from typing import Any

import msgspec
import pytest

from core_driver import Driver, executed, signal, state, value
from iwf_interpreter.core import ContinueAsNewRequested
from iwf_interpreter.loop.dialect import QueryCall, QueryReply
from iwf_interpreter.loop.queries import answer
from iwf_models import KeyValue, SearchAttribute, SearchAttributeValueType, codec

KEYWORDS = [
    SearchAttribute(key=key, value_type=SearchAttributeValueType.KEYWORD, string_value="v") for key in "yx"
]


def run() -> Driver:
    """S1 has completed, S2 waits for its first call, a signal waits for somebody."""
    driver = Driver()
    driver.start(
        state("S1", skip_wait_until=True),
        init_data_attributes=[KeyValue(key=key, value=value(key)) for key in ("b", "a")],
        init_search_attributes=KEYWORDS,
    )
    driver.batch(executed("S1-1", state("S2")), signal("c", "1"))
    return driver


def asked(query_type: str, argument: bytes | None = None) -> QueryReply:
    return answer(run().state, QueryCall(query_type, argument))


def read(query_type: str, argument: bytes | None = None) -> Any:
    reply = asked(query_type, argument)
    assert reply.answer is not None, reply.error
    return msgspec.json.decode(reply.answer)


@pytest.mark.parametrize(
    ("query_type", "argument", "expected"),
    [
        pytest.param(
            "GetDataAttributes",
            b'{"Keys": ["a"]}',
            {"DataAttributes": [{"key": "a", "value": {"encoding": "json", "data": "a"}}]},
            id="data-attributes",
        ),
        pytest.param("GetCurrentTimerInfos", None, {"StateExecutionCurrentTimerInfos": {}}, id="timers"),
        pytest.param(
            "StateCompletion",
            b'{"stateExecutionId": "S1-1"}',
            {
                "completed": True,
                "output": {"completedStateId": "S1", "completedStateExecutionId": "S1-1"},
            },
            id="completed",
        ),
        pytest.param(
            "StateCompletion", b'{"stateExecutionId": "S2-1"}', {"completed": False}, id="not-completed"
        ),
        pytest.param("StateCompletion", None, {"completed": False}, id="no-target"),
        pytest.param("__stack_trace", None, "S2-1: WAIT_UNTIL", id="stack-trace"),
    ],
)
def test_query_is_answered_from_the_state(query_type: str, argument: bytes | None, expected: object) -> None:
    assert read(query_type, argument) == expected


def test_missing_argument_means_everything() -> None:
    assert [item["key"] for item in read("GetDataAttributes")["DataAttributes"]] == ["a", "b"]


def test_search_attributes_are_sorted() -> None:
    assert [item["key"] for item in read("GetSearchAttributes")] == ["x", "y"]


def test_rpc_is_prepared() -> None:
    prepared = read("PrepareRpcQueryType")

    assert (prepared["WorkflowRunId"], prepared["SignalChannelInfo"]) == ("run-1", {"c": 1})


def test_dump_tells_everything() -> None:
    dumped = read("DebugNewDump")

    assert dumped["Snapshot"]["started_counts"] == {"S1": 1, "S2": 1}
    assert dumped["FiringTimersUnixTimestamps"] == []


def test_dump_comes_in_pages() -> None:
    argument = b'{"workflowId": "order-1", "workflowRunId": "", "pageSizeInBytes": 100, "pageNum": 0}'

    page = read("ContinueAsNewDumpByPage", argument)

    assert page["totalPages"] > 1
    assert page["jsonData"].startswith('{"StatesToStartFromBeginning":')


def test_closed_run_gives_the_state_that_it_has_left() -> None:
    driver = run()
    driver.interpreter.apply(ContinueAsNewRequested(), driver.now_ms)

    reply = answer(driver.state, QueryCall("SnapshotPage", b'{"page": 0, "pages": 2}'))

    assert reply.answer is not None
    assert len(codec.decode(reply.answer, dict[str, Any])["sha256"]) == 64


def test_idle_run_says_so_in_its_stack_trace() -> None:
    driver = Driver()
    driver.start()

    reply = answer(driver.state, QueryCall("__stack_trace", None))

    assert reply.answer == b'"no state execution is live"'


def test_unknown_query_is_answered_with_the_known_ones() -> None:
    assert asked("Nothing") == QueryReply(
        None,
        "unknown query type 'Nothing', known are ContinueAsNewDumpByPage, DebugNewDump, "
        "GetCurrentTimerInfos, GetDataAttributes, GetSearchAttributes, PrepareRpcQueryType, SnapshotPage, "
        "StateCompletion, __stack_trace",
    )


@pytest.mark.parametrize(
    ("query_type", "argument"),
    [
        pytest.param("GetDataAttributes", b"{", id="no-json"),
        pytest.param("GetDataAttributes", b'{"Keys": 1}', id="wrong-type"),
        pytest.param("SnapshotPage", None, id="missing"),
        pytest.param("SnapshotPage", b'{"page": 2, "pages": 2}', id="no-such-page"),
        pytest.param(
            "ContinueAsNewDumpByPage",
            b'{"workflowId": "", "workflowRunId": "", "pageSizeInBytes": 0, "pageNum": 9}',
            id="out-of-range",
        ),
    ],
)
def test_bad_argument_is_answered_with_the_reason(query_type: str, argument: bytes | None) -> None:
    reply = asked(query_type, argument)

    assert reply.answer is None
    assert reply.error.startswith(f"bad argument of query '{query_type}': ")
