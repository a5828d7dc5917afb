from collections.abc import Mapping
from datetime import timedelta

import anyio
import msgspec
import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, ListSearchAttributesResponse
from temporalio.service import OperatorService, RPCError, RPCStatusCode

from iwf_interpreter.engine import EngineError, InvalidArgument, WorkflowNotFound
from iwf_interpreter.temporal import Connection, TemporalEngine, connect, search_attributes
from iwf_models import (
    EncodedObject,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowStatus,
)
from toy_interpreter import started

pytestmark = pytest.mark.anyio

UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"
ALL_TYPES = [
    SearchAttribute(key="KeywordField", value_type=SearchAttributeValueType.KEYWORD, string_value="a b"),
    SearchAttribute(key="TextField", value_type=SearchAttributeValueType.TEXT, string_value="é"),
    SearchAttribute(key="IntField", value_type=SearchAttributeValueType.INT, integer_value=2**63 - 1),
    SearchAttribute(key="DoubleField", value_type=SearchAttributeValueType.DOUBLE, double_value=2.0),
    SearchAttribute(key="BoolField", value_type=SearchAttributeValueType.BOOL, bool_value=False),
    SearchAttribute(
        key="DatetimeField",
        value_type=SearchAttributeValueType.DATETIME,
        string_value="2024-11-12T16:00:01.731455544-08:00",
    ),
    SearchAttribute(
        key="KeywordListField",
        value_type=SearchAttributeValueType.KEYWORD_ARRAY,
        string_array_value=["a", "b"],
    ),
]


async def test_a_description_has_the_memo_as_it_was_written(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    memo = {"a": EncodedObject(encoding="json", data='{"é": null}'), "empty": EncodedObject()}
    run_id = await idle_engine.start(started(workflow_id, memo=memo))

    described = await idle_engine.describe(workflow_id, "")

    assert (described.run_id, described.status, described.memo) == (run_id, WorkflowStatus.RUNNING, memo)


async def test_a_description_has_search_attributes_of_all_types_with_their_types(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id, search_attributes=ALL_TYPES))

    described = await idle_engine.describe(workflow_id, "")

    values = {key: msgspec.json.decode(value) for key, value in described.search_attributes.items()}
    assert values == {
        "KeywordField": "a b",
        "TextField": "é",
        "IntField": 2**63 - 1,
        "DoubleField": 2.0,
        "BoolField": False,
        "DatetimeField": "2024-11-13T00:00:01.731455544Z",
        "KeywordListField": ["a", "b"],
    }
    assert described.search_attribute_types == {
        "KeywordField": "Keyword",
        "TextField": "Text",
        "IntField": "Int",
        "DoubleField": "Double",
        "BoolField": "Bool",
        "DatetimeField": "Datetime",
        "KeywordListField": "KeywordList",
    }


async def test_an_attribute_without_a_value_is_stored_as_the_zero_of_its_type(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    attributes = [
        SearchAttribute(key=attribute.key, value_type=attribute.value_type) for attribute in ALL_TYPES
    ]
    await idle_engine.start(started(workflow_id, search_attributes=attributes))

    described = await idle_engine.describe(workflow_id, "")

    # The server drops an empty list.
    assert {key: bytes(value) for key, value in described.search_attributes.items()} == {
        "KeywordField": b'""',
        "TextField": b'""',
        "IntField": b"0",
        "DoubleField": b"0.0",
        "BoolField": b"false",
        "DatetimeField": b'"1970-01-01T00:00:00Z"',
    }


@pytest.mark.parametrize(
    ("ordered", "status"),
    [
        pytest.param("complete", WorkflowStatus.COMPLETED, id="completed"),
        pytest.param("fail", WorkflowStatus.FAILED, id="failed"),
        pytest.param("continue", WorkflowStatus.CONTINUED_AS_NEW, id="continued-as-new"),
    ],
)
async def test_a_description_has_the_status_of_that_very_run(
    engine: TemporalEngine, workflow_id: str, ordered: str, status: WorkflowStatus
) -> None:
    run_id = await engine.start(started(workflow_id, ordered))
    with anyio.fail_after(10):
        while (await engine.outcome(workflow_id, run_id)).status is WorkflowStatus.RUNNING:
            await anyio.sleep(0.02)

    assert (await engine.describe(workflow_id, run_id)).status is status


@pytest.mark.parametrize(
    "run_id",
    [
        pytest.param("", id="unknown-workflow"),
        pytest.param(UNKNOWN_RUN, id="unknown-run"),
        pytest.param("not-a-run", id="malformed-run"),
    ],
)
async def test_a_workflow_that_does_not_exist_has_no_description(
    idle_engine: TemporalEngine, workflow_id: str, run_id: str
) -> None:
    if run_id:
        await idle_engine.start(started(workflow_id))

    with pytest.raises(WorkflowNotFound):
        await idle_engine.describe(workflow_id, run_id)


async def test_a_missing_namespace_is_not_a_missing_workflow(temporal_address: str, workflow_id: str) -> None:
    engine = TemporalEngine(await connect(temporal_address, namespace="nowhere"), task_queue="any")

    with pytest.raises(EngineError, match="nowhere") as failure:
        await engine.describe(workflow_id, "")

    assert type(failure.value) is EngineError


# Searches and types


async def test_a_search_returns_pages_and_the_last_has_no_token(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    executions = {
        (f"{workflow_id}-{number}", await idle_engine.start(started(f"{workflow_id}-{number}")))
        for number in range(4)
    }
    query = f'WorkflowId STARTS_WITH "{workflow_id}"'
    with anyio.fail_after(10):
        while len((await idle_engine.search(query, 10, b"")).executions) < 4:
            await anyio.sleep(0.05)

    first = await idle_engine.search(query, 2, b"")
    last = await idle_engine.search(query, 2, first.next_page_token)

    assert (len(first.executions), len(last.executions)) == (2, 2)
    assert {*first.executions, *last.executions} == executions
    assert first.next_page_token
    assert last.next_page_token == b""


async def test_a_search_that_finds_nothing_is_an_empty_page(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    found = await idle_engine.search(f'WorkflowId = "{workflow_id}"', 10, b"")

    assert (found.executions, found.next_page_token) == ([], b"")


@pytest.mark.parametrize("query", ["WorkflowId =", "Unheard = 1"])
async def test_a_bad_query_is_an_invalid_argument(idle_engine: TemporalEngine, query: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid query"):
        await idle_engine.search(query, 10, b"")


async def test_a_bad_page_token_fails_without_retries(idle_engine: TemporalEngine) -> None:
    with anyio.fail_after(2), pytest.raises(EngineError):
        await idle_engine.search("", 10, b"not a token")


async def test_the_types_of_writable_search_attributes_are_known(
    idle_engine: TemporalEngine, connection: Connection
) -> None:
    types = await idle_engine.search_attribute_types()

    assert types is not None
    assert types["KeywordListField"] == "KeywordList"
    assert types["DatetimeField"] == "Datetime"
    assert "WorkflowId" not in types


async def test_types_are_unknown_where_the_server_does_not_tell(temporal_address: str) -> None:
    engine = TemporalEngine(await connect(temporal_address, namespace="nowhere"), task_queue="any")

    assert await engine.search_attribute_types() is None


class TellsOnce(OperatorService):
    """A service that lists the search attributes of a namespace once, and then is not reachable."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_search_attributes(
        self,
        req: ListSearchAttributesRequest,
        retry: bool = False,
        metadata: Mapping[str, str | bytes] = {},
        timeout: timedelta | None = None,
    ) -> ListSearchAttributesResponse:
        self.asked += 1
        if self.asked > 1:
            raise RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")
        keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        return ListSearchAttributesResponse(custom_attributes={"K": keyword})


class TellsOnceConnection(Connection):
    def __init__(self, operator: TellsOnce) -> None:
        self._operator = operator

    @property
    def operator(self) -> OperatorService:
        return self._operator

    @property
    def namespace(self) -> str:
        return "default"


async def test_types_are_asked_for_once_in_a_while() -> None:
    operator = TellsOnce()
    engine = TemporalEngine(TellsOnceConnection(operator), task_queue="any")

    assert [await engine.search_attribute_types() for _ in range(3)] == [{"K": "Keyword"}] * 3
    assert operator.asked == 1


async def test_types_that_were_told_stay_known_while_the_server_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_attributes, "_FRESH_SECONDS", -1.0)
    operator = TellsOnce()
    engine = TemporalEngine(TellsOnceConnection(operator), task_queue="any")

    assert [await engine.search_attribute_types() for _ in range(2)] == [{"K": "Keyword"}] * 2
    assert operator.asked == 2
