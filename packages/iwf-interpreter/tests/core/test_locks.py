"""Exclusive locks: who conflicts with whom, whose turn it is, and how long calls hold them."""

from typing import Any

import pytest

from core_driver import Driver, calls, executed, state, waited
from iwf_interpreter.core import CompleteRun, ExecuteFailed, WaitUntilFailed
from iwf_interpreter.core.decisions import ClosingState
from iwf_interpreter.core.locks import Locks, wanted_locks
from iwf_interpreter.core.state import LockTicket
from iwf_models import (
    ExecuteApiFailurePolicy,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    StateMovement,
    WaitUntilApiFailurePolicy,
)

PARTIAL_LOCK = PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK


def locking(
    *keys: str, kind: PersistenceLoadingType = PARTIAL_LOCK, prefix: bool | None = None
) -> PersistenceLoadingPolicy:
    return PersistenceLoadingPolicy(
        persistence_loading_type=kind, locking_keys=list(keys), use_key_as_prefix=prefix
    )


def locks_of(*requests: tuple[str, list[str]]) -> Locks:
    locks = Locks([])
    for owner, keys in requests:
        locks.request(owner, keys)
    return locks


@pytest.mark.parametrize(
    ("policy", "locks"),
    [
        pytest.param(None, [], id="no-policy"),
        pytest.param(locking("a", "b"), ["d=a", "d=b"], id="partial-with-lock"),
        pytest.param(
            locking("a", kind=PersistenceLoadingType.LOAD_ALL_WITH_PARTIAL_LOCK), ["d=a"], id="all-with-lock"
        ),
        pytest.param(locking("a", prefix=True), ["d*a"], id="prefix"),
        pytest.param(locking("a", "a"), ["d=a"], id="repeated-key"),
        pytest.param(locking(), [], id="no-keys"),
        pytest.param(locking("a", kind=PersistenceLoadingType.LOAD_NONE), [], id="none"),
        pytest.param(
            locking("a", kind=PersistenceLoadingType.LOAD_PARTIAL_WITHOUT_LOCKING), [], id="without-locking"
        ),
        pytest.param(PersistenceLoadingPolicy(locking_keys=["a"]), [], id="no-type"),
        pytest.param(PersistenceLoadingPolicy(persistence_loading_type=PARTIAL_LOCK), [], id="absent-keys"),
    ],
)
def test_only_locking_policies_lock_and_only_what_they_name(
    policy: PersistenceLoadingPolicy | None, locks: list[str]
) -> None:
    assert wanted_locks(policy, None) == locks
    assert wanted_locks(None, policy) == ["s" + lock[1:] for lock in locks]


@pytest.mark.parametrize(
    ("held", "wanted", "conflict"),
    [
        pytest.param("d=a", "d=a", True, id="same-key"),
        pytest.param("d=a", "d=ab", False, id="other-key"),
        pytest.param("d=a", "s=a", False, id="other-kind"),
        pytest.param("d*a", "d=ab", True, id="prefix-covers-key"),
        pytest.param("d=ab", "d*a", True, id="key-under-prefix"),
        pytest.param("d*a", "d=ba", False, id="prefix-elsewhere"),
        pytest.param("d*a", "s=ab", False, id="prefix-of-other-kind"),
        pytest.param("d*a", "d*ab", True, id="prefix-covers-prefix"),
        pytest.param("d*ab", "d*a", True, id="prefix-under-prefix"),
        pytest.param("d*a", "d*b", False, id="prefixes-apart"),
        pytest.param("d*", "d=x", True, id="empty-prefix-covers-all"),
    ],
)
def test_locks_conflict_when_some_key_is_under_both(held: str, wanted: str, conflict: bool) -> None:
    locks = locks_of(("first", [held]))

    assert locks.would_wait([wanted]) is conflict


def test_all_locks_are_granted_together_or_none() -> None:
    locks = locks_of(("first", ["d=a"]), ("second", ["d=a", "s=b"]), ("third", ["s=b"]))

    assert [locks.granted(owner) for owner in ("first", "second", "third")] == [True, False, False]


def test_request_that_waits_is_not_overtaken_by_one_that_would_fit() -> None:
    locks = locks_of(("first", ["d=a"]), ("both", ["d=a", "d=b"]))

    assert locks.would_wait(["d=b"])


def test_release_lets_the_oldest_conflicting_request_go_first() -> None:
    locks = locks_of(("first", ["d=a"]), ("second", ["d=a"]), ("third", ["d=a"]))

    locks.release("first")

    assert (locks.granted("second"), locks.granted("third")) == (True, False)


def test_leaving_the_queue_frees_those_behind() -> None:
    locks = locks_of(("first", ["d=a"]), ("both", ["d=a", "d=b"]), ("third", ["d=b"]))

    locks.release("both")

    assert locks.granted("third")


def test_release_of_an_owner_without_locks_changes_nothing() -> None:
    locks = locks_of(("first", ["d=a"]))

    locks.release("stranger")

    assert locks.would_wait(["d=a"])
    assert locks.granted("stranger")


def test_restored_locks_remember_who_waits_for_whom() -> None:
    tickets = [LockTicket(owner=owner, keys=["d=a"]) for owner in ("first", "second", "third")]
    locks = Locks(tickets)

    locks.release("first")

    assert (locks.granted("second"), locks.granted("third")) == (True, False)
    assert [ticket.owner for ticket in tickets] == ["second", "third"]


def reader(state_id: str, *keys: str, **options: Any) -> StateMovement:
    """A state that locks data attributes for execute, and has no waitUntil."""
    return state(
        state_id,
        skip_wait_until=True,
        execute_api_data_attributes_loading_policy=locking(*keys),
        **options,
    )


def test_calls_that_lock_the_same_key_are_made_one_after_another(run: Driver) -> None:
    first = run.start(reader("S1", "a"), reader("S2", "a"))

    second = run.batch(executed("S1-1", state(ClosingState.DEAD_END)))

    assert (calls(first), calls(second)) == (["ex/S1-1"], ["ex/S2-1"])


def test_calls_that_lock_other_keys_go_ahead(run: Driver) -> None:
    commands = run.start(reader("S1", "a"), reader("S2", "a"), reader("S3", "b"))

    assert calls(commands) == ["ex/S1-1", "ex/S3-1"]


def test_calls_without_locks_never_wait(run: Driver) -> None:
    commands = run.start(reader("S1", "a"), state("S2", skip_wait_until=True))

    assert calls(commands) == ["ex/S1-1", "ex/S2-1"]


def test_lock_of_one_api_is_not_held_for_the_other(run: Driver) -> None:
    """S1 locks for execute only: its waitUntil does not wait for S2, which holds the lock."""
    run.start(reader("S2", "a"), state("S1", execute_api_data_attributes_loading_policy=locking("a")))

    waiting = run.batch(waited("S1-1"))
    after = run.batch(executed("S2-1", state(ClosingState.DEAD_END)))

    assert (calls(waiting), calls(after)) == ([], ["ex/S1-1"])


def test_lock_is_given_up_between_wait_until_and_execute(run: Driver) -> None:
    """S1 wants it for both calls; S2 has asked in between."""
    lock = locking("a")
    run.start(
        state("S1", data_attributes_loading_policy=lock), state("S2", data_attributes_loading_policy=lock)
    )

    commands = run.batch(waited("S1-1"))

    assert calls(commands) == ["wu/S2-1"]
    assert run.state.calls_to_make == ["S1-1"]


def test_failed_call_that_proceeds_lets_its_locks_go(run: Driver) -> None:
    proceed = ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE
    run.start(
        reader("S1", "a", execute_api_failure_policy=proceed, execute_api_failure_proceed_state_id="R"),
        reader("S2", "a"),
    )

    commands = run.batch(
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert calls(commands) == ["ex/S2-1", "wu/R-1"]


def test_failed_wait_until_that_proceeds_lets_its_locks_go(run: Driver) -> None:
    lock = locking("a")
    run.start(
        state(
            "S1",
            wait_until_api_failure_policy=WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE,
            wait_until_api_search_attributes_loading_policy=lock,
        ),
        state("S2", wait_until_api_search_attributes_loading_policy=lock),
    )

    commands = run.batch(
        WaitUntilFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert sorted(calls(commands)) == ["ex/S1-1", "wu/S2-1"]


def test_run_closes_while_calls_wait_for_locks(run: Driver) -> None:
    run.start(reader("S1", "a"), reader("S2", "a"))

    commands = run.batch(executed("S1-1", state(ClosingState.FORCE_COMPLETE)))

    assert [type(command) for command in commands] == [CompleteRun]
