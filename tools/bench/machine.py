"""What a benchmark ran on, for the record."""

import datetime
import os
import platform
import subprocess
from pathlib import Path

import temporalio

from iwf_api.dev.temporal_server import temporal_binary


def describe() -> str:
    """Date, processor, load and versions, in one line."""
    version = subprocess.run([temporal_binary(), "--version"], capture_output=True, text=True, check=True)
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return (
        f"{datetime.date.today().isoformat()}, {os.cpu_count()} cores {models[0] if models else ''}, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {version.stdout.strip()}, "
        f"temporalio {temporalio.__version__}"
    )
