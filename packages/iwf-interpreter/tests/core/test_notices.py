"""What observers are told, and that nobody is told anything unless somebody observes."""

from collections.abc import Iterator
from typing import Any

import pytest

from core_driver import (
    QUIET,
    START_MS,
    Driver,
    executed,
    only,
    signal,
    started,
    started_by_rpc,
    state,
    value,
    waited,
)
from iwf_interpreter.contract import LockedRpcRequest, RpcFailure
from iwf_interpreter.core import (
    CancelRequested,
    ContinueAsNew,
    ContinueAsNewRequested,
    ExecuteFailed,
    FailRequested,
    LocalCallFailed,
    LockedRpcRequested,
    RpcAnswered,
    WaitUntilFailed,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EventType,
    IwfEvent,
    IwfEventError,
    PersistenceLoadingPolicy,
    PersistenceLoadingType,
    RetryPolicy,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    WaitUntilApiFailurePolicy,
    WorkflowConfig,
    WorkflowWorkerRpcResponse,
    compat,
)

RUN_START_MS = 1_700_000_000_000
BROKEN = IwfEventError(type="STATE_API_FAIL_ERROR_TYPE", details="broken")
DEAD_END = state(ClosingState.DEAD_END)


@pytest.fixture
def run() -> Iterator[Driver]:
    """An observed run; afterwards its replay, which nobody observes, is checked to be the same."""
    driver = Driver(observed=True)
    yield driver
    driver.check()


def told(run: Driver) -> list[IwfEvent]:
    return run.interpreter.take_notices()


def kinds(run: Driver) -> list[EventType]:
    return [event.event_type for event in told(run)]


def event(kind: EventType, **fields: Any) -> IwfEvent:
    return IwfEvent(
        event_type=kind,
        workflow_type="Order",
        workflow_id="order-1",
        workflow_run_id="run-2",
        **fields,
    )


def of_state(kind: EventType, **fields: Any) -> IwfEvent:
    return event(kind, state_id="S1", state_execution_id="S1-1", **fields)


def test_start_of_the_workflow_and_of_its_first_call_are_told(run: Driver) -> None:
    keyword = SearchAttribute(key="k", value_type=SearchAttributeValueType.KEYWORD, string_value="v")
    run.start(state("S1"), init_search_attributes=[keyword])

    assert told(run) == [
        event(
            EventType.WORKFLOW_START_EVENT, start_timestamp_in_ms=RUN_START_MS, search_attributes=[keyword]
        ),
        of_state(
            EventType.STATE_WAIT_UNTIL_EE_START_EVENT,
            start_timestamp_in_ms=START_MS,
            search_attributes=[keyword],
        ),
    ]


def test_nothing_is_told_twice(run: Driver) -> None:
    run.start(state("S1"))
    told(run)

    assert told(run) == []


def test_answers_are_told_with_the_time_that_they_took(run: Driver) -> None:
    run.start(state("S1"))
    told(run)

    run.batch(waited("S1-1"), at_ms=START_MS + 300)
    run.batch(executed("S1-1", DEAD_END), at_ms=START_MS + 500)

    assert told(run) == [
        of_state(
            EventType.STATE_WAIT_UNTIL_EE_COMPLETE_EVENT,
            start_timestamp_in_ms=START_MS,
            end_timestamp_in_ms=START_MS + 300,
        ),
        of_state(EventType.STATE_EXECUTE_EE_START_EVENT, start_timestamp_in_ms=START_MS + 300),
        of_state(
            EventType.STATE_EXECUTE_EE_COMPLETE_EVENT,
            start_timestamp_in_ms=START_MS + 300,
            end_timestamp_in_ms=START_MS + 500,
        ),
    ]


def test_time_of_a_call_includes_its_wait_for_locks(run: Driver) -> None:
    lock = PersistenceLoadingPolicy(
        persistence_loading_type=PersistenceLoadingType.LOAD_PARTIAL_WITH_EXCLUSIVE_LOCK, locking_keys=["a"]
    )
    locked: dict[str, Any] = {"skip_wait_until": True, "data_attributes_loading_policy": lock}
    run.start(state("S0", **locked), state("S1", **locked))
    run.batch(executed("S0-1", DEAD_END), at_ms=START_MS + 1000)
    told(run)

    run.batch(executed("S1-1", DEAD_END), at_ms=START_MS + 1500)

    assert told(run) == [
        of_state(
            EventType.STATE_EXECUTE_EE_COMPLETE_EVENT,
            start_timestamp_in_ms=START_MS,
            end_timestamp_in_ms=START_MS + 1500,
        )
    ]


def test_time_of_execute_does_not_include_the_wait_for_commands(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.start(state("S1"))
    run.batch(waited("S1-1", request))
    told(run)

    run.batch(signal("c", "1"), at_ms=START_MS + 9000)

    assert told(run) == [
        of_state(EventType.STATE_EXECUTE_EE_START_EVENT, start_timestamp_in_ms=START_MS + 9000)
    ]


def test_wait_until_that_is_given_up_is_told_although_the_workflow_proceeds(run: Driver) -> None:
    run.start(state("S1", wait_until_api_failure_policy=WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE))
    told(run)

    run.batch(WaitUntilFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken"))

    assert told(run)[0] == of_state(
        EventType.STATE_WAIT_UNTIL_EE_FAIL_EVENT,
        start_timestamp_in_ms=START_MS,
        end_timestamp_in_ms=START_MS,
        error=BROKEN,
    )


def test_execute_that_is_given_up_and_the_failed_workflow_are_told(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    told(run)

    run.batch(
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken"),
        at_ms=START_MS + 100,
    )

    assert told(run) == [
        of_state(
            EventType.STATE_EXECUTE_EE_FAIL_EVENT,
            start_timestamp_in_ms=START_MS,
            end_timestamp_in_ms=START_MS + 100,
            error=BROKEN,
        ),
        event(
            EventType.WORKFLOW_FAIL_EVENT,
            start_timestamp_in_ms=RUN_START_MS,
            end_timestamp_in_ms=START_MS + 100,
            error=BROKEN,
        ),
    ]


def test_attempt_in_place_that_is_repeated_is_not_the_end_of_the_call(run: Driver) -> None:
    config = compat.merged_config(QUIET, WorkflowConfig(optimize_activity=True))
    run.start(state("S1"), config=config)
    told(run)
    failed = LocalCallFailed(
        call_id="wu/S1-1",
        error_type="STATE_API_FAIL_ERROR_TYPE",
        text="broken",
        timed_out=False,
        started_at=START_MS // 1000,
    )

    run.in_place(failed)
    run.batch(waited("S1-1"), at_ms=START_MS + 2000)

    assert told(run)[0] == of_state(
        EventType.STATE_WAIT_UNTIL_EE_COMPLETE_EVENT,
        start_timestamp_in_ms=START_MS,
        end_timestamp_in_ms=START_MS + 2000,
    )


def test_attempt_in_place_that_may_not_be_repeated_is_told_once(run: Driver) -> None:
    config = compat.merged_config(QUIET, WorkflowConfig(optimize_activity=True))
    once = RetryPolicy(maximum_attempts=1)
    run.start(state("S1", wait_until_api_retry_policy=once, wait_until_api_timeout_seconds=1), config=config)
    told(run)

    run.in_place(
        LocalCallFailed(
            call_id="wu/S1-1",
            error_type="STATE_API_FAIL_ERROR_TYPE",
            text="broken",
            timed_out=False,
            started_at=START_MS // 1000,
        )
    )

    assert kinds(run) == [EventType.STATE_WAIT_UNTIL_EE_FAIL_EVENT, EventType.WORKFLOW_FAIL_EVENT]


def test_completed_workflow_is_told_from_the_start_of_the_chain(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))
    told(run)

    run.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE)), at_ms=START_MS + 100)

    assert told(run)[-1] == event(
        EventType.WORKFLOW_COMPLETE_EVENT,
        start_timestamp_in_ms=RUN_START_MS,
        end_timestamp_in_ms=START_MS + 100,
    )


def test_workflow_failed_by_a_client_is_told_with_its_reason(run: Driver) -> None:
    run.start()
    told(run)

    run.batch(FailRequested(reason="enough"))

    assert [found.error for found in told(run)] == [
        IwfEventError(type="CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE", details="enough")
    ]


@pytest.mark.parametrize("end", [CancelRequested(), ContinueAsNewRequested()], ids=["cancel", "continue"])
def test_other_ends_of_a_run_are_not_told(run: Driver, end: CancelRequested | ContinueAsNewRequested) -> None:
    run.start()
    told(run)

    run.batch(end)

    assert told(run) == []


def test_run_that_continues_another_is_no_start() -> None:
    first = Driver()
    first.start(state("S1"))
    first.batch(ContinueAsNewRequested())
    commands = first.batch(waited("S1-1"))
    again = Driver(observed=True)

    command = only(commands, ContinueAsNew)
    again.batch(started(command.input, run_id="run-3"))
    again.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE)))

    events = told(again)
    assert [(found.event_type, found.workflow_run_id) for found in events] == [
        (EventType.STATE_EXECUTE_EE_COMPLETE_EVENT, "run-3"),
        (EventType.WORKFLOW_COMPLETE_EVENT, "run-3"),
    ]
    assert events[-1].start_timestamp_in_ms == RUN_START_MS


RPC = LockedRpcRequested(update_id="u", request=LockedRpcRequest(rpc_name="pay"))


def test_locked_rpc_is_told_when_its_worker_has_answered(run: Driver) -> None:
    run.start()
    run.batch(RPC)
    told(run)

    run.in_place(
        RpcAnswered(update_id="u", answer=WorkflowWorkerRpcResponse(output=value("o"))),
        at_ms=START_MS + 50,
    )

    assert told(run) == [
        event(
            EventType.RPC_EXECUTION_EVENT,
            rpc_name="pay",
            start_timestamp_in_ms=START_MS,
            end_timestamp_in_ms=START_MS + 50,
        )
    ]


def test_failed_locked_rpc_is_told_with_its_error(run: Driver) -> None:
    run.start()
    run.batch(RPC)
    told(run)
    failure = RpcFailure(detail="no", worker_detail="", worker_error_type="", worker_status=500)

    run.in_place(RpcAnswered(update_id="u", failure=failure))

    assert [found.error for found in told(run)] == [
        IwfEventError(type="STATE_API_FAIL_ERROR_TYPE", details="no")
    ]


def test_locked_rpc_whose_worker_was_not_called_is_not_told(run: Driver) -> None:
    run.start()
    told(run)

    run.batch(RPC, ContinueAsNewRequested())

    assert told(run) == []


def test_nothing_is_collected_when_nobody_observes() -> None:
    run = Driver()
    run.start(state("S1"))
    run.batch(started_by_rpc(state("S2")))
    run.batch(waited("S1-1"))
    run.batch(RPC)
    run.in_place(RpcAnswered(update_id="u", answer=WorkflowWorkerRpcResponse()))
    run.batch(FailRequested())

    assert told(run) == []
