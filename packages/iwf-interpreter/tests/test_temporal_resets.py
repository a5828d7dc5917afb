"""Resets on a real server, of histories whose tasks are carried out by hand."""

from collections.abc import Sequence

import msgspec
import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, WorkflowExecution
from temporalio.api.enums.v1 import CommandType, EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
)

from iwf_interpreter.contract import ContinuedRun, SnapshotPage
from iwf_interpreter.core import snapshot
from iwf_interpreter.core.state import ExecutionState, Phase, StateExecution
from iwf_interpreter.engine import (
    InvalidArgument,
    NoResetPoint,
    ResetPoint,
    ResetToBeginning,
    ResetToEvent,
    ResetToState,
    ResetToStateExecution,
    ResetToTime,
    WorkflowNotFound,
)
from iwf_interpreter.temporal import Connection, TemporalEngine, payloads, resets
from iwf_models import EncodedObject, StateMovement, WorkflowConfig, WorkflowStatus
from toy_interpreter import started

pytestmark = pytest.mark.anyio

TASK_COMPLETED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
TASK_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"


class Run:
    """A workflow whose tasks this test carries out."""

    def __init__(self, connection: Connection, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self.engine = TemporalEngine(connection, task_queue=f"by-hand-{workflow_id}")
        self._connection = connection
        self._queue = TaskQueue(name=f"by-hand-{workflow_id}")

    async def start(self, continued: ContinuedRun | None = None) -> str:
        request = started(self.workflow_id)
        given = msgspec.structs.replace(request.input, continued=continued)
        return await self.engine.start(msgspec.structs.replace(request, input=given))

    async def signal(self, name: str = "wake") -> None:
        await self.engine.signal(self.workflow_id, "", name, EncodedObject())

    async def task(self, *commands: Command) -> None:
        """Take the next workflow task and answer it."""
        token = await self.take_task()
        await self._connection.service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(
                namespace=self._connection.namespace, task_token=token, commands=commands
            )
        )

    async def take_task(self) -> bytes:
        task = await self._connection.service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(namespace=self._connection.namespace, task_queue=self._queue)
        )
        assert task.task_token
        return task.task_token

    async def answer_call(self, answer: object) -> None:
        """Take the next call and answer it."""
        task = await self._connection.service.poll_activity_task_queue(
            PollActivityTaskQueueRequest(namespace=self._connection.namespace, task_queue=self._queue)
        )
        await self._connection.service.respond_activity_task_completed(
            RespondActivityTaskCompletedRequest(
                namespace=self._connection.namespace,
                task_token=task.task_token,
                result=payloads.to_payloads(answer),
            )
        )

    def call(self, call_id: str) -> Command:
        command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
        attributes = command.schedule_activity_task_command_attributes
        attributes.activity_id = call_id
        attributes.activity_type.CopyFrom(ActivityType(name="StateApiExecute"))
        attributes.task_queue.CopyFrom(self._queue)
        attributes.start_to_close_timeout.seconds = 60
        return command

    async def reset(
        self, point: ResetPoint, run_id: str = "", *, skip_signals: bool = False
    ) -> list[HistoryEvent]:
        """Reset, and return the history of the new run."""
        new_run_id = await self.engine.reset(
            self.workflow_id,
            run_id,
            point,
            "test",
            skip_signal_reapply=skip_signals,
            skip_update_reapply=True,
        )
        assert new_run_id
        return await self.history(new_run_id)

    async def history(self, run_id: str = "") -> list[HistoryEvent]:
        response = await self._connection.service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=self._connection.namespace,
                execution=WorkflowExecution(workflow_id=self.workflow_id, run_id=run_id),
            )
        )
        return list(response.history.events)


@pytest.fixture
def run(connection: Connection, workflow_id: str) -> Run:
    return Run(connection, workflow_id)


def local(call: object, name: str = "iwf-local-call") -> Command:
    """A call that was made in place."""
    command = Command(command_type=CommandType.COMMAND_TYPE_RECORD_MARKER)
    command.record_marker_command_attributes.marker_name = name
    command.record_marker_command_attributes.details["call"].CopyFrom(payloads.to_payloads(call))
    return command


def made_locally(call_id: str) -> Command:
    return local({"callId": call_id, "answer": {}})


def tasks(history: Sequence[HistoryEvent]) -> list[HistoryEvent]:
    """The completed tasks of a run, in order."""
    return [event for event in history if event.event_type == TASK_COMPLETED]


def redone_task(history: Sequence[HistoryEvent]) -> int:
    """Which task the new run does again, counted from 1."""
    [failed] = [event for event in history if event.event_type == TASK_FAILED]
    return len([event for event in tasks(history) if event.event_id < failed.event_id]) + 1


async def four_tasks(run: Run) -> str:
    """A run with calls of several states: S-1, then T-1 and A-1 in place, then S-2 and A-b-1."""
    run_id = await run.start()
    await run.task(run.call("wu/S-1"))
    await run.answer_call({})
    await run.task(run.call("ex/S-1"))
    await run.signal()
    await run.task(made_locally("wu/T-1"), made_locally("ex/T-1"), made_locally("ex/A-1"))
    await run.signal()
    await run.task(run.call("ex/S-2"), made_locally("ex/A-b-1"))
    return run_id


@pytest.mark.parametrize(
    ("point", "task"),
    [
        pytest.param(ResetToBeginning(), 1, id="beginning"),
        pytest.param(ResetToState(state_id="S"), 1, id="state"),
        pytest.param(ResetToState(state_id="T"), 3, id="state-in-place"),
        pytest.param(ResetToState(state_id="A-b"), 4, id="state-with-hyphen"),
        pytest.param(ResetToStateExecution(execution_id="S-1"), 1, id="execution"),
        pytest.param(ResetToStateExecution(execution_id="S-2"), 4, id="second-execution"),
        pytest.param(ResetToStateExecution(execution_id="A-1"), 3, id="execution-in-place"),
        pytest.param(ResetToTime(unix_ns=0), 1, id="time-before-the-start"),
    ],
)
async def test_a_reset_does_the_task_of_its_point_again(run: Run, point: ResetPoint, task: int) -> None:
    run_id = await four_tasks(run)

    history = await run.reset(point)

    assert redone_task(history) == task
    assert (await run.engine.describe(run.workflow_id, run_id)).status is WorkflowStatus.TERMINATED


async def test_a_long_history_is_read_to_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resets, "PAGE_EVENTS", 5)
    await four_tasks(run)

    history = await run.reset(ResetToStateExecution(execution_id="S-2"))

    assert redone_task(history) == 4


async def test_calls_in_place_of_the_first_task_are_made_again(run: Run) -> None:
    await run.start()
    await run.task(made_locally("ex/S-1"), made_locally("ex/T-1"))
    await run.signal()
    await run.task(made_locally("ex/T-2"))

    history = await run.reset(ResetToState(state_id="T"))

    assert redone_task(history) == 1


async def test_a_reset_to_a_time_takes_the_first_task_that_completed_then_or_later(run: Run) -> None:
    await four_tasks(run)
    third = tasks(await run.history())[2]

    history = await run.reset(ResetToTime(unix_ns=third.event_time.ToNanoseconds()))

    assert redone_task(history) == 3


@pytest.mark.parametrize("offset", [0, -1], ids=["completed", "started"])
async def test_a_reset_to_an_event_takes_that_event(run: Run, offset: int) -> None:
    await four_tasks(run)
    second = tasks(await run.history())[1]

    history = await run.reset(ResetToEvent(event_id=second.event_id + offset))

    assert redone_task(history) == 2


@pytest.mark.parametrize("event_id", [-5, 1, 2, 5, 100_000])
async def test_an_event_that_is_no_point_is_an_invalid_argument(run: Run, event_id: int) -> None:
    await four_tasks(run)

    with pytest.raises(InvalidArgument):
        await run.reset(ResetToEvent(event_id=event_id))


async def test_a_closed_run_can_be_reset(run: Run) -> None:
    run_id = await four_tasks(run)
    await run.engine.terminate(run.workflow_id, "", "test")

    for given in ("", run_id):
        assert redone_task(await run.reset(ResetToState(state_id="T"), given)) == 3


async def test_a_task_that_was_begun_and_never_completed_is_the_beginning(run: Run) -> None:
    await run.start()
    await run.take_task()

    history = await run.reset(ResetToBeginning())

    assert redone_task(history) == 1


async def test_a_run_without_any_task_has_no_beginning(run: Run) -> None:
    await run.engine.start(started(run.workflow_id, start_delay_seconds=60))

    with pytest.raises(NoResetPoint, match="has not begun"):
        await run.reset(ResetToBeginning())


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        pytest.param(
            ResetToState(state_id="A-b-1"), "state 'A-b-1' was not called in this run", id="unknown-state"
        ),
        pytest.param(
            ResetToStateExecution(execution_id="T-2"),
            "state execution 'T-2' was not called in this run",
            id="unknown-execution",
        ),
        pytest.param(ResetToTime(unix_ns=2**62), "no workflow task at or after that time", id="future"),
    ],
)
async def test_a_point_that_the_history_does_not_have_is_reported(
    run: Run, point: ResetPoint, reason: str
) -> None:
    await four_tasks(run)

    with pytest.raises(NoResetPoint, match=reason):
        await run.reset(point)


async def test_markers_of_other_kinds_are_not_taken_for_calls(run: Run) -> None:
    await run.start()
    await run.task(local({"callId": "ex/S-1"}, "another"), local({"noCallId": 1}), local(5))

    with pytest.raises(NoResetPoint):
        await run.reset(ResetToState(state_id="S"))


@pytest.mark.parametrize(
    "point", [ResetToBeginning(), ResetToEvent(event_id=4), ResetToState(state_id="S")], ids=type
)
@pytest.mark.parametrize("run_id", [UNKNOWN_RUN, "not-a-run"])
async def test_an_unknown_run_is_not_found(run: Run, point: ResetPoint, run_id: str) -> None:
    await run.start()

    with pytest.raises(WorkflowNotFound):
        await run.reset(point, run_id)


async def test_an_unknown_workflow_is_not_found(run: Run) -> None:
    with pytest.raises(WorkflowNotFound):
        await run.reset(ResetToBeginning())


@pytest.mark.parametrize(("skip", "left"), [(False, 2), (True, 0)], ids=["again", "not-again"])
async def test_signals_after_the_point_are_given_again_unless_they_are_to_be_left_out(
    run: Run, skip: bool, left: int
) -> None:
    await four_tasks(run)

    history = await run.reset(ResetToBeginning(), skip_signals=skip)

    assert len([event for event in history if event.event_type == SIGNALED]) == left


def carried(phase: Phase) -> bytes:
    """A state with one live execution, S-1."""
    return snapshot.encode(
        ExecutionState(
            workflow_id="w",
            run_id="r",
            run_started_at_ms=0,
            first_run_id="r",
            started_at=0,
            workflow_type="Order",
            worker_url="http://worker",
            config=WorkflowConfig(),
            interpreter_version=1,
            executions={"S-1": StateExecution(movement=StateMovement(state_id="S"), phase=phase)},
        )
    )


@pytest.mark.parametrize(
    "point", [ResetToState(state_id="S"), ResetToStateExecution(execution_id="S-1")], ids=type
)
@pytest.mark.parametrize(
    ("phase", "task"),
    [
        pytest.param(Phase.WAITING, 1, id="called-before"),
        pytest.param(Phase.READY, 1, id="waited-before"),
        pytest.param(Phase.START, 2, id="not-called-yet"),
    ],
)
async def test_an_execution_that_a_run_took_over_goes_back_to_the_first_task(
    run: Run, point: ResetPoint, phase: Phase, task: int
) -> None:
    await run.start(ContinuedRun(snapshot=snapshot.to_text(carried(phase))))
    await run.task()
    await run.signal()
    await run.task(run.call("ex/S-1"))

    history = await run.reset(point)

    assert redone_task(history) == task


async def load_pages(run: Run, pages: Sequence[object], attempt: int) -> None:
    """The task that asks for the parts of a state, and their answers."""
    await run.task(*(run.call(f"snapshot/{attempt}/{number}") for number in range(len(pages))))
    for page in pages:
        await run.answer_call(page)


async def test_an_execution_that_a_run_took_over_in_parts_goes_back_to_the_first_task(run: Run) -> None:
    data = carried(Phase.WAITING)
    await run.start(ContinuedRun(previous_run_id="r", pages=1))
    await load_pages(run, [SnapshotPage(text="damaged", sha256="0")], 0)
    await load_pages(run, [snapshot.page(data, 0, 1)], 1)
    await run.task()

    history = await run.reset(ResetToStateExecution(execution_id="S-1"))

    assert redone_task(history) == 1


@pytest.mark.parametrize(
    "continued",
    [
        pytest.param(ContinuedRun(snapshot="damaged"), id="damaged"),
        pytest.param(ContinuedRun(previous_run_id="r", pages=2), id="incomplete"),
    ],
)
async def test_a_state_that_was_not_taken_over_has_no_executions(run: Run, continued: ContinuedRun) -> None:
    await run.start(continued)
    await load_pages(run, ["no page"], 0)
    await run.task(run.call("ex/T-1"))
    await run.answer_call({})

    with pytest.raises(NoResetPoint):
        await run.reset(ResetToState(state_id="S"))
