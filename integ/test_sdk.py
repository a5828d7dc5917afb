"""The published Python SDK against the server: its calls work, and it raises what it documents."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# The SDK's own signatures leave some type parameters open.

from collections.abc import Callable, Generator
from typing import Any, TypeVar
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest
from iwf.client import Client
from iwf.client_options import ClientOptions
from iwf.command_request import CommandRequest, SignalChannelCommand, TimerCommand
from iwf.command_results import CommandResults
from iwf.communication import Communication
from iwf.communication_schema import CommunicationMethod, CommunicationSchema
from iwf.errors import (
    WorkflowAlreadyStartedError,
    WorkflowCanceled,
    WorkflowFailed,
    WorkflowNotExistsError,
    WorkflowRPCExecutionError,
    WorkflowTerminated,
    WorkflowTimeout,
)
from iwf.iwf_api.models import (
    IDReusePolicy,
    SearchAttribute,
    SearchAttributeValueType,
    WorkflowSearchRequest,
    WorkflowStatus,
    WorkflowStopType,
)
from iwf.object_encoder import ObjectEncoder
from iwf.persistence import Persistence
from iwf.persistence_schema import PersistenceField, PersistenceSchema
from iwf.registry import Registry
from iwf.rpc import rpc
from iwf.state_decision import StateDecision
from iwf.state_schema import StateSchema
from iwf.stop_workflow_options import StopWorkflowOptions
from iwf.unregistered_client import UnregisteredClient
from iwf.workflow import ObjectWorkflow
from iwf.workflow_context import WorkflowContext
from iwf.workflow_options import WorkflowOptions
from iwf.workflow_state import WorkflowState

from examples.sdk_worker import serving, worker_app
from iwf_testkit import IwfServer

pytestmark = pytest.mark.anyio

R = TypeVar("R")


class Waits(WorkflowState[int]):
    """Waits for the signal and completes with input plus signal."""

    def wait_until(
        self, ctx: WorkflowContext, input: int, persistence: Persistence, communication: Communication
    ) -> CommandRequest:
        return CommandRequest.for_any_command_completed(
            SignalChannelCommand.by_name("add"), TimerCommand.by_seconds(3600)
        )

    def execute(
        self,
        ctx: WorkflowContext,
        input: int,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        added = command_results.signal_channel_commands[0].value
        if added < 0:
            return StateDecision.force_fail_workflow("negative")
        persistence.set_data_attribute("sum", input + added)
        return StateDecision.graceful_complete_workflow(input + added)


class Adding(ObjectWorkflow):
    """One state, one data attribute, two RPCs."""

    def get_workflow_states(self) -> StateSchema:
        return StateSchema.with_starting_state(Waits())

    def get_persistence_schema(self) -> PersistenceSchema:
        return PersistenceSchema.create(
            PersistenceField.data_attribute_def("sum", int),
            PersistenceField.search_attribute_def("CustomIntField", SearchAttributeValueType.INT),
            PersistenceField.search_attribute_def("CustomKeywordField", SearchAttributeValueType.KEYWORD),
        )

    def get_communication_schema(self) -> CommunicationSchema:
        return CommunicationSchema.create(CommunicationMethod.signal_channel_def("add", int))

    @rpc()
    def set_sum(self, value: int, persistence: Persistence) -> int:
        persistence.set_data_attribute("sum", value)
        return value

    @rpc()
    def get_sum(self, persistence: Persistence) -> Any:
        return persistence.get_data_attribute("sum")

    @rpc()
    def broken(self) -> None:
        raise ValueError("broken on purpose")


class Sdk:
    """The SDK's client, whose calls block and so run on a thread."""

    @property
    def unregistered(self) -> UnregisteredClient:
        """The client below, which alone can search."""
        return self._client._unregistered_client  # pyright: ignore[reportPrivateUsage]

    def __init__(self, server_url: str, worker_url: str, registry: Registry) -> None:
        self._client = Client(registry, ClientOptions(server_url, worker_url, ObjectEncoder.default))

    def close(self) -> None:
        """The SDK leaves its connections open; they would be reported as leaked."""
        self.unregistered.api_client.get_httpx_client().close()

    async def __call__(self, method: Callable[..., R], *arguments: object) -> R:
        return await anyio.to_thread.run_sync(lambda: method(self._client, *arguments))

    async def start(self, value: int = 1, options: WorkflowOptions | None = None, timeout: int = 60) -> str:
        workflow_id = f"sdk-{uuid4()}"
        await self(Client.start_workflow, Adding, workflow_id, timeout, value, options)
        return workflow_id


@pytest.fixture
def sdk(server: IwfServer) -> Generator[Sdk]:
    registry = Registry()
    registry.add_workflow(Adding())
    with serving(worker_app(registry, lambda text: None)) as worker_url:
        sdk = Sdk(server.url, worker_url, registry)
        yield sdk
        sdk.close()


async def test_start_signal_and_wait(sdk: Sdk) -> None:
    workflow_id = await sdk.start(1)

    await sdk(Client.signal_workflow, workflow_id, "add", 2)

    assert await sdk(Client.wait_for_workflow_completion, workflow_id, int) == 3
    assert await sdk(Client.get_workflow_data_attributes, Adding, workflow_id, "", ["sum"]) == {"sum": 3}


async def test_rpc_writes_and_reads(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    assert await sdk(Client.invoke_rpc, workflow_id, Adding.set_sum, 5, int) == 5
    assert await sdk(Client.invoke_rpc, workflow_id, Adding.get_sum, None, int) == 5


async def test_describe_tells_the_status(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    described = await sdk(Client.describe_workflow, workflow_id)

    assert described.workflow_status is WorkflowStatus.RUNNING


async def test_data_attributes_are_set_and_read(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    await sdk(Client.set_workflow_data_attributes, Adding, workflow_id, "", {"sum": 7})

    assert await sdk(Client.get_all_workflow_data_attributes, Adding, workflow_id) == {"sum": 7}


async def test_search_attributes_are_set_read_and_searched(sdk: Sdk) -> None:
    workflow_id = await sdk.start()
    marker = f"marker-{uuid4()}"
    attributes = [
        SearchAttribute(key="CustomIntField", integer_value=42, value_type=SearchAttributeValueType.INT),
        SearchAttribute(
            key="CustomKeywordField", string_value=marker, value_type=SearchAttributeValueType.KEYWORD
        ),
    ]

    await sdk(Client.set_workflow_search_attributes, Adding, workflow_id, attributes)
    await sdk(Client.invoke_rpc, workflow_id, Adding.get_sum, None, int)
    query = WorkflowSearchRequest(query=f"CustomKeywordField = '{marker}'")
    with anyio.fail_after(10):
        while not (
            found := (
                await anyio.to_thread.run_sync(sdk.unregistered.search_workflow, query)
            ).workflow_executions
        ):
            await anyio.sleep(0.05)

    keys = ["CustomIntField", "CustomKeywordField"]
    read = await sdk(Client.get_workflow_search_attributes, Adding, workflow_id, keys)
    everything = await sdk(Client.get_all_search_attributes, Adding, workflow_id)
    assert read == everything == {"CustomIntField": 42, "CustomKeywordField": marker}
    assert [entry.workflow_id for entry in found or ()] == [workflow_id]


async def test_failing_rpc_raises_with_what_the_worker_said(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    with pytest.raises(WorkflowRPCExecutionError) as raised:
        await sdk(Client.invoke_rpc, workflow_id, Adding.broken)

    assert raised.value.error_resp.original_worker_error_type == "ValueError"
    assert "broken on purpose" in str(raised.value.error_resp.original_worker_error_detail)


async def test_second_start_of_an_id_raises(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    with pytest.raises(WorkflowAlreadyStartedError):
        await sdk(Client.start_workflow, Adding, workflow_id, 60, 1, None)


async def test_reuse_policy_is_honoured(sdk: Sdk) -> None:
    workflow_id = await sdk.start()
    await sdk(Client.signal_workflow, workflow_id, "add", 2)
    await sdk(Client.wait_for_workflow_completion, workflow_id, int)
    options = WorkflowOptions(workflow_id_reuse_policy=IDReusePolicy.DISALLOW_REUSE)

    with pytest.raises(WorkflowAlreadyStartedError):
        await sdk(Client.start_workflow, Adding, workflow_id, 60, 1, options)


async def test_unknown_workflow_raises(sdk: Sdk) -> None:
    with pytest.raises(WorkflowNotExistsError):
        await sdk(Client.signal_workflow, "nobody", "add", 1)


async def test_failed_workflow_raises(sdk: Sdk) -> None:
    workflow_id = await sdk.start()

    await sdk(Client.signal_workflow, workflow_id, "add", -1)

    with pytest.raises(WorkflowFailed):
        await sdk(Client.wait_for_workflow_completion, workflow_id, int)


async def test_timed_out_workflow_raises(sdk: Sdk) -> None:
    workflow_id = await sdk.start(timeout=1)

    with pytest.raises(WorkflowTimeout):
        await sdk(Client.wait_for_workflow_completion, workflow_id, int)


@pytest.mark.parametrize(
    ("stop_type", "error"),
    [("CANCEL", WorkflowCanceled), ("TERMINATE", WorkflowTerminated), ("FAIL", WorkflowFailed)],
)
async def test_stopped_workflow_raises(sdk: Sdk, stop_type: str, error: type[Exception]) -> None:
    workflow_id = await sdk.start()

    await sdk(
        Client.stop_workflow,
        workflow_id,
        StopWorkflowOptions(workflow_stop_type=WorkflowStopType(stop_type), reason="r"),
    )

    with pytest.raises(error):
        await sdk(Client.wait_for_workflow_completion, workflow_id, int)
