"""Attributes: data, search attributes, memo mode, and the ids of executing states."""

from typing import Any

from iwf_models import (
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    StateDecision,
    StateMovement,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import go_to, graceful_complete, value, wait_for
from tools.histories.recording import Recorder
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.closing import idle

SCENARIOS = Scenarios()
SKIP = WorkflowStateOptions(skip_wait_until=True)


def data(key: str, text: str | None) -> KeyValue:
    """A data attribute."""
    return KeyValue(key=key, value=None if text is None else value(text))


def search(key: str, kind: SearchAttributeValueType, **fields: Any) -> SearchAttribute:
    """A search attribute."""
    return SearchAttribute(key=key, value_type=kind, **fields)


KEYWORD = search("CustomKeywordField", SearchAttributeValueType.KEYWORD, string_value="one")
NUMBER = search("CustomIntField", SearchAttributeValueType.INT, integer_value=7)


def writing_start() -> WorkflowStateStartResponse:
    """A waitUntil answer that writes both kinds."""
    return WorkflowStateStartResponse(
        upsert_data_objects=[data("a", '"1"'), data("b", '"2"')],
        upsert_search_attributes=[
            KEYWORD,
            search(
                "CustomDatetimeField",
                SearchAttributeValueType.DATETIME,
                string_value="2024-11-12T18:00:01.731455544-08:00",
            ),
        ],
    )


def writing_end() -> WorkflowStateDecideResponse:
    """An execute answer that writes both kinds, and clears some."""
    return WorkflowStateDecideResponse(
        state_decision=graceful_complete().state_decision,
        upsert_data_objects=[data("a", '"3"'), data("b", None)],
        upsert_search_attributes=[
            search("CustomKeywordField", SearchAttributeValueType.KEYWORD),
            search(
                "CustomKeywordArrayField",
                SearchAttributeValueType.KEYWORD_ARRAY,
                string_array_value=["x", "y"],
            ),
        ],
    )


@SCENARIOS.add("attributes-written-by-states", "States write, replace and clear data and search attributes.")
async def written_by_states(run: Recorder) -> None:
    """With some from the start."""
    run.worker.script("S1.waitUntil", writing_start())
    run.worker.script("S1.execute", writing_end())
    await run.start(workflowStartOptions={"dataAttributes": [data("a", '"0"')], "searchAttributes": [NUMBER]})
    await run.end()


@SCENARIOS.add("attributes-written-by-clients", "Clients write attributes of a workflow that waits.")
async def written_by_clients(run: Recorder) -> None:
    """The second write of the index changes nothing."""
    await idle(run)
    await run.ok("dataobjects/set", objects=[data("a", '"1"')])
    await run.ok("searchattributes/set", searchAttributes=[KEYWORD, NUMBER])
    await run.ok("searchattributes/set", searchAttributes=[NUMBER])
    await run.signal("go")
    await run.end()


@SCENARIOS.add("attributes-in-memo", "In memo mode data attributes are written to the memo.")
async def in_memo(run: Recorder) -> None:
    """From the start, by both calls and by a client."""
    run.worker.script("S1.waitUntil", writing_start())
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    run.worker.script("S2.execute", writing_end())
    await run.start(
        workflowStartOptions={"useMemoForDataAttributes": True, "dataAttributes": [data("a", '"0"')]}
    )
    await run.worker.wait_for_calls("S2.waitUntil")
    await run.ok("dataobjects/set", objects=[data("c", '"4"')])
    await run.signal("go")
    await run.end()


@SCENARIOS.add("rpc-writes", "An RPC writes attributes, publishes and starts a state, all at once.")
async def rpc_writes(run: Recorder) -> None:
    """While a state waits."""
    run.worker.script(
        "rpc.write",
        WorkflowWorkerRpcResponse(
            output=value('"output"'),
            upsert_data_attributes=[data("a", '"1"')],
            upsert_search_attributes=[KEYWORD],
            state_decision=StateDecision(next_states=[StateMovement(state_id="S2", state_options=SKIP)]),
            record_events=[data("event", '"e"')],
        ),
    )
    await idle(run)
    await run.ok("rpc", rpcName="write", input=value('"input"'))
    await run.worker.wait_for_calls("S2.execute")
    await run.signal("go")
    await run.end()


@SCENARIOS.add("rpc-starts-first-state", "A workflow without a state waits until an RPC starts one.")
async def rpc_starts_first_state(run: Recorder) -> None:
    """Nothing but the RPC."""
    movement = StateMovement(state_id="S1", state_options=SKIP)
    run.worker.script(
        "rpc.begin", WorkflowWorkerRpcResponse(state_decision=StateDecision(next_states=[movement]))
    )
    await run.start(state_id=None)
    await run.ok("rpc", rpcName="begin")
    await run.end()


async def executing_states(run: Recorder, **config: object) -> None:
    """Two states side by side, one of them without waitUntil, then a third."""
    run.worker.script(
        "S1.execute",
        WorkflowStateDecideResponse(
            state_decision=StateDecision(
                next_states=[StateMovement(state_id="S2"), StateMovement(state_id="S3", state_options=SKIP)]
            )
        ),
    )
    run.worker.script("S2.waitUntil", wait_for(timers=(1,)))
    run.worker.script("S3.execute", go_to("S4"))
    await run.start(workflowStartOptions={"workflowConfigOverride": config})
    await run.end()


@SCENARIOS.add("executing-states-all", "The index shows every executing state.")
async def all_states(run: Recorder) -> None:
    """Mode ENABLED_FOR_ALL."""
    await executing_states(run, executingStateIdMode="ENABLED_FOR_ALL")


@SCENARIOS.add("executing-states-with-wait-until", "The index shows executing states that have a waitUntil.")
async def states_with_wait_until(run: Recorder) -> None:
    """Mode ENABLED_FOR_STATES_WITH_WAIT_UNTIL."""
    await executing_states(run, executingStateIdMode="ENABLED_FOR_STATES_WITH_WAIT_UNTIL")


@SCENARIOS.add("executing-states-disabled", "The index shows no executing states.")
async def no_states(run: Recorder) -> None:
    """Mode DISABLED."""
    await executing_states(run, executingStateIdMode="DISABLED")


@SCENARIOS.add("executing-states-kept", "The index keeps the executing states of a completed workflow.")
async def kept_states(run: Recorder) -> None:
    """Mode ENABLED_FOR_ALL, kept on close."""
    await executing_states(run, executingStateIdMode="ENABLED_FOR_ALL", keepExecutingStateIdsOnClose=True)
