"""Calls that are first made in place, and what meets them."""

import anyio

from iwf_interpreter.loop.options import LoopOptions
from iwf_models import RetryPolicy, WorkflowStateOptions
from iwf_testkit import Answer, dead_end, go_to, graceful_complete, wait_for
from tools.histories.recording import Recorder
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.attributes import writing_end, writing_start
from tools.histories.scenarios.updates import LOCKING, book, booked

SCENARIOS = Scenarios()
IN_PLACE = {"workflowConfigOverride": {"optimizeActivity": True}}
IMPATIENT = LoopOptions(
    workflow_task_pollers=2, activity_task_pollers=2, heartbeat_seconds=0.5, impatient_seconds=0.5
)


@SCENARIOS.add(
    "local-calls", "Calls are made in place, several states in one task; the index is written once."
)
async def calls_in_place(run: Recorder) -> None:
    """Two threads, with attributes."""
    run.worker.script("S1.waitUntil", writing_start())
    run.worker.script("S1.execute", go_to("S2", "S3"))
    run.worker.script("S2.execute", dead_end())
    run.worker.script("S3.waitUntil", wait_for(timers=(1,)))
    run.worker.script("S3.execute", writing_end())
    await run.start(workflowStartOptions=IN_PLACE)
    await run.end()


@SCENARIOS.add(
    "local-call-fails", "A call that fails in place is handed to the engine, with its attempt counted."
)
async def call_fails(run: Recorder) -> None:
    """Both calls."""
    run.worker.script("S1.waitUntil", Answer(status=500, text="broken"), Answer(body={}))
    run.worker.script("S1.execute", Answer(drop=True), Answer(status=501), graceful_complete())
    await run.start(workflowStartOptions=IN_PLACE)
    await run.end()


@SCENARIOS.add("local-call-fails-for-good", "A call whose one attempt was made in place is not repeated.")
async def call_fails_for_good(run: Recorder) -> None:
    """The policy allows one attempt."""
    options = WorkflowStateOptions(
        skip_wait_until=True, execute_api_retry_policy=RetryPolicy(maximum_attempts=1)
    )
    run.worker.script("S1.execute", Answer(status=500, text="broken"))
    await run.start(workflowStartOptions=IN_PLACE, stateOptions=options)
    await run.end("FAILED")


@SCENARIOS.add("local-call-out-of-time", "A call that runs out of time in place is made as an activity.")
async def call_out_of_time(run: Recorder) -> None:
    """Its limit is a second, and the second attempt answers at once."""
    options = WorkflowStateOptions(skip_wait_until=True, execute_api_timeout_seconds=1)
    run.worker.script("S1.execute", Answer(delay_seconds=3), graceful_complete())
    await run.start(workflowStartOptions=IN_PLACE, stateOptions=options)
    await run.end()


@SCENARIOS.add(
    "local-call-over-several-tasks",
    "A task is answered while a long call goes on in place, and the next one waits for it.",
    loop=IMPATIENT,
)
async def call_over_several_tasks(run: Recorder) -> None:
    """Three states, one of which answers after a while."""
    run.worker.script("S1.execute", go_to("S2", "S3"))
    run.worker.script("S2.waitUntil", writing_start())
    run.worker.script("S2.execute", Answer(body=dead_end(), delay_seconds=1.2))
    run.worker.script("S3.execute", Answer(body=graceful_complete(), delay_seconds=0.2))
    await run.start(workflowStartOptions=IN_PLACE)
    await run.end()


@SCENARIOS.add(
    "local-call-and-signal",
    "A signal comes while a call is made in place; the call is made once.",
    loop=IMPATIENT,
)
async def call_and_signal(run: Recorder) -> None:
    """While the last call of the run is in flight."""
    signalled = anyio.Event()
    run.worker.script("S1.waitUntil", wait_for(timers=(0,), signals=("s",)))
    run.worker.script("S1.execute", Answer(body=go_to("S2"), gate=signalled))
    run.worker.script("S2.waitUntil", wait_for(signals=("s",)))
    await run.start(workflowStartOptions=IN_PLACE)
    await run.worker.wait_for_calls("S1.execute")
    await run.signal("s")
    signalled.set()
    await run.end()


@SCENARIOS.add(
    "local-call-close-refused",
    "The engine refuses the end of a run that has not seen a signal; no call is repeated.",
)
async def close_refused(run: Recorder) -> None:
    """The signal comes while the closing call is made in place."""
    signalled = anyio.Event()
    run.worker.script("S1.execute", Answer(body=graceful_complete(), gate=signalled))
    await run.start(workflowStartOptions=IN_PLACE)
    await run.worker.wait_for_calls("S1.execute")
    await run.signal("s")
    signalled.set()
    await run.end()


@SCENARIOS.add(
    "local-call-and-locked-rpc",
    "A locked RPC comes while a state that holds the lock is executed in place.",
    loop=IMPATIENT,
)
async def call_and_locked_rpc(run: Recorder) -> None:
    """Both are made in place, one after the other."""
    run.worker.script("S1.execute", Answer(body=go_to("S2"), delay_seconds=0.8))
    run.worker.script("S2.waitUntil", wait_for(signals=("end",)))
    run.worker.script("rpc.book", booked('"10"'))
    await run.start(workflowStartOptions=IN_PLACE, stateOptions=LOCKING)
    await run.worker.wait_for_calls("S1.execute")
    await book(run)
    await run.signal("end")
    await run.end()
