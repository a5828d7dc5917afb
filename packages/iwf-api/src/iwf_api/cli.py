"""The command line, `iwf-server`: `dev`, `start` and `version`.

Standard output carries the banner or the JSON line and nothing else; logs go to standard error. Exit codes:
0 stopped in order, 1 failed, 2 usage, 69 Temporal unreachable, 78 Temporal misconfigured.
"""

import argparse
import logging
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import anyio
import msgspec

from iwf_api.dev.command import DevOptions, run_dev
from iwf_api.dev.search_attributes import (
    SEARCH_ATTRIBUTE_LIMITS,
    InvalidSearchAttribute,
    check_room,
    declared_once,
    parse_search_attribute,
)
from iwf_api.exits import ProcessError
from iwf_api.listener import base_url, listen
from iwf_api.server import Role, ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_api.stopping import stop_signals
from iwf_interpreter.contract import DEFAULT_TASK_QUEUE
from iwf_interpreter.loop.options import LoopOptions
from iwf_interpreter.temporal import InterpreterOptions, ProtocolOptions

_logger = logging.getLogger(__name__)

_TEMPORAL_PORT = 7233
_UI_PORT = 8233
_DATA_FILE = Path(".iwf/dev.db")
_CONNECT_SECONDS = 60.0
_LAST_CALL_SECONDS = 0.2
"""The connection's own threads need a moment after the last call before the interpreter may go."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit the process."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    code = 0
    try:
        options.run(parser, options)
    except* ProcessError as group:
        error = _first(group)
        print(f"iwf-server: {error}", file=sys.stderr)
        code = error.exit_code
    sys.stdout.flush()
    sys.exit(code)


def _first(group: BaseExceptionGroup[ProcessError]) -> ProcessError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ProcessError)
    return error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="iwf-server", description="The iWF server in Python.")
    parser.add_argument(
        "--log-level",
        default="WARNING",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        help="default WARNING",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_dev(commands.add_parser("dev", help="run everything on this machine, Temporal included"))
    _add_start(commands.add_parser("start", help="run against an existing Temporal server"))
    commands.add_parser("version", help="print the version").set_defaults(run=_version)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST", help="listen address of the API")
    parser.add_argument(
        "--port", type=_port, default=8801, help="port of the API, default 8801; 0 is any free one"
    )
    parser.add_argument(
        "--admin-port",
        type=_port,
        metavar="PORT",
        help="serve /livez and /readyz on this port; 0 is any free one; by default there is none",
    )
    parser.add_argument(
        "--admin-bind", default="127.0.0.1", metavar="HOST", help="listen address of the admin port"
    )
    parser.add_argument("--namespace", default="default", help="Temporal namespace")
    parser.add_argument("--task-queue", default=DEFAULT_TASK_QUEUE, help=f"default {DEFAULT_TASK_QUEUE}")
    parser.add_argument(
        "--max-cached-workflows",
        type=_count,
        default=LoopOptions().max_cached_workflows,
        metavar="N",
        help="runs kept in memory between tasks; 0 replays every task",
    )
    parser.add_argument(
        "--locked-rpc-max-waiting",
        type=_count,
        default=ApiSettings().locked_rpc_max_waiting,
        metavar="N",
        help="RPCs of a workflow that may wait for locked attributes; 0: answer 450 at once",
    )
    parser.add_argument(
        "--rpc-updates-from",
        type=_count,
        default=ApiSettings().rpc_updates_from,
        metavar="N",
        help="from N RPCs in progress on one workflow, make those that write updates; default 0, never",
    )


def _add_dev(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    # Their defaults are filled in later, to tell whether they were given.
    parser.add_argument(
        "--temporal-port",
        type=_port,
        metavar="PORT",
        help=f"port of Temporal, default {_TEMPORAL_PORT}; 0 is any free one",
    )
    parser.add_argument(
        "--ui-port", type=_port, metavar="PORT", help=f"port of Temporal's web UI, default {_UI_PORT}"
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--db", type=Path, metavar="FILE", help=f"data file, default {_DATA_FILE}")
    data.add_argument("--ephemeral", action="store_true", help="keep nothing after the end")
    parser.add_argument(
        "--search-attribute",
        action="append",
        default=[],
        type=_search_attribute,
        metavar="NAME=TYPE",
        help=f"register a search attribute, repeatable; TYPE is one of {', '.join(SEARCH_ATTRIBUTE_LIMITS)}",
    )
    parser.add_argument("--address", metavar="HOST:PORT", help="use this Temporal server and start none")
    parser.add_argument(
        "--output", choices=["text", "json"], default="text", help="how addresses are printed"
    )
    parser.set_defaults(run=_dev)


def _add_start(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument(
        "--address", default="127.0.0.1:7233", metavar="HOST:PORT", help="the Temporal server"
    )
    parser.add_argument("--role", type=Role, choices=list(Role), default=Role.ALL, help="default all")
    parser.add_argument(
        "--connect-timeout",
        type=_seconds,
        default=_CONNECT_SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for Temporal, default {_CONNECT_SECONDS:g}; 0 tries once",
    )
    parser.add_argument(
        "--poll-seconds",
        type=_poll_seconds,
        default=ProtocolOptions().poll_seconds,
        metavar="SECONDS",
        help="deadline of one poll, at least 3, default 22; stopping waits for it",
    )
    parser.add_argument(
        "--pre-stop-seconds",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="how long to go on as before when asked to stop, with /readyz answering 503; default 0",
    )
    parser.add_argument(
        "--drain-seconds",
        type=_count,
        default=ServerOptions(address="").drain_seconds,
        metavar="SECONDS",
        help="how long requests, and then calls to workers, may go on when stopping; default 30",
    )
    parser.set_defaults(run=_start)


def _dev(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.address is not None:
        for flag in ("--db", "--ephemeral", "--temporal-port", "--ui-port"):
            value = getattr(options, flag.strip("-").replace("-", "_"))
            if value is not None and value is not False:
                parser.error(f"{flag} has no meaning with --address")
    try:
        attributes = declared_once(options.search_attribute)
        if options.address is None:
            check_room(attributes)
    except InvalidSearchAttribute as error:
        parser.error(f"--search-attribute: {error}")
    _run(
        run_dev,
        DevOptions(
            bind=options.bind,
            port=options.port,
            admin_bind=options.admin_bind,
            admin_port=options.admin_port,
            temporal_port=_TEMPORAL_PORT if options.temporal_port is None else options.temporal_port,
            ui_port=_UI_PORT if options.ui_port is None else options.ui_port,
            db=None if options.ephemeral else options.db or _DATA_FILE,
            namespace=options.namespace,
            search_attributes=attributes,
            address=options.address,
            interpreter=_interpreter_options(options),
            api=_api_settings(options),
            json_output=options.output == "json",
        ),
    )


def _start(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    interpreter = _interpreter_options(options)
    _run(
        _run_start,
        ServerOptions(
            address=options.address,
            namespace=options.namespace,
            role=options.role,
            interpreter=msgspec.structs.replace(
                interpreter,
                loop=msgspec.structs.replace(interpreter.loop, drain_seconds=options.drain_seconds),
                protocol=ProtocolOptions(poll_seconds=options.poll_seconds),
            ),
            api=_api_settings(options),
            connect_within_seconds=options.connect_timeout,
            pre_stop_seconds=options.pre_stop_seconds,
            drain_seconds=options.drain_seconds,
        ),
        options,
    )


async def _run_start(server: ServerOptions, options: argparse.Namespace) -> None:
    with ExitStack() as held:
        listening = admin = None
        if server.role is not Role.INTERPRETER:
            listening = held.enter_context(listen(options.bind, options.port, flag="--port"))
        if options.admin_port is not None:
            admin = held.enter_context(listen(options.admin_bind, options.admin_port, flag="--admin-port"))
        async with stop_signals() as stop, running(server, listening, admin=admin):
            where = "" if listening is None else f", API on {base_url(listening)}"
            probes = "" if admin is None else f", admin on {base_url(admin)}"
            print(
                f"iWF server {version('iwf-api')} is ready: role {server.role}{where}{probes}, "
                f"Temporal {server.address}, namespace {server.namespace}, "
                f"task queue {server.interpreter.task_queue}",
                flush=True,
            )
            await stop.wait()


def _version(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    print(f"iwf-server {version('iwf-api')}")


def _run(command: Callable[..., Awaitable[None]], *arguments: object) -> None:
    backend_options = {"use_uvloop": True} if sys.platform != "win32" else {}
    try:
        anyio.run(command, *arguments, backend_options=backend_options)
    except KeyboardInterrupt:
        # Before the signals are ours, during start-up.
        os._exit(130)
    finally:
        time.sleep(_LAST_CALL_SECONDS)


def _interpreter_options(options: argparse.Namespace) -> InterpreterOptions:
    return InterpreterOptions(
        task_queue=options.task_queue, loop=LoopOptions(max_cached_workflows=options.max_cached_workflows)
    )


def _api_settings(options: argparse.Namespace) -> ApiSettings:
    return ApiSettings(
        locked_rpc_max_waiting=options.locked_rpc_max_waiting, rpc_updates_from=options.rpc_updates_from
    )


def _port(text: str) -> int:
    port = _count(text)
    if port > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return port


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _poll_seconds(text: str) -> float:
    seconds = _seconds(text)
    if seconds < 3:
        raise argparse.ArgumentTypeError(f"{text!r} is less than 3 seconds")
    return seconds


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0")
    return seconds


def _search_attribute(text: str) -> tuple[str, str]:
    try:
        return parse_search_attribute(text)
    except InvalidSearchAttribute as error:
        raise argparse.ArgumentTypeError(str(error)) from error
