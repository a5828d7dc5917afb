import socket
from uuid import uuid4

import pytest
from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest

from iwf_interpreter.engine import EngineError
from iwf_interpreter.temporal import Connection, connect, ensure_search_attributes
from iwf_interpreter.temporal.connection import listed_search_attributes

pytestmark = pytest.mark.anyio


def new_name() -> str:
    return f"New{uuid4().hex}"


async def remove(connection: Connection, *names: str) -> None:
    """The server has room for a few attributes of each type only."""
    await connection.operator.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace=connection.namespace, search_attributes=names)
    )


async def test_a_connection_knows_its_namespace_and_identity(temporal_address: str) -> None:
    connection = await connect(temporal_address, namespace="default", identity="me")

    assert (connection.namespace, connection.identity) == ("default", "me")


async def test_an_identity_of_its_own_names_process_and_host(temporal_address: str) -> None:
    assert (await connect(temporal_address)).identity.startswith("iwf-server:")


async def test_a_server_that_is_not_there_is_an_engine_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(EngineError, match=f"cannot connect to Temporal at 127.0.0.1:{port}"):
        await connect(f"127.0.0.1:{port}")


async def test_missing_search_attributes_are_created(connection: Connection) -> None:
    wanted = {new_name(): "Keyword", new_name(): "Int"}

    await ensure_search_attributes(connection, {**wanted, "TextField": "Text"})

    listed = await listed_search_attributes(connection)
    assert {name: listed.get(name) for name in wanted} == wanted
    await remove(connection, *wanted)


async def test_present_search_attributes_are_left_alone(connection: Connection) -> None:
    before = await listed_search_attributes(connection)

    await ensure_search_attributes(connection, {"TextField": "Text", "KeywordListField": "KeywordList"})

    assert await listed_search_attributes(connection) == before


async def test_another_type_is_an_error_that_names_both(connection: Connection) -> None:
    missing = new_name()

    with pytest.raises(EngineError, match=r"'IntField' has the type Int .* needs Keyword"):
        await ensure_search_attributes(connection, {missing: "Keyword", "IntField": "Keyword"})

    assert missing not in await listed_search_attributes(connection)


async def test_an_unknown_type_is_an_error(connection: Connection) -> None:
    with pytest.raises(EngineError, match="'Number'"):
        await ensure_search_attributes(connection, {new_name(): "Number"})


async def test_more_attributes_than_the_server_has_room_for_are_an_error(connection: Connection) -> None:
    with pytest.raises(EngineError, match="KeywordList"):
        await ensure_search_attributes(connection, {new_name(): "KeywordList" for _ in range(9)})


async def test_a_namespace_that_does_not_exist_is_an_error_that_names_it(temporal_address: str) -> None:
    connection = await connect(temporal_address, namespace="nowhere")

    with pytest.raises(EngineError, match="nowhere"):
        await ensure_search_attributes(connection, {"TextField": "Text"})
