"""The task runner: what it runs, how it finds or fetches uv, what it says when a step fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import tasks

TASKS_FILE = Path(tasks.__file__)


def commands(*arguments: str) -> list[list[str]]:
    """The commands of a task, without uv's path."""
    return [step.command[1:] for step in tasks.steps(tasks.parse([*arguments]), "uv")]


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_every_task_has_steps_that_uv_carries_out(task: str) -> None:
    assert all(step.command[0] == "uv" for step in tasks.steps(tasks.parse([task]), "uv"))


@pytest.mark.parametrize("task", ["test", "unit", "integ"])
def test_arguments_go_to_pytest(task: str) -> None:
    assert commands(task, "-k", "start")[-1][-2:] == ["-k", "start"]


def test_arguments_go_to_the_development_server() -> None:
    assert commands("dev", "--port", "0")[-1][-4:] == ["iwf-server", "dev", "--port", "0"]


def test_argument_of_a_task_that_takes_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tasks.parse(["check", "--fast"])

    assert "check takes no arguments, got --fast" in capsys.readouterr().err


def test_cache_size_reaches_the_tests_by_the_environment() -> None:
    variables = tasks.environment(tasks.parse(["integ", "--workflow-cache", "0"]))

    assert variables["IWF_TEST_MAX_CACHED_WORKFLOWS"] == "0"


def fake_uv(folder: Path, answer: str, code: int = 0) -> Path:
    """A command named uv that prints its version, and fails everything else."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "uv"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{answer}" && exit 0\nexit {code}\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        pytest.param("uv 0.13.9 (abc 2026-01-01)", (0, 13, 9), id="release"),
        pytest.param("not installed, pick a version", (), id="stand-in"),
    ],
)
def test_version_of_uv_is_read(tmp_path: Path, answer: str, version: tuple[int, ...]) -> None:
    assert tasks.uv_version(str(fake_uv(tmp_path, answer))) == version


def test_missing_uv_has_no_version(tmp_path: Path) -> None:
    assert tasks.uv_version(str(tmp_path / "nothing")) == ()


def test_uv_that_is_too_old_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv(tmp_path, "uv 0.1.0 (abc 2024-01-01)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tasks, "FETCHED_UV", tmp_path / "none")

    assert tasks.find_uv() is None


def test_fetched_uv_is_used_when_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = fake_uv(tmp_path / "uv" / "bin", "uv 0.13.9 (abc 2026-01-01)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tasks, "FETCHED_UV", tmp_path / "uv")

    assert tasks.find_uv() == str(fetched)


def test_failing_step_says_how_to_run_the_task_again(tmp_path: Path) -> None:
    fake_uv(tmp_path, "uv 0.99.0 (abc 2026-01-01)", code=7)

    done = subprocess.run(
        [sys.executable, str(TASKS_FILE), "integ", "-k", "a b"],
        env={**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 7
    assert re.search(r"^\[1/2\] install the locked dependencies", done.stdout, re.MULTILINE)
    assert "exit code 7; to run it again: python3 tools/tasks.py integ -k 'a b'" in done.stderr
