"""The published dump: its parts, and pages that are cut between characters."""

import hashlib
from typing import Any

import msgspec
import pytest

from core_driver import START_MS, Driver, published, signal, started_by_rpc, state, value, waited
from iwf_interpreter.core import ContinueAsNewRequested, TimerSkipped, dispatch
from iwf_interpreter.core.dump import PageOutOfRange, dump, dump_page
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    InterStateChannelCommand,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    TimerCommand,
    WorkflowDumpRequest,
    WorkflowDumpResponse,
    codec,
)


def page(run: Driver, number: int, size: int) -> WorkflowDumpResponse:
    request = WorkflowDumpRequest(
        workflow_id="order-1", workflow_run_id="", page_size_in_bytes=size, page_num=number
    )
    return dump_page(run.state, request)


def all_pages(run: Driver, size: int) -> list[str]:
    total = page(run, 0, size).total_pages
    return [page(run, number, size).json_data for number in range(total)]


def parts(run: Driver) -> dict[str, Any]:
    return codec.decode(codec.encode(dump(run.state)), dict[str, Any])


def test_dump_of_an_idle_run_has_every_key(run: Driver) -> None:
    run.start()

    assert parts(run) == {
        "StatesToStartFromBeginning": [],
        "StateExecutionsToResume": {},
        "InterStateChannelReceived": {},
        "SignalsReceived": {},
        "StateExecutionCounterInfo": {
            "StateIdStartedCount": {},
            "StateIdCurrentlyExecutingCount": {},
            "TotalCurrentlyExecutingCount": 0,
        },
        "StateOutputs": [],
        "StaleSkipTimerSignals": [],
        "DataObjects": [],
        "SearchAttributes": [],
    }


def test_waiting_execution_is_told_with_what_it_has_got(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        timer_commands=[
            TimerCommand(command_id="t", duration_seconds=60),
            TimerCommand(duration_seconds=90),
        ],
        signal_commands=[SignalCommand(signal_channel_name="c"), SignalCommand(signal_channel_name="d")],
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="i")],
    )
    run.start(state("S1", "in"))
    run.batch(waited("S1-1", request, upsert_state_locals=[KeyValue(key="l", value=value("x"))]))
    run.batch(signal("c", "1"), published("i", "2"), TimerSkipped(execution_id="S1-1", command_id="t"))

    seconds = START_MS // 1000
    assert parts(run)["StateExecutionsToResume"] == {
        "S1-1": {
            "stateExecutionId": "S1-1",
            "state": {"stateId": "S1", "stateInput": {"encoding": "json", "data": "in"}},
            "stateExecutionLocals": [{"key": "l", "value": {"encoding": "json", "data": "x"}}],
            "commandRequest": {
                "commandWaitingType": "ALL_COMPLETED",
                "timerCommands": [
                    {"commandId": "t", "firingUnixTimestampSeconds": seconds + 60},
                    {"firingUnixTimestampSeconds": seconds + 90},
                ],
                "signalCommands": [{"signalChannelName": "c"}, {"signalChannelName": "d"}],
                "interStateChannelCommands": [{"channelName": "i"}],
            },
            "stateExecutionCompletedCommands": {
                "completedTimerCommands": {"0": "Skipped"},
                "completedSignalCommands": {"0": {"encoding": "json", "data": "1"}},
                "completedInterStateChannelCommands": {"0": {"encoding": "json", "data": "2"}},
            },
        }
    }


def test_executions_are_listed_by_what_they_do_next(run: Driver) -> None:
    """S1 is in waitUntil, S2 in execute, S3 queued because the run drains."""
    run.start(state("S1"), state("S2", skip_wait_until=True))
    run.batch(ContinueAsNewRequested())
    run.batch(started_by_rpc(state("S3")))

    dumped = parts(run)

    assert [movement["stateId"] for movement in dumped["StatesToStartFromBeginning"]] == ["S1", "S3"]
    assert dumped["StateExecutionsToResume"] == {}
    assert dumped["StateExecutionCounterInfo"] == {
        "StateIdStartedCount": {"S1": 1, "S2": 1},
        "StateIdCurrentlyExecutingCount": {"S1": 1, "S2": 1},
        "TotalCurrentlyExecutingCount": 2,
    }


def test_execution_that_is_ready_but_not_called_is_resumed(run: Driver) -> None:
    run.start(state("S1"), state("S2"))
    run.batch(ContinueAsNewRequested())
    run.batch(waited("S1-1"))

    assert parts(run)["StateExecutionsToResume"]["S1-1"]["commandRequest"] == {}


def test_ready_execution_that_skips_waiting_has_no_commands(
    monkeypatch: pytest.MonkeyPatch, run: Driver
) -> None:
    monkeypatch.setattr(dispatch, "MAX_CALLS_IN_FLIGHT", 0)
    run.start(state("S1", skip_wait_until=True))

    resumed = parts(run)["StateExecutionsToResume"]["S1-1"]

    assert resumed["commandRequest"] == {}
    assert resumed["stateExecutionCompletedCommands"] == {
        "completedTimerCommands": {},
        "completedSignalCommands": {},
        "completedInterStateChannelCommands": {},
    }


def test_attributes_are_sorted_and_skips_are_complete(run: Driver) -> None:
    keywords = [
        SearchAttribute(key=key, value_type=SearchAttributeValueType.KEYWORD, string_value="v")
        for key in ("y", "x")
    ]
    run.start(
        init_data_attributes=[KeyValue(key=key, value=value(key)) for key in ("b", "a")],
        init_search_attributes=keywords,
    )
    run.batch(TimerSkipped(execution_id="S1-1", command_index=2), signal("c", "1"))

    dumped = parts(run)

    assert [item["key"] for item in dumped["DataObjects"]] == ["a", "b"]
    assert [item["key"] for item in dumped["SearchAttributes"]] == ["x", "y"]
    assert dumped["StaleSkipTimerSignals"] == [
        {"StateExecutionId": "S1-1", "TimerCommandId": "", "TimerCommandIndex": 2}
    ]
    assert dumped["SignalsReceived"] == {"c": [{"encoding": "json", "data": "1"}]}


TEXT = "aé€😀" * 10


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 64, 10_000])
def test_pages_are_cut_between_characters_and_lose_nothing(run: Driver, size: int) -> None:
    run.start(init_data_attributes=[KeyValue(key="d", value=value(TEXT))])

    pages = all_pages(run, size)

    assert msgspec.json.decode("".join(pages))["DataObjects"][0]["value"]["data"] == TEXT
    assert all(len(text.encode()) <= size or len(text) == 1 for text in pages)


def test_every_page_has_the_checksum_of_the_whole(run: Driver) -> None:
    run.start(init_data_attributes=[KeyValue(key="d", value=value(TEXT))])
    whole = codec.encode(dump(run.state))

    assert {page(run, number, 100).checksum for number in range(3)} == {hashlib.sha256(whole).hexdigest()}


@pytest.mark.parametrize("size", [0, -1])
def test_page_size_is_a_megabyte_unless_given(run: Driver, size: int) -> None:
    run.start()

    assert page(run, 0, size).total_pages == 1


@pytest.mark.parametrize("number", [-1, 1, 99])
def test_page_behind_the_last_is_out_of_range(run: Driver, number: int) -> None:
    run.start()

    with pytest.raises(PageOutOfRange, match=f"pageNum {number} is out of range: there are 1 pages"):
        page(run, number, 0)
