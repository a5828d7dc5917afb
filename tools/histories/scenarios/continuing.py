"""Continuing as new: how the state goes over, and what causes it."""

from collections.abc import Generator
from contextlib import contextmanager

import anyio
from temporalio.api.enums.v1 import EventType

from iwf_interpreter.core import snapshot
from iwf_testkit import Answer, go_to, graceful_complete, wait_for
from tools.histories.recording import Recorder, has, is_closed
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.attributes import writing_start
from tools.histories.scenarios.updates import ACCEPTED, book, booked

SCENARIOS = Scenarios()


def limits(threshold: int, **config: object) -> dict[str, object]:
    """Start options under which a run continues as new after so many operations."""
    return {"workflowConfigOverride": {"continueAsNewThreshold": threshold, **config}}


@contextmanager
def everything_is_compressed() -> Generator[None]:
    """Let a short state be carried as a long one is."""
    plain_bytes = snapshot.PLAIN_BYTES
    setattr(snapshot, "PLAIN_BYTES", 0)  # noqa: B010  it is a constant for everybody else
    try:
        yield
    finally:
        setattr(snapshot, "PLAIN_BYTES", plain_bytes)  # noqa: B010


async def states_in_a_row(run: Recorder) -> None:
    """A state that waits goes on next to others in a row, over several runs."""
    run.worker.script("S1.waitUntil", writing_start())
    run.worker.script("S1.execute", go_to("S2", "Waits"))
    run.worker.script("Waits.waitUntil", wait_for(timers=(2,), signals=("a", "b")))
    run.worker.script("S2.execute", go_to("S3", data='"input"'))
    run.worker.script("S3.execute", graceful_complete('"done"'))


@SCENARIOS.add(
    "continue-inline", "The state goes over as text: waiting states with their timers, attributes, outputs."
)
async def inline(run: Recorder) -> None:
    """Every two operations."""
    await states_in_a_row(run)
    await run.start(workflowStartOptions=limits(2))
    await run.end()


@SCENARIOS.add("continue-compressed", "A long state goes over compressed.", limits=everything_is_compressed)
async def compressed(run: Recorder) -> None:
    """As inline."""
    await states_in_a_row(run)
    await run.start(workflowStartOptions=limits(4))
    await run.end()


@SCENARIOS.add("continue-paged", "A state that is too long for an input is read by the next run in parts.")
async def paged(run: Recorder) -> None:
    """Parts of 1 KiB."""
    await states_in_a_row(run)
    await run.start(workflowStartOptions=limits(4, continueAsNewPageSizeInBytes=1024))
    await run.end()


@SCENARIOS.add("continue-in-memo-mode", "Memo and search attributes go over too.")
async def in_memo_mode(run: Recorder) -> None:
    """As inline."""
    await states_in_a_row(run)
    await run.start(workflowStartOptions={**limits(4), "useMemoForDataAttributes": True})
    await run.end()


@SCENARIOS.add("continue-with-local-calls", "A run whose calls are made in place continues as new.")
async def with_local_calls(run: Recorder) -> None:
    """As inline."""
    await states_in_a_row(run)
    await run.start(workflowStartOptions=limits(4, optimizeActivity=True))
    await run.end()


@SCENARIOS.add(
    "continue-when-triggered", "A client lets a run continue as new, while a state waits for a message."
)
async def when_triggered(run: Recorder) -> None:
    """The message comes to the new run, another one has come to the old one."""
    run.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    first = await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("other", '"kept"')
    await run.ok("triggerContinueAsNew")
    await run.until(is_closed, first)
    await run.signal("go")
    await run.end()


@SCENARIOS.add(
    "continue-after-config-update", "A client changes the threshold of a run, which then continues as new."
)
async def after_config_update(run: Recorder) -> None:
    """From never to one operation."""
    run.worker.script("S1.waitUntil", wait_for(signals=("a",)))
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", wait_for(signals=("b",)))
    first = await run.start(workflowStartOptions=limits(0))
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("other")
    await run.ok("config/update", workflowConfig={"continueAsNewThreshold": 1})
    await run.signal("a")
    await run.until(is_closed, first)
    await run.worker.wait_for_calls("S2.waitUntil")
    await run.signal("b")
    await run.end()


@SCENARIOS.add(
    "continue-waits-for-calls",
    "A run that is to continue as new waits for its calls; messages are taken meanwhile.",
)
async def waits_for_calls(run: Recorder) -> None:
    """A state that waits, one in flight, and one that has to wait for the next run."""
    answered = anyio.Event()
    run.worker.script("S1.execute", go_to("S2", "S3"))
    run.worker.script("S2.waitUntil", wait_for(signals=("s",)))
    run.worker.script("S3.execute", Answer(body=go_to("S4"), gate=answered))
    first = await run.start()
    await run.worker.wait_for_calls("S2.waitUntil")
    await run.worker.wait_for_calls("S3.execute")
    await run.ok("triggerContinueAsNew")
    await run.signal("s")
    await run.ok("dataobjects/set", objects=[{"key": "a", "value": {"data": "1"}}])
    answered.set()
    await run.until(is_closed, first)
    await run.end()


@SCENARIOS.add("continue-sends-updates-on", "A client that waits for a state is sent on to the next run.")
async def sends_updates_on(run: Recorder) -> None:
    """A locked RPC too, after the run has continued."""
    run.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    run.worker.script("rpc.book", booked('"10"'))
    first = await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")

    async def wait() -> None:
        await run.ok("waitForStateCompletion", stateExecutionId="S1-1", waitTimeSeconds=20)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await run.until(has(ACCEPTED))
        await run.ok("triggerContinueAsNew")
        await run.until(is_closed, first)
        await run.until(has(ACCEPTED))
        await book(run)
        await run.signal("go")
    await run.end()


@SCENARIOS.add("continue-canceled-while-loading", "A run that still reads its state can be canceled.")
async def canceled_while_loading(run: Recorder) -> None:
    """As soon as the new run is there, which reads two parts."""
    await states_in_a_row(run)
    run.worker.script("S2.waitUntil", wait_for(signals=("never",)))
    first = await run.start(workflowStartOptions=limits(0, continueAsNewPageSizeInBytes=1024))
    await run.worker.wait_for_calls("S2.waitUntil")
    await run.ok("triggerContinueAsNew")
    await run.until(has(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW), first)
    await run.ok("stop", stopType="CANCEL")
    await run.end("CANCELED")
