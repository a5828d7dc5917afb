"""The simulator finds nothing in the core, and would find it if there were something."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iwf_interpreter.core import Interpreter
from iwf_testkit.simulator import __main__ as command
from iwf_testkit.simulator import confluence, invariants, replay, simulate, simulation
from iwf_testkit.simulator.__main__ import main
from iwf_testkit.simulator.engine import Engine
from iwf_testkit.simulator.judge import Judge
from iwf_testkit.simulator.mutants import MUTANTS, planted
from iwf_testkit.simulator.playing import find, first_finding, play
from iwf_testkit.simulator.reading import described
from iwf_testkit.simulator.shrinking import shrink

SEEDS = int(os.environ.get("IWF_SIMULATOR_SEEDS", "5000"))
DOCUMENT = Path(__file__).parents[3] / "docs" / "simulation.md"

FIRST_SEEDS = {
    "any takes one message while continue as new is due": 150,
    "locks outlive a failed call": 75,
    "executing state ids drift": 2320,
    "proceeding tells nobody": 1121,
    "clients wait for ever": 98,
    "time of all attempts begins again": 76,
    "force fail drops the outputs": 150,
    "condition looked at before the batch is complete": 295,
    "last failure wins": 461,
    "failure beats cancel": 103,
    "graceful request is lost at continue as new": 166,
    "outputs are lost at continue as new": 70,
    "skipped timers are pending again": 229,
    "pages are cut inside characters": 290,
    "proceeded execution runs again after continue as new": 75,
    "draining depends on the present threshold": 258,
}
"""Where a search begins that would take long from 0. Where it ends may move with the core."""


@pytest.mark.timeout(600)
def test_simulator_finds_nothing_in_5000_seeds() -> None:
    found = [described(shrink(report)) for report in play(range(SEEDS), jobs=2) if report.finding]

    assert found == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [pytest.param(name, id=name.replace(" ", "-")) for name in MUTANTS])
def test_known_defect_is_found_within_10000_seeds(name: str) -> None:
    first = FIRST_SEEDS.get(name, 0)

    report = first_finding(name, first=first, most=10_000 - first)

    assert report is not None
    assert find(report.seed).finding is None, "the seed must be clean without the defect"


def test_same_seed_gives_the_same_report() -> None:
    assert [simulate(seed) for seed in range(40)] == [simulate(seed) for seed in range(40)]


def test_report_does_not_depend_on_the_order_of_hashes() -> None:
    """Each process of Python hashes texts in its own way unless it is told how."""
    code = (
        "from iwf_testkit.simulator import simulate, confluence\n"
        "lines = []\n"
        "reports = [repr(simulate(seed, log=lines.append)) for seed in range(30)]\n"
        "print(lines, reports, confluence.compare(3))"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert len(texts[0]) > 10_000
    assert texts[0] == texts[1]


def test_recorded_schedule_plays_as_it_was_made_up() -> None:
    reports = [simulate(seed) for seed in range(60)]

    again = [replay(report.seed, report.program, report.schedule) for report in reports]

    assert again == reports


def test_any_part_of_a_schedule_is_a_schedule() -> None:
    """Shrinking drops steps and states; what is left must never break the model itself."""
    for report in (simulate(seed) for seed in range(150)):
        for part in (report.schedule[::2], report.schedule[1::2], report.schedule[5:]):
            assert replay(report.seed, report.program, part).finding is None


def test_failing_schedule_is_shrunk_to_a_readable_one() -> None:
    with planted("outputs are lost at continue as new"):
        report = next(each for each in map(simulate, range(1000)) if each.finding and len(each.schedule) > 10)
        shrunk = shrink(report)
        text = described(shrunk)

        assert shrunk.finding is not None
        assert report.finding is not None
        assert shrunk.finding.invariant == report.finding.invariant
        assert len(shrunk.schedule) < len(report.schedule)
        assert replay(shrunk.seed, shrunk.program, shrunk.schedule).finding == shrunk.finding
    assert "    1  " in text
    assert f"broken: {shrunk.finding.invariant}" in text
    assert f"--seed {report.seed} --verbose" in text


def test_every_step_and_command_can_be_told_in_words() -> None:
    lines: list[str] = []

    reports = [simulate(seed, log=lines.append) for seed in range(300)]
    texts = [described(report) for report in reports]

    told = "\n".join((*lines, *texts))
    expected = (
        "locked RPC",
        "waits for",
        "skip timer",
        "config {",
        "failed in place",
        "given up",
        "is reset",
    )
    assert [
        text for text in (*expected, "page 0 of", "accept update-", "memo mode") if text not in told
    ] == []
    assert "Struct" not in told


def test_workflow_in_the_middle_is_not_at_rest() -> None:
    """The check at the end means something: it fails for nearly every state before."""
    texts: list[str] = []
    for report in (simulate(seed) for seed in range(120)):
        judge = Judge(report.seed)
        engine = Engine(report.program, judge)
        for step in report.schedule:
            engine.take(step)
            if engine.task is None and engine.end is None and judge.has_state and not engine.evicted:
                texts.append(invariants.at_rest(engine.core.state, judge.ledger) or "at rest")

    assert {text.split(":")[0] for text in texts} == {"left over", "at rest"}


def test_run_that_never_rests_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_TURNS", 0)
    monkeypatch.setattr(confluence, "MOST_TURNS", 0)

    report, compared = simulate(0), confluence.compare(0)

    assert report.finding is not None
    assert report.finding.invariant == "a_run_comes_to_rest"
    assert compared is None, "both ways look the same: neither comes to rest"


def test_report_without_a_finding_is_not_shrunk() -> None:
    report = simulate(0)

    assert shrink(report) is report


def test_comparing_ways_of_running_finds_what_gets_lost_between_runs() -> None:
    """Told from outside alone: the workflow looks different when it continues as new."""
    with planted("graceful request is lost at continue as new"):
        report = next(each for each in map(confluence.compare, range(300)) if each is not None)

    assert report.finding is not None
    assert report.finding.invariant == "the_way_of_running_does_not_show"


def test_exception_out_of_the_core_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("broken")

    monkeypatch.setattr(Interpreter, "settle", broken)

    report = simulate(1)

    assert report.finding is not None
    assert report.finding.invariant == "the_core_never_raises/KeyError"


def test_command_says_how_many_seeds_it_played(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--seeds", "20", "--first", "7"])

    assert status == 0
    assert capsys.readouterr().out.startswith("20 seeds, ")


def test_command_shows_one_seed_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--seed", "3", "--verbose"])

    output = capsys.readouterr().out
    assert status == 0
    assert "batch: run-1 starts" in output


def test_command_explains_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    with planted("movements are started in reverse"):
        assert main(["--seeds", "20"]) == 1
        seed = next(report.seed for report in map(simulate, range(20)) if report.finding)
        assert main(["--seed", str(seed)]) == 1

    assert capsys.readouterr().out.count("broken: every_movement_becomes_one_execution") == 2


def test_command_says_how_soon_a_defect_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mutant", "movements are started in reverse"]) == 0

    assert "movements are started in reverse: " in capsys.readouterr().out


def test_command_fails_when_a_defect_is_not_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(MUTANTS, "none at all", lambda: [])
    monkeypatch.setattr(command, "MOST_SEEDS_PER_MUTANT", 5)

    assert main(["--mutant", "none at all"]) == 1

    assert capsys.readouterr().out == "none at all: not found in 5 seeds\n"


def test_document_lists_every_invariant_and_every_defect() -> None:
    text = DOCUMENT.read_text()
    names = [check.__name__ for check in (*invariants.EVERY_BORDER, *invariants.LOADING)]

    assert [
        name for name in (*names, *MUTANTS) if f"`{name}`" not in text and f"| {name} |" not in text
    ] == []


def test_command_plays_in_several_processes() -> None:
    command_line = [sys.executable, "-m", "iwf_testkit.simulator", "--seeds", "20", "--jobs", "2"]

    done = subprocess.run(command_line, capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 seeds, ")
