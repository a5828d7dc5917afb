"""Updates and locks: RPCs that lock, states that lock, and clients that wait for a state."""

import anyio
from temporalio.api.enums.v1 import EventType

from iwf_models import (
    KeyValue,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    StateDecision,
    StateMovement,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowWorkerRpcResponse,
)
from iwf_testkit import Answer, dead_end, go_to, graceful_complete, value, wait_for
from tools.histories.recording import Recorder, has
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.closing import idle

SCENARIOS = Scenarios()
LOCK = PersistenceLoadingPolicy(
    persistence_loading_type=PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK, locking_keys=["balance"]
)
LOCKING = WorkflowStateOptions(skip_wait_until=True, execute_api_data_attributes_loading_policy=LOCK)
ACCEPTED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED


def booked(amount: str) -> WorkflowWorkerRpcResponse:
    """An RPC answer that writes the attribute it has locked."""
    return WorkflowWorkerRpcResponse(
        output=value(amount), upsert_data_attributes=[KeyValue(key="balance", value=value(amount))]
    )


async def book(run: Recorder, name: str = "book", *, status: int = 200) -> None:
    """Call a locked RPC."""
    answered, body = await run.post("rpc", rpcName=name, dataAttributesLoadingPolicy=LOCK)
    if answered != status:
        raise AssertionError(f"the RPC was answered with {answered}: {body}")


@SCENARIOS.add(
    "locks-between-states", "States that lock the same attribute are executed one after the other."
)
async def between_states(run: Recorder) -> None:
    """Three of them, and one that locks nothing."""
    movements = [StateMovement(state_id="S2", state_options=LOCKING)] * 3
    run.worker.script(
        "S1.execute",
        WorkflowStateDecideResponse(
            state_decision=StateDecision(next_states=[*movements, StateMovement(state_id="S3")])
        ),
    )
    run.worker.script("S2.execute", Answer(body=dead_end(), delay_seconds=0.2))
    await run.start()
    await run.end()


@SCENARIOS.add("locked-rpc", "A locked RPC is an update that reads and writes; its decision starts a state.")
async def locked_rpc(run: Recorder) -> None:
    """One that writes and one that only answers."""
    run.worker.script("rpc.book", booked('"10"'))
    run.worker.script(
        "rpc.go",
        WorkflowWorkerRpcResponse(
            state_decision=StateDecision(next_states=[StateMovement(state_id="S2", state_options=LOCKING)])
        ),
    )
    await idle(run)
    await book(run)
    await book(run, "read")
    await book(run, "go")
    await run.worker.wait_for_calls("S2.execute")
    await run.signal("go")
    await run.end()


@SCENARIOS.add("locked-rpc-fails", "A locked RPC whose worker fails changes nothing.")
async def locked_rpc_fails(run: Recorder) -> None:
    """Then one that succeeds."""
    run.worker.script("rpc.book", Answer(status=500, body={"detail": "no", "errorType": "E"}), booked('"10"'))
    await idle(run)
    await book(run, status=420)
    await book(run)
    await run.signal("go")
    await run.end()


@SCENARIOS.add(
    "locked-rpc-several-in-one-task", "Locked RPCs that come together are made one after the other."
)
async def several_in_one_task(run: Recorder) -> None:
    """Three of them while the first one's worker is slow."""
    answered = anyio.Event()
    run.worker.script("rpc.book", Answer(body=booked('"10"'), gate=answered), booked('"20"'))
    await idle(run)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(book, run)
        await run.worker.wait_for_calls("rpc.book")
        tasks.start_soon(book, run)
        tasks.start_soon(book, run)
        # Both are offered with the task that follows the answer to this one.
        await anyio.sleep(0.3)
        answered.set()
    await run.signal("go")
    await run.end()


@SCENARIOS.add("locked-rpc-waits", "A locked RPC waits, over several tasks, until a state gives up its lock.")
async def locked_rpc_waits(run: Recorder) -> None:
    """The state is executed as an activity meanwhile."""
    answered = anyio.Event()
    run.worker.script("S1.execute", go_to("S2", options=LOCKING))
    run.worker.script("S2.execute", Answer(body=go_to("S3"), gate=answered))
    run.worker.script("S3.waitUntil", wait_for(signals=("end",)))
    run.worker.script("rpc.book", booked('"10"'))
    await run.start()
    await run.worker.wait_for_calls("S2.execute")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(book, run)
        await run.until(has(ACCEPTED))
        await run.signal("other")
        answered.set()
    await run.signal("end")
    await run.end()


@SCENARIOS.add("state-completion-awaited", "Clients wait for a state, by its execution and by a key.")
async def state_completion(run: Recorder) -> None:
    """Two updates, answered by the same task."""
    movement = StateMovement(state_id="S2", wait_for_key="order-1")
    run.worker.script(
        "S1.execute", WorkflowStateDecideResponse(state_decision=StateDecision(next_states=[movement]))
    )
    run.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    run.worker.script("S2.execute", graceful_complete('"done"'))
    await run.start()
    await run.worker.wait_for_calls("S2.waitUntil")

    async def wait(**target: object) -> None:
        await run.ok("waitForStateCompletion", waitTimeSeconds=20, **target)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: wait(stateExecutionId="S2-1"))
        tasks.start_soon(lambda: wait(stateId="S2", waitForKey="order-1"))
        await run.until(has(ACCEPTED, 2))
        await run.signal("go")
    await run.end()
