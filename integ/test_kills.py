"""Servers that are killed at every step of their work lose nothing: a short session of `tools.chaos`."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from tools.chaos.killing import ANY_MOMENT
from tools.chaos.points import POINTS
from tools.chaos.processes import ROOT

KILLS = len(POINTS) + 1


@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_nothing_is_lost_when_servers_are_killed_at_every_step(tmp_path: Path) -> None:
    command = [
        "-m",
        "tools.chaos",
        "--kills",
        str(KILLS),
        "--workflows",
        "16",
        "--spare",
        "0",
        "--folder",
        str(tmp_path),
    ]

    done = await anyio.run_process(
        [sys.executable, *command], check=False, cwd=ROOT, stderr=subprocess.STDOUT
    )

    output = done.stdout.decode()
    assert done.returncode == 0, output
    assert output.endswith("0 differences\n"), output
    for name in (*POINTS, ANY_MOMENT):
        (line,) = (line for line in output.splitlines() if line.endswith(f" kills at {name}"))
        assert int(line.split()[0]) > 0, output
