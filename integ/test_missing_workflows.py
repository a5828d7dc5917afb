"""What every endpoint says of workflows that are not there, or closed."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

import pytest

from scenario import (
    NOT_EXISTS,
    Scenario,
    closed,
    refused,
)

pytestmark = pytest.mark.anyio


ON_A_WORKFLOW = {
    "signal": {"signalChannelName": "c"},
    "publishToInternalChannel": {},
    "get": {},
    "getWithWait": {},
    "stop": {},
    "rpc": {"rpcName": "r"},
    "dataobjects/get": {},
    "dataobjects/set": {},
    "searchattributes/get": {},
    "searchattributes/set": {},
}


@pytest.mark.parametrize("path", ON_A_WORKFLOW)
@pytest.mark.parametrize("run_id", ["", "01940000-0000-7000-8000-000000000000", "not-a-run-id"])
async def test_unknown_workflow_or_run_does_not_exist(scenario: Scenario, path: str, run_id: str) -> None:
    request = {"workflowId": scenario.new_id(), "workflowRunId": run_id, **ON_A_WORKFLOW[path]}

    refused(await scenario.post(path, request), NOT_EXISTS)


@pytest.mark.parametrize("path", ON_A_WORKFLOW)
@pytest.mark.parametrize("workflow_id", ["", None])
async def test_missing_workflow_id_is_said_in_the_words_clients_know(
    scenario: Scenario, path: str, workflow_id: str | None
) -> None:
    reply = await scenario.post(path, {"workflowId": workflow_id, **ON_A_WORKFLOW[path]})

    refused(reply, NOT_EXISTS)
    assert reply.body["detail"] == "WorkflowId is not set on request."


@pytest.mark.parametrize(
    "path", ["signal", "publishToInternalChannel", "dataobjects/set", "searchattributes/set"]
)
async def test_writing_to_a_closed_workflow_is_refused(scenario: Scenario, path: str) -> None:
    workflow_id = await closed(scenario)

    refused(await scenario.post(path, {"workflowId": workflow_id, **ON_A_WORKFLOW[path]}), NOT_EXISTS)
