"""What a run that continues another one begins with: everything but what belongs to one run only."""

import msgspec
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
from iwf_interpreter.contract import ContinuedRun, InterpreterInput
from iwf_interpreter.core import (
    NEWEST_VERSION,
    CallExecute,
    CallWaitUntil,
    Command,
    CompleteRun,
    ConfigUpdated,
    ContinueAsNew,
    ContinueAsNewRequested,
    SetMemo,
    SetSearchAttributes,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.core.decisions import ClosingState
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    ExecutingStateIdMode,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    TimerCommand,
    WorkflowConfig,
    WorkflowRetryPolicy,
    WorkflowStateOptions,
)

ALL = CommandWaitingType.ALL_COMPLETED


DEAD_END = state(ClosingState.DEAD_END)


def on_signal(channel: str = "c", count: int = 1) -> CommandRequest:
    return CommandRequest(
        command_waiting_type=ALL,
        signal_commands=[SignalCommand(signal_channel_name=channel) for _ in range(count)],
    )


def after(seconds: int) -> CommandRequest:
    return CommandRequest(
        command_waiting_type=ALL, timer_commands=[TimerCommand(command_id="t", duration_seconds=seconds)]
    )


def continued(run: Driver) -> tuple[Driver, list[Command]]:
    """The run that goes on when this one is told to continue now."""
    return run.successor(run.batch(ContinueAsNewRequested()))


def text_of(command: Command) -> str:
    assert isinstance(command, ContinueAsNew)
    assert command.input.continued is not None
    return command.input.continued.snapshot or ""


def test_idle_run_continues_with_a_readable_state_and_without_its_start(run: Driver) -> None:
    run.start(state("S1", "in", skip_wait_until=True), request_id="req-1", retry_policy=WorkflowRetryPolicy())
    run.batch(executed("S1-1", DEAD_END))

    (command,) = run.batch(ContinueAsNewRequested())

    text = text_of(command)
    assert command == ContinueAsNew(
        input=InterpreterInput(
            iwf_workflow_type="Order",
            iwf_worker_url="http://worker:8802",
            config=QUIET,
            request_id="req-1",
            retry_policy=WorkflowRetryPolicy(),
            interpreter_version=NEWEST_VERSION,
            continued=ContinuedRun(snapshot=text),
        ),
        search_attributes={"IwfWorkflowType": EngineValue("Keyword", "Order")},
        memo={
            "__IwfSystem_WorkerUrl": EncodedObject(data="http://worker:8802"),
            "__IwfSystem_WorkflowRequestId": EncodedObject(data="req-1"),
        },
        timeout_seconds=None,
    )
    assert msgspec.json.decode(text)["started_counts"] == {"S1": 1}


def test_index_and_memo_are_handed_over_explicitly(run: Driver) -> None:
    run.start(
        state("S1"),
        config=WorkflowConfig(),
        use_memo_for_data_attributes=True,
        init_data_attributes=[
            KeyValue(key="d", value=value("1")),
            KeyValue(key="none"),
            KeyValue(key="__IwfSystem_x", value=value("hidden")),
        ],
        init_search_attributes=[
            SearchAttribute(key="k", value_type=SearchAttributeValueType.KEYWORD, string_value="v"),
            SearchAttribute(key="odd", string_value="no type"),
        ],
    )
    run.batch(ContinueAsNewRequested())

    command = run.batch(waited("S1-1", on_signal()))[-1]

    assert isinstance(command, ContinueAsNew)
    assert command.search_attributes == {
        "IwfWorkflowType": EngineValue("Keyword", "Order"),
        "IwfExecutingStateIds": EngineValue("KeywordList", ["S1"]),
        "k": EngineValue("Keyword", "v"),
    }
    assert command.memo == {
        "__IwfSystem_WorkerUrl": EncodedObject(data="http://worker:8802"),
        "__IwfSystem_UseMemoForDataAttributes": EncodedObject(data="true"),
        "d": value("1"),
        "none": EncodedObject(),
    }
    assert command.input.use_memo_for_data_attributes


def test_time_in_the_index_stays_the_one_that_was_written(run: Driver) -> None:
    """The text of a time can be relative to the moment at which it was written."""
    soon = SearchAttribute(key="t", value_type=SearchAttributeValueType.DATETIME, string_value="1h")
    run.start(state("S1", skip_wait_until=True))
    written = run.batch(executed("S1-1", DEAD_END, upsert_search_attributes=[soon]))

    command = run.batch(ContinueAsNewRequested(), at_ms=START_MS + 60_000)[-1]

    assert isinstance(command, ContinueAsNew)
    assert command.search_attributes["t"] == only(written, SetSearchAttributes).values["t"]


def test_index_is_not_written_again(run: Driver) -> None:
    run.start(state("S1"), config=WorkflowConfig())
    run.batch(waited("S1-1", on_signal()))

    _, first = continued(run)

    assert first == []


@pytest.mark.parametrize(
    ("left_ms", "seconds"),
    [
        pytest.param(90_500, 90, id="whole-seconds"),
        pytest.param(0, 1, id="at-the-deadline"),
        pytest.param(-5000, 1, id="after-it"),
    ],
)
def test_next_run_gets_what_is_left_of_the_chain_s_time(left_ms: int, seconds: int) -> None:
    run = Driver()
    start = InterpreterInput(iwf_workflow_type="Order", iwf_worker_url="http://w", config=QUIET)
    run.batch(started(start, deadline_ms=START_MS + left_ms))

    command = run.batch(ContinueAsNewRequested())[-1]

    assert isinstance(command, ContinueAsNew)
    assert command.timeout_seconds == seconds
    new, _ = run.successor([command])
    assert new.state.deadline_ms == START_MS + left_ms
    run.check()


def test_workers_see_the_id_and_the_start_of_the_chain(run: Driver) -> None:
    run.start()
    new, _ = run.successor(run.batch(ContinueAsNewRequested()), at_ms=START_MS + 3_600_000)

    context = only(new.batch(started_by_rpc(state("S1"))), CallWaitUntil).request.context

    assert (context.workflow_run_id, context.workflow_started_timestamp) == ("run-1", 1_700_000_000)
    assert (new.state.run_id, new.state.run_started_at_ms) == ("run-3", START_MS + 3_600_000)


def test_attributes_messages_outputs_and_counts_go_over(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2"))
    run.batch(signal("s", "1"))
    run.batch(
        executed(
            "S1-1",
            state(ClosingState.GRACEFUL_COMPLETE, "out"),
            upsert_data_objects=[KeyValue(key="d", value=value("1"))],
        ),
        waited("S2-1", on_signal()),
    )

    new, _ = continued(run)
    commands = new.batch(signal("c", "1"))
    end = new.batch(executed("S2-1", DEAD_END))

    call = only(commands, CallExecute)
    assert call.request.data_objects == [KeyValue(key="d", value=value("1"))]
    assert new.state.signal_channels == {"s": [value("1")]}
    outputs = only(end, CompleteRun).output.state_completion_outputs
    assert [item.completed_state_output for item in outputs or ()] == [value("out")]


def test_graceful_request_goes_over(run: Driver) -> None:
    run.start(state("S1", skip_wait_until=True), state("S2"))
    run.batch(executed("S1-1", state(ClosingState.GRACEFUL_COMPLETE, "a")), waited("S2-1", on_signal()))

    new, _ = continued(run)
    new.batch(signal("c", "1"))

    assert isinstance(new.batch(executed("S2-1", DEAD_END))[-1], CompleteRun)


def test_changed_config_goes_over_and_counts_from_there(run: Driver) -> None:
    run.start(config=QUIET)
    run.batch(ConfigUpdated(config=WorkflowConfig(continue_as_new_threshold=2)))

    new, _ = continued(run)
    one = new.batch(signal("c", "1"))
    two = new.batch(signal("c", "2"))

    assert one == []
    assert isinstance(two[-1], ContinueAsNew)
    assert new.state.config.executing_state_id_mode is ExecutingStateIdMode.DISABLED


def test_memo_mode_goes_over(run: Driver) -> None:
    run.start(state("S1"), use_memo_for_data_attributes=True)
    run.batch(waited("S1-1", on_signal()))
    new, _ = continued(run)
    new.batch(signal("c", "1"))

    commands = new.batch(
        executed("S1-1", DEAD_END, upsert_data_objects=[KeyValue(key="d", value=value("1"))])
    )

    assert only(commands, SetMemo).values == {"d": value("1")}


def test_recurring_workflow_keeps_what_it_started_with(run: Driver) -> None:
    """Its next recurrence begins with the input of the last run."""
    run.start(
        state("S1", "in", skip_wait_until=True),
        cron_schedule="@daily",
        init_data_attributes=[KeyValue(key="d", value=value("1"))],
        retry_policy=WorkflowRetryPolicy(maximum_attempts=2),
    )
    run.batch(
        executed("S1-1", DEAD_END, upsert_data_objects=[KeyValue(key="d", value=value("2"))]),
        ConfigUpdated(config=WorkflowConfig(optimize_activity=True)),
    )

    new, _ = continued(run)
    again = new.batch(ContinueAsNewRequested())[-1]

    assert isinstance(again, ContinueAsNew)
    assert msgspec.structs.replace(again.input, continued=None) == InterpreterInput(
        iwf_workflow_type="Order",
        iwf_worker_url="http://worker:8802",
        start_state_id="S1",
        state_input=value("in"),
        state_options=WorkflowStateOptions(skip_wait_until=True),
        init_data_attributes=[KeyValue(key="d", value=value("1"))],
        config=QUIET,
        cron_schedule="@daily",
        retry_policy=WorkflowRetryPolicy(maximum_attempts=2),
        interpreter_version=NEWEST_VERSION,
    )
    assert new.state.data_attributes == {"d": value("2")}
    assert new.state.config.optimize_activity
