"""Commands: when a state goes on, which message a command takes, and what execute is told of each."""

import pytest

from conformance.flows import Flow, under
from conformance.replies import (
    ALL,
    ANY,
    COMBINATION,
    FOREVER,
    await_commands,
    command_ids,
    received,
    rpc_answer,
    statuses,
)
from iwf_models import (
    CommandCombination,
    CommandRequest,
    InterStateChannelPublishing,
    KeyValue,
    SignalCommand,
    WorkflowStateStartResponse,
)
from iwf_testkit import dead_end, go_to, graceful_complete, value, wait_for

pytestmark = pytest.mark.anyio


@pytest.mark.requirement("commands.any", "commands.results-in-order")
async def test_any_goes_on_with_the_first_and_reports_all_in_order(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil",
        await_commands(ANY, timers=[("t", FOREVER)], signals=[("one", "c1"), ("two", "c2")]),
    )

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "c2", "2")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert command_ids(results) == ["t", "one", "two"]
    assert statuses(results) == ["SCHEDULED", "WAITING", "RECEIVED"]
    assert received(results) == ["2"]
    assert results is not None
    assert (results.state_wait_until_failed, results.state_start_api_succeeded) == (False, True)


@pytest.mark.requirement("commands.any", "timers.fire")
async def test_any_of_timer_and_signal_in_a_loop(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil",
        await_commands(ANY, timers=[("", 1)], signals=[("", "go")]),
        await_commands(ANY, timers=[("", FOREVER)], signals=[("", "go")]),
    )
    flow.worker.script("S1.execute", go_to("S1"), graceful_complete())

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1-2.waitUntil")
    await flow.signal(workflow_id, "go", "7")
    await flow.completed(workflow_id)

    first, second = (request.command_results for request in flow.executes("S1"))
    assert (statuses(first), statuses(second)) == (["FIRED", "WAITING"], ["SCHEDULED", "RECEIVED"])
    assert received(second) == ["7"]
    assert command_ids(first) == ["", ""]


@pytest.mark.requirement("commands.combination", "timers.skip")
async def test_combination_counts_the_ids_that_repeat(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil",
        await_commands(
            COMBINATION,
            timers=[("T", FOREVER)],
            signals=[("A", "a"), ("A", "a"), ("B", "b"), ("C", "c")],
            combinations=["TAA", "TAB"],
        ),
    )

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "a", "1", "2")
    await flow.rpc(workflow_id)
    assert flow.counts("S1.execute") == [0]
    await flow.ok("timer/skip", workflowId=workflow_id, workflowStateExecutionId="S1-1", timerCommandId="T")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["FIRED", "RECEIVED", "RECEIVED", "WAITING", "WAITING"]
    assert received(results) == ["1", "2"]


@pytest.mark.requirement("commands.combination")
async def test_combination_leaves_its_other_commands_waiting(flow: Flow) -> None:
    flow.worker.script(
        "S1.waitUntil",
        await_commands(
            COMBINATION,
            timers=[("T", FOREVER)],
            signals=[("A", "a"), ("A", "a"), ("B", "b"), ("C", "c")],
            combinations=["TA", "BA"],
        ),
    )

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "a", "1")
    await flow.signal(workflow_id, "c", "2")
    await flow.rpc(workflow_id)
    assert flow.counts("S1.execute") == [0]
    await flow.signal(workflow_id, "b", "3")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["SCHEDULED", "RECEIVED", "WAITING", "RECEIVED", "RECEIVED"]
    assert received(results) == ["1", "3", "2"]


@pytest.mark.parametrize(
    "combinations",
    [
        pytest.param([["X"]], id="an-id-that-no-command-has"),
        pytest.param([["A", "A"]], id="an-id-more-often-than-commands-have-it"),
        pytest.param([list[str]()], id="an-empty-combination"),
        pytest.param(None, id="no-combinations"),
    ],
)
@under("plain", "continued", "local")
@pytest.mark.requirement("commands.invalid-request")
async def test_invalid_combination_fails_the_attempt(
    flow: Flow, combinations: list[list[str]] | None
) -> None:
    invalid = WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=COMBINATION,
            signal_commands=[SignalCommand(command_id="A", signal_channel_name="a")],
            command_combinations=[CommandCombination(command_ids=ids) for ids in combinations or ()],
        )
    )
    flow.worker.script(
        "S1.waitUntil", invalid, await_commands(COMBINATION, signals=[("A", "a")], combinations=["A"])
    )

    workflow_id, _ = await flow.start()
    await flow.signal(workflow_id, "a", "1")
    await flow.completed(workflow_id)

    assert [request.context.attempt for request in flow.waits("S1")] == [1, 2]
    assert statuses(flow.executes("S1")[0].command_results) == ["RECEIVED"]


@pytest.mark.requirement("commands.all", "commands.oldest-message-to-first-command")
async def test_all_commands_of_one_channel_take_its_messages_in_order(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ALL, signals=[("", "c")] * 4))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.signal(workflow_id, "c", "0", "1", "2")
    await flow.rpc(workflow_id)
    assert flow.counts("S1.execute") == [0]
    await flow.signal(workflow_id, "c", "3")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["RECEIVED"] * 4
    assert received(results) == ["0", "1", "2", "3"]


@pytest.mark.requirement("commands.any-takes-all-at-hand")
async def test_any_takes_every_message_that_is_there_when_it_begins_to_wait(flow: Flow) -> None:
    flow.worker.script("S1.execute", go_to("S2"))
    flow.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    flow.worker.script("S2.waitUntil", await_commands(ANY, signals=[("", "a"), ("", "b"), ("", "a")]))

    workflow_id, _ = await flow.start()
    await flow.signal(workflow_id, "a", "1")
    await flow.signal(workflow_id, "b", "2")
    await flow.signal(workflow_id, "go", "now")
    await flow.completed(workflow_id)

    results = flow.executes("S2")[0].command_results
    assert statuses(results) == ["RECEIVED", "RECEIVED", "WAITING"]
    assert received(results) == ["1", "2"]


@pytest.mark.requirement("channels.publish-by-states")
async def test_state_takes_what_its_own_wait_until_publishes(flow: Flow) -> None:
    request = await_commands(ALL, channels=[("", "c"), ("", "c")])
    flow.worker.script(
        "S1.waitUntil",
        WorkflowStateStartResponse(
            command_request=request.command_request,
            publish_to_inter_state_channel=[
                InterStateChannelPublishing(channel_name="c", value=value("1")),
                InterStateChannelPublishing(channel_name="c"),
            ],
        ),
    )

    workflow_id, _ = await flow.start()
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["RECEIVED", "RECEIVED"]
    assert received(results) == ["1", None]


@pytest.mark.requirement("commands.message-without-value")
async def test_signal_without_value_is_an_empty_value(flow: Flow) -> None:
    flow.worker.script("S1.waitUntil", await_commands(ANY, signals=[("", "c")]))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S1.waitUntil")
    await flow.ok("signal", workflowId=workflow_id, signalChannelName="c")
    await flow.completed(workflow_id)

    results = flow.executes("S1")[0].command_results
    assert statuses(results) == ["RECEIVED"]
    assert results is not None
    assert results.signal_results is not None
    assert results.signal_results[0].signal_value is not None


@pytest.mark.requirement("commands.longest-wait-first", "continue.keeps-waiting-order")
async def test_messages_go_to_the_executions_that_have_waited_longest(flow: Flow) -> None:
    """With more than nine of them, an order by the text of their ids would be another one."""
    ids = [f"S-{number}" for number in range(1, 12)]
    flow.worker.script("S1.execute", go_to("S"))
    flow.worker.script("S.waitUntil", *(waits_and_writes(execution_id) for execution_id in ids))
    flow.worker.script("S.execute", dead_end())
    flow.worker.script("rpc.start", rpc_answer("S"))

    workflow_id, _ = await flow.start()
    for execution_id in ids:
        await flow.has_data(workflow_id, waiting=execution_id)
        if execution_id != ids[-1]:
            await flow.rpc(workflow_id, "start")
    run_id = (await flow.ok("get", workflowId=workflow_id))["workflowRunId"]
    await flow.ok("triggerContinueAsNew", workflowId=workflow_id)
    await flow.next_run(workflow_id, run_id)
    await flow.publish(workflow_id, "c", *ids)
    await flow.worker.wait_for_calls("S.execute", len(ids))

    taken = {
        request.context.state_execution_id: received(request.command_results)
        for request in flow.executes("S")
    }
    assert taken == {execution_id: [execution_id] for execution_id in ids}


def waits_and_writes(text: str) -> WorkflowStateStartResponse:
    """Waits for one message, and writes which execution waits."""
    return WorkflowStateStartResponse(
        command_request=wait_for(channels=("c",)).command_request,
        upsert_data_objects=[KeyValue(key="waiting", value=value(text))],
    )
