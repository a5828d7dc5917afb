"""Run the orchestration workflow once per way: `python examples/orchestration/run.py`.

The worker runs in this process. The server is a development server of its own, or the one of `--server`.
"""

# pyright: reportUnknownMemberType=false
# The SDK's own signatures leave some type parameters open.

import argparse
import sys
import tempfile
import uuid
from pathlib import Path

import httpx
from iwf.client import Client
from iwf.client_options import ClientOptions
from iwf.iwf_api.errors import UnexpectedStatus
from iwf.object_encoder import ObjectEncoder

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.dev_server import dev_server
from examples.orchestration.services import Services
from examples.orchestration.workflow import READY, OrchestrationWorkflow, Progress, orchestration_registry
from examples.sdk_worker import serving, worker_app

_CALL_SECONDS = 15
_NEVER_SECONDS = 3600


def main() -> int:
    """Run the chosen ways; the exit code is 0 only if all ended as they should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", choices=["signal", "timeout", "both"], default="both")
    parser.add_argument("--timeout", type=int, default=2, metavar="SECONDS", help="timer of the timeout path")
    parser.add_argument("--server", help="URL of a running server, such as http://localhost:8801")
    args = parser.parse_args()
    try:
        if args.server is not None:
            run(args.server, args.path, args.timeout)
        else:
            with (
                tempfile.TemporaryDirectory(prefix="iwf-orchestration-") as directory,
                dev_server(Path(directory)) as server,
            ):
                run(server.api, args.path, args.timeout)
    except (RuntimeError, TimeoutError, httpx.HTTPError, UnexpectedStatus) as error:
        print(f"orchestration failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def run(server_url: str, path: str, timeout_seconds: int) -> None:
    """Run one or both ways against a server."""
    if path != "timeout":
        signal_path(server_url)
    if path != "signal":
        timeout_path(server_url, timeout_seconds)


def signal_path(server_url: str) -> None:
    """Start, replace the data by RPC, send the signal: API3 gets the new data."""
    say("signal path")
    services = Services(lambda text: say(f"    service call: {text}"))
    # The timer is an hour away: only the signal can end the wait.
    registry = orchestration_registry(services, _NEVER_SECONDS)
    with serving(worker_app(registry, lambda text: say(f"    {text}"))) as worker_url:
        client = Client(registry, ClientOptions(server_url, worker_url, ObjectEncoder.default))
        workflow_id = start(client)
        services.wait_for("API2", "API1 of order", _CALL_SECONDS)
        before = client.invoke_rpc(workflow_id, OrchestrationWorkflow.swap, "new data", str)
        say(f"  RPC swap replaced {before!r}")
        progress = client.invoke_rpc(workflow_id, OrchestrationWorkflow.describe, None, Progress)
        say(f"  RPC describe: {progress}")
        client.signal_workflow(workflow_id, READY)
        finish(client, workflow_id, "API3 of new data")


def timeout_path(server_url: str, timeout_seconds: int) -> None:
    """Start and send nothing: API4 is called when the timer fires."""
    say("timeout path")
    services = Services(lambda text: say(f"    service call: {text}"))
    registry = orchestration_registry(services, timeout_seconds)
    with serving(worker_app(registry, lambda text: say(f"    {text}"))) as worker_url:
        client = Client(registry, ClientOptions(server_url, worker_url, ObjectEncoder.default))
        finish(client, start(client), "API4 of API1 of order")


def start(client: Client) -> str:
    """Start a workflow under a new id."""
    workflow_id = f"orchestration-{uuid.uuid4()}"
    run_id = client.start_workflow(OrchestrationWorkflow, workflow_id, timeout_seconds=600, input="order")
    say(f"  started {workflow_id}, run {run_id}")
    return workflow_id


def finish(client: Client, workflow_id: str, expected: str) -> None:
    """Wait for the workflow and check its output."""
    output = client.wait_for_workflow_completion(workflow_id, str)
    say(f"  completed with {output!r}")
    if output != expected:
        raise RuntimeError(f"expected the output {expected!r}, got {output!r}")


def say(text: str) -> None:
    """Print a line at once."""
    # In one piece, since calls of the worker come on threads of their own.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
