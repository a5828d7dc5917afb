"""Free ports, and a clear word about those that are taken.

The child process opens its own sockets, so a port for it can only be checked or found beforehand. The API's
own socket is not checked but opened: `iwf_api.listener`.
"""

import socket

from iwf_api.listener import listen

HOST = "127.0.0.1"
"""Where the development server's Temporal listens. It has no authentication, so nowhere else."""


def free_port() -> int:
    """Find a port that nobody listens on, and that the system hands to nobody else for about a minute.

    The connection that is made and closed here stays behind in the state TIME_WAIT. The system passes over
    such a port when it looks for a free one, yet lets a server bind it that asks for this very number.
    """
    with socket.create_server((HOST, 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            accepted.close()
            client.recv(1)
        return int(server.getsockname()[1])


def port_for_child(port: int, *, flag: str) -> int:
    """Return a port that a child can listen on: the given one, or for 0 a free one.

    Args:
        port: 0 to 65535.
        flag: The command line option that sets it, for the message.

    Raises:
        CannotListen: The port is taken, or forbidden to this user.
    """
    if port == 0:
        return free_port()
    listen(HOST, port, flag=flag).close()
    return port
