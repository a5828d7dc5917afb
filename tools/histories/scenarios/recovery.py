"""Recovery: resets, tasks that fail, and answers that are too long for one."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import anyio
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskFailedRequest,
)

from iwf_interpreter.temporal import commands
from iwf_testkit import dead_end, go_to, graceful_complete, wait_for
from tools.histories.recording import Recorder, has
from tools.histories.scenarios._scenario import Scenarios
from tools.histories.scenarios.states import SKIP
from tools.histories.scenarios.updates import book, booked

SCENARIOS = Scenarios()


async def two_states(run: Recorder) -> None:
    """A workflow whose second state waits, with a message and an RPC in its history."""
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", wait_for(signals=("go",)))
    run.worker.script("S2.execute", graceful_complete())
    run.worker.script("rpc.book", booked('"10"'))
    await run.start()
    await run.worker.wait_for_calls("S2.waitUntil")
    await book(run)
    await run.signal("other", '"kept"')


async def reset(run: Recorder, **point: object) -> None:
    """Reset, and keep the new run only; the old one is another feature's."""
    run.first_run_id = (await run.ok("reset", reason="again", **point))["workflowRunId"]


@SCENARIOS.add("reset-to-state", "A run goes back to a state; signals that came later are applied again.")
async def reset_to_state(run: Recorder) -> None:
    """A signal is applied again, a locked RPC is not."""
    await two_states(run)
    await reset(run, resetType="STATE_ID", stateId="S2", skipUpdateReapply=True)
    await run.worker.wait_for_calls("S2.waitUntil", 2)
    await run.signal("go")
    await run.end()


@SCENARIOS.add(
    "reset-applies-updates-again", "A locked RPC that came after the point of a reset is made again."
)
async def reset_applies_updates_again(run: Recorder) -> None:
    """While its state waits once more."""
    await two_states(run)
    await reset(run, resetType="STATE_ID", stateId="S2")
    await run.worker.wait_for_calls("rpc.book", 2)
    await run.signal("go")
    await run.end()


@SCENARIOS.add(
    "reset-to-beginning", "A completed run begins again; signals and updates are not applied again."
)
async def reset_to_beginning(run: Recorder) -> None:
    """Both kinds are left out."""
    await two_states(run)
    await run.signal("go")
    await run.end()
    await reset(run, resetType="BEGINNING", skipSignalReapply=True, skipUpdateReapply=True)
    await run.worker.wait_for_calls("S2.waitUntil", 2)
    await run.signal("go")
    await run.end()


@SCENARIOS.add("reset-twice", "A run that a reset has made is reset itself.")
async def reset_twice(run: Recorder) -> None:
    """First to a state, then to its execution."""
    await two_states(run)
    await reset(run, resetType="STATE_ID", stateId="S1", skipUpdateReapply=True)
    await run.worker.wait_for_calls("S2.waitUntil", 2)
    await reset(run, resetType="STATE_EXECUTION_ID", stateExecutionId="S2-1", skipUpdateReapply=True)
    await run.worker.wait_for_calls("S2.waitUntil", 3)
    await run.signal("go")
    await run.end()


@SCENARIOS.add("task-fails", "Tasks fail, with news before and after; the next one has it all.", serves=False)
async def task_fails(run: Recorder) -> None:
    """A process that answers nothing sensible stands in for a broken build."""
    async with run.server():
        await waiting_for_two(run)
    await run.signal_by_hand("a", b"{}")
    token = await take_task(run)
    await run.signal_by_hand("other", b"{}")
    await run.connection.service.respond_workflow_task_failed(
        RespondWorkflowTaskFailedRequest(
            namespace=run.connection.namespace,
            task_token=token,
            identity=run.connection.identity,
            cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
            failure=commands.failure("Broken", "a broken build"),
        )
    )
    await run.signal_by_hand("b", b"{}")
    async with run.server():
        await run.end()


@SCENARIOS.add(
    "task-out-of-time", "A process dies with a task in hand; another one gets it later.", serves=False
)
async def task_out_of_time(run: Recorder) -> None:
    """The time limit of a task is 10 seconds."""
    async with run.server():
        await waiting_for_two(run)
    await run.signal_by_hand("a", b"{}")
    await take_task(run)
    await run.signal_by_hand("b", b"{}")
    await run.until(has(EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT))
    async with run.server():
        await run.end()


async def waiting_for_two(run: Recorder) -> None:
    """Start a workflow that waits for two signals."""
    run.worker.script("S1.waitUntil", wait_for(signals=("a",)))
    run.worker.script("S1.execute", go_to("S2"))
    run.worker.script("S2.waitUntil", wait_for(signals=("b",)))
    await run.start()
    await run.until(has(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 2))


async def take_task(run: Recorder) -> bytes:
    """Take the workflow's next task away from the servers."""
    with anyio.fail_after(30):
        while True:
            answer = await run.connection.service.poll_workflow_task_queue(
                PollWorkflowTaskQueueRequest(
                    namespace=run.connection.namespace,
                    task_queue=TaskQueue(name=run.task_queue),
                    identity=run.connection.identity,
                ),
                timeout=timedelta(seconds=25),
            )
            if answer.task_token:
                return answer.task_token


@contextmanager
def short_answers() -> Generator[None]:
    """Let an answer to a task hold only a few commands."""
    max_bytes = commands.MAX_ANSWER_BYTES
    setattr(commands, "MAX_ANSWER_BYTES", 1200)  # noqa: B010  it is a constant for everybody else
    try:
        yield
    finally:
        setattr(commands, "MAX_ANSWER_BYTES", max_bytes)  # noqa: B010


@SCENARIOS.add(
    "commands-held-back",
    "Commands that do not fit one answer come with the next tasks.",
    limits=short_answers,
)
async def commands_held_back(run: Recorder) -> None:
    """Six states at once, of which an answer takes only a few."""
    run.worker.script("S1.execute", go_to(*(f"P{number}" for number in range(6)), options=SKIP))
    run.worker.script("P0.execute", graceful_complete())
    for number in range(1, 6):
        run.worker.script(f"P{number}.execute", dead_end())
    await run.start(stateOptions={"skipWaitUntil": True})
    await run.end()
