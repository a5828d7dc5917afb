"""Lines, and what stands in them: no more locked RPCs of a workflow at a time than Temporal bears."""

from typing import Any, cast

import anyio
import pytest
from temporalio.api.update.v1 import Outcome
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionResponse,
    UpdateWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import WorkflowService

from iwf_interpreter.contract import (
    LockedRpcAnswer,
    LockedRpcRequest,
    StateCompletionAnswer,
    StateTarget,
    UpdateType,
)
from iwf_interpreter.engine import WaitTimedOut
from iwf_interpreter.temporal import Connection, TemporalEngine, payloads
from iwf_interpreter.temporal.lines import Lines

pytestmark = pytest.mark.anyio


async def test_a_few_have_their_turn_together_and_the_others_follow_in_order() -> None:
    lines, order = Lines(2), list[str]()
    go_on = {name: anyio.Event() for name in "abcd"}

    async def stand(name: str) -> None:
        async with lines.turn("k"):
            order.append(name)
            await go_on[name].wait()

    async with anyio.create_task_group() as tasks:
        for name in "abcd":
            tasks.start_soon(stand, name)
            await anyio.wait_all_tasks_blocked()
        assert order == ["a", "b"]
        go_on["b"].set()
        await anyio.wait_all_tasks_blocked()
        assert order == ["a", "b", "c"]
        for event in go_on.values():
            event.set()

    assert (order, len(lines)) == (["a", "b", "c", "d"], 0)


async def test_lines_of_different_things_are_apart_and_leaving_one_frees_the_place() -> None:
    lines = Lines(1)
    leaving = anyio.CancelScope()

    async def leave() -> None:
        with leaving:
            async with lines.turn("k"):
                await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave)
        await anyio.wait_all_tasks_blocked()
        async with lines.turn("other"):
            assert len(lines) == 2
        leaving.cancel()
        async with lines.turn("k"):
            assert len(lines) == 1

    assert len(lines) == 0


class SlowService:
    """Takes updates, and answers them when the test says so."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answers = anyio.Event()

    async def describe_workflow_execution(self, request: object, **_: object) -> object:
        response = DescribeWorkflowExecutionResponse()
        response.workflow_execution_info.execution.CopyFrom(cast(Any, request).execution)
        return response

    async def update_workflow_execution(self, request: object, **_: object) -> object:
        self.taken.append(cast(Any, request).workflow_execution.workflow_id)
        await self.answers.wait()
        if cast(Any, request).request.input.name == UpdateType.LOCKED_RPC:
            answer = payloads.to_payloads(LockedRpcAnswer())
        else:
            answer = payloads.to_payloads(StateCompletionAnswer(completed=True))
        return UpdateWorkflowExecutionResponse(outcome=Outcome(success=answer))


class SlowConnection(Connection):
    """A namespace with a slow service."""

    def __init__(self, service: SlowService) -> None:
        super().__init__(cast(Client, None))
        self._slow = service

    @property
    def service(self) -> WorkflowService:
        return cast(WorkflowService, self._slow)

    @property
    def namespace(self) -> str:
        return "default"

    @property
    def identity(self) -> str:
        return "test"


async def test_locked_rpcs_of_one_workflow_are_handed_over_eight_at_a_time() -> None:
    service = SlowService()
    engine = TemporalEngine(SlowConnection(service), task_queue="q")
    done: list[object] = []

    async def call(workflow_id: str, number: int, seconds: float = 20) -> None:
        request = LockedRpcRequest(rpc_name="r")
        done.append(
            await engine.update(
                workflow_id, "", UpdateType.LOCKED_RPC, f"u{number}", request, LockedRpcAnswer, seconds
            )
        )

    async def wait_for_state() -> None:
        target = StateTarget(state_execution_id="S-1")
        await engine.update("busy", "", UpdateType.WAIT_FOR_STATE, "wait", target, StateCompletionAnswer, 20)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(call, "busy", number)
        tasks.start_soon(call, "other", 0)
        tasks.start_soon(wait_for_state)
        await anyio.wait_all_tasks_blocked()
        assert sorted(service.taken) == ["busy"] * 9 + ["other"]
        with pytest.raises(WaitTimedOut):
            await call("busy", 20, seconds=0.05)
        service.answers.set()

    assert (len(done), len(service.taken)) == (21, 22)
