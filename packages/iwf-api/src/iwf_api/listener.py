"""The HTTP listener: a socket, and uvicorn on it as a part of this process.

uvicorn is meant to own its process. Here it does not: signals are not its business, its logs go where the
process logs, and it starts and stops inside a task group. Which application it serves is not known here.
"""

import ipaddress
import os
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import cast

import anyio
import uvicorn
from starlette.types import ASGIApp

from iwf_api.connections import Connection, ConnectionConfig
from iwf_api.exits import ProcessError
from iwf_api.settings import ConnectionLimits

_TICKS_BETWEEN_WATCHES = 5
"""Of which uvicorn has ten in a second."""


class CannotListen(ProcessError):
    """The address is taken, or not allowed to this user."""


def listen(host: str, port: int, *, flag: str) -> socket.socket:
    """Bind a listening socket.

    Args:
        host: Name or address of one interface, IPv4 or IPv6.
        port: 0 to 65535, where 0 is any free one.
        flag: The command line option that sets the port, for the message.

    Raises:
        CannotListen: The address is taken, unknown, or forbidden to this user.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)  # pyright: ignore[reportArgumentType]
    except socket.gaierror as error:
        raise CannotListen(f"cannot listen on {host!r}: {error.strerror}") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CannotListen(
            f"cannot listen on {host} port {port}: {reason}; choose another port with {flag}"
        ) from error


def base_url(listening: socket.socket) -> str:
    """The URL under which this machine reaches the socket, also when it listens on all interfaces."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


@asynccontextmanager
async def serving(
    app: ASGIApp,
    listening: socket.socket,
    *,
    drain_seconds: int,
    limits: ConnectionLimits = ConnectionLimits(),  # noqa: B008 - frozen
) -> AsyncGenerator[None]:
    """Serve the application on the socket for as long as the context is open.

    Leaving it, even by cancellation, closes the socket to new connections and gives the requests in progress
    `drain_seconds` to end; those that remain are cancelled.
    """
    config = ConnectionConfig(
        app,
        loop="none",
        http=Connection,
        ws="none",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=drain_seconds,
    )
    config.limits = limits
    server = _EmbeddedServer(config)

    async def serve() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listening])
        server.serving.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        try:
            await server.serving.wait()
            yield
        finally:
            server.should_exit = True


class _EmbeddedServer(uvicorn.Server):
    """A uvicorn that tells when it serves, and leaves signals to its process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = anyio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_BETWEEN_WATCHES == 0:
            now = anyio.current_time()
            for connection in cast("tuple[Connection, ...]", tuple(self.server_state.connections)):
                connection.watch(now)
        return await super().on_tick(counter)
