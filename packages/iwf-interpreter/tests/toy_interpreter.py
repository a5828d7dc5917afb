"""A stand-in for the interpreter: workflows of its type that end as they are told.

The workflow type named in the input is the order to carry out at once: `complete`, `fail`, `fail-first`
(completes when it is retried), `fail-untyped`, `fail-task`, `continue` (as a run that waits), `echo`
(completes with its input). Any other name waits for a signal with such an order, or for its cancellation.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from iwf_interpreter.contract import (
    WORKFLOW_TYPE,
    DataAttributesAnswer,
    InterpreterInput,
    InterpreterOutput,
    QueryType,
)
from iwf_interpreter.engine import StartRequest
from iwf_models import (
    EncodedObject,
    IDReusePolicy,
    KeyValue,
    StateCompletionOutput,
    WorkflowConfig,
)

TASK_QUEUE = "toy-interpreter"
WAIT = "wait"
ORDER = "order"
"""The signal; its body is an `EncodedObject` with the order as `data`."""

OUTPUT = InterpreterOutput(
    state_completion_outputs=[
        StateCompletionOutput(
            completed_state_id="S",
            completed_state_execution_id="S-1",
            completed_state_output=EncodedObject(encoding="json", data='"é"'),
        )
    ]
)
FAILURE_TYPE = "STATE_API_FAIL_ERROR_TYPE"
FAILURE_DETAIL = "the state said no"
QUERY_FAILURE = "the state is not loaded"
ANSWER = DataAttributesAnswer(data_attributes=[KeyValue(key="k", value=EncodedObject(data="1"))])


def started(
    workflow_id: str,
    order: str = WAIT,
    *,
    id_reuse_policy: IDReusePolicy = IDReusePolicy.ALLOW_IF_NO_RUNNING,
    timeout_seconds: int = 60,
    **more: Any,
) -> StartRequest:
    """A request to start a toy workflow."""
    return StartRequest(
        workflow_id=workflow_id,
        input=interpreter_input(order),
        timeout_seconds=timeout_seconds,
        id_reuse_policy=id_reuse_policy,
        memo=more.pop("memo", {}),
        search_attributes=more.pop("search_attributes", ()),
        **more,
    )


def interpreter_input(order: str) -> InterpreterInput:
    return InterpreterInput(iwf_workflow_type=order, iwf_worker_url="http://worker", config=WorkflowConfig())


def order(text: str) -> EncodedObject:
    """The body of the signal `ORDER`."""
    return EncodedObject(data=text)


@asynccontextmanager
async def toy_worker(address: str, task_queue: str = TASK_QUEUE) -> AsyncGenerator[None]:
    """Run toy workflows."""
    worker = Worker(
        await Client.connect(address),
        task_queue=task_queue,
        workflows=[ToyInterpreter],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        yield


@workflow.defn(name=WORKFLOW_TYPE)
class ToyInterpreter:
    def __init__(self) -> None:
        self._orders: list[str] = []

    @workflow.run
    async def run(self, given: dict[str, Any]) -> dict[str, Any]:
        order = given["iwfWorkflowType"]
        if order == WAIT:
            await workflow.wait_condition(lambda: bool(self._orders))
            order = self._orders.pop(0)
        if order == "continue":
            workflow.continue_as_new({**given, "iwfWorkflowType": WAIT})
        if order == "echo":
            return given
        if order == "fail" or (order == "fail-first" and workflow.info().attempt == 1):
            raise ApplicationError("message", FAILURE_DETAIL, type=FAILURE_TYPE)
        if order == "fail-untyped":
            raise ApplicationError("message")
        if order == "fail-task":
            raise RuntimeError("this is a bug")
        return msgspec.to_builtins(OUTPUT)

    @workflow.signal(name=ORDER)
    def take_order(self, body: dict[str, Any]) -> None:
        self._orders.append(body["data"])

    @workflow.query(name=QueryType.GET_DATA_ATTRIBUTES)
    def data_attributes(self, argument: dict[str, Any]) -> dict[str, Any]:
        if argument.get("Keys") == ["fail"]:
            raise ApplicationError(QUERY_FAILURE)
        return msgspec.to_builtins(ANSWER)

    @workflow.query(name=QueryType.DEBUG_DUMP)
    def dump(self) -> str:
        return "whole"
