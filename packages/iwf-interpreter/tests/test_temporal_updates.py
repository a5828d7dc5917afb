"""Updates on a real server: answers, refusals, runs that end, and runs that have not begun."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import anyio
import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from iwf_interpreter.contract import (
    WORKFLOW_TYPE,
    StateCompletionAnswer,
    StateTarget,
    UpdateError,
    UpdateType,
)
from iwf_interpreter.engine import (
    EngineError,
    NotStartedYet,
    ResetToBeginning,
    RunEnded,
    TooManyUpdates,
    UpdateRefused,
    WaitTimedOut,
    WorkflowNotFound,
)
from iwf_interpreter.temporal import Connection, TemporalEngine
from iwf_models import IDReusePolicy
from toy_interpreter import ORDER, order, started

pytestmark = pytest.mark.anyio

TASK_QUEUE = "updated-toys"
GO, CONTINUE, COMPLETE = "go", "continue", "complete"
REFUSAL = "another run goes on"
UNKNOWN_RUN = "2f1c3b1e-6e0e-4b61-9e5f-6f7c3d1b9a10"
COMPLETED = StateCompletionAnswer(completed=True)


@workflow.defn(name=WORKFLOW_TYPE)
class UpdatedToy:
    """Answers an update once it is told `GO`, by a name that says how; ends when it is told to."""

    def __init__(self) -> None:
        self._orders: list[str] = []

    @workflow.run
    async def run(self, given: dict[str, Any]) -> None:
        await workflow.wait_condition(lambda: bool({CONTINUE, COMPLETE} & set(self._orders)))
        if CONTINUE in self._orders:
            workflow.continue_as_new(given)

    @workflow.signal(name=ORDER)
    def take_order(self, body: dict[str, Any]) -> None:
        self._orders.append(body["data"])

    @workflow.update(
        name=UpdateType.WAIT_FOR_STATE, unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON
    )
    async def wait_for_state(self, target: dict[str, Any]) -> Any:
        await workflow.wait_condition(lambda: GO in self._orders)
        if target["stateExecutionId"] == "fail":
            raise ApplicationError(REFUSAL, type=UpdateError.ASK_AGAIN)
        if target["stateExecutionId"] == "nonsense":
            return 5
        return {"completed": True}

    @wait_for_state.validator
    def check(self, target: dict[str, Any]) -> None:
        if target["stateExecutionId"] == "refuse":
            raise ApplicationError(REFUSAL, type=UpdateError.ASK_AGAIN)


@pytest.fixture(scope="module")
async def toys(temporal_address: str) -> AsyncGenerator[None]:
    worker = Worker(
        await Client.connect(temporal_address),
        task_queue=TASK_QUEUE,
        workflows=[UpdatedToy],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        yield


@pytest.fixture
def engine(connection: Connection, toys: None) -> TemporalEngine:
    return TemporalEngine(connection, task_queue=TASK_QUEUE)


async def update(
    engine: TemporalEngine,
    workflow_id: str,
    how: str = "answer",
    *,
    run_id: str = "",
    update_id: str = "u",
    timeout_seconds: float = 20,
) -> StateCompletionAnswer:
    return await engine.update(
        workflow_id,
        run_id,
        UpdateType.WAIT_FOR_STATE,
        update_id,
        StateTarget(state_execution_id=how),
        StateCompletionAnswer,
        timeout_seconds,
    )


async def tell(engine: TemporalEngine, workflow_id: str, text: str) -> None:
    await engine.signal(workflow_id, "", ORDER, order(text))


async def history(connection: Connection, workflow_id: str) -> list[HistoryEvent]:
    response = await connection.service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(
            namespace=connection.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )
    return list(response.history.events)


async def accepted(connection: Connection, workflow_id: str, update_id: str = "u") -> None:
    """Wait until the run has taken the update on."""
    with anyio.fail_after(10):
        while True:
            for event in await history(connection, workflow_id):
                taken = event.workflow_execution_update_accepted_event_attributes
                if taken.protocol_instance_id == update_id:
                    return
            await anyio.sleep(0.02)


async def outcome_of(
    call: Callable[[], Awaitable[StateCompletionAnswer]], meanwhile: Callable[[], Awaitable[object]]
) -> StateCompletionAnswer | EngineError:
    """What a call returns or raises, when something happens while it goes on."""
    outcomes: list[StateCompletionAnswer | EngineError] = []

    async def make() -> None:
        try:
            outcomes.append(await call())
        except EngineError as error:
            outcomes.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(make)
        await meanwhile()
    return outcomes[0]


async def test_an_answer_comes_when_the_run_gives_it(
    engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))

    async def meanwhile() -> None:
        await accepted(connection, workflow_id)
        await tell(engine, workflow_id, GO)

    assert await outcome_of(lambda: update(engine, workflow_id), meanwhile) == COMPLETED


async def test_an_update_id_counts_once_in_a_run(
    engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))
    await tell(engine, workflow_id, GO)

    answers = [await update(engine, workflow_id), await update(engine, workflow_id, "fail")]

    taken = [
        event
        for event in await history(connection, workflow_id)
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert (answers, len(taken)) == ([COMPLETED, COMPLETED], 1)


@pytest.mark.parametrize("how", ["refuse", "fail"])
async def test_a_failure_is_told_with_its_type_whether_the_update_was_accepted_or_not(
    engine: TemporalEngine, workflow_id: str, how: str
) -> None:
    await engine.start(started(workflow_id))
    await tell(engine, workflow_id, GO)

    with pytest.raises(UpdateRefused, match=REFUSAL) as caught:
        await update(engine, workflow_id, how)

    assert caught.value.error_type == UpdateError.ASK_AGAIN


async def test_an_answer_that_cannot_be_read_is_an_engine_error(
    engine: TemporalEngine, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))
    await tell(engine, workflow_id, GO)

    with pytest.raises(EngineError, match="'WaitForStateCompletion' cannot be read"):
        await update(engine, workflow_id, "nonsense")


async def test_a_wait_ends_in_time_and_leaves_the_update_where_it_is(
    engine: TemporalEngine, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))

    with pytest.raises(WaitTimedOut):
        await update(engine, workflow_id, timeout_seconds=1)
    await tell(engine, workflow_id, GO)

    assert await update(engine, workflow_id) == COMPLETED


@pytest.mark.parametrize(
    "end", [pytest.param(COMPLETE, id="completed"), pytest.param(CONTINUE, id="continued-as-new")]
)
async def test_a_run_that_ends_with_the_update_in_hand_is_told(
    engine: TemporalEngine, connection: Connection, workflow_id: str, end: str
) -> None:
    await engine.start(started(workflow_id))

    async def meanwhile() -> None:
        await accepted(connection, workflow_id)
        await tell(engine, workflow_id, end)

    outcome = await outcome_of(lambda: update(engine, workflow_id), meanwhile)

    assert isinstance(outcome, RunEnded)
    assert outcome.accepted


async def test_a_run_that_ends_before_it_saw_the_update_is_told(
    idle_engine: TemporalEngine, workflow_id: str
) -> None:
    await idle_engine.start(started(workflow_id))

    async def meanwhile() -> None:
        # Nothing shows that the server has the update.
        with pytest.raises(WaitTimedOut):
            await update(idle_engine, workflow_id, timeout_seconds=0.5)
        await idle_engine.terminate(workflow_id, "", "test")

    outcome = await outcome_of(lambda: update(idle_engine, workflow_id), meanwhile)

    assert isinstance(outcome, RunEnded)
    assert not outcome.accepted


@pytest.mark.parametrize("run_id", ["", UNKNOWN_RUN, "not-a-run"])
async def test_a_workflow_that_does_not_exist_takes_no_update(engine: TemporalEngine, run_id: str) -> None:
    with pytest.raises(WorkflowNotFound):
        await update(engine, "no-such-workflow", run_id=run_id)


@pytest.mark.parametrize("is_named", [True, False], ids=["named-run", "current-run"])
async def test_a_closed_run_takes_no_update(engine: TemporalEngine, workflow_id: str, is_named: bool) -> None:
    run_id = await engine.start(started(workflow_id))
    await engine.terminate(workflow_id, "", "test")

    with pytest.raises(WorkflowNotFound):
        await update(engine, workflow_id, run_id=run_id if is_named else "")


async def test_a_closed_run_tells_what_it_has_answered(engine: TemporalEngine, workflow_id: str) -> None:
    await engine.start(started(workflow_id))
    await tell(engine, workflow_id, GO)
    await update(engine, workflow_id)
    await engine.terminate(workflow_id, "", "test")

    assert await update(engine, workflow_id) == COMPLETED


async def test_a_named_run_that_another_one_has_continued_takes_no_update(
    engine: TemporalEngine, workflow_id: str
) -> None:
    run_id = await engine.start(started(workflow_id))
    await tell(engine, workflow_id, CONTINUE)
    with anyio.fail_after(10):
        while (await engine.describe(workflow_id, "")).run_id == run_id:
            await anyio.sleep(0.02)

    with pytest.raises(WorkflowNotFound):
        await update(engine, workflow_id, run_id=run_id)


@pytest.mark.parametrize(
    "delayed",
    [
        pytest.param({"start_delay_seconds": 60}, id="start-delay"),
        pytest.param({"cron_schedule": "0 0 1 1 *"}, id="schedule"),
    ],
)
async def test_an_update_does_not_begin_a_run_before_its_time(
    engine: TemporalEngine, connection: Connection, workflow_id: str, delayed: dict[str, Any]
) -> None:
    await engine.start(started(workflow_id, **delayed))

    with pytest.raises(NotStartedYet):
        await update(engine, workflow_id)

    assert len(await history(connection, workflow_id)) == 1


async def test_an_update_waits_for_a_run_that_is_about_to_begin(
    engine: TemporalEngine, workflow_id: str
) -> None:
    await engine.start(started(workflow_id, start_delay_seconds=1))
    await tell(engine, workflow_id, GO)

    assert await update(engine, workflow_id) == COMPLETED


async def test_more_updates_than_the_server_allows_are_not_delivered(
    engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))
    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(lambda id_: update(engine, workflow_id, update_id=id_), f"u{number}")
        for number in range(10):
            await accepted(connection, workflow_id, f"u{number}")

        with pytest.raises(TooManyUpdates):
            await update(engine, workflow_id, update_id="one-more")

        await tell(engine, workflow_id, GO)

    assert await update(engine, workflow_id, update_id="one-more") == COMPLETED


async def test_an_update_goes_on_after_a_reset(
    engine: TemporalEngine, connection: Connection, workflow_id: str
) -> None:
    await engine.start(started(workflow_id))

    async def meanwhile() -> None:
        await accepted(connection, workflow_id)
        await engine.reset(
            workflow_id, "", ResetToBeginning(), "test", skip_signal_reapply=False, skip_update_reapply=False
        )

    outcome = await outcome_of(lambda: update(engine, workflow_id), meanwhile)
    await accepted(connection, workflow_id)
    await tell(engine, workflow_id, GO)

    assert isinstance(outcome, RunEnded)
    assert await update(engine, workflow_id, "fail") == COMPLETED


async def test_a_start_of_a_used_id_is_another_workflow(engine: TemporalEngine, workflow_id: str) -> None:
    """An update id belongs to its run: the next workflow of the same id answers for itself."""
    await engine.start(started(workflow_id))
    await tell(engine, workflow_id, GO)
    await update(engine, workflow_id)
    await engine.terminate(workflow_id, "", "test")
    await engine.start(started(workflow_id, id_reuse_policy=IDReusePolicy.ALLOW_IF_NO_RUNNING))

    with pytest.raises(WaitTimedOut):
        await update(engine, workflow_id, timeout_seconds=1)
