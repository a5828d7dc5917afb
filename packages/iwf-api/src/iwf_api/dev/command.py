"""`iwf-server dev`: Temporal, interpreter and API under one command, with data that survives a restart."""

import os
import socket
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import anyio
import msgspec

from iwf_api.dev.lock import data_file_lock
from iwf_api.dev.ports import HOST, free_port, port_for_child
from iwf_api.dev.search_attributes import IWF_SEARCH_ATTRIBUTES
from iwf_api.dev.temporal_server import TemporalDevServer, TemporalServerOptions
from iwf_api.listener import CannotListen, base_url, listen
from iwf_api.server import ServerOptions, running
from iwf_api.settings import ApiSettings
from iwf_api.stopping import StopSignal, stop_signals
from iwf_interpreter.temporal import InterpreterOptions, ProtocolOptions

_DRAIN_SECONDS = 2
"""Somebody is waiting for the prompt to come back."""
_POLL_SECONDS = 3.0
"""As short as it may be: stopping waits for the open polls."""


class DevOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command, as the command line gives them."""

    bind: str
    port: int
    admin_bind: str
    admin_port: int | None
    """`None` for no admin listener."""
    temporal_port: int
    ui_port: int
    db: Path | None
    """`None` keeps nothing after the end."""
    namespace: str
    search_attributes: Mapping[str, str]
    address: str | None
    interpreter: InterpreterOptions
    api: ApiSettings
    json_output: bool


class Addresses(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where everything is: the banner, and the line of `--output json`."""

    api: str
    temporal: str
    namespace: str
    task_queue: str
    pid: int
    admin: str | None = None
    ui: str | None = None
    temporal_metrics: str | None = None
    temporal_pid: int | None = None
    temporal_log: str | None = None
    db: str | None = None


async def run_dev(options: DevOptions) -> None:
    """Run until a signal says to stop; raises `ProcessError` when something is in the way."""
    async with stop_signals() as stop:
        if options.address is not None:
            await _run_with_existing(options, options.address, stop)
        else:
            await _run_with_own(options, stop)


async def _run_with_existing(options: DevOptions, address: str, stop: StopSignal) -> None:
    with ExitStack() as held:
        listening = held.enter_context(listen(options.bind, options.port, flag="--port"))
        admin = _admin_socket(options, held)
        addresses = _addresses(options, listening, admin, address)
        async with running(_server_options(options, address), listening, admin=admin):
            _announce(options, addresses)
            await stop.wait()


async def _run_with_own(options: DevOptions, stop: StopSignal) -> None:
    with ExitStack() as held:
        if options.db is None:
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="iwf-dev-")))
            db, lock = None, None
        else:
            db = options.db.resolve()
            folder, lock = db.parent, held.enter_context(data_file_lock(db))
        listening = held.enter_context(listen(options.bind, options.port, flag="--port"))
        admin = _admin_socket(options, held)
        temporal = _temporal_options(options, db, folder / "temporal.log")
        server = TemporalDevServer(temporal)
        addresses = msgspec.structs.replace(
            _addresses(options, listening, admin, server.address),
            ui=f"http://{HOST}:{temporal.ui_port}",
            temporal_metrics=f"http://{HOST}:{temporal.metrics_port}/metrics",
            temporal_log=str(temporal.log),
            db=None if db is None else str(db),
        )
        if lock is not None:
            places = f"API {addresses.api}, Temporal {addresses.temporal}, UI {addresses.ui}"
            lock.describe_holder(f"process {os.getpid()} ({places})")
        async with server, anyio.create_task_group() as watching:
            watching.start_soon(server.wait)
            async with running(_server_options(options, server.address), listening, admin=admin):
                _announce(options, msgspec.structs.replace(addresses, temporal_pid=server.pid))
                await stop.wait()
            watching.cancel_scope.cancel()


def _admin_socket(options: DevOptions, held: ExitStack) -> socket.socket | None:
    if options.admin_port is None:
        return None
    return held.enter_context(listen(options.admin_bind, options.admin_port, flag="--admin-port"))


def _temporal_options(options: DevOptions, db: Path | None, log: Path) -> TemporalServerOptions:
    try:
        port = port_for_child(options.temporal_port, flag="--temporal-port")
    except CannotListen as error:
        address = f"{HOST}:{options.temporal_port}"
        raise CannotListen(
            f"{error}, or use the Temporal that runs there with --address {address}"
        ) from error
    return TemporalServerOptions(
        port=port,
        http_port=free_port(),
        metrics_port=free_port(),
        ui_port=port_for_child(options.ui_port, flag="--ui-port"),
        db=db,
        log=log,
        namespace=options.namespace,
        search_attributes=options.search_attributes,
    )


def _server_options(options: DevOptions, address: str) -> ServerOptions:
    loop = msgspec.structs.replace(options.interpreter.loop, drain_seconds=_DRAIN_SECONDS)
    return ServerOptions(
        address=address,
        namespace=options.namespace,
        interpreter=msgspec.structs.replace(
            options.interpreter, loop=loop, protocol=ProtocolOptions(poll_seconds=_POLL_SECONDS)
        ),
        api=options.api,
        search_attributes={**IWF_SEARCH_ATTRIBUTES, **options.search_attributes},
        drain_seconds=_DRAIN_SECONDS,
    )


def _addresses(
    options: DevOptions, listening: socket.socket, admin: socket.socket | None, temporal: str
) -> Addresses:
    return Addresses(
        api=base_url(listening),
        admin=None if admin is None else base_url(admin),
        temporal=temporal,
        namespace=options.namespace,
        task_queue=options.interpreter.task_queue,
        pid=os.getpid(),
    )


def _announce(options: DevOptions, addresses: Addresses) -> None:
    print(_json(addresses) if options.json_output else _banner(addresses), flush=True)


def _json(addresses: Addresses) -> str:
    return msgspec.json.encode(addresses).decode()


def _banner(addresses: Addresses) -> str:
    rows = {
        "iWF API": f"{addresses.api}   (the server URL for SDK clients)",
        "admin": addresses.admin,
        "Temporal UI": addresses.ui,
        "Temporal": addresses.temporal,
        "namespace": addresses.namespace,
        "task queue": addresses.task_queue,
        "metrics": addresses.temporal_metrics,
        "data": addresses.db or ("in memory" if addresses.temporal_pid else None),
        "log": addresses.temporal_log,
    }
    lines = [f"  {name:<12} {value}" for name, value in rows.items() if value]
    check = f"  check it:    curl {addresses.api}/info/healthcheck"
    return "\n".join(["", "iWF development server is ready. Ctrl-C stops it.", "", *lines, "", check, ""])
