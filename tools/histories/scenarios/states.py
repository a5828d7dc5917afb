"""States: the two calls, several threads, and calls that fail."""

from iwf_models import (
    ExecuteApiFailurePolicy,
    KeyValue,
    RetryPolicy,
    WaitUntilApiFailurePolicy,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
)
from iwf_testkit import Answer, dead_end, go_to, graceful_complete, value
from tools.histories.recording import Recorder
from tools.histories.scenarios._scenario import Scenarios

SCENARIOS = Scenarios()
ONCE = RetryPolicy(maximum_attempts=1)
SKIP = WorkflowStateOptions(skip_wait_until=True)


@SCENARIOS.add(
    "states-both-calls", "A state is asked what to wait for, then executed; the next one skips that."
)
async def both_calls(run: Recorder) -> None:
    """One thread, two states."""
    run.worker.script("S1.execute", go_to("S2", data='"input"', options=SKIP))
    run.worker.script("S2.execute", graceful_complete('"done"'))
    await run.start(stateInput={"encoding": "json", "data": '"first"'})
    await run.end()


@SCENARIOS.add(
    "states-fan-out", "A decision starts several states, one of them twice; each ends its own thread."
)
async def fan_out(run: Recorder) -> None:
    """Four threads from one."""
    run.worker.script("S1.execute", go_to("S2", "S3", "S3", "S4"))
    run.worker.script("S2.execute", dead_end())
    run.worker.script("S3.execute", graceful_complete('"one of two"'))
    run.worker.script("S4.execute", go_to("S2", options=SKIP))
    await run.start()
    await run.end()


@SCENARIOS.add(
    "states-locals-and-events", "State locals go from waitUntil to execute; events are only recorded."
)
async def locals_and_events(run: Recorder) -> None:
    """Values that belong to one execution."""
    item = KeyValue(key="k", value=value('"v"'))
    run.worker.script(
        "S1.waitUntil", WorkflowStateStartResponse(upsert_state_locals=[item], record_events=[item])
    )
    run.worker.script(
        "S1.execute",
        WorkflowStateDecideResponse(
            state_decision=graceful_complete().state_decision,
            record_events=[item],
            upsert_state_locals=[item],
        ),
    )
    await run.start()
    await run.end()


@SCENARIOS.add("states-call-repeated", "A call that fails is repeated by its retry policy.")
async def call_repeated(run: Recorder) -> None:
    """Both calls fail once."""
    body = {"detail": "not now", "errorType": "busy"}
    run.worker.script("S1.waitUntil", Answer(status=500, body=body), WorkflowStateStartResponse())
    run.worker.script("S1.execute", Answer(status=503, text="later"), graceful_complete())
    await run.start()
    await run.end()


@SCENARIOS.add(
    "states-wait-until-failure-proceeds",
    "A waitUntil that fails for good lets execute go on if the state says so.",
)
async def wait_until_failure(run: Recorder) -> None:
    """One attempt, then execute."""
    options = WorkflowStateOptions(
        wait_until_api_retry_policy=ONCE,
        wait_until_api_failure_policy=WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE,
    )
    run.worker.script("S1.execute", go_to("S2", options=options))
    run.worker.script("S2.waitUntil", Answer(status=500, text="broken"))
    await run.start()
    await run.end()


@SCENARIOS.add(
    "states-execute-failure-proceeds",
    "An execute that fails for good hands over to the state that its options name.",
)
async def execute_failure(run: Recorder) -> None:
    """One attempt, then another state."""
    options = WorkflowStateOptions(
        execute_api_retry_policy=ONCE,
        execute_api_failure_policy=ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE,
        execute_api_failure_proceed_state_id="Recover",
        execute_api_failure_proceed_state_options=SKIP,
    )
    run.worker.script("S1.execute", go_to("S2", data='"kept"', options=options))
    run.worker.script("S2.execute", Answer(status=500, text="broken"))
    await run.start()
    await run.end()


@SCENARIOS.add("states-call-failure-fails", "A call that fails for good fails the workflow.")
async def call_failure(run: Recorder) -> None:
    """One attempt, and no policy."""
    run.worker.script("S1.execute", go_to("S2", options=WorkflowStateOptions(execute_api_retry_policy=ONCE)))
    run.worker.script("S2.execute", Answer(status=500, text="broken"))
    await run.start()
    await run.end("FAILED")


@SCENARIOS.add("states-call-out-of-time", "A call that takes longer than its limit counts as failed.")
async def call_out_of_time(run: Recorder) -> None:
    """An execute that never answers in time."""
    options = WorkflowStateOptions(execute_api_timeout_seconds=1, execute_api_retry_policy=ONCE)
    run.worker.script("S1.execute", go_to("S2", options=options))
    run.worker.script("S2.execute", Answer(delay_seconds=5))
    await run.start()
    await run.end("FAILED")
