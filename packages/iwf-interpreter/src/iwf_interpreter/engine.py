"""What the API service needs from a durable-execution engine, and the errors an engine may raise.

`iwf_api.operations` knows an engine only through `Engine`. An engine translates its own failures into
this tree; everything else that escapes it is a bug.

    EngineError                 the engine failed, or cannot be reached
    ├── WorkflowNotFound        no such workflow or run, or it is closed and the call needs a running one
    ├── WorkflowAlreadyStarted  the id is taken, by a running workflow or by the reuse policy
    ├── InvalidArgument         the engine refuses the request for good
    │   ├── NotStartedYet       the run waits for its first task
    │   └── NoResetPoint        the history has no such point
    ├── QueryFailed             the run cannot answer now; asking again may help
    ├── UpdateRefused           the run took no update, or ended it with a failure
    ├── RunEnded                the run ended before it had answered an update
    ├── TooManyUpdates          the run has as many updates as the engine lets it have
    ├── WaitTimedOut            the wait ended before the run did
    └── NotSupported            this engine cannot do that
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from iwf_interpreter.contract import InterpreterInput, QueryType, UpdateType
from iwf_models import EncodedObject, IDReusePolicy, SearchAttribute, WorkflowRetryPolicy, WorkflowStatus

T = TypeVar("T")


class EngineError(Exception):
    """The engine failed or cannot be reached."""


class WorkflowNotFound(EngineError):
    """There is no such workflow or run, or it is closed and the call needs a running one."""


class WorkflowAlreadyStarted(EngineError):
    """The workflow id is taken: by a running workflow, or by a closed one whose reuse is not allowed."""

    def __init__(self, workflow_id: str, run_id: str) -> None:
        super().__init__(f"workflow {workflow_id!r} is already started, run {run_id!r}")
        self.workflow_id = workflow_id
        self.run_id = run_id
        """The run that holds the id; it may be closed."""


class InvalidArgument(EngineError):
    """The engine refuses the request, and would refuse it again."""


class NotStartedYet(InvalidArgument):
    """The run waits for its start delay, its schedule or a retry, so there is nobody to ask yet."""


class NoResetPoint(InvalidArgument):
    """The run's history has no point of the kind that a reset asks for."""


class QueryFailed(EngineError):
    """The run could not answer a query now, for example because its first task is not done."""


class UpdateRefused(EngineError):
    """The run refused an update, or took it on and ended it with a failure."""

    def __init__(self, error_type: str, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type
        """One of `UpdateError`, unless something else than the interpreter has answered."""


class RunEnded(EngineError):
    """The run ended before it had answered an update; another run may carry the workflow on."""

    def __init__(self, text: str, *, accepted: bool) -> None:
        super().__init__(text)
        self.accepted = accepted
        """The run had taken the update on, so something may have been done for it."""


class TooManyUpdates(EngineError):
    """The run has as many updates open as the engine allows. This one was not delivered."""


class WaitTimedOut(EngineError):
    """The wait ended before the awaited thing happened."""


class NotSupported(EngineError):
    """This engine does not have the feature."""


class StartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a start that the engine itself acts on; the rest is in `input`."""

    workflow_id: str
    input: InterpreterInput
    timeout_seconds: int
    """Limit of the whole execution, over all runs. 0 means none."""
    id_reuse_policy: IDReusePolicy
    cron_schedule: str | None = None
    start_delay_seconds: int = 0
    retry_policy: WorkflowRetryPolicy | None = None
    memo: Mapping[str, EncodedObject]
    search_attributes: Sequence[SearchAttribute]
    """Attributes for the engine's own index: the user's, and `IwfWorkflowType`."""


class WorkflowDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine's index knows of one run."""

    run_id: str
    status: WorkflowStatus
    memo: Mapping[str, EncodedObject]
    search_attributes: Mapping[str, msgspec.Raw]
    """JSON value by attribute name, the engine's own attributes included."""
    search_attribute_types: Mapping[str, str]
    """The engine's type by attribute name, where it reports one: `Keyword`, `Text`, `Int`, `Double`, `Bool`,
    `Datetime`, `KeywordList`."""


class WorkflowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How one run ended."""

    status: WorkflowStatus
    result: msgspec.Raw | None = None
    """JSON of `InterpreterOutput` when completed."""
    failure_type: str | None = None
    """When failed: the error type that the interpreter gave, if it did."""
    failure_details: msgspec.Raw | None = None
    """When failed: JSON of the first detail, if any."""
    failure_message: str = ""


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a search: pairs of workflow id and run id."""

    executions: Sequence[tuple[str, str]]
    next_page_token: bytes
    """Empty on the last page."""


class ResetToBeginning(msgspec.Struct, frozen=True, kw_only=True):
    """Before everything that the run has done."""


class ResetToEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the history, which must be one that the engine can go back to."""

    event_id: int


class ResetToTime(msgspec.Struct, frozen=True, kw_only=True):
    """The first point at or after a time."""

    unix_ns: int


class ResetToState(msgspec.Struct, frozen=True, kw_only=True):
    """Before the first call of a state, whichever execution it was."""

    state_id: str


class ResetToStateExecution(msgspec.Struct, frozen=True, kw_only=True):
    """Before the first call of one state execution."""

    execution_id: str


ResetPoint: TypeAlias = ResetToBeginning | ResetToEvent | ResetToTime | ResetToState | ResetToStateExecution


class Engine(Protocol):
    """A durable-execution engine, as the API service sees it.

    An empty `run_id` means the current run. Unless a method says otherwise it raises `WorkflowNotFound`,
    `InvalidArgument` or, for anything else, `EngineError`.
    """

    async def start(self, request: StartRequest) -> str:
        """Start a workflow and return its run id; raises `WorkflowAlreadyStarted`.

        A transport failure is retried under one request id, so a start that was acknowledged late is not
        repeated.
        """
        ...

    async def signal(self, workflow_id: str, run_id: str, name: str, body: Any) -> None:
        """Append a signal to the run's history; `body` is a struct that msgspec can encode, or `None`."""
        ...

    async def query(
        self,
        workflow_id: str,
        run_id: str,
        query: QueryType,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        """Ask a run, open or closed, about its state; raises `QueryFailed` when asking again may help.

        A run that has not begun yet raises `NotStartedYet`, one that does not answer in time `WaitTimedOut`.
        """
        ...

    async def update(
        self,
        workflow_id: str,
        run_id: str,
        update: UpdateType,
        update_id: str,
        argument: Any,
        answer_type: type[T],
        timeout_seconds: float,
    ) -> T:
        """Hand an update to an open run and wait until it has answered.

        An update id counts once per run: a second call with the same one waits for the same answer, or gets
        the stored one. Cancelling the call ends the wait and not the update.

        Raises:
            WorkflowNotFound: There is no such run, or it is closed and holds no answer under this id.
            NotStartedYet: The run has not begun.
            UpdateRefused: The run gave a failure instead of an answer.
            RunEnded: The run ended first.
            TooManyUpdates: The engine's limit of updates per run is reached; nothing was delivered.
            WaitTimedOut: There was no answer in time.
        """
        ...

    async def reset(
        self,
        workflow_id: str,
        run_id: str,
        point: ResetPoint,
        reason: str,
        *,
        skip_signal_reapply: bool,
        skip_update_reapply: bool,
    ) -> str:
        """Run a workflow again from an earlier point of a run, open or closed; returns the new run's id.

        An open current run is ended. What came after the point, signals and updates, is given to the new run
        again unless the flags say otherwise.

        Raises:
            NoResetPoint: The run's history has no such point.
            InvalidArgument: The engine cannot go back to that event.
        """
        ...

    async def describe(self, workflow_id: str, run_id: str) -> WorkflowDescription:
        """Read what the engine's index knows of a run; it may lag behind the run."""
        ...

    async def outcome(self, workflow_id: str, run_id: str) -> WorkflowOutcome:
        """Read how exactly this closed run ended, without following its successors.

        A run that is still open has the status `RUNNING`.
        """
        ...

    async def wait(self, workflow_id: str, run_id: str, timeout_seconds: float) -> WorkflowOutcome:
        """Wait until the chain that begins with this run ends; raises `WaitTimedOut`.

        Runs that continue as new, retry or recur are followed. Cancelling the call ends the wait.
        """
        ...

    async def cancel(self, workflow_id: str, run_id: str) -> None:
        """Ask a run to cancel; a closed run is left as it is."""
        ...

    async def terminate(self, workflow_id: str, run_id: str, reason: str) -> None:
        """End a run at once."""
        ...

    async def search(self, query: str, page_size: int, page_token: bytes) -> SearchPage:
        """List runs by a query in the engine's own language; raises `InvalidArgument` for a bad one."""
        ...

    async def search_attribute_types(self) -> Mapping[str, str] | None:
        """Names and types of the search attributes that can be written; it may lag by some seconds.

        `None` when the engine does not tell; values are then sent unchecked.
        """
        ...
