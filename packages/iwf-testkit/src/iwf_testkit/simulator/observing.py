"""What the ledger takes over from the core's commands: choices that the rules leave open.

In which order calls came up, which of them are made, and what the index shows. The invariants judge it.
"""

from collections.abc import Sequence

from iwf_interpreter.contract import LockedRpcAnswer, StateCompletionAnswer
from iwf_interpreter.core import commands as given
from iwf_interpreter.core.state import Phase
from iwf_testkit.simulator.account import Want, calls_of
from iwf_testkit.simulator.keys import lock_keys
from iwf_testkit.simulator.ledger import Ledger


def observe(ledger: Ledger, commands: Sequence[given.Command], order: Sequence[str], now_ms: int) -> None:
    """Take over what the core chose: which calls it makes, and the order in which new ones queue.

    Args:
        ledger: The account.
        commands: The commands of the batch.
        order: Ids of calls in the order in which the core has them queued for locks.
        now_ms: Time of the batch.
    """
    known = {want.call_id for want in ledger.wants}
    fresh = [
        Want(call_id, lock_keys(live.movement.state_options, before_waiting=call_id.startswith("wu/")))
        for execution_id, live in ledger.live.items()
        if (call_id := calls_of(execution_id, live)) and call_id not in known
    ]
    fresh += [
        Want(f"rpc/{update_id}", lock_keys(request))
        for update_id, request in ledger.rpcs.items()
        if f"rpc/{update_id}" not in known
    ]
    place = {call_id: position for position, call_id in enumerate(order)}
    fresh.sort(key=lambda want: place.get(want.call_id, len(place)))
    ledger.wants += fresh
    for command in commands:
        match command:
            case given.CallWaitUntil() | given.CallExecute() | given.CallRpc():
                _made(ledger, command)
            case given.AnswerUpdate():
                _update_answered(ledger, command)
            case given.FailUpdate():
                _update_failed(ledger, command, now_ms)
            case _:
                pass


def observe_index(ledger: Ledger, commands: Sequence[given.Command]) -> None:
    """Take over what the engine's index and memo show."""
    for command in commands:
        if isinstance(command, given.SetSearchAttributes):
            ledger.index.update({key: each.value for key, each in command.values.items()})
        elif isinstance(command, given.SetMemo):
            ledger.memo.update(command.values)


def _update_answered(ledger: Ledger, command: given.AnswerUpdate) -> None:
    update_id, result = command.update_id, command.result
    if update_id in ledger.answered:
        output = ledger.answered.pop(update_id)
        if not isinstance(result, LockedRpcAnswer) or result.output != output:
            ledger.wrong_end = f"{update_id} is answered: {result!r}"
        return
    target = ledger.state_waits.pop(update_id, None)
    execution_id = target and ledger.completed(target)
    if execution_id is None or not isinstance(result, StateCompletionAnswer) or not result.output:
        ledger.wrong_end = f"{update_id} is answered: {result!r}"
        return
    told = (result.output.completed_state_execution_id, result.output.completed_state_output)
    if told != (execution_id, ledger.finals.get(execution_id)):
        ledger.wrong_end = f"{update_id} is told {told!r}"


def _update_failed(ledger: Ledger, command: given.FailUpdate, now_ms: int) -> None:
    update_id = command.update_id
    request = ledger.rpcs.pop(update_id, None)
    if request is not None:
        called = any(want.call_id == f"rpc/{update_id}" and want.in_flight for want in ledger.wants)
        expired = request.expires_at_ms is not None and now_ms >= request.expires_at_ms
        right = expired if command.error == "RPC_EXPIRED" else not ledger.takes_rpcs
        ledger.call_is_over(f"rpc/{update_id}")
        if called or not right:
            ledger.wrong_end = f"{update_id} ends with {command.error}"
    elif ledger.state_waits.pop(update_id, None) is None:
        ledger.wrong_end = f"{update_id} ends again with {command.error}"


def _made(ledger: Ledger, command: given.CallWaitUntil | given.CallExecute | given.CallRpc) -> None:
    for want in ledger.wants:
        if want.call_id == command.call_id:
            want.in_flight = True
            want.in_place = isinstance(command, given.CallRpc) or command.local
    live = ledger.live.get(command.call_id[3:])
    if isinstance(command, given.CallRpc):
        return
    ledger.has_called = True
    if live is not None:
        live.phase = Phase.WAIT_UNTIL if live.phase is Phase.START else Phase.EXECUTE
    ledger.made.append(f"local {command.call_id}" if command.local else command.call_id)
