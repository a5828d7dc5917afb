"""Everything a run knows, as plain data.

The state of a run at a border between batches is exactly this structure: nothing that matters hides in a
stack frame or a task. So it can be written down, compared and restored (`snapshot`). Fields are only
added, with defaults, since states outlive the build that wrote them.
"""

from enum import StrEnum

import msgspec

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
)


class Phase(StrEnum):
    """Where a live state execution stands."""

    WAIT_UNTIL = "WAIT_UNTIL"
    """waitUntil is being called."""
    WAITING = "WAITING"
    """Its commands are registered and not satisfied yet."""
    EXECUTE = "EXECUTE"
    """execute is being called."""


class TimerState(StrEnum):
    """Status of a timer command, as `GetCurrentTimerInfos` shows it."""

    PENDING = "Pending"
    FIRED = "Fired"
    SKIPPED = "Skipped"


class Timer(msgspec.Struct, kw_only=True):
    """One timer command of a waiting state execution."""

    fire_at_ms: int
    """Unix milliseconds."""
    command_id: str | None = None
    status: TimerState = TimerState.PENDING


class Waiting(msgspec.Struct, kw_only=True):
    """The commands of a waiting state execution and what has completed of them."""

    sequence: int
    """Position among all registrations of the run: the lowest waits longest."""
    request: CommandRequest
    timers: list[Timer] = []
    """By index of the timer command."""
    signals: dict[int, EncodedObject] = {}
    """Message taken, by index of the signal command."""
    internal: dict[int, EncodedObject | None] = {}
    """Message taken, by index of the internal channel command; a message may have no value."""


class StateExecution(msgspec.Struct, kw_only=True):
    """One live execution of a state."""

    movement: StateMovement
    phase: Phase
    locals: list[KeyValue] | None = None
    """`upsertStateLocals` of the waitUntil answer, for the execute call."""
    wait_until_failed: bool = False


class ArmedTimer(msgspec.Struct, kw_only=True, frozen=True):
    """The engine timer that is open."""

    timer_id: str
    fire_at_ms: int


class PendingClose(msgspec.Struct, kw_only=True, frozen=True):
    """A conditional close that waits for the end of its batch."""

    execution_id: str
    condition: WorkflowConditionalClose
    otherwise: list[StateMovement]


class Failure(msgspec.Struct, kw_only=True, frozen=True):
    """Why the run must fail."""

    error_type: WorkflowErrorType
    text: str | None = None


class ExecutionState(msgspec.Struct, kw_only=True):
    """The state of one run."""

    workflow_id: str
    run_id: str
    first_run_id: str
    started_at: int
    """Unix seconds."""
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

    data_attributes: dict[str, EncodedObject | None] = {}
    search_attributes: dict[str, SearchAttribute] = {}
    """Attributes that came in through iWF, as last supplied; never the server's own."""
    signal_channels: dict[str, list[EncodedObject]] = {}
    """Unconsumed messages; a channel that empties disappears."""
    internal_channels: dict[str, list[EncodedObject | None]] = {}

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
    closed: bool = False
