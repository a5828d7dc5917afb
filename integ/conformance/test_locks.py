"""Locks of attributes: calls that write the same key take turns, in the order in which they asked."""

from functools import partial

import anyio
import pytest

from conformance.flows import REGULAR, Flow, under
from conformance.replies import DEAD_END, SKIPS, decide, texts, to
from iwf_models import (
    ExecuteApiFailurePolicy,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    RetryPolicy,
    SearchAttribute,
    StateMovement,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
)
from iwf_testkit import Answer, dead_end
from iwf_testkit.fake_worker import WorkerRequest

pytestmark = pytest.mark.anyio

NUMBER = "CustomIntField"
"""A data attribute and a search attribute of this name: two things."""


def locking(*lock_keys: str, prefix: bool = False) -> PersistenceLoadingPolicy:
    return PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK,
        partial_loading_keys=list(lock_keys),
        locking_keys=list(lock_keys),
        use_key_as_prefix=prefix or None,
    )


def locked(
    state_id: str,
    *data_keys: str,
    search_keys: tuple[str, ...] = (),
    prefix: bool = False,
    skip: bool = True,
    attempts: int | None = None,
) -> StateMovement:
    """A movement to a state whose calls lock these attributes."""
    options = WorkflowStateOptions(
        skip_wait_until=skip,
        data_attributes_loading_policy=locking(*data_keys, prefix=prefix) if data_keys else None,
        search_attributes_loading_policy=locking(*search_keys) if search_keys else None,
        execute_api_retry_policy=None if attempts is None else RetryPolicy(maximum_attempts=attempts),
    )
    return to(state_id, options=options)


def increment(request: WorkerRequest) -> WorkflowStateDecideResponse:
    """Adds one to both attributes; whoever holds both locks finds them equal."""
    data = int(texts(getattr(request, "data_objects", None)).get(NUMBER) or "0")
    search: list[SearchAttribute] = getattr(request, "search_attributes", None) or []
    assert [item.integer_value for item in search] == [data]
    return decide(to("Next"), data={NUMBER: str(data + 1)}, search={NUMBER: data + 1})


@pytest.mark.requirement("locks.no-lost-update", "locks.data-and-search-together")
async def test_parallel_increments_under_locks_are_all_kept(flow: Flow) -> None:
    both = partial(locked, "S2", NUMBER, search_keys=(NUMBER,))
    flow.worker.script("S1.execute", decide(*(both() for _ in range(10))))
    flow.worker.script("S2.execute", increment)
    flow.worker.script("Next.execute", dead_end())

    workflow_id, _ = await flow.start(workflowStartOptions=zero())
    await flow.has_data(workflow_id, **{NUMBER: "10"})

    found = await flow.ok(
        "searchattributes/get", workflowId=workflow_id, keys=[{"key": NUMBER, "valueType": "INT"}]
    )
    assert found["searchAttributes"][0]["integerValue"] == 10
    assert flow.counts("S2.execute") == [10]


def zero() -> dict[str, object]:
    """Start options: both attributes are 0."""
    return {
        "dataAttributes": [{"key": NUMBER, "value": {"encoding": "json", "data": "0"}}],
        "searchAttributes": [{"key": NUMBER, "valueType": "INT", "integerValue": 0}],
    }


async def order_of_calls(flow: Flow, *movements: StateMovement) -> tuple[list[str], list[str]]:
    """Start states at once, the first of which holds its locks for a while.

    Returns which were called while it did, apart from `Probe`, which locks nothing, and which after that,
    each of which has been answered before the next.
    """
    release = anyio.Event()
    state_ids = [movement.state_id for movement in movements]
    flow.worker.script(
        "S1.execute", decide(*movements, to("Probe", options=WorkflowStateOptions(skip_wait_until=True)))
    )
    flow.worker.script(f"{state_ids[0]}.execute", Answer(body=decide(to(DEAD_END)), gate=release))
    flow.worker.script("*.execute", dead_end())

    await flow.start(stateOptions=SKIPS)
    await flow.worker.wait_for_calls("Probe.execute")
    await flow.worker.wait_for_calls(f"{state_ids[0]}.execute")
    before = called(flow)
    release.set()
    for state_id in state_ids:
        await flow.worker.wait_for_calls(f"{state_id}.execute")
    return before, called(flow)[len(before) :]


def called(flow: Flow) -> list[str]:
    states = [call.key.partition("-")[0] for call in flow.worker.calls_of("*.execute")]
    return [state_id for state_id in states if state_id not in ("S1", "Probe")]


@pytest.mark.requirement("locks.first-come-first-served")
async def test_call_does_not_overtake_an_older_one_that_waits_for_its_key(flow: Flow) -> None:
    """`Third` wants a key that is free, but `Second` wants it too and came first."""
    before, after = await order_of_calls(
        flow, locked("First", "k"), locked("Second", "k", "m"), locked("Third", "m")
    )

    assert before == ["First"]
    assert after == ["Second", "Third"]


@pytest.mark.requirement("locks.only-conflicts-wait")
async def test_calls_without_a_key_in_common_do_not_wait_for_each_other(flow: Flow) -> None:
    before, after = await order_of_calls(
        flow, locked("First", "k"), locked("Waits", "k"), locked("Other", "m")
    )

    assert sorted(before) == ["First", "Other"]
    assert after == ["Waits"]


@pytest.mark.requirement("locks.data-and-search-apart")
async def test_data_and_search_attributes_of_one_name_are_two_keys(flow: Flow) -> None:
    before, _ = await order_of_calls(flow, locked("Data", NUMBER), locked("Search", search_keys=(NUMBER,)))

    assert sorted(before) == ["Data", "Search"]


@pytest.mark.requirement("locks.data-and-search-together")
async def test_call_that_waits_for_one_of_its_locks_keeps_its_turn_for_both(flow: Flow) -> None:
    before, after = await order_of_calls(
        flow,
        locked("Data", "k"),
        locked("Both", "k", search_keys=(NUMBER,)),
        locked("Search", search_keys=(NUMBER,)),
    )

    assert before == ["Data"]
    assert after == ["Both", "Search"]


@pytest.mark.requirement("locks.prefixes")
async def test_prefix_locks_every_key_that_begins_with_it(flow: Flow) -> None:
    before, after = await order_of_calls(
        flow, locked("Prefix", "a_", prefix=True), locked("Inside", "a_1"), locked("Outside", "b")
    )

    assert sorted(before) == ["Outside", "Prefix"]
    assert after == ["Inside"]


@under(*REGULAR)
@pytest.mark.requirement("locks.not-while-waiting")
async def test_lock_is_free_while_its_state_waits_for_commands(flow: Flow) -> None:
    """A locked RPC gets the key between waitUntil and execute of a state that locks it in both."""
    flow.worker.script("S1.execute", decide(locked("S2", "k", skip=False)))
    flow.worker.script("S2.waitUntil", Answer(body={"commandRequest": waiting_for("go")}))

    workflow_id, _ = await flow.start()
    await flow.worker.wait_for_calls("S2.waitUntil")
    await flow.rpc(workflow_id, "locked", dataAttributesLoadingPolicy=LOCKS_K)
    assert flow.counts("S2.execute") == [0]
    await flow.signal(workflow_id, "go", "now")

    assert await flow.completed(workflow_id) == []


LOCKS_K = {"persistenceLoadingType": "LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK", "lockingKeys": ["k"]}


def waiting_for(channel: str) -> dict[str, object]:
    return {
        "commandWaitingType": "ALL_COMPLETED",
        "signalCommands": [{"signalChannelName": channel}],
    }


@pytest.mark.requirement("locks.released-on-failure")
async def test_failed_call_that_goes_on_elsewhere_releases_its_locks(flow: Flow) -> None:
    options = WorkflowStateOptions(
        skip_wait_until=True,
        data_attributes_loading_policy=locking("k"),
        execute_api_retry_policy=RetryPolicy(maximum_attempts=1),
        execute_api_failure_policy=ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE,
        execute_api_failure_proceed_state_id="Recover",
        execute_api_failure_proceed_state_options=WorkflowStateOptions(
            data_attributes_loading_policy=locking("k")
        ),
    )
    flow.worker.script("S1.execute", decide(to("Fails", options=options), locked("Next", "k")))
    flow.worker.script("Fails.execute", Answer(status=500))
    flow.worker.script("*.execute", decide(to("_SYS_GRACEFUL_COMPLETING_WORKFLOW")))

    workflow_id, _ = await flow.start()

    assert await flow.completed(workflow_id) == []
    assert flow.counts("Fails.execute", "Next.execute", "Recover.execute") == [1, 1, 1]


@pytest.mark.requirement("locks.readers-do-not-wait")
async def test_call_that_only_reads_a_locked_key_does_not_wait(flow: Flow) -> None:
    reader = to("Reader", options=WorkflowStateOptions(skip_wait_until=True))
    before, _ = await order_of_calls(flow, locked("First", "k"), reader)

    assert sorted(before) == ["First", "Reader"]
