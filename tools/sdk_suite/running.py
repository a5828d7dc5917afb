"""Running the SDK's tests in a pytest of their own, and reading what came of them.

The process has no configuration of this repository: its strictness is ours, not the SDK's.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import msgspec

from tools.sdk_suite.redirecting import SERVER_URL

ROOT = Path(__file__).resolve().parents[2]

SDK_VERSION = "0.12.0"
"""The version of `iwf-python-sdk` that the next number belongs to."""

TESTS = 36
"""How many tests that version ships. A run that finds fewer has shown less than it seems."""

SEARCH_ATTRIBUTES = {
    "CustomKeywordField": "Keyword",
    "CustomTextField": "Text",
    "CustomIntField": "Int",
    "CustomDoubleField": "Double",
    "CustomBoolField": "Bool",
    "CustomDatetimeField": "Datetime",
    "CustomKeywordArrayField": "KeywordList",
}
"""What must be registered with the engine, type by name."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the tests came to."""

    tests: int
    """That ran; tests that are not selected do not count."""
    failed: tuple[str, ...]
    skipped: int


def run_tests(server_url: str, arguments: Sequence[str]) -> int:
    """Run the SDK's tests, their output passing through.

    Args:
        server_url: The server under test. It must reach the loopback interface of this machine, where the
            tests' worker is.
        arguments: For pytest.

    Returns:
        The exit code of pytest.
    """
    command = [sys.executable, "-m", "pytest", "-p", "tools.sdk_suite.redirecting"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tests_folder())]
    command += ["-W", "ignore::DeprecationWarning", str(tests_folder()), *arguments]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, SERVER_URL: server_url.rstrip("/"), "PYTHONPATH": path}
    return subprocess.run(command, env=environment, check=False).returncode


def tests_folder() -> Path:
    """Where the installed SDK has its tests."""
    package = find_spec("iwf")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "tests"


def read_outcome(report: Path) -> Outcome:
    """Read a report that pytest wrote with `--junitxml`."""
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    return Outcome(
        tests=len(cases),
        failed=tuple(
            f"{case.get('classname')}.{case.get('name')}"
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ),
        skipped=sum(case.find("skipped") is not None for case in cases),
    )
