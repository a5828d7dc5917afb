"""A driver for the core: whole batches in, commands out, and builders for what goes in."""

from typing import Any, TypeVar

from iwf_interpreter.contract import InterpreterInput, RpcSignal
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    Command,
    Event,
    ExecuteAnswered,
    ExecutionState,
    Interpreter,
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

    def __init__(self) -> None:
        self.interpreter = Interpreter()
        self.now_ms = START_MS
        self.history: list[tuple[int, tuple[Event, ...], list[Command]]] = []

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

    def start(
        self, *movements: StateMovement, config: WorkflowConfig | None = None, **fields: Any
    ) -> list[Command]:
        """Start the run, with the first movement as its start state and the others as an RPC's."""
        first = movements[0] if movements else None
        events: list[Event] = [
            Started(
                workflow_id="order-1",
                run_id="run-2",
                first_run_id="run-1",
                started_at_ms=1_700_000_000_000,
                input=InterpreterInput(
                    iwf_workflow_type="Order",
                    iwf_worker_url="http://worker:8802",
                    start_state_id=first and first.state_id,
                    state_input=first and first.state_input,
                    state_options=first and first.state_options,
                    config=QUIET if config is None else config,
                    **fields,
                ),
            )
        ]
        if len(movements) > 1:
            decision = StateDecision(next_states=list(movements[1:]))
            events.append(RpcWritten(changes=RpcSignal(state_decision=decision)))
        return self.batch(*events)

    def replayed(self) -> Interpreter:
        """A fresh core that was fed the same batches; every batch must give the same commands."""
        fresh = Interpreter()
        for now_ms, events, commands in self.history:
            for event in events:
                fresh.apply(event, now_ms)
            assert fresh.settle(now_ms) == commands
        return fresh

    def restored(self) -> Interpreter:
        """A fresh core that was fed the same batches and was written down and read back in between."""
        fresh = Interpreter()
        for now_ms, events, commands in self.history:
            for event in events:
                fresh.apply(event, now_ms)
            assert fresh.settle(now_ms) == commands
            fresh = Interpreter(snapshot.decode(snapshot.encode(fresh.state)))
        return fresh


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
    return [command.call_id for command in commands if isinstance(command, CallWaitUntil | CallExecute)]


def only(commands: list[Command], kind: type[T]) -> T:
    """The one command of a kind."""
    (found,) = [command for command in commands if isinstance(command, kind)]
    return found
