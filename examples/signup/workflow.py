"""The sign-up workflow: verify an e-mail address, with reminders until the user does it.

    SubmitState ──▶ VerifyState ──▶ completed
                     ▲       │
                     └───────┘ a reminder, whenever the timer fires first

One execution per user. The server keeps its data and timers; this code only says what to do next, and any
worker process may be asked.
"""

# pyright: reportUnknownMemberType=false
# The SDK's own signatures leave some type parameters open.

from dataclasses import dataclass

from iwf.command_request import CommandRequest, InternalChannelCommand, TimerCommand
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

from examples.signup.mail import Mail, Outbox

VERIFICATION = "Please verify your address"
REMINDER = "Reminder: please verify your address"
WELCOME = "Welcome"

FORM = "form"
STATUS = "status"
REMINDERS = "reminders"
VERIFIED = "verified"


@dataclass
class SignupForm:
    """What the user submits; the input of the workflow."""

    username: str
    email: str


@dataclass
class SignupStatus:
    """What the `describe` RPC answers."""

    email: str
    status: str
    """`waiting` or `verified`."""
    reminders: int


class SubmitState(WorkflowState[SignupForm]):
    """Keeps the form and sends the first e-mail. It has nothing to wait for, so it has no `wait_until`."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def execute(
        self,
        ctx: WorkflowContext,
        input: SignupForm,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        persistence.set_data_attribute(FORM, input)
        persistence.set_data_attribute(STATUS, "waiting")
        persistence.set_data_attribute(REMINDERS, 0)
        self._outbox.send(Mail(key=_once(ctx), to=input.email, subject=VERIFICATION))
        return StateDecision.single_next_state(VerifyState)


class VerifyState(WorkflowState[None]):
    """Waits for the verification or the timer, whichever comes first."""

    def __init__(self, outbox: Outbox, remind_after_seconds: int) -> None:
        self._outbox = outbox
        self._remind_after_seconds = remind_after_seconds

    def wait_until(
        self, ctx: WorkflowContext, input: None, persistence: Persistence, communication: Communication
    ) -> CommandRequest:
        return CommandRequest.for_any_command_completed(
            InternalChannelCommand.by_name(VERIFIED), TimerCommand.by_seconds(self._remind_after_seconds)
        )

    def execute(
        self,
        ctx: WorkflowContext,
        input: None,
        command_results: CommandResults,
        persistence: Persistence,
        communication: Communication,
    ) -> StateDecision:
        form: SignupForm = persistence.get_data_attribute(FORM)
        if command_results.internal_channel_commands[0].status == ChannelRequestStatus.RECEIVED:
            self._outbox.send(Mail(key=_once(ctx), to=form.email, subject=WELCOME))
            return StateDecision.graceful_complete_workflow(f"{form.username} has signed up")
        self._outbox.send(Mail(key=_once(ctx), to=form.email, subject=REMINDER))
        persistence.set_data_attribute(REMINDERS, persistence.get_data_attribute(REMINDERS) + 1)
        return StateDecision.single_next_state(VerifyState)


class SignupWorkflow(ObjectWorkflow):
    """One user's sign-up. The workflow type is the name of this class."""

    def __init__(self, outbox: Outbox, remind_after_seconds: int) -> None:
        self._outbox = outbox
        self._remind_after_seconds = remind_after_seconds

    def get_workflow_states(self) -> StateSchema:
        return StateSchema.with_starting_state(
            SubmitState(self._outbox), VerifyState(self._outbox, self._remind_after_seconds)
        )

    def get_persistence_schema(self) -> PersistenceSchema:
        return PersistenceSchema.create(
            PersistenceField.data_attribute_def(FORM, SignupForm),
            PersistenceField.data_attribute_def(STATUS, str),
            PersistenceField.data_attribute_def(REMINDERS, int),
        )

    def get_communication_schema(self) -> CommunicationSchema:
        return CommunicationSchema.create(CommunicationMethod.internal_channel_def(VERIFIED, None))

    @rpc()
    def verify(self, persistence: Persistence, communication: Communication) -> str:
        """Mark the address as verified: `done`, or `already verified`.

        What it writes and what it publishes reach the workflow together or not at all. Two calls at the same
        moment may both answer `done`; the second message then finds nobody waiting, which does no harm.
        """
        if persistence.get_data_attribute(STATUS) == "verified":
            return "already verified"
        persistence.set_data_attribute(STATUS, "verified")
        communication.publish_to_internal_channel(VERIFIED)
        return "done"

    @rpc()
    def describe(self, persistence: Persistence) -> SignupStatus:
        """Read where the sign-up is. An RPC that only reads also works on a completed workflow."""
        form: SignupForm = persistence.get_data_attribute(FORM)
        return SignupStatus(
            email=form.email,
            status=persistence.get_data_attribute(STATUS),
            reminders=persistence.get_data_attribute(REMINDERS),
        )


def signup_registry(outbox: Outbox, remind_after_seconds: int = 24 * 3600) -> Registry:
    """Register the workflow; the worker needs it to run states, the client to know the RPCs."""
    registry = Registry()
    registry.add_workflow(SignupWorkflow(outbox, remind_after_seconds))
    return registry


def _once(ctx: WorkflowContext) -> str:
    """Name the state execution: the same on every attempt, another one for every reminder."""
    return f"{ctx.workflow_run_id}-{ctx.state_execution_id}"
