"""Everything a run knows, as plain data.

The state of a run at a border between batches is exactly this structure: nothing that matters hides in a
stack frame or a task. So it can be written down, compared and restored (`snapshot`). Fields are only
added, with defaults, since states outlive the build that wrote them; a default is not written, so that
a state reads the same in a build that does not know the field yet.
"""

from enum import StrEnum

import msgspec

from iwf_interpreter.contract import InterpreterInput, LockedRpcRequest, StateTarget
from iwf_interpreter.core.commands import EarlierAttempts
from iwf_models import (
    CommandRequest,
    EncodedObject,
    KeyValue,
    SearchAttribute,
    StateCompletionOutput,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConfig,
    WorkflowErrorType,
    WorkflowRetryPolicy,
)


class Phase(StrEnum):
    """Where a live state execution stands."""

    START = "START"
    """waitUntil is to be called next, as soon as locks and the run allow it."""
    WAIT_UNTIL = "WAIT_UNTIL"
    """waitUntil is being called."""
    WAITING = "WAITING"
    """Its commands are registered and not satisfied yet."""
    READY = "READY"
    """execute is to be called next, as soon as locks and the run allow it."""
    EXECUTE = "EXECUTE"
    """execute is being called."""

    @property
    def is_before_waiting(self) -> bool:
        """Whether the commands to wait for are still to come."""
        return self in (Phase.START, Phase.WAIT_UNTIL)


class TimerState(StrEnum):
    """Status of a timer command, as `GetCurrentTimerInfos` shows it."""

    PENDING = "Pending"
    FIRED = "Fired"
    SKIPPED = "Skipped"


class Timer(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One timer command of a waiting state execution."""

    fire_at_ms: int
    """Unix milliseconds."""
    command_id: str | None = None
    status: TimerState = TimerState.PENDING


class Waiting(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The commands of a waiting state execution and what has completed of them."""

    sequence: int
    """Position among all registrations of the run: the lowest waits longest."""
    request: CommandRequest
    timers: list[Timer] = []
    """By index of the timer command."""
    signals: dict[int, list[EncodedObject]] = {}
    """Messages taken, by index of the signal command, oldest first; none of them is empty."""
    internal: dict[int, list[EncodedObject | None]] = {}
    """Messages taken, by index of the internal channel command; a message may have no value."""


class StateExecution(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One live execution of a state."""

    movement: StateMovement
    phase: Phase
    locals: list[KeyValue] | None = None
    """`upsertStateLocals` of the waitUntil answer, for the execute call."""
    waited: Waiting | None = None
    """How the wait ended, for the execute call; `None` when there was none."""
    wait_until_failed: bool = False
    earlier: EarlierAttempts | None = None
    """Attempts of the present call that were made in place."""
    in_place: bool = False
    """Whether the call in flight is made in place."""
    began_at_ms: int = 0
    """Unix milliseconds at which the present call came up, its wait for locks included."""


class ArmedTimer(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """The engine timer that is open."""

    timer_id: str
    fire_at_ms: int


class TimerSkip(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """A skip that came before the timers of its state execution."""

    execution_id: str
    command_id: str | None = None
    command_index: int | None = None


class LockedRpc(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """A locked RPC that waits for its locks, or whose worker is being called."""

    request: LockedRpcRequest
    calling: bool = False
    began_at_ms: int = 0


class LockTicket(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """A call that holds locks, or waits for them: all of them at once."""

    owner: str
    """The call's id."""
    keys: list[str]
    """As `iwf_interpreter.core.locks` writes them."""


class PendingClose(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """A conditional close that waits for the end of its batch."""

    execution_id: str
    condition: WorkflowConditionalClose
    otherwise: list[StateMovement]


class Failure(msgspec.Struct, omit_defaults=True, kw_only=True, frozen=True):
    """Why the run must fail."""

    error_type: WorkflowErrorType
    text: str | None = None


class ExecutionState(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The state of one run. What the run that continues it begins with, `snapshot.carried` says."""

    workflow_id: str
    run_id: str
    run_started_at_ms: int
    first_run_id: str
    """What workers see as `context.workflowRunId`."""
    started_at: int
    """Unix seconds of the start of the chain's first run: `context.workflowStartedTimestamp`."""
    deadline_ms: int | None = None
    """Unix milliseconds at which the chain runs out of time."""
    request_id: str | None = None
    retry_policy: WorkflowRetryPolicy | None = None
    recurring: InterpreterInput | None = None
    """What a workflow with a cron schedule started with."""
    workflow_type: str
    worker_url: str
    config: WorkflowConfig
    interpreter_version: int
    use_memo: bool = False

    queue: list[StateMovement] = []
    """Movements that no execution was started for yet, oldest first."""
    executions: dict[str, StateExecution] = {}
    """Live executions by id, in the order of their start."""
    waiting: dict[str, Waiting] = {}
    """Commands of the executions in `Phase.WAITING`, in the order in which they began to wait."""
    registrations: int = 0
    """Command requests registered so far: the source of `Waiting.sequence`."""
    started_counts: dict[str, int] = {}
    """Executions started so far, by state id."""
    completed_keys: dict[str, dict[str, str]] = {}
    """By state id and `waitForKey`: the first execution that completed with the key."""
    calls_to_make: list[str] = []
    """Ids of calls that wait for locks, or for the run to go on, in the order in which they came up."""
    calls_in_flight: int = 0
    calls_in_place: int = 0
    """How many of them are made in place."""
    stale_skips: list[TimerSkip] = []
    """Oldest first."""
    slow_locally: dict[str, int] = {}
    """Calls in place that ran out of time, by state id."""

    data_attributes: dict[str, EncodedObject | None] = {}
    search_attributes: dict[str, SearchAttribute] = {}
    """Attributes that came in through iWF, as last supplied; never the server's own."""
    times_written_at_ms: dict[str, int] = {}
    """When the search attributes that hold a time were written: the text of one may be relative to it."""
    signal_channels: dict[str, list[EncodedObject]] = {}
    """Unconsumed messages; a channel that empties disappears."""
    internal_channels: dict[str, list[EncodedObject | None]] = {}
    lock_tickets: list[LockTicket] = []
    """Oldest first; one that conflicts with no older one holds its locks."""
    locked_rpcs: dict[str, LockedRpc] = {}
    """By update id."""
    state_waits: dict[str, StateTarget] = {}
    """Clients that wait for a state execution, by update id."""
    executing_state_ids: list[str] = []
    """What the index shows as `IwfExecutingStateIds`."""

    armed_timer: ArmedTimer | None = None
    timers_started: int = 0

    outputs: list[StateCompletionOutput] = []
    """Outputs of closing decisions, in the order in which they were processed."""
    pending_closes: list[PendingClose] = []
    graceful: bool = False
    """Some thread asked to complete once nothing is left to do."""
    forced: bool = False
    """Some thread completed the workflow at once."""
    failure: Failure | None = None
    """First failure in processing order."""
    client_failure: Failure | None = None
    cancel_requested: bool = False

    has_called: bool = False
    """Whether this run has called a state."""
    operations: int = 0
    """What the threshold for continuing as new counts, in this run."""
    continue_requested: bool = False
    continue_suggested: bool = False
    draining: bool = False
    """The run continues as new once no call is in flight; it makes no further ones."""
    closed: bool = False
