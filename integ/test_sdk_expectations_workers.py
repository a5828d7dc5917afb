"""What worker libraries need from the server's requests, looked at as JSON.

The tests name the lines of `docs/compatibility.md` that they show, by letter and number.
"""

from typing import Any

import pytest

from raw_worker import RawAnswer, RawWorker
from scenario import Scenario, has_null

pytestmark = pytest.mark.anyio

BEYOND_DOUBLES = 2**53 + 1

INT = {"key": "CustomIntField", "valueType": "INT", "integerValue": BEYOND_DOUBLES}
KEYWORD = {"key": "CustomKeywordField", "valueType": "KEYWORD", "stringValue": "k"}

WAITS: dict[str, Any] = {
    "commandRequest": {
        "commandWaitingType": "ANY_COMPLETED",
        "timerCommands": [{"durationSeconds": 3600}],
        "signalCommands": [{"signalChannelName": "go"}, {"signalChannelName": "never"}],
        "interStateChannelCommands": [{"channelName": "never"}, {"channelName": "self"}],
    },
    "publishToInterStateChannel": [{"channelName": "self"}],
    "upsertStateLocals": [{"key": "l", "value": {}}],
}


async def requests_of_a_workflow(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """One request of each kind, of a workflow without input whose attributes have no values."""
    async with RawWorker() as worker:
        worker.script("waitUntil S1", WAITS)
        options = {
            "dataAttributes": [{"key": "d"}, {"key": "e", "value": {"data": "1"}}],
            "searchAttributes": [INT, KEYWORD],
        }
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url, workflowStartOptions=options)
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")
        await scenario.result(workflow_id)
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="r")
        return {key: request for key, (request,) in worker.requests.items()}


@pytest.mark.requirement("sdk.worker-names")
async def test_each_request_spells_data_attributes_in_its_own_way(scenario: Scenario) -> None:
    """W1."""
    requests = await requests_of_a_workflow(scenario)

    attributes = [{"key": "d"}, {"key": "e", "value": {"data": "1"}}]
    names = {"dataObjects", "DataObjects", "dataAttributes"}
    assert {key: {*request} & names for key, request in requests.items()} == {
        "waitUntil S1": {"dataObjects"},
        "execute S1": {"DataObjects"},
        "rpc r": {"dataAttributes"},
    }
    assert requests["execute S1"]["DataObjects"] == attributes


@pytest.mark.requirement("sdk.both-outcomes")
@pytest.mark.parametrize("fails", [False, True])
async def test_execute_is_told_of_wait_until_in_both_words(scenario: Scenario, fails: bool) -> None:
    """W2: current SDKs read one field, old ones the other."""
    async with RawWorker() as worker:
        if fails:
            worker.script("waitUntil S1", RawAnswer(status=500, text="no"))
        options = {
            "waitUntilApiRetryPolicy": {"maximumAttempts": 1},
            "waitUntilApiFailurePolicy": "PROCEED_ON_FAILURE",
        }
        workflow_id, _ = await scenario.start(iwfWorkerUrl=worker.url, stateOptions=options)
        await scenario.result(workflow_id)

        (request,) = worker.requests["execute S1"]
        assert request["commandResults"] == {
            "stateWaitUntilFailed": fails,
            "stateStartApiSucceeded": not fails,
        }


@pytest.mark.requirement("sdk.command-ids")
async def test_results_of_commands_without_id_have_an_empty_one(scenario: Scenario) -> None:
    """W3, and the statuses that go with it."""
    requests = await requests_of_a_workflow(scenario)

    results = requests["execute S1"]["commandResults"]
    taken = {"commandId": "", "signalChannelName": "go", "signalRequestStatus": "RECEIVED"}
    assert results["timerResults"] == [{"commandId": "", "timerStatus": "SCHEDULED"}]
    assert [entry["commandId"] for entry in results["signalResults"]] == ["", ""]
    assert [entry["commandId"] for entry in results["interStateChannelResults"]] == ["", ""]
    assert results["signalResults"][0] in (
        {**taken, "signalValue": {}},
        {**taken, "signalRequestStatus": "WAITING"},
    )


@pytest.mark.requirement("sdk.channel-infos")
async def test_rpc_gets_both_channel_maps_even_when_empty(scenario: Scenario) -> None:
    """W4."""
    async with RawWorker() as worker:
        workflow_id, _ = await scenario.start(None, None, iwfWorkerUrl=worker.url)
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="r")
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="c")
        await scenario.ok("rpc", workflowId=workflow_id, rpcName="r")

        empty, filled = worker.requests["rpc r"]
        assert (empty["signalChannelInfos"], empty["internalChannelInfos"]) == ({}, {})
        assert (filled["signalChannelInfos"], filled["internalChannelInfos"]) == ({"c": {"size": 1}}, {})


@pytest.mark.requirement("sdk.no-nulls-to-workers")
async def test_no_request_holds_a_null(scenario: Scenario) -> None:
    """W5: whatever was left out or null on the way in."""
    requests = await requests_of_a_workflow(scenario)

    assert sorted(requests) == ["execute S1", "rpc r", "waitUntil S1"]
    assert [key for key, request in requests.items() if has_null(request)] == []


@pytest.mark.requirement("sdk.known-search-attributes")
async def test_workers_see_the_users_search_attributes_with_their_types_and_no_others(
    scenario: Scenario,
) -> None:
    """W6, and W10 for their numbers: beyond what a double can hold."""
    requests = await requests_of_a_workflow(scenario)

    for request in requests.values():
        assert request["searchAttributes"] == [INT, KEYWORD]


@pytest.mark.requirement("sdk.context")
async def test_context_says_which_workflow_and_which_attempt(scenario: Scenario) -> None:
    """W8 and W9."""
    requests = await requests_of_a_workflow(scenario)

    for key, request in requests.items():
        context = request["context"]
        names = {"workflowId", "workflowRunId", "workflowStartedTimestamp"}
        if not key.startswith("rpc"):
            names |= {"stateExecutionId", "attempt", "firstAttemptTimestamp"}
            assert context["stateExecutionId"] == "S1-1"
            assert context["attempt"] == 1
            assert context["firstAttemptTimestamp"] >= context["workflowStartedTimestamp"] > 0
        assert context.keys() == names
        assert request["workflowType"] == "Test"


@pytest.mark.requirement("sdk.whole-numbers")
async def test_whole_numbers_are_written_as_such(scenario: Scenario) -> None:
    """W10: neither strings nor floats, to workers and to clients."""
    async with RawWorker() as worker:
        workflow_id, _ = await scenario.start(
            iwfWorkerUrl=worker.url, workflowStartOptions={"searchAttributes": [INT]}
        )
        await scenario.result(workflow_id)
        read = await scenario.ok("searchattributes/get", workflowId=workflow_id)

        (request,) = worker.requests["execute S1"]
        assert read == {"searchAttributes": [INT]}
        assert request["searchAttributes"] == [INT]
        for name in ("workflowStartedTimestamp", "firstAttemptTimestamp", "attempt"):
            assert type(request["context"][name]) is int
