"""The worker as a program of its own: `python examples/signup/worker.py`, until Ctrl-C."""

import argparse
import sys
from pathlib import Path

import uvicorn

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.sdk_worker import worker_app
from examples.signup.mail import Outbox
from examples.signup.workflow import signup_registry


def main() -> None:
    """Serve the sign-up workflow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8802)
    parser.add_argument("--remind-after", type=int, default=60, metavar="SECONDS")
    args = parser.parse_args()
    registry = signup_registry(Outbox(print), remind_after_seconds=args.remind_after)
    uvicorn.run(worker_app(registry, print), host="127.0.0.1", port=args.port, log_level="warning")


if __name__ == "__main__":
    main()
