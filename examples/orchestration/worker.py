"""The worker as a program of its own: `python examples/orchestration/worker.py`, until Ctrl-C."""

import argparse
import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.orchestration.services import Services
from examples.orchestration.workflow import orchestration_registry
from examples.sdk_worker import worker_app


def main() -> None:
    """Serve the orchestration workflow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8802)
    parser.add_argument("--timeout", type=int, default=60, metavar="SECONDS", help="wait for the signal")
    args = parser.parse_args()
    registry = orchestration_registry(Services(print), timeout_seconds=args.timeout)
    uvicorn.run(worker_app(registry, print), host="127.0.0.1", port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
