"""Data attributes and search attributes on a real engine."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import pytest

from scenario import (
    NOT_EXISTS,
    UNCATEGORIZED,
    Reply,
    Scenario,
    eventually,
    idle,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_data_attributes_are_set_and_read(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    before = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    await scenario.ok(
        "dataobjects/set",
        workflowId=workflow_id,
        objects=[{"key": "b", "value": {"data": "2"}}, {"key": "a"}],
    )
    everything = await scenario.ok("dataobjects/get", workflowId=workflow_id)
    some = await scenario.ok("dataobjects/get", workflowId=workflow_id, keys=["b", "unknown"])

    assert before == {}
    assert everything == {"objects": [{"key": "a"}, {"key": "b", "value": {"data": "2"}}]}
    assert some == {"objects": [{"key": "b", "value": {"data": "2"}}]}


async def test_data_attributes_of_a_closed_workflow_can_be_read_and_not_set(scenario: Scenario) -> None:
    workflow_id, _ = await scenario.start(
        workflowStartOptions={"dataAttributes": [{"key": "d", "value": {"data": "1"}}]}
    )
    await scenario.result(workflow_id)

    assert await scenario.ok("dataobjects/get", workflowId=workflow_id) == {
        "objects": [{"key": "d", "value": {"data": "1"}}]
    }
    refused(await scenario.post("dataobjects/set", {"workflowId": workflow_id, "objects": []}), NOT_EXISTS)


async def test_memo_mirrors_data_attributes_when_asked_to(scenario: Scenario) -> None:
    workflow_id = await idle(
        scenario,
        workflowStartOptions={
            "useMemoForDataAttributes": True,
            "dataAttributes": [{"key": "d", "value": {"data": "1"}}],
        },
    )
    await scenario.ok(
        "dataobjects/set", workflowId=workflow_id, objects=[{"key": "e", "value": {"data": "2"}}]
    )

    async def read() -> Reply:
        return await scenario.post(
            "dataobjects/get", {"workflowId": workflow_id, "useMemoForDataAttributes": True}
        )

    reply = await eventually(read, lambda reply: len(reply.body["objects"]) == 2)
    assert reply.body["objects"] == [
        {"key": "d", "value": {"data": "1"}},
        {"key": "e", "value": {"data": "2"}},
    ]


ATTRIBUTES = [
    {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "k"},
    {"key": "CustomTextField", "valueType": "TEXT", "stringValue": "some text"},
    {"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1},
    {"key": "CustomDoubleField", "valueType": "DOUBLE", "doubleValue": 1.5},
    {"key": "CustomBoolField", "valueType": "BOOL", "boolValue": True},
    {
        "key": "CustomDatetimeField",
        "valueType": "DATETIME",
        "stringValue": "2024-11-12T16:00:01.731455544-08:00",
    },
    {"key": "CustomKeywordArrayField", "valueType": "KEYWORD_ARRAY", "stringArrayValue": ["a", "b"]},
]
READ_ATTRIBUTES = [
    {**attribute, "stringValue": "2024-11-13T00:00:01.731455544Z"}
    if attribute["valueType"] == "DATETIME"
    else attribute
    for attribute in ATTRIBUTES
]
KEYS = [{"key": attribute["key"], "valueType": attribute["valueType"]} for attribute in ATTRIBUTES]


async def test_search_attributes_of_the_start_are_read_back_exactly(scenario: Scenario) -> None:
    workflow_id = await idle(scenario, workflowStartOptions={"searchAttributes": ATTRIBUTES})

    read = await scenario.ok("searchattributes/get", workflowId=workflow_id, keys=KEYS)
    everything = await scenario.ok("searchattributes/get", workflowId=workflow_id)

    assert read == {"searchAttributes": READ_ATTRIBUTES}
    assert everything == {"searchAttributes": sorted(READ_ATTRIBUTES, key=lambda item: item["key"])}


async def test_search_attributes_are_set_all_together(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)

    before = await scenario.ok("searchattributes/get", workflowId=workflow_id, keys=KEYS)
    await scenario.ok("searchattributes/set", workflowId=workflow_id, searchAttributes=ATTRIBUTES)

    async def read() -> Reply:
        return await scenario.post("searchattributes/get", {"workflowId": workflow_id, "keys": KEYS})

    reply = await eventually(read, lambda reply: "searchAttributes" in reply.body)
    assert before == {}
    assert reply.body == {"searchAttributes": READ_ATTRIBUTES}


async def test_bad_search_attribute_leaves_the_others_unset(scenario: Scenario) -> None:
    workflow_id = await idle(scenario)
    bad = {"key": "CustomIntField", "valueType": "KEYWORD", "stringValue": "x"}

    reply = await scenario.post(
        "searchattributes/set", {"workflowId": workflow_id, "searchAttributes": [ATTRIBUTES[0], bad]}
    )
    await scenario.ok("rpc", workflowId=workflow_id, rpcName="read")

    refused(reply, UNCATEGORIZED)
    assert "CustomIntField" in reply.body["detail"]
    (call,) = scenario.worker.calls_of("rpc.read")
    assert not call.request.search_attributes


async def test_search_attribute_read_as_another_kind_is_refused(scenario: Scenario) -> None:
    workflow_id = await idle(scenario, workflowStartOptions={"searchAttributes": ATTRIBUTES})

    reply = await scenario.post(
        "searchattributes/get",
        {"workflowId": workflow_id, "keys": [{"key": "CustomKeywordField", "valueType": "BOOL"}]},
    )

    refused(reply, UNCATEGORIZED)
