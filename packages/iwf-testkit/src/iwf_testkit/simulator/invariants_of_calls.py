"""What must hold of calls and of the locks that they take.

Each function is one invariant, as in `invariants`.
"""

from collections.abc import Sequence

from iwf_interpreter.core import commands
from iwf_models import KeyValue, PersistenceLoadingPolicy, PersistenceLoadingType, RetryPolicy, compat
from iwf_testkit.simulator.account import Account, Want
from iwf_testkit.simulator.border import CALLS, Border, differ
from iwf_testkit.simulator.keys import collide
from iwf_testkit.simulator.matching import expected_results, told_results


def execute_is_told_what_happened(at: Border) -> str | None:
    """An execute call gets the results of its commands as they stood when the trigger was met."""
    for command in at.asked(commands.CallExecute):
        live = at.ledger.live[command.call_id.removeprefix("ex/")]
        found = differ(
            command.call_id,
            (told_results(command.request.command_results), command.request.state_locals),
            (expected_results(live), live.state_locals),
        )
        if found is not None:
            return found
    return None


def calls_load_the_attributes_of_now(at: Border) -> str | None:
    """A call gets the data attributes that its policy names, as they are at that moment, by key."""
    for command in at.commands:
        match command:
            case commands.CallWaitUntil():
                options = at.ledger.live[command.call_id[3:]].movement.state_options
                policy = compat.wait_until_data_attributes_policy(options)
                loaded = command.request.data_objects
            case commands.CallExecute():
                options = at.ledger.live[command.call_id[3:]].movement.state_options
                policy = compat.execute_data_attributes_policy(options)
                loaded = command.request.data_objects
            case commands.CallRpc():
                policy = at.ledger.rpcs[command.call_id[4:]].data_attributes_loading_policy
                loaded = command.request.data_attributes
            case _:
                continue
        found = differ(command.call_id, loaded or [], _to_load(at.ledger, policy))
        if found is not None:
            return found
    return None


def rpcs_see_the_channels_of_now(at: Border) -> str | None:
    """A locked RPC is told how many messages each channel has."""
    expected = {
        (kind, name): len(queue)
        for kind, queues in (("signal", at.ledger.signals), ("internal", at.ledger.internal))
        for name, queue in queues.items()
    }
    for command in at.asked(commands.CallRpc):
        told = {
            (kind, name): info.size
            for kind, infos in (
                ("signal", command.request.signal_channel_infos),
                ("internal", command.request.internal_channel_infos),
            )
            for name, info in (infos or {}).items()
        }
        found = differ(command.call_id, told, expected)
        if found is not None:
            return found
    return None


def _to_load(ledger: Account, policy: PersistenceLoadingPolicy | None) -> list[KeyValue]:
    keys = sorted(ledger.data)
    kind = policy and policy.persistence_loading_type
    if policy is not None and kind is PersistenceLoadingType.LOAD_NONE:
        keys = []
    elif policy is not None and kind is PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK:
        wanted = [*(policy.partial_loading_keys or ()), *(policy.locking_keys or ())]
        whole = not policy.use_key_as_prefix
        keys = [key for key in keys if any(key == each if whole else key.startswith(each) for each in wanted)]
    return [KeyValue(key=key, value=ledger.data[key]) for key in keys]


def no_call_is_made_twice(at: Border) -> str | None:
    """A call is asked for once in a chain; in place first, and once more when that attempt failed."""
    seen = list(at.made_before)
    for command in at.calls:
        name = f"local {command.call_id}" if command.local else command.call_id
        if name in seen or (command.local and command.call_id in seen):
            return f"{name} is asked for again"
        if not command.local and (command.earlier is not None) != (f"local {command.call_id}" in seen):
            return f"{name} has {command.earlier!r} before it"
        seen.append(name)
    return None


def attempts_are_counted_over_both_ways(at: Border) -> str | None:
    """Attempts in place and those of the engine together are never more than the policy allows."""
    for command in at.calls:
        options = at.ledger.live[command.call_id[3:]].movement.state_options
        policy = (
            compat.wait_until_retry_policy(options)
            if isinstance(command, commands.CallWaitUntil)
            else compat.execute_retry_policy(options)
        ) or RetryPolicy()
        allowed = policy.maximum_attempts or 0
        earlier = 0 if command.earlier is None else command.earlier.count
        given = command.retry_policy.maximum_attempts or 0
        if allowed and (not given or given + earlier > allowed):
            return f"{command.call_id}: {earlier} + {given} attempts, {allowed} are allowed"
        limit = policy.maximum_attempts_duration_seconds or 0
        if limit and command.earlier is not None:
            limit = max(1, command.earlier.first_attempt_at + limit - at.now_ms // 1000)
        if command.retry_policy.maximum_attempts_duration_seconds != limit:
            return f"{command.call_id} has {command.retry_policy!r}, {limit} seconds are left"
    return None


def calls_are_made_in_place_when_they_may(at: Border) -> str | None:
    """With `optimizeActivity` a call is first made in place, unless that was too slow before."""
    for command in at.calls:
        slow = at.ledger.slow.get(at.ledger.live[command.call_id[3:]].movement.state_id, 0) >= 2
        short = command.timeout_seconds <= 5 or command.retry_policy.maximum_attempts != 1
        in_place = bool(at.ledger.config.optimize_activity) and command.earlier is None and not slow and short
        if command.local != in_place:
            return f"{command.call_id} is{'' if command.local else ' not'} made in place"
    return None


def workers_see_one_run(at: Border) -> str | None:
    """Every call names the chain's first run and the time of its start."""
    for command in at.commands:
        if isinstance(command, CALLS):
            context = command.request.context
            if (context.workflow_run_id, context.workflow_started_timestamp) != ("run-1", at.ledger.began):
                return f"{command.call_id} names {context!r}"
    return None


def locks_exclude(at: Border) -> str | None:
    """No two calls in flight lock the same attribute."""
    holders = [want for want in at.ledger.wants if want.in_flight and want.keys]
    for position, one in enumerate(holders):
        for other in holders[:position]:
            if collide(one.keys, other.keys):
                return f"{one.call_id} and {other.call_id} are both in flight"
    return None


def locks_are_first_come_first_served(at: Border) -> str | None:
    """No call is made while an older one waits for one of its locks."""
    made = [command.call_id for command in at.commands if isinstance(command, CALLS)]
    for call_id in made:
        want = next((each for each in at.ledger.wants if each.call_id == call_id), None)
        for older in _older(at.ledger, want):
            if want is not None and not older.in_flight and collide(older.keys, want.keys):
                return f"{call_id} overtakes {older.call_id}"
    return None


def nobody_waits_for_free_locks(at: Border) -> str | None:
    """A call that waits is kept by an older one that wants one of its locks, or by continue-as-new."""
    if at.close is not None:
        return None
    for want in at.ledger.wants:
        if at.ledger.draining and not (want.is_rpc and at.ledger.takes_rpcs):
            continue
        if not want.in_flight and not any(
            collide(older.keys, want.keys) for older in _older(at.ledger, want)
        ):
            return f"{want.call_id} waits for nobody"
    return None


def locks_do_not_leak(at: Border) -> str | None:
    """Locks are held and queued for by calls that are not over, each once, and by nobody else."""
    if at.close is not None:
        return None
    owners = sorted(ticket.owner for ticket in at.core.lock_tickets)
    return differ("lock tickets", owners, sorted(want.call_id for want in at.ledger.wants if want.keys))


def _older(ledger: Account, want: Want | None) -> Sequence[Want]:
    if want is None:
        return ()
    return ledger.wants[: ledger.wants.index(want)]
