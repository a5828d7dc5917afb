"""Workflows from start to end on a real engine."""

# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportOptionalSubscript=false
# pyright: reportOptionalIterable=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportGeneralTypeIssues=false
# Which kind of request a call carries, and which of its fields are set, is what each test's script fixes.

from typing import Any

import anyio
import pytest

from iwf_models import CommandWaitingType
from iwf_testkit import (
    Answer,
    dead_end,
    force_complete,
    force_fail,
    go_to,
    graceful_complete,
    wait_for,
)
from scenario import Scenario

pytestmark = pytest.mark.anyio


def outputs(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (item["completedStateExecutionId"], item["completedStateOutput"]["data"])
        for item in result.get("results", [])
    ]


async def test_two_states_complete_with_the_output_of_the_last(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("S2", data="1"))
    scenario.worker.script("S2.execute", graceful_complete("2"))

    workflow_id, run_id = await scenario.start(stateInput={"encoding": "json", "data": "0"})
    result = await scenario.result(workflow_id)

    assert result == {
        "workflowRunId": run_id,
        "workflowStatus": "COMPLETED",
        "results": [
            {
                "completedStateId": "S2",
                "completedStateExecutionId": "S2-1",
                "completedStateOutput": {"encoding": "json", "data": "2"},
            }
        ],
    }
    assert [call.key for call in scenario.worker.calls] == [
        "S1-1.waitUntil",
        "S1-1.execute",
        "S2-1.waitUntil",
        "S2-1.execute",
    ]


async def test_context_names_run_start_and_attempt(scenario: Scenario) -> None:
    workflow_id, run_id = await scenario.start()
    await scenario.result(workflow_id)

    for call in scenario.worker.calls:
        context = call.request.context
        assert (context.workflow_id, context.workflow_run_id) == (workflow_id, run_id)
        assert context.attempt == 1
        assert (context.first_attempt_timestamp or 0) > 0
        assert context.workflow_started_timestamp > 0


async def test_parallel_states_all_add_their_outputs(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("A", "B", "C"))
    for state_id in "ABC":
        scenario.worker.script(f"{state_id}.execute", graceful_complete(state_id))

    workflow_id, _ = await scenario.start()
    result = await scenario.result(workflow_id)

    assert sorted(outputs(result)) == [("A-1", "A"), ("B-1", "B"), ("C-1", "C")]


async def test_graceful_request_survives_a_dead_end(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("A", "B"))
    scenario.worker.script("A.execute", graceful_complete("A"))
    scenario.worker.script("B.waitUntil", wait_for(signals=("go",)))
    scenario.worker.script("B.execute", dead_end())

    workflow_id, _ = await scenario.start()
    await scenario.worker.wait_for_calls("A.execute")
    await scenario.ok("signal", workflowId=workflow_id, signalChannelName="go")

    assert outputs(await scenario.result(workflow_id)) == [("A-1", "A")]


async def test_force_completion_ends_the_workflow_at_once(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("A", "B"))
    scenario.worker.script("A.execute", force_complete("A"))
    scenario.worker.script("B.waitUntil", wait_for(timers=(3600,)))

    workflow_id, _ = await scenario.start()

    assert outputs(await scenario.result(workflow_id)) == [("A-1", "A")]


async def test_force_failure_fails_with_results_and_without_a_message(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", force_fail("bad"))

    workflow_id, run_id = await scenario.start()

    assert await scenario.result(workflow_id) == {
        "workflowRunId": run_id,
        "workflowStatus": "FAILED",
        "errorType": "STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE",
        "results": [
            {
                "completedStateId": "S1",
                "completedStateExecutionId": "S1-1",
                "completedStateOutput": {"encoding": "json", "data": "bad"},
            }
        ],
    }


async def test_force_failure_without_output_has_no_results(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", force_fail())

    workflow_id, _ = await scenario.start()

    assert "results" not in await scenario.result(workflow_id)


async def test_contradictory_decision_fails_the_workflow(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("_SYS_FORCE_FAILING_WORKFLOW", "S2"))

    workflow_id, _ = await scenario.start()
    result = await scenario.result(workflow_id)

    assert result["errorType"] == "INVALID_USER_WORKFLOW_CODE_ERROR_TYPE"
    assert "_SYS_FORCE_FAILING_WORKFLOW" in result["errorMessage"]


async def test_timer_against_signal(scenario: Scenario) -> None:
    scenario.worker.script(
        "S1.waitUntil", wait_for(timers=(1,), signals=("go",)), wait_for(timers=(3600,), signals=("go",))
    )
    scenario.worker.script("S1.execute", go_to("S1"), graceful_complete())

    workflow_id, _ = await scenario.start()
    await scenario.worker.wait_for_calls("S1.execute", 1)
    await scenario.ok(
        "signal",
        workflowId=workflow_id,
        signalChannelName="go",
        signalValue={"encoding": "json", "data": "7"},
    )
    await scenario.result(workflow_id)

    results = [call.request.command_results for call in scenario.worker.calls_of("S1.execute")]
    shown = [
        (result.timer_results[0].timer_status, result.signal_results[0].signal_request_status)
        for result in results
    ]
    assert shown == [("FIRED", "WAITING"), ("SCHEDULED", "RECEIVED")]
    assert results[1].signal_results[0].signal_value.data == "7"


async def test_internal_channel_joins_parallel_states(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", go_to("Consumer", "Producer"))
    scenario.worker.script(
        "Consumer.waitUntil", wait_for(channels=("c", "c"), waiting_type=CommandWaitingType.ALL_COMPLETED)
    )
    scenario.worker.script("Consumer.execute", graceful_complete("done"))
    scenario.worker.script(
        "Producer.execute",
        Answer(
            body={
                "stateDecision": {"nextStates": [{"stateId": "_SYS_DEAD_END"}]},
                "publishToInterStateChannel": [
                    {"channelName": "c", "value": {"data": "1"}},
                    {"channelName": "c"},
                ],
            }
        ),
    )

    workflow_id, _ = await scenario.start()
    assert outputs(await scenario.result(workflow_id)) == [("Consumer-1", "done")]

    (call,) = scenario.worker.calls_of("Consumer.execute")
    first, second = call.request.command_results.inter_state_channel_results
    assert (first.value.data, second.value, second.request_status) == ("1", None, "RECEIVED")


async def test_conditional_close_sees_signals_that_came_meanwhile(scenario: Scenario) -> None:
    everything_sent = anyio.Event()
    close = {
        "stateDecision": {
            "nextStates": [{"stateId": "S1"}],
            "conditionalClose": {
                "conditionalCloseType": "FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY",
                "channelName": "c",
                "closeInput": {"data": "closed"},
            },
        }
    }
    scenario.worker.script("S1.waitUntil", wait_for(signals=("c",)))
    scenario.worker.script("S1.execute", Answer(body=close, gate=everything_sent))

    workflow_id, _ = await scenario.start()
    for data in "123":
        await scenario.ok("signal", workflowId=workflow_id, signalChannelName="c", signalValue={"data": data})
    everything_sent.set()
    result = await scenario.result(workflow_id)

    taken = [
        call.request.command_results.signal_results[0].signal_value.data
        for call in scenario.worker.calls_of("S1.execute")
    ]
    assert taken == ["1", "2", "3"]
    assert outputs(result) == [("S1-3", "closed")]


async def test_failing_worker_is_asked_again_and_sees_the_attempt(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", Answer(status=500, text="broken"), graceful_complete())

    workflow_id, _ = await scenario.start(stateOptions={"skipWaitUntil": True})
    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"

    first, second = scenario.worker.calls_of("S1.execute")
    assert (first.request.context.attempt, second.request.context.attempt) == (1, 2)
    assert first.request.context.first_attempt_timestamp == second.request.context.first_attempt_timestamp


async def test_worker_that_fails_for_good_fails_the_workflow_with_its_body(scenario: Scenario) -> None:
    scenario.worker.script(
        "S1.waitUntil", Answer(status=400, text="no such thing", content_type="text/plain")
    )

    workflow_id, _ = await scenario.start(stateOptions={"waitUntilApiRetryPolicy": {"maximumAttempts": 1}})
    result = await scenario.result(workflow_id)

    assert result["errorType"] == "STATE_API_FAIL_ERROR_TYPE"
    assert result["errorMessage"].startswith(
        "statusCode: 400, responseBody: no such thing, errMsg: 400 Bad Request"
    )


async def test_attempt_that_runs_out_of_time_is_reported_in_the_engines_words(scenario: Scenario) -> None:
    scenario.worker.script("S1.waitUntil", Answer(delay_seconds=5))

    workflow_id, _ = await scenario.start(
        stateOptions={"waitUntilApiTimeoutSeconds": 1, "waitUntilApiRetryPolicy": {"maximumAttempts": 1}}
    )
    result = await scenario.result(workflow_id)

    assert result["errorType"] == "STATE_API_FAIL_ERROR_TYPE"
    assert result["errorMessage"].startswith("activity error ")
    assert "activity StartToClose timeout" in result["errorMessage"]


async def test_invalid_answer_is_a_failed_attempt(scenario: Scenario) -> None:
    scenario.worker.script(
        "S1.waitUntil",
        Answer(body={"commandRequest": {"signalCommands": [{"signalChannelName": "c"}]}}),
        Answer(body={}),
    )

    workflow_id, _ = await scenario.start()

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"
    assert len(scenario.worker.calls_of("S1.waitUntil")) == 2


async def test_failed_wait_until_proceeds_to_execute(scenario: Scenario) -> None:
    scenario.worker.script("S1.waitUntil", Answer(status=500))

    workflow_id, _ = await scenario.start(
        stateOptions={
            "waitUntilApiRetryPolicy": {"maximumAttempts": 1},
            "waitUntilApiFailurePolicy": "PROCEED_ON_FAILURE",
        }
    )

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"
    (call,) = scenario.worker.calls_of("S1.execute")
    results = call.request.command_results
    assert (results.state_wait_until_failed, results.state_start_api_succeeded) == (True, False)


async def test_failed_execute_proceeds_to_the_recovery_state(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", Answer(status=500))
    scenario.worker.script("Recover.execute", graceful_complete("recovered"))

    workflow_id, _ = await scenario.start(
        stateInput={"data": "in"},
        stateOptions={
            "executeApiRetryPolicy": {"maximumAttempts": 1},
            "executeApiFailurePolicy": "PROCEED_TO_CONFIGURED_STATE",
            "executeApiFailureProceedStateId": "Recover",
        },
    )

    assert outputs(await scenario.result(workflow_id)) == [("Recover-1", "recovered")]
    (call,) = scenario.worker.calls_of("Recover.execute")
    assert call.request.state_input.data == "in"


async def test_dropped_connection_is_a_failed_attempt(scenario: Scenario) -> None:
    scenario.worker.script("S1.execute", Answer(drop=True), graceful_complete())

    workflow_id, _ = await scenario.start(stateOptions={"skipWaitUntil": True})

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"


async def test_java_style_nulls_everywhere_are_accepted(scenario: Scenario) -> None:
    nothing = {"upsertSearchAttributes": None, "upsertDataObjects": None, "publishToInterStateChannel": None}
    scenario.worker.script("S1.waitUntil", Answer(body={**nothing, "commandRequest": None}))
    scenario.worker.script(
        "S1.execute",
        Answer(
            body={
                **nothing,
                "stateDecision": {
                    "conditionalClose": None,
                    "nextStates": [
                        {
                            "stateId": "_SYS_GRACEFUL_COMPLETING_WORKFLOW",
                            "stateInput": None,
                            "stateOptions": None,
                        }
                    ],
                },
            }
        ),
    )

    workflow_id, _ = await scenario.start(
        stateInput=None, stateOptions=None, workflowStartOptions={"cronSchedule": None, "retryPolicy": None}
    )

    assert (await scenario.result(workflow_id))["workflowStatus"] == "COMPLETED"


async def test_data_attributes_and_locals_travel_between_calls(scenario: Scenario) -> None:
    scenario.worker.script(
        "S1.waitUntil",
        Answer(
            body={
                "upsertDataObjects": [{"key": "d", "value": {"data": "1"}}],
                "upsertStateLocals": [{"key": "l", "value": {"data": "2"}}],
                "upsertSearchAttributes": [
                    {"key": "CustomIntField", "valueType": "INT", "integerValue": 2**53 + 1}
                ],
            }
        ),
    )

    workflow_id, _ = await scenario.start()
    await scenario.result(workflow_id)

    (call,) = scenario.worker.calls_of("S1.execute")
    assert [(item.key, item.value.data) for item in call.request.data_objects] == [("d", "1")]
    assert [(item.key, item.value.data) for item in call.request.state_locals] == [("l", "2")]
    assert [item.integer_value for item in call.request.search_attributes] == [2**53 + 1]


async def test_unregistered_search_attribute_fails_the_call_and_not_the_run(scenario: Scenario) -> None:
    bad = {"upsertSearchAttributes": [{"key": "Nowhere", "valueType": "INT", "integerValue": 1}]}
    scenario.worker.script("S1.waitUntil", Answer(body=bad))

    workflow_id, _ = await scenario.start(stateOptions={"waitUntilApiRetryPolicy": {"maximumAttempts": 1}})
    result = await scenario.result(workflow_id)

    assert result["errorType"] == "STATE_API_FAIL_ERROR_TYPE"
    assert "Nowhere" in result["errorMessage"]
