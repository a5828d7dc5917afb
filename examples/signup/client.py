"""The caller's side: start a sign-up, verify it, look at it.

`python examples/signup/client.py start alice alice@example.com`, then `describe alice` and `verify alice`.
"""

# pyright: reportUnknownMemberType=false
# The SDK's own signatures leave some type parameters open.

import argparse
import sys
from pathlib import Path

import httpx
from iwf.client import Client
from iwf.client_options import ClientOptions
from iwf.errors import HttpError
from iwf.object_encoder import ObjectEncoder
from iwf.registry import Registry

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.signup.mail import Outbox
from examples.signup.workflow import SignupForm, SignupStatus, SignupWorkflow, signup_registry


class SignupClient:
    """Sign-ups by user name. One per process is enough."""

    def __init__(self, registry: Registry, server_url: str, worker_url: str) -> None:
        self._client = Client(
            registry,
            ClientOptions(
                server_url=server_url,
                worker_url=worker_url,  # where the server, not this process, finds the worker
                object_encoder=ObjectEncoder.default,
            ),
        )

    @staticmethod
    def workflow_id(username: str) -> str:
        """Name the workflow after the user, so that nobody can sign up twice at a time."""
        return f"signup-{username}"

    def start(self, form: SignupForm) -> str:
        """Start a sign-up and return its run id.

        Raises:
            WorkflowAlreadyStartedError: This user's sign-up is still going on.
        """
        return self._client.start_workflow(
            SignupWorkflow, self.workflow_id(form.username), timeout_seconds=3600, input=form
        )

    def verify(self, username: str) -> str | None:
        """Do what the link in the e-mail would do; answers `done` or `already verified`."""
        return self._client.invoke_rpc(
            self.workflow_id(username), SignupWorkflow.verify, return_type_hint=str
        )

    def describe(self, username: str) -> SignupStatus | None:
        """Read where the sign-up is."""
        return self._client.invoke_rpc(
            self.workflow_id(username), SignupWorkflow.describe, return_type_hint=SignupStatus
        )

    def run_status(self, username: str) -> str:
        """Read the status that the server has for the workflow: `RUNNING`, `COMPLETED`, ..."""
        return self._client.describe_workflow(self.workflow_id(username)).workflow_status.value

    def result(self, username: str) -> str | None:
        """Wait for the workflow to complete and return its output."""
        return self._client.wait_for_workflow_completion(self.workflow_id(username), str)


def main() -> int:
    """Run one command against a running server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["start", "verify", "describe"])
    parser.add_argument("username")
    parser.add_argument("email", nargs="?", help="only for start")
    parser.add_argument("--server", default="http://localhost:8801")
    parser.add_argument("--worker", default="http://localhost:8802")
    args = parser.parse_args()
    if args.command == "start" and args.email is None:
        parser.error("start needs an e-mail address")
    # The registry tells the client about RPCs and states; nothing is sent from here.
    client = SignupClient(signup_registry(Outbox(print)), args.server, args.worker)
    try:
        match args.command:
            case "start":
                run_id = client.start(SignupForm(username=args.username, email=args.email))
                print(f"started {client.workflow_id(args.username)}, run {run_id}")
            case "verify":
                print(client.verify(args.username))
            case _:
                print(client.run_status(args.username), client.describe(args.username))
    except (HttpError, httpx.TransportError) as error:
        print(f"{args.command} failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
