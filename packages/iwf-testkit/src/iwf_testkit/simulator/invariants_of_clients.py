"""What must hold of what clients see: the engine's index, the memo, updates, wait keys.

Each function is one invariant, as in `invariants`.
"""

from iwf_interpreter.core import commands
from iwf_models import ExecutingStateIdMode, compat
from iwf_testkit.simulator.account import Account
from iwf_testkit.simulator.border import Border, differ


def the_index_is_written_once_and_only_when_it_changes(at: Border) -> str | None:
    """A batch writes the index at most once, and nothing that it shows already."""
    writes = at.asked(commands.SetSearchAttributes)
    if len(writes) > 1:
        return f"{len(writes)} writes in one batch"
    for write in writes:
        if not write.values:
            return "an empty write"
        for key, each in write.values.items():
            if at.index_before.get(key) == each.value:
                return f"{key} = {each.value!r} is shown already"
    return None


def the_index_shows_the_run(at: Border) -> str | None:
    """The index shows the search attributes, and in `IwfExecutingStateIds` the live executions that count."""
    return shown_by_index(at.ledger) if at.ledger.rests or at.close is not None else None


def shown_by_index(ledger: Account) -> str | None:
    """What the index should show and does not."""
    shown = {key: value for key, value in ledger.index.items() if key != "IwfExecutingStateIds"}
    found = differ("index", shown, {key: attribute.string_value for key, attribute in ledger.search.items()})
    mode = ledger.config.executing_state_id_mode
    if found or mode is ExecutingStateIdMode.DISABLED or ledger.close() is not None:
        return found
    # What a draining run leaves in its queue will be executing in the next one.
    movements = [*(live.movement for live in ledger.live.values()), *ledger.queue]
    counted = sorted(
        {
            each.state_id
            for each in movements
            if mode is ExecutingStateIdMode.ENABLED_FOR_ALL or not compat.skips_wait_until(each.state_options)
        }
    )
    return differ("IwfExecutingStateIds", ledger.index.get("IwfExecutingStateIds", []), counted)  # pyright: ignore[reportArgumentType]


def the_memo_mirrors_data_attributes(at: Border) -> str | None:
    """In memo mode the memo shows the data attributes, written at most once a batch; else nothing is."""
    if len(at.asked(commands.SetMemo)) > 1:
        return "the memo is written twice"
    return shown_by_memo(at.ledger) if at.ledger.rests or at.close is not None else None


def shown_by_memo(ledger: Account) -> str | None:
    """What the memo should show and does not."""
    return differ("memo", ledger.memo, ledger.data if ledger.use_memo else {})


def updates_are_accepted_and_end_once(at: Border) -> str | None:
    """An update taken on is accepted at once, and ends once: done, failed, or told to ask again."""
    accepted = [command.update_id for command in at.asked(commands.AcceptUpdate)]
    found = differ("accepted updates", accepted, at.ledger.accepted)
    if at.close is None or isinstance(at.close, commands.ContinueAsNew):
        found = found or differ("locked RPCs", list(at.core.locked_rpcs), list(at.ledger.rpcs))
        if isinstance(at.close, commands.ContinueAsNew):
            left = [*at.ledger.rpcs, *at.ledger.state_waits]
            return found or (f"{left[0]} has no end" if left else None)
        found = found or differ("state waits", list(at.core.state_waits), list(at.ledger.state_waits))
    if at.close is None and at.ledger.answered:
        return f"{next(iter(at.ledger.answered))} is not answered"
    return found or at.ledger.wrong_end


def state_waits_end_with_the_state(at: Border) -> str | None:
    """Who waits for a state execution is answered in the batch in which it completes."""
    if at.close is not None:
        return None
    late = [name for name, target in at.ledger.state_waits.items() if at.ledger.completed(target)]
    return f"{late[0]} waits for a state that has completed" if late else None


def keys_name_the_first_that_completed(at: Border) -> str | None:
    """A wait key belongs to the first execution of its state that completed with it."""
    keys = {
        f"{state_id}/{key}": execution_id
        for state_id, named in at.core.completed_keys.items()
        for key, execution_id in named.items()
    }
    return differ("keys", keys, at.ledger.keys)
