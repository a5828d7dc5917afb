"""The project's tasks: `python3 tools/tasks.py TASK`, the same for developers and for CI.

This file starts everything else, so it needs nothing but Python on a POSIX system: only the standard library,
and only syntax of Python 3.9, although the project itself needs a newer one. It finds uv, or fetches it from
the package index into `.tools/`, and leaves the rest to uv: the right Python, the locked dependencies, the
commands. It is not a build system: a task is a list of commands, run in order until one fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
FETCHED_UV = ROOT / ".tools" / "uv"
"""Where uv goes when the machine has none; git ignores it, and later runs use it again."""

UV_MINIMUM = (0, 13)
"""Oldest uv that writes the format of `uv.lock`. A newer one on the machine will do."""

UV_REQUIREMENT = "uv>=0.13,<0.14"
"""What is fetched: the versions that this project was tried with."""

PYTHON_MINIMUM = (3, 11)
"""As `requires-python` in `pyproject.toml`."""


class Step(NamedTuple):
    """One command of a task, run in the root of the repository."""

    title: str
    command: list[str]


class Options(argparse.Namespace):
    """What the command line asks for."""

    task: str
    workflow_cache: int | None = None
    """How many workflows a worker under test keeps in memory; `None` leaves it to the tests."""

    rest: list[str]
    """Arguments that are not ours: they go to the last command of the task."""


TASKS = {
    "quickstart": "set up, then run the sign-up example against a development server",
    "dev": "run a development server with its own Temporal (arguments go to `iwf-server dev`)",
    "test": "run every test (arguments go to pytest)",
    "unit": "run the tests of packages, tools and examples (arguments go to pytest)",
    "integ": "run the end-to-end tests on real servers (arguments go to pytest)",
    "check": "check the lock file, formatting, lint rules, types and the direction of imports",
    "format": "format the code and fix what the linter can fix",
    "build": "build the wheel of every package into dist/",
}
PYTEST_PATHS: dict[str, list[str]] = {
    "test": [],
    "unit": ["packages", "tools", "examples"],
    "integ": ["integ"],
}
TAKES_ARGUMENTS = {"dev", *PYTEST_PATHS}


def parse(arguments: list[str]) -> Options:
    """Read the command line; ends the process with a message where it makes no sense."""
    parser = argparse.ArgumentParser(prog="tools/tasks.py", description="The tasks of this project.")
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK", title="tasks")
    for name, summary in TASKS.items():
        task = tasks.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            allow_abbrev=False,
            # `dev --help` is for the server to answer: it has the options.
            add_help=name != "dev",
        )
        if name in PYTEST_PATHS:
            task.add_argument(
                "--workflow-cache",
                type=int,
                metavar="N",
                help="workflows that the server under test keeps in memory; 0 replays each one at every task",
            )
    options, rest = parser.parse_known_args(arguments, namespace=Options())
    if rest and options.task not in TAKES_ARGUMENTS:
        parser.error(f"{options.task} takes no arguments, got {shlex.join(rest)}")
    options.rest = rest
    return options


def steps(options: Options, uv: str) -> list[Step]:
    """The commands of a task."""
    run = [uv, "run", "--no-sync"]
    sync = Step("install the locked dependencies", [uv, "sync", "--locked"])
    if options.task == "quickstart":
        return [sync, Step("run the sign-up example", [*run, "python", "examples/signup/quickstart.py"])]
    if options.task == "dev":
        return [sync, Step("start the development server", [*run, "iwf-server", "dev", *options.rest])]
    if options.task == "check":
        return [
            Step("lock file", [uv, "lock", "--check"]),
            sync,
            Step("formatting", [*run, "ruff", "format", "--check"]),
            Step("lint rules", [*run, "ruff", "check"]),
            Step("types", [*run, "basedpyright"]),
            Step("direction of imports", [*run, "lint-imports"]),
        ]
    if options.task == "format":
        return [
            sync,
            Step("fix what the linter can fix", [*run, "ruff", "check", "--fix-only"]),
            Step("format", [*run, "ruff", "format"]),
        ]
    if options.task == "build":
        return [Step("build the wheels", build_command(uv, ROOT / "dist"))]
    paths = PYTEST_PATHS[options.task]
    return [sync, Step("run the tests", [*run, "pytest", *paths, *options.rest])]


def build_command(uv: str, folder: Path) -> list[str]:
    """Command that builds every package's wheel into a folder, as it would be published."""
    # Without `--no-sources` a package could lean on the workspace for what its own metadata does not say.
    return [uv, "build", "--all-packages", "--wheel", "--no-sources", "--clear", "--out-dir", str(folder)]


def find_uv() -> str | None:
    """A uv that is new enough: the machine's own, else one fetched earlier, else `None`."""
    for found in (shutil.which("uv"), shutil.which("uv", path=str(FETCHED_UV / "bin"))):
        if found and uv_version(found) >= UV_MINIMUM:
            return found
    return None


def uv_version(uv: str) -> tuple[int, ...]:
    """Version of a uv, or `()` where the command does not work, like a version manager's stand-in."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.match(r"uv (\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def fetch_uv() -> str:
    """Fetch uv from the package index into `.tools/`, and return its path; ends the process on failure."""
    print(f"uv {version(UV_MINIMUM)} or newer is not on this machine: fetching it into .tools/", flush=True)
    FETCHED_UV.parent.mkdir(exist_ok=True)
    # Installed beside its place and then moved, so that an interrupted run leaves no half of it behind.
    with tempfile.TemporaryDirectory(dir=FETCHED_UV.parent) as scratch:
        folder = Path(scratch) / "uv"
        install_uv(folder)
        shutil.rmtree(FETCHED_UV, ignore_errors=True)
        folder.rename(FETCHED_UV)
    uv = find_uv()
    if uv is None:
        raise SystemExit(f"the uv in {FETCHED_UV} does not work on this machine; {OTHER_WAYS}")
    return uv


OTHER_WAYS = "install uv in another way (https://docs.astral.sh/uv/) and try again"


def install_uv(folder: Path) -> None:
    """Install uv into a new folder, as `bin/uv`, with this Python's pip or that of a virtual environment."""
    pip = [sys.executable, "-m", "pip"]
    target = ["--target", str(folder)]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode != 0:
        print("this Python has no pip: using the one of a virtual environment", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False).returncode != 0:
            raise SystemExit(
                f"{sys.executable} has neither pip nor venv. Install one of them "
                f"(on Debian and Ubuntu: apt install python3-pip), or {OTHER_WAYS}"
            )
        pip = [str(folder / "bin" / "python"), "-m", "pip"]
        target = []
    install = ["install", "--disable-pip-version-check", "--only-binary", ":all:", *target, UV_REQUIREMENT]
    if subprocess.run([*pip, *install], check=False).returncode != 0:
        raise SystemExit(f"pip could not install {UV_REQUIREMENT!r}, see above; {OTHER_WAYS}")


def environment(options: Options) -> dict[str, str]:
    """Variables for the commands of a task."""
    variables = dict(os.environ)
    if options.workflow_cache is not None:
        variables["IWF_TEST_MAX_CACHED_WORKFLOWS"] = str(options.workflow_cache)
    if sys.version_info[:2] < PYTHON_MINIMUM:
        print(
            f"this is Python {version(sys.version_info[:2])}, the project needs {version(PYTHON_MINIMUM)} or "
            "newer: uv uses one that it finds on this machine, or installs one for itself",
            flush=True,
        )
    trusted = ssl.get_default_verify_paths()
    if trusted.cafile or trusted.capath:
        # As pip does, and as a network needs that has a certificate authority of its own.
        variables.setdefault("UV_SYSTEM_CERTS", "true")
    if sys.version_info[:2] >= PYTHON_MINIMUM and not (ROOT / ".venv").exists():
        # uv looks on PATH only, where this Python need not be. An environment that exists keeps its Python.
        variables.setdefault("UV_PYTHON", sys.executable)
    return variables


def run(command: list[str], variables: dict[str, str]) -> int:
    """Run a command to its end, its output passing through, and return its exit code as a shell would."""
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, _frame: object) -> None:
        if child is None:
            raise SystemExit(128 + number)
        child.terminate()

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        child = subprocess.Popen(command, cwd=ROOT, env=variables)
        while True:
            try:
                code = child.wait()
                break
            except KeyboardInterrupt:
                # The terminal interrupted the child as well; it may have servers to stop.
                continue
    finally:
        signal.signal(signal.SIGTERM, previous)
    return code if code >= 0 else 128 - code


def version(parts: tuple[int, ...]) -> str:
    """A version in writing."""
    return ".".join(str(part) for part in parts)


def elapsed(since: float) -> str:
    """Minutes and seconds since a reading of the monotonic clock."""
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    return f"{minutes}:{seconds:02}"


def main() -> int:
    """Run the task that the command line names, and return the exit code."""
    options = parse(sys.argv[1:])
    started = time.monotonic()
    uv = find_uv() or fetch_uv()
    variables = environment(options)
    plan = steps(options, uv)
    for number, step in enumerate(plan, start=1):
        print(f"[{number}/{len(plan)}] {step.title} ({elapsed(started)})", flush=True)
        if options.task == "dev" and number == len(plan):
            # The server takes this process's place, so that each signal reaches it exactly once.
            os.chdir(ROOT)
            os.execve(step.command[0], step.command, variables)
        code = run(step.command, variables)
        if code:
            again = shlex.join(["python3", "tools/tasks.py", *sys.argv[1:]])
            print(f"failed: {step.title}: exit code {code}; to run it again: {again}", file=sys.stderr)
            return code
    print(f"{options.task}: done in {elapsed(started)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
