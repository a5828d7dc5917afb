"""Searching for workflows on a real engine."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import pytest

from scenario import (
    UNCATEGORIZED,
    Reply,
    Scenario,
    eventually,
    refused,
)

pytestmark = pytest.mark.anyio


async def test_search_pages_through_runs(scenario: Scenario) -> None:
    marker = scenario.new_id()
    attribute = {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": marker}
    started = {
        (await scenario.start(workflowStartOptions={"searchAttributes": [attribute]}))[0] for _ in range(3)
    }
    request = {"query": f"CustomKeywordField = '{marker}'", "pageSize": 2}

    async def first_page() -> Reply:
        return await scenario.post("search", {**request, "pageSize": 1000})

    await eventually(first_page, lambda reply: len(reply.body["workflowExecutions"]) == 3)
    first = await scenario.ok("search", **request)
    last = await scenario.ok("search", **request, nextPageToken=first["nextPageToken"])

    found = [entry["workflowId"] for entry in (*first["workflowExecutions"], *last["workflowExecutions"])]
    assert set(found) == started
    assert len(found) == 3
    assert first["nextPageToken"]
    assert last["nextPageToken"] == ""


async def test_search_without_matches_is_an_empty_page(scenario: Scenario) -> None:
    assert await scenario.ok("search", query="WorkflowId = 'nobody'") == {
        "workflowExecutions": [],
        "nextPageToken": "",
    }


@pytest.mark.parametrize(
    "request_", [{"query": "this is no query ="}, {"query": "", "nextPageToken": "garbage"}]
)
async def test_bad_search_is_refused(scenario: Scenario, request_: dict[str, str]) -> None:
    refused(await scenario.post("search", request_), UNCATEGORIZED)
