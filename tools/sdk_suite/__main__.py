"""The published Python SDK's own tests against a server: `python -m tools.sdk_suite [--url URL] [ARG...]`.

Without a URL it starts a Temporal development server and an iWF server on free ports, in this process, and
stops them afterwards. The tests run in a pytest of their own, whose exit code is passed on.
"""

import argparse
import sys
from collections.abc import Sequence

import anyio
import anyio.to_thread

from iwf_testkit import iwf_server, temporal_dev_server
from tools.sdk_suite.running import SEARCH_ATTRIBUTES, run_tests


async def run(url: str | None, arguments: Sequence[str]) -> int:
    """Run the tests against the server of that URL, or against one of our own."""
    if url is not None:
        return await anyio.to_thread.run_sync(run_tests, url, arguments)
    async with (
        temporal_dev_server(search_attributes=SEARCH_ATTRIBUTES) as temporal,
        iwf_server(temporal.address) as server,
    ):
        return await anyio.to_thread.run_sync(run_tests, server.url, arguments)


def main() -> None:
    """Run the tests and pass on their exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.sdk_suite",
        description="Run the tests that the published Python SDK ships. Other arguments go to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("--url", help="server under test; default is to start one, with its own Temporal")
    options, arguments = parser.parse_known_args()
    sys.exit(anyio.run(run, options.url, arguments))


if __name__ == "__main__":
    main()
