"""From nothing to a completed workflow in one command: `python examples/signup/quickstart.py`.

Starts a development server and a worker on free ports, runs one sign-up on them and says what happens.
`--keep` leaves both running until Ctrl-C, to look around in the Temporal UI.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

import httpx
from iwf.iwf_api.errors import UnexpectedStatus

sys.path.insert(0, str(Path(__file__).parents[2]))

from examples.dev_server import DevServer, dev_server
from examples.sdk_worker import serving, worker_app
from examples.signup.client import SignupClient
from examples.signup.mail import Outbox
from examples.signup.workflow import REMINDER, VERIFICATION, SignupForm, signup_registry

_LIMIT_SECONDS = 40
"""With the time that stopping may take this stays below a minute."""
_MAIL_SECONDS = 15
_STARTED = time.monotonic()


def main() -> int:
    """Tell the whole story; the exit code is 0 only if it ends well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, _on_terminate)
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.alarm(_LIMIT_SECONDS)
    try:
        with tempfile.TemporaryDirectory(prefix="iwf-quickstart-") as directory:
            say("starting a Temporal development server and the iWF server: iwf-server dev")
            with dev_server(Path(directory)) as server:
                run(server, keep=args.keep)
                say("stopping: a server ends its work in order, which takes a few seconds")
    except KeyboardInterrupt:
        say("stopped by Ctrl-C")
        return 0 if args.keep else 130
    except (RuntimeError, TimeoutError, httpx.HTTPError, UnexpectedStatus) as error:
        print(f"quickstart failed: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    say("server and worker are stopped")
    return 0


def run(server: DevServer, *, keep: bool) -> None:
    """Run one sign-up to its end."""
    say(f"  iWF API      {server.api}   (the server URL of an SDK)")
    say(f"  Temporal     {server.addresses.get('temporal')}")
    say(f"  Temporal UI  {server.addresses.get('ui')}")
    outbox = Outbox(lambda text: say(f"    {text}"))
    registry = signup_registry(outbox, remind_after_seconds=2)
    with serving(worker_app(registry, lambda text: say(f"    {text}"))) as worker_url:
        say(f"  worker       {worker_url}   (called by the server; its answers drive the workflow)")
        client = SignupClient(registry, server.api, worker_url)

        say("alice submits the form: start a workflow")
        run_id = client.start(SignupForm(username="alice", email="alice@example.com"))
        say(f"  workflow id {client.workflow_id('alice')}, run id {run_id}")
        outbox.wait_for(VERIFICATION, _MAIL_SECONDS)
        say("alice does nothing: a durable timer of 2 s runs, no process waits for it")
        outbox.wait_for(REMINDER, _MAIL_SECONDS)

        say("alice follows the link: RPC verify")
        say(f"  the RPC answers: {client.verify('alice')}")
        result = client.result("alice")
        say(f"the workflow completed with: {result}")
        say(f"asking the completed workflow, RPC describe: {client.describe('alice')}")
        if keep:
            signal.alarm(0)
            say("everything is still running: open the Temporal UI, stop with Ctrl-C")
            server.wait()
            raise RuntimeError("the development server ended by itself")


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    # In one piece, since calls of the worker come on threads of their own.
    sys.stdout.write(f"[{time.monotonic() - _STARTED:5.1f} s] {text}\n")
    sys.stdout.flush()


def _on_alarm(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"not done after {_LIMIT_SECONDS} s")


def _on_terminate(signum: int, frame: FrameType | None) -> None:
    sys.exit(128 + signum)  # as an exception, so that the server is stopped on the way out


if __name__ == "__main__":
    sys.exit(main())
