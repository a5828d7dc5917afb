"""Closing: by decisions, under conditions, by clients, and by time."""

from typing import Any

from iwf_models import (
    StateDecision,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
)
from iwf_testkit import dead_end, force_complete, force_fail, go_to, graceful_complete, value, wait_for
from tools.histories.recording import Recorder, is_closed
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.waiting import ALL, publish

SCENARIOS = Scenarios()


def close_if(
    kind: WorkflowConditionalCloseType, channel: str | None, otherwise: str
) -> WorkflowStateDecideResponse:
    """An execute answer that closes the workflow when channels are empty, or goes to a state."""
    return WorkflowStateDecideResponse(
        state_decision=StateDecision(
            conditional_close=WorkflowConditionalClose(
                conditional_close_type=kind, channel_name=channel, close_input=value('"closed"')
            ),
            next_states=[StateMovement(state_id=otherwise)],
        )
    )


async def idle(run: Recorder, **fields: Any) -> None:
    """Start a workflow that waits for the signal "go"."""
    run.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    await run.start(**fields)
    await run.worker.wait_for_calls("S1.waitUntil")


@SCENARIOS.add("close-graceful", "A graceful completion waits for the other threads, dead ends included.")
async def graceful(run: Recorder) -> None:
    """Two outputs and a dead end."""
    run.worker.script("S1.execute", go_to("S2", "S3", "S4"))
    run.worker.script("S2.execute", graceful_complete('"2"'))
    run.worker.script("S3.execute", graceful_complete('"3"'))
    run.worker.script("S4.waitUntil", wait_for(timers=(1,)))
    run.worker.script("S4.execute", dead_end())
    await run.start()
    await run.end()


@SCENARIOS.add("close-force-complete", "A forced completion abandons the other threads.")
async def forced(run: Recorder) -> None:
    """One thread waits for ever."""
    run.worker.script("S1.execute", go_to("S2", "S3"))
    run.worker.script("S2.waitUntil", wait_for(timers=(600,), signals=("never",)))
    run.worker.script("S3.waitUntil", wait_for(timers=(1,)))
    run.worker.script("S3.execute", force_complete('"forced"'))
    await run.start()
    await run.end()


@SCENARIOS.add("close-force-fail", "A decision fails the workflow; outputs are kept.")
async def failed(run: Recorder) -> None:
    """One output before."""
    run.worker.script("S1.execute", go_to("S2", "S3"))
    run.worker.script("S2.execute", graceful_complete('"2"'))
    run.worker.script("S3.waitUntil", wait_for(timers=(1,)))
    run.worker.script("S3.execute", force_fail('"failed"'))
    await run.start()
    await run.end("FAILED")


@SCENARIOS.add("close-contradictory-decision", "A decision that closes and goes on fails the workflow.")
async def contradictory(run: Recorder) -> None:
    """A closing id beside a state."""
    run.worker.script("S1.execute", go_to("S2", "_SYS_GRACEFUL_COMPLETING_WORKFLOW"))
    await run.start()
    await run.end("FAILED")


@SCENARIOS.add(
    "close-if-internal-channel-empty", "A conditional close waits for an internal channel to be empty."
)
async def if_internal_channel_empty(run: Recorder) -> None:
    """The first time there is a message."""
    kind = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY
    run.worker.script("S1.execute", publish("c", then=close_if(kind, "c", "S2")))
    run.worker.script("S2.waitUntil", wait_for(channels=("c",)))
    run.worker.script("S2.execute", close_if(kind, "c", "S3"))
    await run.start()
    await run.end()


@SCENARIOS.add("close-if-signal-channel-empty", "A conditional close waits for a signal channel to be empty.")
async def if_signal_channel_empty(run: Recorder) -> None:
    """Two messages, taken one by one."""
    kind = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY
    run.worker.script("S1.waitUntil", wait_for(signals=("s",)))
    run.worker.script("S1.execute", close_if(kind, "s", "S1"))
    await run.start()
    await run.signal("s", "1")
    await run.signal("s", "2")
    await run.end()


@SCENARIOS.add("close-if-all-channels-empty", "A graceful conditional close wants every channel to be empty.")
async def if_all_channels_empty(run: Recorder) -> None:
    """A message of a signal nobody waits for is taken by the state that comes then."""
    kind = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY
    run.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    run.worker.script("S1.execute", publish("c", then=close_if(kind, None, "S2")))
    run.worker.script("S2.waitUntil", wait_for(channels=("c",)))
    run.worker.script("S2.execute", close_if(kind, None, "S3"))
    run.worker.script("S3.waitUntil", wait_for(signals=("other",)))
    run.worker.script("S3.execute", close_if(kind, None, "S4"))
    await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("other")
    await run.signal("go")
    await run.end()


@SCENARIOS.add(
    "close-counts-held-messages", "A conditional close counts messages that waiting states have taken."
)
async def counts_held_messages(run: Recorder) -> None:
    """S2 has taken a message and waits for a signal, so S3 may not close the workflow yet."""
    kind = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY
    run.worker.script("S1.execute", publish("c", then=go_to("S2", "S3")))
    run.worker.script("S2.waitUntil", wait_for(channels=("c",), signals=("more",), waiting_type=ALL))
    run.worker.script("S3.execute", close_if(kind, "c", "S4"))
    run.worker.script("S4.waitUntil", wait_for(signals=("go",)))
    await run.start(workflowStartOptions={"workflowConfigOverride": {"countHeldMessages": True}})
    await run.worker.wait_for_calls("S4.waitUntil")
    await run.signal("more")
    await run.signal("go")
    await run.end()


@SCENARIOS.add("stop-cancel", "A client cancels the workflow.")
async def stop_cancel(run: Recorder) -> None:
    """While a state waits."""
    await idle(run)
    await run.ok("stop", stopType="CANCEL")
    await run.end("CANCELED")


@SCENARIOS.add("stop-fail", "A client fails the workflow, with a reason.")
async def stop_fail(run: Recorder) -> None:
    """While a state waits."""
    await idle(run)
    await run.ok("stop", stopType="FAIL", reason="not needed")
    await run.end("FAILED")


@SCENARIOS.add("stop-terminate", "A client terminates the workflow, which hears nothing of it.")
async def stop_terminate(run: Recorder) -> None:
    """While a state waits."""
    await idle(run)
    await run.ok("stop", stopType="TERMINATE", reason="at once")
    await run.until(is_closed)


@SCENARIOS.add("stop-by-time", "The workflow's time is over.")
async def stop_by_time(run: Recorder) -> None:
    """One second."""
    await idle(run, workflowTimeoutSeconds=1)
    await run.until(is_closed)
