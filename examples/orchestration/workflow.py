"""Four services called in an order that depends on the outside world.

                ┌──▶ CallApi2 ──▶ (thread ends)
    CallApi1 ───┤
                └──▶ AwaitReady ──┬─ signal ──▶ CallApi3 ──▶ completed
                                  └─ timer ───▶ CallApi4 ──▶ completed

One service call per state: a failing call is retried by the server, the ones before it are not repeated.
"""

# pyright: reportUnknownMemberType=false
# The SDK's own signatures leave some type parameters open.

from dataclasses import dataclass

from iwf.command_request import CommandRequest, SignalChannelCommand, TimerCommand
from iwf.command_results import CommandResults
from iwf.communication import Communication
from iwf.communication_schema import CommunicationMethod, CommunicationSchema
from iwf.iwf_api.models import ChannelRequestStatus
from iwf.persistence import Persistence
from iwf.persistence_schema import PersistenceField, PersistenceSchema
from iwf.registry import Registry
from iwf.rpc import rpc
from iwf.state_decision import StateDecision
from iwf.state_schema import StateSchema
from iwf.workflow import ObjectWorkflow
from iwf.workflow_context import WorkflowContext
from iwf.workflow_state import WorkflowState

from examples.orchestration.services import Services

DATA = "data"
STAGE = "stage"
READY = "ready"


@dataclass
class Progress:
    """What the `describe` RPC answers."""

    data: str | None
    """The text that the next service gets; `None` before API1 has answered."""
    stage: str | None
    """`waiting`, `ready` or `timed out`."""


class CallApi1(WorkflowState[str]):
    """Calls API1, keeps its answer, and goes on in two threads."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def execute(
        self,
        ctx: WorkflowContext,
        input: str,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        persistence.set_data_attribute(DATA, self._services.call("API1", input))
        persistence.set_data_attribute(STAGE, "waiting")
        return StateDecision.multi_next_states(CallApi2, AwaitReady)


class CallApi2(WorkflowState[None]):
    """Calls API2. Its thread ends here, and the workflow goes on as long as another one does."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def execute(
        self,
        ctx: WorkflowContext,
        input: None,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        self._services.call("API2", persistence.get_data_attribute(DATA))
        return StateDecision.dead_end


class AwaitReady(WorkflowState[None]):
    """Waits for the signal or the timer, and takes the way of whichever comes first."""

    def __init__(self, timeout_seconds: int) -> None:
        self._timeout_seconds = timeout_seconds

    def wait_until(
        self, ctx: WorkflowContext, input: None, persistence: Persistence, communication: Communication
    ) -> CommandRequest:
        return CommandRequest.for_any_command_completed(
            SignalChannelCommand.by_name(READY), TimerCommand.by_seconds(self._timeout_seconds)
        )

    def execute(
        self,
        ctx: WorkflowContext,
        input: None,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        # Looking at the signal first matters: both may be there, and then the signal counts.
        if command_results.signal_channel_commands[0].status == ChannelRequestStatus.RECEIVED:
            persistence.set_data_attribute(STAGE, "ready")
            return StateDecision.single_next_state(CallApi3)
        persistence.set_data_attribute(STAGE, "timed out")
        return StateDecision.single_next_state(CallApi4)


class CallApi3(WorkflowState[None]):
    """The way of the signal. Completing gracefully waits for the other thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def execute(
        self,
        ctx: WorkflowContext,
        input: None,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        answer = self._services.call("API3", persistence.get_data_attribute(DATA))
        return StateDecision.graceful_complete_workflow(answer)


class CallApi4(WorkflowState[None]):
    """The way of the timer."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def execute(
        self,
        ctx: WorkflowContext,
        input: None,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        answer = self._services.call("API4", persistence.get_data_attribute(DATA))
        return StateDecision.graceful_complete_workflow(answer)


class OrchestrationWorkflow(ObjectWorkflow):
    """The workflow type is the name of this class."""

    def __init__(self, services: Services, timeout_seconds: int) -> None:
        self._services = services
        self._timeout_seconds = timeout_seconds

    def get_workflow_states(self) -> StateSchema:
        return StateSchema.with_starting_state(
            CallApi1(self._services),
            CallApi2(self._services),
            AwaitReady(self._timeout_seconds),
            CallApi3(self._services),
            CallApi4(self._services),
        )

    def get_persistence_schema(self) -> PersistenceSchema:
        return PersistenceSchema.create(
            PersistenceField.data_attribute_def(DATA, str),
            PersistenceField.data_attribute_def(STAGE, str),
        )

    def get_communication_schema(self) -> CommunicationSchema:
        return CommunicationSchema.create(CommunicationMethod.signal_channel_def(READY, None))

    @rpc()
    def swap(self, data: str, persistence: Persistence) -> str | None:
        """Replace the data while the workflow runs, and return what was there before.

        Reading and writing are two steps here: of two calls at the same moment the later one wins.
        """
        before: str | None = persistence.get_data_attribute(DATA)
        persistence.set_data_attribute(DATA, data)
        return before

    @rpc()
    def describe(self, persistence: Persistence) -> Progress:
        """Read where the workflow is."""
        return Progress(
            data=persistence.get_data_attribute(DATA), stage=persistence.get_data_attribute(STAGE)
        )


def orchestration_registry(services: Services, timeout_seconds: int) -> Registry:
    """Register the workflow; the worker needs it to run states, the client to know the RPCs.

    Args:
        services: What the states call.
        timeout_seconds: How long to wait for the signal before API4 is called.
    """
    registry = Registry()
    registry.add_workflow(OrchestrationWorkflow(services, timeout_seconds))
    return registry
