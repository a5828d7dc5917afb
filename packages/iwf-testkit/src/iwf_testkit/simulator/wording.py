"""Events and commands in plain words, for reports."""

import msgspec

from iwf_interpreter.core import commands, events
from iwf_models import EncodedObject


def words(event: events.Event) -> str:
    """An event in plain words."""
    match event:
        case events.Started():
            how = "goes on from the run before" if event.input.continued else "starts"
            return f"{event.run_id} {how}"
        case events.SignalReceived():
            return f"signal {_text(event.value)} on {event.channel_name!r}"
        case events.RpcWritten():
            changes = event.changes
            parts = [
                f"message {_text(each.value)} for {each.channel_name!r}"
                for each in changes.inter_state_channel_publishing or ()
            ]
            parts += [f"{each.key} = {_text(each.value)}" for each in changes.upsert_data_objects or ()]
            parts += [f"{each.key} = {each.string_value}" for each in changes.upsert_search_attributes or ()]
            if changes.state_decision is not None:
                parts += [f"start {each.state_id}" for each in changes.state_decision.next_states or ()]
            return "RPC writes " + ", ".join(parts)
        case events.TimerSkipped():
            return f"skip timer {event.command_id or event.command_index!r} of {event.execution_id}"
        case events.LockedRpcRequested():
            policies = (
                event.request.data_attributes_loading_policy,
                event.request.search_attributes_loading_policy,
            )
            keys = [key for policy in policies if policy for key in policy.locking_keys or ()]
            return f"locked RPC {event.update_id} on {', '.join(keys)}"
        case events.StateWaitRequested():
            target = event.target
            return f"{event.update_id} waits for {target.state_execution_id or target.wait_for_key}"
        case events.WaitUntilAnswered() | events.ExecuteAnswered():
            return f"{_call(event)}/{event.execution_id} answered"
        case events.WaitUntilFailed() | events.ExecuteFailed():
            return f"{_call(event)}/{event.execution_id} given up"
        case events.LocalCallFailed():
            return f"{event.call_id} failed in place"
        case events.RpcAnswered():
            return f"rpc/{event.update_id} {'failed' if event.failure else 'answered'}"
        case events.ConfigUpdated():
            return f"config {msgspec.json.encode(event.config).decode()}"
        case events.TimerFired():
            return f"{event.timer_id} fired"
        case events.SnapshotPageLoaded():
            return f"page {event.page_number} of the run before was read"
        case events.FailRequested():
            return "client fails the workflow"
        case events.CancelRequested():
            return "client cancels the workflow"
        case events.ContinueAsNewRequested():
            return "client wants continue-as-new"
        case events.ContinueAsNewSuggested():
            return "engine suggests continue-as-new"


def _call(event: events.Event) -> str:
    return "wu" if isinstance(event, events.WaitUntilAnswered | events.WaitUntilFailed) else "ex"


def _text(value: EncodedObject | None) -> str:
    return "null" if value is None or value.data is None else value.data


def command_words(command: commands.Command) -> str:
    """A command in plain words."""
    match command:
        case commands.CallWaitUntil() | commands.CallExecute():
            return f"call {command.call_id}{' in place' if command.local else ''}"
        case commands.CallRpc() | commands.LoadSnapshotPage():
            return f"call {command.call_id}"
        case commands.StartTimer():
            return f"start {command.timer_id} of {command.delay_ms} ms for {command.execution_id}"
        case commands.CancelTimer():
            return f"cancel {command.timer_id}"
        case commands.SetSearchAttributes():
            return f"index {', '.join(f'{key} = {each.value}' for key, each in command.values.items())}"
        case commands.AcceptUpdate():
            return f"accept {command.update_id}"
        case commands.AnswerUpdate():
            return f"answer {command.update_id}"
        case commands.FailUpdate():
            return f"end {command.update_id}: {command.error}"
        case commands.FailRun():
            return f"fail with {command.error_type}"
        case _:
            return type(command).__name__
