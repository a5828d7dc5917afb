"""Recording: each scenario on its own queue of one development server, checked before it is written."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from temporalio.api.history.v1 import HistoryEvent

from iwf_interpreter.core import NEWEST_VERSION
from iwf_interpreter.temporal import connect
from iwf_testkit import FakeWorker, temporal_dev_server
from tools.histories import corpus
from tools.histories.recording import SEARCH_ATTRIBUTES, Recorder
from tools.histories.scenarios import SCENARIOS, Scenario


async def record(features: Sequence[str], again: bool, folder: Path) -> int:
    """Record features, or all that this behaviour version has no history of; returns an exit code."""
    unknown = set(features) - SCENARIOS.keys()
    if unknown:
        print(f"unknown features: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    manifest = corpus.read_manifest(folder)
    present = {entry.feature for entry in manifest if entry.version == NEWEST_VERSION}
    wanted = [
        scenario
        for feature, scenario in SCENARIOS.items()
        if (not features or feature in features) and (again or feature not in present)
    ]
    if not wanted:
        print("all of it is recorded already; --again does it again")
        return 0
    failures = 0
    async with temporal_dev_server(search_attributes=SEARCH_ATTRIBUTES) as server:
        for scenario in wanted:
            try:
                histories = await run_scenario(scenario, server.address)
                corpus.store(scenario.feature, scenario.sentence, histories, folder)
            except Exception as error:
                failures += 1
                print(f"FAILS {scenario.feature}: {_words(error)}", flush=True)
            else:
                print(f"ok    {scenario.feature}: {len(histories)} runs", flush=True)
    return 1 if failures else 0


async def run_scenario(scenario: Scenario, address: str) -> list[list[HistoryEvent]]:
    """Run one scenario; returns the histories of its runs, in order."""
    connection = await connect(address, identity="server")
    async with FakeWorker() as worker:
        recorder = Recorder(connection, worker, scenario.feature)
        with scenario.limits():
            if scenario.serves:
                async with recorder.server(scenario.loop):
                    await scenario.run(recorder)
            else:
                await scenario.run(recorder)
        return await recorder.chain(recorder.first_run_id)


def _words(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        parts = cast("ExceptionGroup[Exception]", error).exceptions
        return "; ".join(map(_words, parts))
    return f"{type(error).__name__}: {error}"
