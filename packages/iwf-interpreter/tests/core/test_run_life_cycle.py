"""From the start of a run to its end: states, their order, and the ways to close."""

import pytest

from core_driver import Driver, calls, executed, only, signal, started_by_rpc, state, value, waited
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    CancelRequested,
    CancelRun,
    CompleteRun,
    ExecuteFailed,
    FailRequested,
    FailRun,
    UnexpectedEvent,
    UnknownVersion,
    WaitUntilFailed,
)
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandResults,
    Context,
    ExecuteApiFailurePolicy,
    RetryPolicy,
    StateCompletionOutput,
    StateMovement,
    WaitUntilApiFailurePolicy,
    WorkflowErrorType,
    WorkflowStateDecideRequest,
    WorkflowStateOptions,
    WorkflowStateStartRequest,
)


def output(execution_id: str, data: str) -> StateCompletionOutput:
    return StateCompletionOutput(
        completed_state_id=execution_id.rpartition("-")[0],
        completed_state_execution_id=execution_id,
        completed_state_output=value(data),
    )


def closing(closing_state: ClosingState, data: str | None = None) -> StateMovement:
    return state(closing_state, data)


GRACEFUL = ClosingState.GRACEFUL_COMPLETE


def test_start_state_is_asked_what_it_waits_for(run: Driver) -> None:
    commands = run.start(state("S1", "in"))

    assert commands == [
        CallWaitUntil(
            call_id="wu/S1-1",
            worker_url="http://worker:8802",
            request=WorkflowStateStartRequest(
                context=Context(
                    workflow_id="order-1",
                    workflow_run_id="run-1",
                    workflow_started_timestamp=1_700_000_000,
                    state_execution_id="S1-1",
                ),
                workflow_type="Order",
                workflow_state_id="S1",
                state_input=value("in"),
            ),
            timeout_seconds=30,
            retry_policy=RetryPolicy(
                initial_interval_seconds=1,
                backoff_coefficient=2.0,
                maximum_interval_seconds=100,
                maximum_attempts=0,
                maximum_attempts_duration_seconds=0,
            ),
        )
    ]


def test_state_without_commands_executes_at_once(run: Driver) -> None:
    run.start(state("S1", "in"))

    commands = run.batch(waited("S1-1"))

    call = only(commands, CallExecute)
    assert call.call_id == "ex/S1-1"
    assert call.request == WorkflowStateDecideRequest(
        context=Context(
            workflow_id="order-1",
            workflow_run_id="run-1",
            workflow_started_timestamp=1_700_000_000,
            state_execution_id="S1-1",
        ),
        workflow_type="Order",
        workflow_state_id="S1",
        state_input=value("in"),
        command_results=CommandResults(state_start_api_succeeded=True, state_wait_until_failed=False),
    )


def test_state_that_skips_wait_until_executes_without_results(run: Driver) -> None:
    commands = run.start(state("S1", skip_wait_until=True))

    assert only(commands, CallExecute).request.command_results is None


def test_run_without_start_state_stays_open(run: Driver) -> None:
    assert run.start() == []


def test_next_states_start_in_parallel_and_in_order(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    commands = run.batch(executed("S1-1", state("S2"), state("S3", skip_wait_until=True)))

    assert calls(commands) == ["wu/S2-1", "ex/S3-1"]


def test_executions_are_numbered_per_state(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    commands = run.batch(executed("S1-1", state("S1"), state("S2"), state("S1")))

    assert calls(commands) == ["wu/S1-2", "wu/S2-1", "wu/S1-3"]


def test_graceful_completion_waits_for_the_last_thread(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    first = run.batch(executed("S1-1", closing(GRACEFUL, "a")))
    second = run.batch(executed("S2-1", closing(GRACEFUL, "b")))

    assert first == []
    (complete,) = second
    assert isinstance(complete, CompleteRun)
    assert complete.output.state_completion_outputs == [output("S1-1", "a"), output("S2-1", "b")]


def test_graceful_request_holds_when_the_last_thread_ends_dead(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))
    run.batch(executed("S1-1", closing(GRACEFUL, "a")))

    (complete,) = run.batch(executed("S2-1", closing(ClosingState.DEAD_END, "ignored")))

    assert isinstance(complete, CompleteRun)
    assert complete.output.state_completion_outputs == [output("S1-1", "a")]


def test_dead_end_alone_leaves_the_run_open(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    assert run.batch(executed("S1-1", closing(ClosingState.DEAD_END))) == []


def test_completion_without_output_has_no_results(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    (complete,) = run.batch(executed("S1-1", closing(GRACEFUL)))

    assert isinstance(complete, CompleteRun)
    assert complete.output.state_completion_outputs is None


def test_force_completion_abandons_other_threads(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    commands = run.batch(executed("S1-1", closing(ClosingState.FORCE_COMPLETE, "a")))

    assert only(commands, CompleteRun).output.state_completion_outputs == [output("S1-1", "a")]


def test_force_failure_returns_outputs_so_far_and_its_own_last(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))
    run.batch(executed("S1-1", closing(GRACEFUL, "a")))

    (fail,) = run.batch(executed("S2-1", closing(ClosingState.FORCE_FAIL, "b")))

    assert fail == FailRun(
        error_type=WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE,
        outputs=[output("S1-1", "a"), output("S2-1", "b")],
    )


@pytest.mark.parametrize("other", ["S2", ClosingState.FORCE_FAIL, ClosingState.DEAD_END])
@pytest.mark.parametrize("reserved", list(ClosingState))
def test_closing_state_beside_others_fails_the_workflow(
    run: Driver, reserved: ClosingState, other: str
) -> None:
    run.start(state("S1", skip_wait_until=True))

    (fail,) = run.batch(executed("S1-1", state(other), closing(reserved)))

    assert isinstance(fail, FailRun)
    assert fail.error_type is WorkflowErrorType.INVALID_USER_WORKFLOW_CODE_ERROR_TYPE
    assert fail.outputs is None


def test_failed_execute_fails_the_workflow_with_its_text(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    commands = run.batch(
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert commands == [FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, text="broken")]


def test_failed_wait_until_fails_the_workflow(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(
        WaitUntilFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert commands == [FailRun(error_type=WorkflowErrorType.STATE_API_FAIL_ERROR_TYPE, text="broken")]


def test_failed_wait_until_proceeds_when_the_policy_says_so(run: Driver) -> None:
    run.start(state("S1", wait_until_api_failure_policy=WaitUntilApiFailurePolicy.PROCEED_ON_FAILURE))

    commands = run.batch(
        WaitUntilFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert only(commands, CallExecute).request.command_results == CommandResults(
        state_start_api_succeeded=False, state_wait_until_failed=True
    )


def test_failed_execute_proceeds_to_the_configured_state_once(run: Driver) -> None:
    run.start(
        state(
            "S1",
            "in",
            execute_api_failure_policy=ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE,
            execute_api_failure_proceed_state_id="Recover",
            execute_api_failure_proceed_state_options=WorkflowStateOptions(skip_wait_until=True),
        )
    )
    run.batch(waited("S1-1"))

    commands = run.batch(
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    call = only(commands, CallExecute)
    assert (call.call_id, call.request.state_input) == ("ex/Recover-1", value("in"))
    assert list(run.state.executions) == ["Recover-1"]


def test_proceed_policy_without_a_state_fails_the_workflow(run: Driver) -> None:
    proceed = ExecuteApiFailurePolicy.PROCEED_TO_CONFIGURED_STATE
    run.start(state("S1", skip_wait_until=True, execute_api_failure_policy=proceed))

    (fail,) = run.batch(
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken")
    )

    assert isinstance(fail, FailRun)


def test_client_fails_the_workflow_with_a_reason(run: Driver) -> None:
    run.start(state("S1"))

    commands = run.batch(FailRequested(reason="enough"))

    assert commands == [
        FailRun(error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE, text="enough")
    ]


def test_empty_reason_is_no_message(run: Driver) -> None:
    run.start()

    commands = run.batch(FailRequested(reason=""))

    assert commands == [FailRun(error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE)]


def test_cancel_wins_over_every_other_end_of_the_batch(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    commands = run.batch(
        executed("S1-1", closing(ClosingState.FORCE_COMPLETE)),
        ExecuteFailed(execution_id="S2-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken"),
        FailRequested(reason="enough"),
        CancelRequested(),
    )

    assert commands == [CancelRun()]


def test_client_failure_wins_over_errors_and_errors_over_completion(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    commands = run.batch(
        executed("S1-1", closing(ClosingState.FORCE_COMPLETE)),
        ExecuteFailed(execution_id="S2-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="broken"),
        FailRequested(reason="enough"),
    )

    assert only(commands, FailRun).text == "enough"


def test_first_of_two_errors_is_reported(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    commands = run.batch(
        ExecuteFailed(execution_id="S2-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="first"),
        ExecuteFailed(execution_id="S1-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="second"),
    )

    assert only(commands, FailRun).text == "first"


def test_closing_run_starts_no_calls(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2", skip_wait_until=True))

    commands = run.batch(
        executed("S1-1", state("S3")), executed("S2-1", closing(ClosingState.FORCE_COMPLETE))
    )

    assert [type(command) for command in commands] == [CompleteRun]


def test_states_of_an_rpc_keep_a_gracefully_completing_run_alive(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True))

    commands = run.batch(executed("S1-1", closing(GRACEFUL, "a")), started_by_rpc(state("S2")))

    assert calls(commands) == ["wu/S2-1"]


def test_reserved_ids_in_a_hand_made_rpc_signal_are_dropped(run: Driver) -> None:
    run.start()

    commands = run.batch(started_by_rpc(closing(ClosingState.FORCE_FAIL), state("S2")))

    assert calls(commands) == ["wu/S2-1"]


def test_event_for_an_execution_that_is_not_live_is_refused() -> None:
    run = Driver()
    run.start(state("S1"))

    with pytest.raises(UnexpectedEvent, match="'S9-1' is not live"):
        run.batch(executed("S9-1"))


def test_event_of_the_wrong_phase_is_refused() -> None:
    run = Driver()
    run.start(state("S1"))

    with pytest.raises(UnexpectedEvent, match="in phase WAIT_UNTIL"):
        run.batch(executed("S1-1"))


def test_second_completion_of_a_call_is_refused() -> None:
    run = Driver()
    run.start(state("S1"))
    run.batch(waited("S1-1"))

    with pytest.raises(UnexpectedEvent):
        run.batch(waited("S1-1"))


def test_run_of_a_newer_build_is_refused() -> None:
    run = Driver()

    with pytest.raises(UnknownVersion, match="interpreter version 999"):
        run.start(interpreter_version=999)


def test_events_before_the_start_are_refused() -> None:
    run = Driver()

    with pytest.raises(UnexpectedEvent):
        run.batch(signal("c", "1"))
