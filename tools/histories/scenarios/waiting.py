"""Waiting: timers, signals, internal channels, and what of them is enough."""

from temporalio.api.enums.v1 import EventType

from iwf_interpreter.contract import SystemSignal
from iwf_models import (
    CommandCombination,
    CommandRequest,
    CommandWaitingType,
    InterStateChannelCommand,
    InterStateChannelPublishing,
    SignalCommand,
    TimerCommand,
    WorkflowStateDecideResponse,
    WorkflowStateStartResponse,
)
from iwf_testkit import dead_end, go_to, graceful_complete, value, wait_for
from tools.histories.recording import Recorder, has
from tools.histories.scenarios._scenario import Scenarios

SCENARIOS = Scenarios()
ALL = CommandWaitingType.ALL_COMPLETED
ANY = CommandWaitingType.ANY_COMPLETED


def publish(*channels: str, then: WorkflowStateDecideResponse) -> WorkflowStateDecideResponse:
    """An execute answer that also publishes a message to each of the channels."""
    messages = [InterStateChannelPublishing(channel_name=name, value=value(f'"{name}"')) for name in channels]
    return WorkflowStateDecideResponse(
        state_decision=then.state_decision, publish_to_inter_state_channel=messages
    )


@SCENARIOS.add("wait-timer-fires", "A timer fires, and the state goes on.")
async def timer_fires(run: Recorder) -> None:
    """One second."""
    run.worker.script("S1.waitUntil", wait_for(timers=(1,)))
    await run.start()
    await run.end()


@SCENARIOS.add("wait-timer-skipped", "Timers are skipped by index and by id, one of them before it exists.")
async def timer_skipped(run: Recorder) -> None:
    """Two states, two skips."""
    request = CommandRequest(
        command_waiting_type=ALL, timer_commands=[TimerCommand(command_id="t", duration_seconds=600)]
    )
    run.worker.script("S1.waitUntil", wait_for(timers=(600,)))
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", WorkflowStateStartResponse(command_request=request))
    await run.start()
    await run.signal_by_hand(SystemSignal.SKIP_TIMER, b'{"StateExecutionId": "S2-1", "CommandId": "t"}')
    await run.until(has(EventType.EVENT_TYPE_TIMER_STARTED))
    await run.ok("timer/skip", workflowStateExecutionId="S1-1", timerCommandIndex=0)
    await run.end()


@SCENARIOS.add(
    "wait-timers-of-several-states", "One timer of the engine serves many, always the earliest one."
)
async def timers_of_several_states(run: Recorder) -> None:
    """An earlier timer replaces a later one; what is no longer needed is canceled."""
    run.worker.script("S1.execute", go_to("S2", "S3", "S4"))
    run.worker.script("S2.waitUntil", wait_for(timers=(600,), signals=("end",)))
    run.worker.script("S3.waitUntil", wait_for(timers=(300, 1)))
    run.worker.script("S4.waitUntil", wait_for(timers=(2,), waiting_type=ALL))
    await run.start()
    await run.worker.wait_for_calls("S4.execute")
    await run.signal("end")
    await run.end()


@SCENARIOS.add("wait-signals-all", "A state waits for all of several signals, with a timer that has no time.")
async def signals_all(run: Recorder) -> None:
    """Three signals, two of one channel."""
    run.worker.script("S1.waitUntil", wait_for(timers=(0,), signals=("a", "a", "b"), waiting_type=ALL))
    await run.start()
    await run.signal("b", "1")
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("a", "2")
    await run.signal("a", "3")
    await run.end()


@SCENARIOS.add(
    "wait-signal-before-the-state", "Messages that came before anybody waits for them are kept in order."
)
async def signal_before_the_state(run: Recorder) -> None:
    """Three messages, then three commands."""
    run.worker.script("S1.waitUntil", wait_for(signals=("go",)))
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", wait_for(signals=("early", "early", "late"), waiting_type=ALL))
    await run.start()
    for data in ("1", "2", "3"):
        await run.signal("early", data)
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("go")
    await run.worker.wait_for_calls("S2.waitUntil")
    await run.signal("late")
    await run.end()


@SCENARIOS.add("wait-internal-channels", "States hand messages to each other.")
async def internal_channels(run: Recorder) -> None:
    """One publishes, two wait, a client publishes the rest."""
    run.worker.script("S1.execute", go_to("S2", "S3", "S4"))
    run.worker.script("S2.waitUntil", wait_for(channels=("c", "d"), waiting_type=ALL))
    run.worker.script("S3.waitUntil", wait_for(channels=("d", "e"), waiting_type=ANY))
    run.worker.script("S4.execute", publish("c", "e", then=dead_end()))
    await run.start()
    await run.worker.wait_for_calls("S3.execute")
    await run.ok("publishToInternalChannel", messages=[{"channelName": "d", "value": {"data": "4"}}])
    await run.end()


@SCENARIOS.add("wait-combination", "A state waits for one of several combinations of commands.")
async def combination(run: Recorder) -> None:
    """The second combination is met, after one message that belongs to the first."""
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ANY_COMBINATION_COMPLETED,
        timer_commands=[TimerCommand(command_id="timer", duration_seconds=600)],
        signal_commands=[
            SignalCommand(command_id="a", signal_channel_name="a"),
            SignalCommand(command_id="b", signal_channel_name="b"),
        ],
        inter_state_channel_commands=[InterStateChannelCommand(command_id="c", channel_name="c")],
        command_combinations=[
            CommandCombination(command_ids=["a", "timer"]),
            CommandCombination(command_ids=["b", "c"]),
        ],
    )
    run.worker.script("S1.waitUntil", WorkflowStateStartResponse(command_request=request))
    await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("a")
    await run.signal("b")
    await run.ok("publishToInternalChannel", messages=[{"channelName": "c"}])
    await run.end()


@SCENARIOS.add("wait-at-least", "A command takes a number of messages between two limits.")
async def at_least(run: Recorder) -> None:
    """Two to three signals, and a message too many; two messages of an internal channel."""
    request = CommandRequest(
        command_waiting_type=ALL,
        signal_commands=[SignalCommand(signal_channel_name="s", at_least=2, at_most=3)],
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="c", at_least=2)],
    )
    run.worker.script("S1.waitUntil", WorkflowStateStartResponse(command_request=request))
    await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")
    for data in ("1", "2", "3", "4"):
        await run.signal("s", data)
    await run.ok("publishToInternalChannel", messages=[{"channelName": "c"}, {"channelName": "c"}])
    await run.end()


@SCENARIOS.add(
    "wait-any-of-both-kinds", "Any of a timer, a signal and an internal channel lets a state go on."
)
async def any_of_both_kinds(run: Recorder) -> None:
    """The signal wins, and the timer is canceled."""
    run.worker.script("S1.waitUntil", wait_for(timers=(600,), signals=("s",), channels=("c",)))
    run.worker.script("S1.execute", graceful_complete('"by signal"'))
    await run.start()
    await run.worker.wait_for_calls("S1.waitUntil")
    await run.signal("s", '"now"')
    await run.end()
