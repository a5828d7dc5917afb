"""Every endpoint answers every kind of request as the table says, which people have read.

`IWF_WRITE_ENDPOINT_TABLE=1` writes the table and its page instead of comparing with them.
"""

import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import cast

import anyio
import httpx
import msgspec
import pytest

from endpoints import CASES, ENDPOINTS, HEALTH_CHECK, MODELS, Cell, Producer, Target, cases, request
from endpoints_page import page
from engines import InMemory, MemoryStage
from iwf_api.routes import ROUTES
from scenario import NOT_EXISTS, UNCATEGORIZED, Scenario

pytestmark = pytest.mark.anyio

TABLE = Path(__file__).with_name("endpoints.json")
PAGE = Path(__file__).parents[1] / "docs" / "endpoints.md"

WRITES = bool(os.environ.get("IWF_WRITE_ENDPOINT_TABLE"))

Table = dict[str, dict[str, Cell]]


def read_table() -> Table:
    return msgspec.json.decode(TABLE.read_bytes(), type=Table)


def write_cells(name: str, cells: dict[str, Cell]) -> None:
    """Replace the row of one endpoint; the rows are in the order of the endpoints."""
    table = {**(read_table() if TABLE.exists() else {}), name: cells}
    table = {name: table[name] for name in ENDPOINTS if name in table}
    TABLE.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
    PAGE.write_text(page(table))


@pytest.fixture
async def http() -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as http:
        yield http


@pytest.fixture
def producer(scenario: Scenario | InMemory, http: httpx.AsyncClient) -> Producer | InMemory:
    """Makes the cells, with a server on the engine under test."""
    if isinstance(scenario, InMemory):
        make = cast("Callable[[MemoryStage], Scenario]", scenario.make)
        return InMemory(lambda stage: Producer(make(stage), stage.http))
    return Producer(scenario, http)


@pytest.mark.requirement("endpoints.table")
@pytest.mark.parametrize("name", ENDPOINTS)
async def test_endpoint_answers_as_the_table_says(producer: Producer, engine: str, name: str) -> None:
    cells: dict[str, Cell] = dict.fromkeys(cases(name), Cell(0, None))

    async def produce(case: str) -> None:
        cells[case] = await producer.cell(name, case)

    async with anyio.create_task_group() as tasks:
        for case in cells:
            tasks.start_soon(produce, case)

    if WRITES and engine == "temporal":
        write_cells(name, cells)
    assert cells == read_table()[name]


def test_every_endpoint_is_in_the_table() -> None:
    assert {route.path for route in ROUTES} == {
        f"/api/v1/workflow/{name}" for name in ENDPOINTS if name != HEALTH_CHECK
    }
    assert list(read_table()) == list(ENDPOINTS)


def test_every_case_that_an_endpoint_can_have_is_in_the_table() -> None:
    assert {name: list(cells) for name, cells in read_table().items()} == {
        name: cases(name) for name in ENDPOINTS
    }
    assert {case for cells in read_table().values() for case in cells} == {*CASES}


def test_page_shows_the_table() -> None:
    assert PAGE.read_text() == page(read_table())


@pytest.mark.requirement("endpoints.error-bodies")
def test_every_error_of_the_table_says_what_clients_read() -> None:
    for cells in read_table().values():
        for cell in cells.values():
            if cell.status != 200:
                assert isinstance(cell.body["detail"], str)
                assert isinstance(cell.body["subStatus"], str)


@pytest.mark.requirement("endpoints.never-retried")
def test_no_request_of_the_table_is_one_that_clients_would_repeat() -> None:
    """Java sends a request again, up to ten times, when the answer is a 5xx."""
    statuses = {cell.status for cells in read_table().values() for cell in cells.values()}

    assert statuses <= {200, 400, 405, 420}


def complete_request(name: str) -> dict[str, object]:
    return request(name, "ok", Target(workflow_id="nobody", worker_url="http://127.0.0.1:1"))


@pytest.mark.requirement("endpoints.schema-errors")
@pytest.mark.parametrize("name", MODELS)
async def test_no_field_takes_a_value_of_another_type(producer: Producer, name: str) -> None:
    """A list with a number is a value of no field's type."""
    for field in msgspec.structs.fields(MODELS[name]):
        body = {**complete_request(name), field.encode_name: [7]}
        reply = await producer.post(name, msgspec.json.encode(body))

        assert (reply.status, reply.body["subStatus"]) == (400, UNCATEGORIZED), body
        assert reply.body["detail"].startswith("invalid request schema: "), body


@pytest.mark.requirement("endpoints.schema-errors")
@pytest.mark.parametrize("name", MODELS)
async def test_body_that_is_no_object_is_refused(producer: Producer, name: str) -> None:
    for raw in (b"", b"[]", b'"text"', b"7", b"null", b"{]", b"{} {}", b"\xff"):
        reply = await producer.post(name, raw)

        assert (reply.status, reply.body["subStatus"]) == (400, UNCATEGORIZED), raw
        assert reply.body["detail"].startswith("invalid request schema: "), raw


@pytest.mark.requirement("endpoints.required-fields")
@pytest.mark.parametrize("name", MODELS)
async def test_required_field_is_neither_null_nor_left_out(producer: Producer, name: str) -> None:
    for field in msgspec.structs.fields(MODELS[name]):
        if not field.required:
            continue
        complete = complete_request(name)
        null = {**complete, field.encode_name: None}
        left_out = {key: value for key, value in complete.items() if key != field.encode_name}
        for body in (null, left_out):
            reply = await producer.post(name, msgspec.json.encode(body))

            if field.encode_name == "workflowId":
                expected = UNCATEGORIZED if name == "start" else NOT_EXISTS
                detail = "WorkflowId is not set on request."
            else:
                expected, detail = UNCATEGORIZED, "invalid request schema: "
            assert (reply.status, reply.body["subStatus"]) == (400, expected), body
            assert reply.body["detail"].startswith(detail), body


NEVER_EMPTY = [
    ("start", {"iwfWorkflowType": ""}),
    ("start", {"iwfWorkerUrl": ""}),
    ("signal", {"signalChannelName": ""}),
    ("rpc", {"rpcName": ""}),
    ("timer/skip", {"workflowStateExecutionId": ""}),
    ("publishToInternalChannel", {"messages": [{"channelName": ""}]}),
    ("dataobjects/set", {"objects": [{"key": ""}]}),
    ("searchattributes/get", {"keys": [{"key": "", "valueType": "INT"}]}),
    ("searchattributes/get", {"keys": [{"key": "CustomIntField"}]}),
    ("encodedobject/load", {"extStoreId": ""}),
    ("encodedobject/load", {"extPath": ""}),
]


@pytest.mark.requirement("endpoints.required-fields")
@pytest.mark.parametrize(("name", "fields"), NEVER_EMPTY)
async def test_text_that_must_say_something_is_not_empty(
    producer: Producer, name: str, fields: dict[str, object]
) -> None:
    reply = await producer.post(name, msgspec.json.encode({**complete_request(name), **fields}))

    assert (reply.status, reply.body["subStatus"]) == (400, UNCATEGORIZED)
