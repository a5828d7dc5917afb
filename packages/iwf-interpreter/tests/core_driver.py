"""A driver for the core: whole batches in, commands out, and builders for what goes in."""

from typing import Any, TypeVar

from iwf_interpreter.contract import InterpreterInput, RpcSignal
from iwf_interpreter.core import (
    CallExecute,
    CallRpc,
    CallWaitUntil,
    Command,
    ContinueAsNew,
    Event,
    ExecuteAnswered,
    ExecutionState,
    Interpreter,
    NotReady,
    RpcWritten,
    SignalReceived,
    Started,
    WaitUntilAnswered,
    snapshot,
)
from iwf_models import (
    CommandRequest,
    EncodedObject,
    ExecutingStateIdMode,
    InterStateChannelPublishing,
    StateDecision,
    StateMovement,
    WorkflowConfig,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
)

T = TypeVar("T")

START_MS = 1_700_000_000_250

QUIET = WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.DISABLED)
"""Without the search attribute that almost every batch would change."""


class Driver:
    """One run; time stands still unless a batch says otherwise."""

    def __init__(self, *, observed: bool = False) -> None:
        self.interpreter = Interpreter(observed=observed)
        self.now_ms = START_MS
        self.history: list[tuple[int, tuple[Event, ...] | None, list[Command]]] = []
        """Time, events and commands of every batch; no events where a task ended with calls in place open."""
        self.successors: list[Driver] = []

    @property
    def state(self) -> ExecutionState:
        return self.interpreter.state

    def batch(self, *events: Event, at_ms: int | None = None) -> list[Command]:
        """Apply the events and settle once."""
        self.now_ms = self.now_ms if at_ms is None else at_ms
        for event in events:
            self.interpreter.apply(event, self.now_ms)
        commands = self.interpreter.settle(self.now_ms)
        self.history.append((self.now_ms, events, commands))
        return commands

    def in_place(self, *results: Event, at_ms: int | None = None) -> list[Command]:
        """Take in results of calls that were made in place: each one is a batch of its own."""
        return [command for result in results for command in self.batch(result, at_ms=at_ms)]

    def end_task(self) -> list[Command]:
        """Answer the task although calls in place are open."""
        commands = self.interpreter.take_index_changes(self.now_ms)
        self.history.append((self.now_ms, None, commands))
        return commands

    def start(
        self, *movements: StateMovement, config: WorkflowConfig | None = None, **fields: Any
    ) -> list[Command]:
        """Start the run, with the first movement as its start state and the others as an RPC's."""
        first = movements[0] if movements else None
        events: list[Event] = [
            started(
                InterpreterInput(
                    iwf_workflow_type="Order",
                    iwf_worker_url="http://worker:8802",
                    start_state_id=first and first.state_id,
                    state_input=first and first.state_input,
                    state_options=first and first.state_options,
                    config=QUIET if config is None else config,
                    **fields,
                )
            )
        ]
        if len(movements) > 1:
            decision = StateDecision(next_states=list(movements[1:]))
            events.append(RpcWritten(changes=RpcSignal(state_decision=decision)))
        return self.batch(*events)

    def successor(self, commands: list[Command], at_ms: int | None = None) -> tuple["Driver", list[Command]]:
        """The run that these commands, of this run's last batch, continue as; and its first commands."""
        again = commands[-1]
        assert isinstance(again, ContinueAsNew)
        new = Driver()
        self.successors.append(new)
        new.now_ms = self.now_ms if at_ms is None else at_ms
        return new, new.batch(
            started(again.input, run_id="run-3", started_at_ms=new.now_ms, deadline_ms=self.state.deadline_ms)
        )

    def replayed(self) -> Interpreter:
        """A fresh core that was fed the same batches; every batch must give the same commands."""
        return self._fed_again(Interpreter(), restoring=False)

    def restored(self) -> Interpreter:
        """A fresh core that was fed the same batches and was written down and read back in between."""
        return self._fed_again(Interpreter(), restoring=True)

    def check(self) -> None:
        """Compare with a replay and with a twin that was restored after every task; also the successors."""
        for again in (self.replayed(), self.restored()):
            assert again.closed == self.interpreter.closed
            assert _state(again) == _state(self.interpreter)
        for successor in self.successors:
            successor.check()

    def _fed_again(self, fresh: Interpreter, *, restoring: bool) -> Interpreter:
        for now_ms, events, commands in self.history:
            if events is None:
                assert fresh.take_index_changes(now_ms) == commands
            else:
                for event in events:
                    fresh.apply(event, now_ms)
                assert fresh.settle(now_ms) == commands
            state = _state(fresh)
            # A task that is still in hand is no border: what it has for the index is not in the state.
            if restoring and state is not None and (events is None or not state.calls_in_place):
                fresh = Interpreter(snapshot.decode(snapshot.encode(state)))
        return fresh


def _state(interpreter: Interpreter) -> ExecutionState | None:
    try:
        return interpreter.state
    except NotReady:
        return None


def started(
    start: InterpreterInput,
    *,
    run_id: str = "run-2",
    started_at_ms: int = 1_700_000_000_000,
    deadline_ms: int | None = None,
) -> Started:
    return Started(
        workflow_id="order-1",
        run_id=run_id,
        first_run_id="run-1",
        started_at_ms=started_at_ms,
        deadline_ms=deadline_ms,
        input=start,
    )


def value(data: str) -> EncodedObject:
    return EncodedObject(encoding="json", data=data)


def state(state_id: str, data: str | None = None, **options: Any) -> StateMovement:
    """A movement; options are those of the state."""
    return StateMovement(
        state_id=state_id,
        state_input=None if data is None else value(data),
        state_options=WorkflowStateOptions(**options) if options else None,
    )


def waited(execution_id: str, request: CommandRequest | None = None, **fields: Any) -> WaitUntilAnswered:
    return WaitUntilAnswered(
        execution_id=execution_id, answer=WorkflowStateStartResponse(command_request=request, **fields)
    )


def executed(execution_id: str, *movements: StateMovement, **fields: Any) -> ExecuteAnswered:
    close = fields.pop("conditional_close", None)
    decision = StateDecision(next_states=list(movements) or None, conditional_close=close)
    return ExecuteAnswered(
        execution_id=execution_id, answer=WorkflowStateDecideResponse(state_decision=decision, **fields)
    )


def signal(channel: str, data: str) -> SignalReceived:
    return SignalReceived(channel_name=channel, value=value(data))


def published(channel: str, *data: str) -> RpcWritten:
    messages = [InterStateChannelPublishing(channel_name=channel, value=value(item)) for item in data]
    return RpcWritten(changes=RpcSignal(inter_state_channel_publishing=messages))


def started_by_rpc(*movements: StateMovement) -> RpcWritten:
    return RpcWritten(changes=RpcSignal(state_decision=StateDecision(next_states=list(movements))))


def calls(commands: list[Command]) -> list[str]:
    """Ids of the calls among the commands, in order."""
    return [
        command.call_id for command in commands if isinstance(command, CallWaitUntil | CallExecute | CallRpc)
    ]


def only(commands: list[Command], kind: type[T]) -> T:
    """The one command of a kind."""
    (found,) = [command for command in commands if isinstance(command, kind)]
    return found
