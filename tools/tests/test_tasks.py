"""The task runner: what it runs, how it finds or fetches uv, what it says and how it stops.

What it runs is asked of it in this process. The rest is tried on a copy of it in an empty project, with a
command on `PATH` that stands in for uv.
"""

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools import tasks

TASKS_FILE = Path(tasks.__file__)

STAND_IN = """#!{python} -I
import os, signal, sys
if sys.argv[1:] == ["--version"]:
    print({version!r})
    sys.exit()
print("{name}", os.getpid(), *sys.argv[1:], flush=True)
{body}
"""
WAIT_FOR_A_SIGNAL = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(21))
signal.signal(signal.SIGINT, lambda *_: sys.exit(22))
print("waiting", flush=True)
signal.pause()
"""
NEW_ENOUGH = "uv 0.99.0 (0123abcd 2026-01-01)"
TOO_OLD = "uv 0.1.0 (0123abcd 2024-01-01)"


class Project:
    """A project that has nothing but the task runner, on a machine that has only what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.machine = root / "machine"
        self.fetched = self.root / ".tools" / "uv" / "bin"
        (self.root / "tools").mkdir(parents=True)
        self.machine.mkdir()
        (self.root / "tools" / "tasks.py").write_bytes(TASKS_FILE.read_bytes())

    def put_uv(self, folder: Path, version: str = NEW_ENOUGH, *, name: str = "uv", body: str = "") -> None:
        """Put a command into a folder that says which uv it is, and runs `body` instead of any other call."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "uv"
        path.write_text(STAND_IN.format(python=sys.executable, version=version, name=name, body=body))
        path.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(self.root / "tools" / "tasks.py"), *arguments],
            env={**os.environ, "PATH": str(self.machine)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A terminal interrupts a whole group of processes, and the tests are not to be in it.
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a task to its end and return its exit code, output and error output."""
        with self.start(*arguments) as process:
            output, errors = process.communicate()
        return process.returncode, output, errors


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def commands(*arguments: str) -> list[list[str]]:
    """The commands of a task, without uv's path."""
    return [step.command[1:] for step in tasks.steps(tasks.parse([*arguments]), "uv")]


def read_until(process: subprocess.Popen[str], expected: str) -> None:
    """Read a process's output up to a line, or to its end."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.rstrip() == expected:
            return


def test_runner_keeps_to_the_syntax_of_python_3_9() -> None:
    ast.parse(TASKS_FILE.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("task", list(tasks.TASKS))
def test_every_task_has_steps_that_uv_carries_out(task: str) -> None:
    steps = tasks.steps(tasks.parse([task]), "uv")

    assert {step.command[0] for step in steps} == {"uv"}


@pytest.mark.parametrize("task", ["test", "unit", "integ"])
def test_arguments_go_to_pytest(task: str) -> None:
    assert commands(task, "-k", "start")[-1][-2:] == ["-k", "start"]


def test_arguments_go_to_the_development_server() -> None:
    assert commands("dev", "--port", "0")[-1][-4:] == ["iwf-server", "dev", "--port", "0"]


def test_argument_of_a_task_that_takes_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tasks.parse(["check", "--fast"])

    assert "check takes no arguments, got --fast" in capsys.readouterr().err


def test_cache_size_reaches_the_tests_by_the_environment(project: Project) -> None:
    project.put_uv(project.machine, body='print(os.environ["IWF_TEST_MAX_CACHED_WORKFLOWS"])')

    _, output, _ = project.run("integ", "--workflow-cache", "0")

    assert output.splitlines()[2] == "0"


def test_steps_are_numbered_and_the_end_is_announced(project: Project) -> None:
    project.put_uv(project.machine)

    code, output, errors = project.run("integ", "-k", "start")

    said = re.sub(r"\d:\d\d\b", "TIME", re.sub(r"^uv \d+", "uv", output, flags=re.MULTILINE))
    assert (code, errors) == (0, "")
    assert said.splitlines() == [
        "[1/2] install the locked dependencies (TIME)",
        "uv sync --locked",
        "[2/2] run the tests (TIME)",
        "uv run --no-sync pytest integ -k start",
        "integ: done in TIME",
    ]


def test_failing_step_ends_the_task_and_says_how_to_run_it_again(project: Project) -> None:
    project.put_uv(project.machine, body="sys.exit(7)")

    code, output, errors = project.run("integ", "-k", "a b")

    assert code == 7
    assert "[2/2]" not in output
    assert errors.splitlines() == [
        "failed: install the locked dependencies: exit code 7; "
        "to run it again: python3 tools/tasks.py integ -k 'a b'"
    ]


def test_step_that_a_signal_ended_has_the_exit_code_that_a_shell_gives_it(project: Project) -> None:
    project.put_uv(project.machine, body="os.kill(os.getpid(), signal.SIGKILL)")

    code, _, _ = project.run("build")

    assert code == 128 + signal.SIGKILL


def test_uv_of_the_machine_comes_first(project: Project) -> None:
    project.put_uv(project.machine, name="machine")
    project.put_uv(project.fetched, name="fetched")

    _, output, _ = project.run("build")

    assert output.splitlines()[1].startswith("machine ")


@pytest.mark.parametrize(
    "version",
    [pytest.param(TOO_OLD, id="too-old"), pytest.param("choose a version first", id="no-uv-at-all")],
)
def test_uv_fetched_earlier_is_used_where_the_machine_has_no_good_one(project: Project, version: str) -> None:
    project.put_uv(project.machine, version, name="machine")
    project.put_uv(project.fetched, name="fetched")

    _, output, _ = project.run("build")

    assert output.splitlines()[1].startswith("fetched ")


@pytest.mark.timeout(300)
def test_uv_is_fetched_once_in_place_of_one_that_is_too_old(project: Project) -> None:
    """The project has no `pyproject.toml`, so the build itself fails, by the word of a real uv."""
    project.put_uv(project.fetched, TOO_OLD)

    _, first, build_errors = project.run("build")
    _, second, _ = project.run("build")

    assert tasks.uv_version(str(project.fetched / "uv")) >= tasks.UV_MINIMUM
    assert [path.name for path in (project.root / ".tools").iterdir()] == ["uv"]
    assert "fetching it into .tools/" in first
    assert "fetching" not in second
    assert "exit code 2; to run it again: python3 tools/tasks.py build" in build_errors


def test_request_to_stop_goes_on_to_the_command(project: Project) -> None:
    project.put_uv(project.machine, body=WAIT_FOR_A_SIGNAL)

    with project.start("build") as process:
        read_until(process, "waiting")
        process.terminate()
        process.communicate()

    assert process.returncode == 21


def test_interrupt_from_the_terminal_lets_the_command_end_by_itself(project: Project) -> None:
    project.put_uv(project.machine, body=WAIT_FOR_A_SIGNAL)

    with project.start("build") as process:
        read_until(process, "waiting")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()

    assert process.returncode == 22


def test_development_server_takes_the_place_of_the_runner(project: Project) -> None:
    project.put_uv(project.machine)

    with project.start("dev", "--port", "0") as process:
        output, _ = process.communicate()

    assert output.splitlines()[-1] == f"uv {process.pid} run --no-sync iwf-server dev --port 0"
