"""The simulator's own account of a workflow: what it should be like at a border between batches.

Plain data and the questions that it answers by itself. `ledger` says how events change it, `observing` what
it takes over from the core's commands, and the invariants compare it with the core's state.
"""

from dataclasses import dataclass, field, fields
from typing import Self

from iwf_interpreter.contract import LockedRpcRequest, StateTarget
from iwf_interpreter.core import events
from iwf_interpreter.core.state import Phase, TimerState
from iwf_models import (
    CommandRequest,
    EncodedObject,
    KeyValue,
    SearchAttribute,
    StateCompletionOutput,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConfig,
)
from iwf_testkit.simulator.keys import LockKey

_NO_CONFIG = WorkflowConfig()


@dataclass(slots=True)
class Wait:
    """What a state execution waits for, and what it has got."""

    request: CommandRequest
    fire_at_ms: list[int]
    timers: list[TimerState]
    signals: dict[int, list[EncodedObject]] = field(default_factory=dict)
    internal: dict[int, list[EncodedObject | None]] = field(default_factory=dict)

    def copy(self) -> "Wait":
        """A copy that can go another way."""
        return Wait(
            self.request,
            self.fire_at_ms,
            list(self.timers),
            {index: list(taken) for index, taken in self.signals.items()},
            {index: list(taken) for index, taken in self.internal.items()},
        )


@dataclass(slots=True)
class Live:
    """A state execution that has not ended."""

    movement: StateMovement
    phase: Phase
    wait: Wait | None = None
    wait_until_failed: bool = False
    state_locals: list[KeyValue] | None = None

    def copy(self) -> "Live":
        """A copy that can go another way."""
        wait = self.wait and self.wait.copy()
        return Live(self.movement, self.phase, wait, self.wait_until_failed, self.state_locals)


@dataclass(slots=True)
class Want:
    """A call that came up and is not over: it holds its locks or waits for them."""

    call_id: str
    keys: tuple[LockKey, ...]
    in_flight: bool = False
    in_place: bool = False
    """It is being made within the task."""

    @property
    def is_rpc(self) -> bool:
        """Whether it is an RPC's, not a state's."""
        return self.call_id.startswith("rpc/")


@dataclass(slots=True)
class Account:
    """Everything that must hold of a run."""

    config: WorkflowConfig = _NO_CONFIG
    began: int = 0
    """Unix seconds of the start of the first run."""
    run_started_at_ms: int = 0
    deadline_ms: int | None = None
    use_memo: bool = False

    queue: list[StateMovement] = field(default_factory=list)
    live: dict[str, Live] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    """Executions that wait, in the order in which they began to."""
    signals: dict[str, list[EncodedObject]] = field(default_factory=dict)
    internal: dict[str, list[EncodedObject | None]] = field(default_factory=dict)
    stale: list[events.TimerSkipped] = field(default_factory=list)
    data: dict[str, EncodedObject | None] = field(default_factory=dict)
    search: dict[str, SearchAttribute] = field(default_factory=dict)
    index: dict[str, object] = field(default_factory=dict)
    memo: dict[str, EncodedObject] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """By state id and wait key: the first execution that completed."""
    finals: dict[str, EncodedObject | None] = field(default_factory=dict)
    """Outputs by execution that completed with one."""

    outputs: list[StateCompletionOutput] = field(default_factory=list)
    closes: list[tuple[str, WorkflowConditionalClose, list[StateMovement]]] = field(default_factory=list)
    graceful: bool = False
    forced: bool = False
    failure: tuple[str, str | None] | None = None
    """Type and text of the first failure; of our own contradictions the text is not told."""
    client_failure: bool = False
    cancel: bool = False

    has_called: bool = False
    """The run has called a state."""
    operations: int = 0
    requested: bool = False
    suggested: bool = False
    draining: bool = False
    wants: list[Want] = field(default_factory=list)
    rpcs: dict[str, LockedRpcRequest] = field(default_factory=dict)
    state_waits: dict[str, StateTarget] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    """Updates that this batch took on."""
    answered: dict[str, EncodedObject | None] = field(default_factory=dict)
    """Locked RPCs whose worker's call ended in this batch, with their output."""
    pages_missing: int = 0
    held: list[events.Event] = field(default_factory=list)
    """What came while the state of the run before was still being read."""
    slow: dict[str, int] = field(default_factory=dict)
    """Attempts in place of this run that ran out of time, by state id."""
    wrong_end: str | None = None
    """An update that ended without reason."""
    made: list[str] = field(default_factory=list)
    """Calls of the chain that the core has asked for, `local ` before those in place."""

    def copy(self) -> Self:
        """A copy that can go another way."""
        other = type(self)()
        for name in _FIELDS:
            value = getattr(self, name)
            setattr(other, name, value.copy() if isinstance(value, list | dict) else value)
        other.live = {name: each.copy() for name, each in self.live.items()}
        other.signals = {name: list(queue) for name, queue in self.signals.items()}
        other.internal = {name: list(queue) for name, queue in self.internal.items()}
        other.wants = [Want(each.call_id, each.keys, each.in_flight, each.in_place) for each in self.wants]
        return other

    def close(self) -> str | None:
        """How the run must close at this border, if it must; `continue` is left to the commands."""
        if self.cancel:
            return "cancel"
        if self.client_failure:
            return "CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE"
        if self.failure is not None:
            return self.failure[0]
        if self.forced or (self.graceful and not self.live and not self.queue):
            return "complete"
        return None

    @property
    def rests(self) -> bool:
        """Whether no call is being made in place, so that the index must be up to date."""
        return not any(want.in_place for want in self.wants)

    @property
    def takes_rpcs(self) -> bool:
        """Whether RPCs may be called: while the run drains, only as long as a state's call keeps it."""
        return not self.draining or any(want.in_flight and not want.is_rpc for want in self.wants)

    def completed(self, target: StateTarget) -> str | None:
        """The execution that a client waits for, once it has completed."""
        if target.wait_for_key:
            return self.keys.get(f"{target.state_id}/{target.wait_for_key}")
        execution_id = target.state_execution_id or ""
        state_id, _, number = execution_id.rpartition("-")
        started = 1 <= int(number) <= self.counts.get(state_id, 0)
        return execution_id if started and execution_id not in self.live else None


_FIELDS = tuple(each.name for each in fields(Account))


def calls_of(execution_id: str, live: Live) -> str | None:
    """Id of the call that an execution wants to make, or is making."""
    match live.phase:
        case Phase.START | Phase.WAIT_UNTIL:
            return f"wu/{execution_id}"
        case Phase.READY | Phase.EXECUTE:
            return f"ex/{execution_id}"
        case Phase.WAITING:
            return None
