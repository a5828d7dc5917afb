"""Starting: delays, repetitions of the whole workflow, and signals that people send by hand."""

from temporalio.api.enums.v1 import EventType

from iwf_testkit import force_fail, go_to, graceful_complete
from tools.histories.recording import Recorder, has
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.closing import idle

SCENARIOS = Scenarios()


@SCENARIOS.add("start-delayed", "A workflow begins a while after its start.")
async def delayed(run: Recorder) -> None:
    """One second."""
    await run.start(workflowStartOptions={"workflowStartDelaySeconds": 1})
    await run.end()


@SCENARIOS.add(
    "start-awaited-states", "A start of an older client names the states that somebody will wait for."
)
async def awaited_states(run: Recorder) -> None:
    """By id, and by execution."""
    await run.start(waitForCompletionStateIds=["S1"], waitForCompletionStateExecutionIds=["S1-1"])
    await run.end()


@SCENARIOS.add("workflow-repeated", "A workflow that fails is run again by its own retry policy.")
async def repeated(run: Recorder) -> None:
    """The second run completes."""
    run.worker.script("S1.execute", force_fail(), graceful_complete())
    await run.start(workflowStartOptions={"retryPolicy": {"initialIntervalSeconds": 1, "maximumAttempts": 2}})
    await run.end()


@SCENARIOS.add(
    "workflow-recurs", "A workflow with a schedule runs again and again, each time from its beginning."
)
async def recurs(run: Recorder) -> None:
    """Every second, until it is stopped in its second run."""
    await recurring(run)


@SCENARIOS.add(
    "workflow-recurs-and-continues",
    "A recurring workflow whose runs continue as new begins anew all the same.",
)
async def recurs_and_continues(run: Recorder) -> None:
    """After the first of two states."""
    run.worker.script("S1.execute", go_to("S2"))
    await recurring(run, workflowConfigOverride={"continueAsNewThreshold": 2})


async def recurring(run: Recorder, **options: object) -> None:
    """Let a workflow run twice."""
    await run.start(workflowTimeoutSeconds=0, workflowStartOptions={"cronSchedule": "@every 1s", **options})
    await run.worker.wait_for_calls("S1.execute", 2)
    await run.ok("stop", stopType="TERMINATE")


@SCENARIOS.add("signals-by-hand", "Signals that make no sense are kept as messages, or ignored.")
async def signals_by_hand(run: Recorder) -> None:
    """A message that is no value, one without a body, and system signals."""
    await idle(run)
    await run.signal_by_hand("free", b'"just text"')
    await run.signal_by_hand("empty", None)
    await run.signal_by_hand("__IwfSystem_Unknown", b"1")
    await run.signal_by_hand("__IwfSystem_SkipTimerChannel", b'"no object"')
    await run.signal_by_hand("__IwfSystem_ExecuteRpc", b'{"upsertdataobjects": [{"key": "a"}]}')
    await run.until(has(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, 5))
    await run.signal_by_hand("__IwfSystem_FailWorkflowChannel", b'{"reason": "enough"}')
    await run.end("FAILED")
