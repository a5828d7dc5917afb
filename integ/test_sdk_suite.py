"""The tests that the published Python SDK ships pass, all of them, on every engine."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from iwf_api.settings import ApiSettings
from iwf_testkit import IwfServer, memory_server
from tools.sdk_suite import SEARCH_ATTRIBUTES, TESTS, Outcome, read_outcome
from tools.sdk_suite.running import ROOT

pytestmark = pytest.mark.anyio

# It waits as long as the server lets a client wait, nearly a minute, so it runs beside the others.
SLOW = "test_workflow_still_running_when_wait"


async def run_selected(url: str, selection: str, report: Path) -> Outcome:
    """Run some of the tests."""
    command = [sys.executable, "-m", "tools.sdk_suite", "--url", url, "-q", "-k", selection]
    done = await anyio.run_process(
        [*command, "--junitxml", str(report)], cwd=ROOT, check=False, stderr=subprocess.STDOUT
    )
    outcome = read_outcome(report)
    assert (done.returncode, outcome.failed) == (0, ()), done.stdout.decode()
    return outcome


async def run_all(url: str, folder: Path) -> None:
    """Run all tests; fails if one of them did not pass, or was not there."""
    outcomes: list[Outcome] = []

    async def run(name: str, selection: str) -> None:
        outcomes.append(await run_selected(url, selection, folder / f"{name}.xml"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "slow", SLOW)
        tasks.start_soon(run, "others", f"not {SLOW}")

    assert sum(outcome.tests for outcome in outcomes) == TESTS
    assert [outcome.skipped for outcome in outcomes] == [0, 0]


@pytest.mark.timeout(300)
@pytest.mark.requirement("sdk.python-suite")
async def test_every_test_of_the_python_sdk_passes(server: IwfServer, tmp_path: Path) -> None:
    """With the default settings, the longest wait included."""
    await run_all(server.url, tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.requirement("sdk.python-suite")
async def test_every_test_of_the_python_sdk_passes_in_memory(tmp_path: Path) -> None:
    """In real time, since client and worker are in a process of their own; so waits are not the longest."""
    settings = ApiSettings(max_wait_seconds=20)
    async with memory_server(search_attributes=SEARCH_ATTRIBUTES, settings=settings, port=0) as memory:
        await run_all(memory.url, tmp_path)
