"""Loading policies: exactly which attributes a call of the worker is given."""

from typing import Any

import pytest

from conformance.flows import Flow
from conformance.replies import keys, texts
from iwf_models import (
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowStateStartResponse,
)
from iwf_testkit import Answer, value, wait_for

pytestmark = pytest.mark.anyio

ATTRIBUTES: dict[str, Any] = {
    "dataAttributes": [
        {"key": key, "value": {"encoding": "json", "data": key.upper()}} for key in ("b", "a", "a_1", "c")
    ],
    "searchAttributes": [
        {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "k"},
        {"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1},
        {"key": "CustomBoolField", "valueType": "BOOL", "boolValue": False},
    ],
}
ALL_DATA = ["a", "a_1", "b", "c"]
ALL_SEARCH = ["CustomBoolField", "CustomIntField", "CustomKeywordField"]


def policy(kind: str, partial: list[str] | None = None, locked: list[str] | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = {"persistenceLoadingType": kind}
    if partial is not None:
        fields["partialLoadingKeys"] = partial
    if locked is not None:
        fields["lockingKeys"] = locked
    return fields


CASES = pytest.mark.parametrize(
    ("data_policy", "search_policy", "data", "search"),
    [
        pytest.param(None, None, ALL_DATA, ALL_SEARCH, id="no-policy"),
        pytest.param(
            policy("LOAD_ALL_WITHOUT_LOCKING"),
            policy("LOAD_ALL_WITHOUT_LOCKING"),
            ALL_DATA,
            ALL_SEARCH,
            id="all",
        ),
        pytest.param(
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", ["c", "a", "unknown"], ["b"]),
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", ["CustomIntField"], ["CustomBoolField"]),
            ["a", "c"],
            ["CustomIntField"],
            id="partial",
        ),
        pytest.param(
            policy("LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", ["c"], ["a"]),
            policy("LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", ["CustomIntField"], ["CustomBoolField"]),
            ["a", "c"],
            ["CustomBoolField", "CustomIntField"],
            id="partial-with-lock",
        ),
        pytest.param(
            policy("LOAD_ALL_WITH_PARTIAL_LOCK", ["c"], ["a"]),
            policy("LOAD_ALL_WITH_PARTIAL_LOCK", [], ["CustomBoolField"]),
            ALL_DATA,
            ALL_SEARCH,
            id="all-with-lock",
        ),
        pytest.param(policy("LOAD_NONE"), policy("LOAD_NONE"), [], [], id="none"),
        pytest.param(
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", []),
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", []),
            ALL_DATA,
            [],
            id="partial-without-keys",
        ),
        pytest.param(
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", ["a"]) | {"useKeyAsPrefix": True},
            policy("LOAD_PARTIAL_WITHOUT_LOCKING", ["CustomI", "CustomB"]) | {"useKeyAsPrefix": True},
            ["a", "a_1"],
            ["CustomBoolField", "CustomIntField"],
            id="prefix",
        ),
    ],
)


def given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


@CASES
@pytest.mark.requirement("loading.states")
async def test_state_gets_the_attributes_that_its_policies_select(
    flow: Flow,
    data_policy: dict[str, Any] | None,
    search_policy: dict[str, Any] | None,
    data: list[str],
    search: list[str],
) -> None:
    options = given(
        {"dataAttributesLoadingPolicy": data_policy, "searchAttributesLoadingPolicy": search_policy}
    )

    workflow_id, _ = await flow.start(stateOptions=options, workflowStartOptions=ATTRIBUTES)
    await flow.completed(workflow_id)

    for request in (*flow.waits("S1"), *flow.executes("S1")):
        assert keys(request.data_objects or []) == data
        assert keys(request.search_attributes or []) == search


@CASES
@pytest.mark.requirement("loading.rpc")
async def test_rpc_gets_the_attributes_that_its_policies_select(
    flow: Flow,
    data_policy: dict[str, Any] | None,
    search_policy: dict[str, Any] | None,
    data: list[str],
    search: list[str],
) -> None:
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))

    workflow_id, _ = await flow.start(workflowStartOptions=ATTRIBUTES)
    await flow.worker.wait_for_calls("S1.waitUntil")
    policies = {"dataAttributesLoadingPolicy": data_policy, "searchAttributesLoadingPolicy": search_policy}
    await flow.rpc(workflow_id, **given(policies))

    (request,) = flow.rpcs()
    assert keys(request.data_attributes or []) == data
    assert keys(request.search_attributes or []) == search
    assert (request.signal_channel_infos, request.internal_channel_infos) == ({}, {})


@pytest.mark.requirement("loading.per-api")
async def test_policy_of_one_api_wins_over_the_common_one(flow: Flow) -> None:
    only_c = policy("LOAD_PARTIAL_WITHOUT_LOCKING", ["c"])
    no_search = policy("LOAD_NONE")

    workflow_id, _ = await flow.start(
        stateOptions={
            "dataAttributesLoadingPolicy": policy("LOAD_NONE"),
            "waitUntilApiDataAttributesLoadingPolicy": only_c,
            "executeApiSearchAttributesLoadingPolicy": no_search,
        },
        workflowStartOptions=ATTRIBUTES,
    )
    await flow.completed(workflow_id)

    (wait,), (execute,) = flow.waits("S1"), flow.executes("S1")
    assert (keys(wait.data_objects), keys(wait.search_attributes)) == (["c"], ALL_SEARCH)
    assert (keys(execute.data_objects), keys(execute.search_attributes)) == ([], [])


@pytest.mark.requirement("persistence.written-attributes", "persistence.locals")
async def test_writes_of_wait_until_reach_execute_and_the_next_states(flow: Flow) -> None:
    writes = WorkflowStateStartResponse(
        upsert_data_objects=[KeyValue(key="a", value=value("new")), KeyValue(key="empty")],
        upsert_search_attributes=[
            SearchAttribute(key="CustomIntField", value_type=SearchAttributeValueType.INT, integer_value=7)
        ],
        upsert_state_locals=[KeyValue(key="local", value=value("mine"))],
    )
    flow.worker.script("S1.waitUntil", writes)
    flow.worker.script("S1.execute", Answer(body={"stateDecision": {"nextStates": [{"stateId": "S2"}]}}))

    workflow_id, _ = await flow.start(workflowStartOptions=ATTRIBUTES)
    await flow.completed(workflow_id)

    for request in (flow.executes("S1")[0], flow.waits("S2")[0], flow.executes("S2")[0]):
        assert texts(request.data_objects) == {
            "a": "new",
            "a_1": "A_1",
            "b": "B",
            "c": "C",
            "empty": None,
        }
        numbers = [item.integer_value for item in request.search_attributes or ()]
        assert numbers == [None, 7, None]
    assert texts(flow.executes("S1")[0].state_locals) == {"local": "mine"}
    assert texts(flow.executes("S2")[0].state_locals) == {}
