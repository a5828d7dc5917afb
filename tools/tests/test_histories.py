"""The tool that records and checks histories: what it writes, what it says and how it ends."""

import json
from pathlib import Path

import pytest
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.core import NEWEST_VERSION, Interpreter
from iwf_interpreter.core.commands import Command
from iwf_interpreter.temporal import load_history
from tools.histories import corpus
from tools.histories.__main__ import main
from tools.histories.scenarios import SCENARIOS

V1 = corpus.FOLDER / "v1"


@pytest.fixture
def broken_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that asks for nothing."""

    def settle(interpreter: Interpreter, now_ms: int) -> list[Command]:
        return []

    monkeypatch.setattr(Interpreter, "settle", settle)


def recorded(name: str) -> list[HistoryEvent]:
    return list(load_history(V1 / f"{name}.json").events)


def test_every_scenario_is_recorded_with_its_sentence() -> None:
    newest = {
        entry.feature: entry.sentence for entry in corpus.read_manifest() if entry.version == NEWEST_VERSION
    }

    assert newest == {scenario.feature: scenario.sentence for scenario in SCENARIOS.values()}


def test_check_tells_of_each_history(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["check", "--cuts", "1", str(V1 / "continue-inline.json"), str(V1 / "stop-cancel.json")])

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split(":")[0] for line in lines] == [
        f"ok    {V1 / 'continue-inline.json'}",
        f"ok    {V1 / 'stop-cancel.json'}",
        "2 histories, 0 failures",
    ]


def test_check_takes_a_folder_and_leaves_its_manifest_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus.store("one", "The first.", [recorded("stop-fail")], tmp_path)

    code = main(["check", "--cuts", "0", str(tmp_path)])

    assert code == 0
    assert capsys.readouterr().out.endswith("1 histories, 0 failures\n")


@pytest.mark.usefixtures("broken_core")
def test_check_explains_what_does_not_replay(capsys: pytest.CaptureFixture[str]) -> None:
    file = V1 / "states-both-calls.json"

    code = main(["check", str(file)])

    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        f"FAILS {file}",
        "      at event 5, UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: the history shows search attributes "
        "'IwfExecutingStateIds' where this interpreter asks for nothing",
        "      of the task that started with event 3",
        "        the history shows:   search attributes IwfExecutingStateIds, call wu/S1-1",
        "        this build asks for: nothing",
        "1 histories, 1 failures",
    ]


def test_check_fails_where_there_is_no_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty, other, missing = tmp_path / "empty", tmp_path / "other.json", tmp_path / "missing.json"
    empty.mkdir()
    other.write_text("{}")

    code = main(["check", str(empty), str(other), str(missing)])

    told = capsys.readouterr()
    assert code == 1
    assert told.err == f"no histories in {empty}\n"
    assert f"BAD   {other}: this is not a history in JSON" in told.out
    assert f"BAD   {missing}: " in told.out


def test_list_prints_every_file_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "v1/stop-cancel.json  A client cancels the workflow." in lines
    assert len(lines) == len(corpus.read_manifest())


def test_stored_again_replaces_all_parts_of_a_feature_and_nothing_else(tmp_path: Path) -> None:
    chain = [recorded("continue-inline"), recorded("continue-inline-2")]
    corpus.store("other", "Another.", [recorded("stop-fail")], tmp_path)
    corpus.store("chain", "Two runs.", chain, tmp_path)
    first, _ = corpus.read_manifest(tmp_path)[:2]

    corpus.store("chain", "One run.", chain[:1], tmp_path)

    version = f"v{NEWEST_VERSION}"
    entries = corpus.read_manifest(tmp_path)
    assert [(entry.file, entry.sentence) for entry in entries] == [
        (f"{version}/chain.json", "One run."),
        (f"{version}/other.json", "Another."),
    ]
    assert sorted(file.name for file in (tmp_path / version).iterdir()) == ["chain.json", "other.json"]
    assert first.version == NEWEST_VERSION


@pytest.mark.usefixtures("broken_core")
def test_history_that_does_not_replay_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="asks for nothing"):
        corpus.store("bad", "It does not replay.", [recorded("stop-fail")], tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_history_that_is_too_long_is_not_stored(tmp_path: Path) -> None:
    with pytest.raises(corpus.TooLong, match="at most 60000 are wanted"):
        corpus.store("long", "Too long.", [recorded("states-fan-out") * 10], tmp_path)


def test_queue_of_the_process_is_left_out() -> None:
    event = HistoryEvent(event_id=1)
    queue = event.workflow_task_scheduled_event_attributes.task_queue
    queue.name = "server:01234567-89ab-cdef-0123-456789abcdef"

    text = corpus.as_text([event])

    written = json.loads(text)["events"][0]["workflowTaskScheduledEventAttributes"]
    assert written["taskQueue"]["name"] == "server:sticky"


def test_record_refuses_a_feature_that_has_no_scenario(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", "nonsense", "--folder", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "unknown features: nonsense\n"


def test_record_does_nothing_when_all_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record"]) == 0
    assert "recorded already" in capsys.readouterr().out


def test_record_makes_a_history_that_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On servers of its own; one feature with a chain of runs."""
    assert main(["record", "continue-inline", "--folder", str(tmp_path)]) == 0
    assert main(["check", "--cuts", "2", str(tmp_path)]) == 0

    told = capsys.readouterr().out
    runs = len(corpus.read_manifest(tmp_path))
    assert runs >= 2
    assert f"ok    continue-inline: {runs} runs\n" in told
