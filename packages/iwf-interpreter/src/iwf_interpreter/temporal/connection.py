"""The connection to a Temporal server, and what the namespace must have.

`temporalio`'s client brings the connection (TLS, keys, reconnecting); everything is done by raw service
calls on it.
"""

import os
import socket
from collections.abc import Mapping
from datetime import timedelta

import anyio
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, OperatorService, RPCError, WorkflowService

from iwf_interpreter.engine import EngineError
from iwf_interpreter.temporal.errors import engine_error

_CALL_TIMEOUT = timedelta(seconds=10)
_LISTED_WITHIN_SECONDS = 60.0


class Connection:
    """A namespace of a Temporal server, for as many users in this process as like."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def service(self) -> WorkflowService:
        """Raw calls about workflows and tasks."""
        return self._client.workflow_service

    @property
    def operator(self) -> OperatorService:
        """Raw calls about the namespace's set-up."""
        return self._client.operator_service

    @property
    def namespace(self) -> str:
        """The namespace of all calls."""
        return self._client.namespace

    @property
    def identity(self) -> str:
        """Names this process in histories and queues."""
        return self._client.identity


async def connect(address: str, *, namespace: str = "default", identity: str | None = None) -> Connection:
    """Connect to a Temporal server.

    Args:
        address: `HOST:PORT` of its frontend.
        namespace: The namespace that workflows live in; it must exist.
        identity: How this process shows up in histories; by default its process id and host.

    Raises:
        EngineError: The server cannot be reached.
    """
    try:
        client = await Client.connect(
            address,
            namespace=namespace,
            identity=identity or f"iwf-server:{os.getpid()}@{socket.gethostname()}",
            grpc_compression=GrpcCompression.NONE,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"cannot connect to Temporal at {address}: {error}") from error
    return Connection(client)


async def ensure_search_attributes(connection: Connection, attributes: Mapping[str, str]) -> None:
    """Make sure that the namespace has these search attributes, creating those that are missing.

    Args:
        connection: The namespace.
        attributes: Type by name, for example `Keyword`.

    Raises:
        EngineError: One exists with another type, or the server does not let us list or create them.
    """
    present = await listed_search_attributes(connection)
    for name, wanted in attributes.items():
        if name in present and present[name] != wanted:
            raise EngineError(
                f"search attribute {name!r} has the type {present[name]} in namespace "
                f"{connection.namespace!r}, iWF needs {wanted}"
            )
    missing = {name: wanted for name, wanted in attributes.items() if name not in present}
    if not missing:
        return
    try:
        await connection.operator.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=connection.namespace,
                search_attributes={name: _indexed_type(wanted) for name, wanted in missing.items()},
            ),
            retry=True,
            timeout=_CALL_TIMEOUT,
        )
    except RPCError as error:
        raise engine_error(error) from error
    with anyio.move_on_after(_LISTED_WITHIN_SECONDS):
        while True:
            if missing.keys() <= (await listed_search_attributes(connection)).keys():
                return
            await anyio.sleep(0.2)
    raise EngineError(f"search attributes {sorted(missing)} were created but are still not listed")


async def listed_search_attributes(connection: Connection) -> dict[str, str]:
    """Type by name of the namespace's own search attributes; raises `EngineError`."""
    try:
        listed = await connection.operator.list_search_attributes(
            ListSearchAttributesRequest(namespace=connection.namespace), retry=True, timeout=_CALL_TIMEOUT
        )
    except RPCError as error:
        raise engine_error(error) from error
    return {name: type_name(code) for name, code in listed.custom_attributes.items()}


def type_name(code: IndexedValueType.ValueType) -> str:
    """Temporal's name of an attribute type, as its tools write it."""
    words = IndexedValueType.Name(code).removeprefix("INDEXED_VALUE_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def _indexed_type(name: str) -> IndexedValueType.ValueType:
    for code in IndexedValueType.values():
        if type_name(code) == name:
            return code
    raise EngineError(f"unknown search attribute type {name!r}")
