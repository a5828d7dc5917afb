"""Histories that builds before this one have made: every one of them must replay.

What is recorded, and how, is in `docs/replay.md`.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.contract import InterpreterInput
from iwf_interpreter.core import NEWEST_VERSION, Interpreter
from iwf_interpreter.core.commands import CallExecute, Command, SetSearchAttributes, StartTimer
from iwf_interpreter.temporal import (
    History,
    ReplayMismatch,
    UnreadableHistory,
    check_history,
    load_history,
    payloads,
    read_history,
    replay_history,
)

FOLDER = Path(__file__).parent / "histories"
FILES = sorted(file for file in FOLDER.rglob("*.json") if file.name != "manifest.json")

FEATURES = {
    "states": (
        "both-calls",
        "fan-out",
        "locals-and-events",
        "call-repeated",
        "wait-until-failure-proceeds",
        "execute-failure-proceeds",
        "call-failure-fails",
        "call-out-of-time",
    ),
    "wait": (
        "timer-fires",
        "timer-skipped",
        "timers-of-several-states",
        "signals-all",
        "signal-before-the-state",
        "internal-channels",
        "combination",
        "at-least",
        "any-of-both-kinds",
    ),
    "close": (
        "graceful",
        "force-complete",
        "force-fail",
        "contradictory-decision",
        "if-internal-channel-empty",
        "if-signal-channel-empty",
        "if-all-channels-empty",
        "counts-held-messages",
    ),
    "stop": ("cancel", "fail", "terminate", "by-time"),
    "attributes": ("written-by-states", "written-by-clients", "in-memo"),
    "executing-states": ("all", "with-wait-until", "disabled", "kept"),
    "rpc": ("writes", "starts-first-state"),
    "locks": ("between-states",),
    "locked-rpc": ("", "fails", "several-in-one-task", "waits"),
    "state-completion": ("awaited",),
    "local-call": (
        "fails",
        "fails-for-good",
        "out-of-time",
        "over-several-tasks",
        "and-signal",
        "close-refused",
        "and-locked-rpc",
    ),
    "local-calls": ("",),
    "continue": (
        "inline",
        "compressed",
        "paged",
        "in-memo-mode",
        "with-local-calls",
        "when-triggered",
        "after-config-update",
        "waits-for-calls",
        "sends-updates-on",
        "canceled-while-loading",
    ),
    "start": ("delayed", "awaited-states"),
    "workflow": ("repeated", "recurs", "recurs-and-continues"),
    "signals": ("by-hand",),
    "reset": ("to-state", "applies-updates-again", "to-beginning", "twice"),
    "task": ("fails", "out-of-time"),
    "commands": ("held-back",),
}
"""What must have a history, by group."""

HEX = "[0-9a-f]"
MACHINE_FACTS = re.compile(
    rf"127\.0\.0\.1|localhost|/tmp/|/home/|\d+@|server:{HEX}{{8}}-|http://(?!worker\b)", re.IGNORECASE
)


def feature_names() -> set[str]:
    return {f"{group}-{name}".rstrip("-") for group, names in FEATURES.items() for name in names}


def manifest() -> list[dict[str, Any]]:
    return json.loads((FOLDER / "manifest.json").read_text())


def recorded(name: str) -> History:
    return load_history(FOLDER / "v1" / f"{name}.json")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_recorded_history_replays_whole_and_in_pieces(file: Path) -> None:
    history = load_history(file)

    tasks = check_history(history)

    assert tasks > 0 or history.events[-1].event_id < 5


def test_manifest_names_every_file_and_no_other() -> None:
    assert [entry["file"] for entry in manifest()] == [str(file.relative_to(FOLDER)) for file in FILES]


def test_every_feature_has_a_history_of_the_newest_version() -> None:
    newest = {entry["feature"] for entry in manifest() if entry["version"] == NEWEST_VERSION}

    assert newest == feature_names()


def test_every_history_is_of_the_version_that_the_manifest_says() -> None:
    for entry in manifest():
        started = load_history(FOLDER / entry["file"]).events[0].workflow_execution_started_event_attributes
        given = payloads.decode(started.input.payloads[0], InterpreterInput)
        assert given.interpreter_version == entry["version"], entry["file"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_recorded_history_is_short_and_tells_nothing_of_a_machine(file: Path) -> None:
    text = file.read_text()

    assert len(text.encode()) < 60_000
    found = [fact.group() for part in (text, *decoded(text)) for fact in MACHINE_FACTS.finditer(part)]
    assert found == []


def decoded(text: str) -> Iterator[str]:
    """The payloads of a history, as text."""
    for data in re.findall(r'"data": "([^"]*)"', text):
        yield base64.b64decode(data).decode()


# What a mismatch looks like: the core is changed, and the history is not.


class Changed:
    """Changes what the core commands."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def by(self, change: Callable[[list[Command]], list[Command]]) -> None:
        settle = Interpreter.settle

        def changed(interpreter: Interpreter, now_ms: int) -> list[Command]:
            return change(settle(interpreter, now_ms))

        self._monkeypatch.setattr(Interpreter, "settle", changed)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Changed:
    return Changed(monkeypatch)


def test_other_order_of_commands_is_explained(core: Changed) -> None:
    core.by(lambda commands: commands[::-1])

    with pytest.raises(ReplayMismatch) as caught:
        replay_history(recorded("states-both-calls"))

    assert str(caught.value).splitlines() == [
        "at event 5, UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: the history shows search attributes "
        "'IwfExecutingStateIds' where this interpreter asks for call 'wu/S1-1'",
        "of the task that started with event 3",
        "  the history shows:   search attributes IwfExecutingStateIds, call wu/S1-1",
        "  this build asks for: call wu/S1-1, search attributes IwfExecutingStateIds",
    ]
    assert caught.value.event_id == 5


def test_missing_command_is_explained(core: Changed) -> None:
    core.by(lambda commands: [command for command in commands if not isinstance(command, StartTimer)])

    with pytest.raises(ReplayMismatch) as caught:
        replay_history(recorded("wait-timer-fires"))

    assert "the history shows timer start 'timer/1' where this interpreter asks for nothing" in str(
        caught.value
    )
    assert str(caught.value).splitlines()[-1] == "  this build asks for: nothing"


def test_command_too_many_at_the_end_is_explained(core: Changed) -> None:
    extra = SetSearchAttributes(values={})
    core.by(lambda commands: [*commands, extra] if any(map(is_second_execute, commands)) else commands)
    history = recorded("states-both-calls")
    scheduled = next(i for i, event in enumerate(history.events) if call_id(event) == "ex/S2-1")
    cut = History(
        workflow_id=history.workflow_id, run_id=history.run_id, events=history.events[: scheduled + 1]
    )

    with pytest.raises(ReplayMismatch, match="asks for search attributes '', the history ends instead"):
        replay_history(cut)


def is_second_execute(command: Command) -> bool:
    return isinstance(command, CallExecute) and command.call_id == "ex/S2-1"


def call_id(event: HistoryEvent) -> str:
    return event.activity_task_scheduled_event_attributes.activity_id


def test_state_that_depends_on_how_often_the_run_was_replayed_is_found(core: Changed) -> None:
    """A core that remembers something outside of its state: replays from the start see it, others do not."""
    seen: list[int] = []

    def change(commands: list[Command]) -> list[Command]:
        seen.append(len(commands))
        if len(seen) <= 60 or not commands or not isinstance(commands[-1], CallExecute):
            return commands
        return [*commands[:-1], msgspec.structs.replace(commands[-1], timeout_seconds=7)]

    core.by(change)

    with pytest.raises(ReplayMismatch, match="the commands of this task depends on where the replay began"):
        check_history(recorded("states-both-calls"))


def test_newer_version_is_explained() -> None:
    history = recorded("states-both-calls")
    started = HistoryEvent()
    started.CopyFrom(history.events[0])
    (given,) = started.workflow_execution_started_event_attributes.input.payloads
    given.data = given.data[:-1] + f',"interpreterVersion":{NEWEST_VERSION + 1}}}'.encode()

    with pytest.raises(ReplayMismatch, match="UnknownVersion: run has interpreter version"):
        replay_history(
            History(
                workflow_id=history.workflow_id, run_id=history.run_id, events=[started, *history.events[1:]]
            )
        )


def test_run_that_a_reset_has_made_has_the_id_of_its_own() -> None:
    history = recorded("reset-twice")
    started = history.events[0].workflow_execution_started_event_attributes

    assert history.workflow_id == "reset-twice"
    assert history.run_id != started.original_execution_run_id


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "not a history in JSON", id="empty"),
        pytest.param("[]", "not a history in JSON", id="no-object"),
        pytest.param('{"events": [1]}', "not a history in JSON", id="no-event"),
        pytest.param('{"events": [{"eventType": "Nonsense"}]}', "must begin with", id="unknown-event"),
        pytest.param('{"events": []}', "must begin with the start", id="no-events"),
        pytest.param(
            '{"events": [{"workflowTaskScheduledEventAttributes": {}}]}', "must begin with", id="no-start"
        ),
        pytest.param(
            '{"events": [{"workflowExecutionStartedEventAttributes": {"workflowType": {"name": "Other"}}}]}',
            "workflow of the type 'Other'",
            id="another-workflow",
        ),
    ],
)
def test_text_that_is_no_history_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UnreadableHistory, match=problem):
        read_history(text)
