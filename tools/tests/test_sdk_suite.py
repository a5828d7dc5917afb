"""The tool that runs the SDK's own tests: it starts what they need, and tells how they ended."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tools.sdk_suite import SDK_VERSION, Outcome, read_outcome
from tools.sdk_suite.running import ROOT

REPORT = """\
<testsuites><testsuite tests="4">
  <testcase classname="tests.A" name="test_good"/>
  <testcase classname="tests.A" name="test_bad"><failure message="no"/></testcase>
  <testcase classname="tests.B" name="test_broken"><error message="no"/></testcase>
  <testcase classname="tests.B" name="test_left_out"><skipped/></testcase>
</testsuite></testsuites>
"""


def tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.sdk_suite", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_installed_sdk_is_the_one_whose_tests_are_counted() -> None:
    assert version("iwf-python-sdk") == SDK_VERSION


@pytest.mark.timeout(120)
def test_selected_tests_pass_on_servers_of_the_tool() -> None:
    """Among them one whose workflow calls the worker, and one that calls the worker by its fixed address."""
    done = tool("-q", "-k", "test_basic_workflow or test_binary_null_input")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout.splitlines()[-1]


def test_exit_code_is_that_of_the_tests(tmp_path: Path) -> None:
    """Nobody listens at this address, so the call in the test fails."""
    report = tmp_path / "report.xml"
    done = tool("--url", "http://127.0.0.1:1/", "-q", "-k", "test_simple_rpc", "--junitxml", str(report))

    assert done.returncode == 1, done.stdout + done.stderr
    assert read_outcome(report) == Outcome(tests=1, failed=("test_rpc.TestRPCs.test_simple_rpc",), skipped=0)


def test_outcome_tells_failed_and_skipped_tests_apart(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    assert read_outcome(report) == Outcome(
        tests=4, failed=("tests.A.test_bad", "tests.B.test_broken"), skipped=1
    )
