"""What the engine's index shows: `IwfExecutingStateIds` above all, and when it is written."""

import pytest

from core_driver import (
    QUIET,
    START_MS,
    Driver,
    calls,
    executed,
    only,
    signal,
    started_by_rpc,
    state,
    value,
    waited,
)
from iwf_interpreter.contract import RpcSignal
from iwf_interpreter.core import (
    CallExecute,
    CancelRequested,
    CancelRun,
    Command,
    CompleteRun,
    ConfigUpdated,
    ExecuteFailed,
    FailRun,
    LocalCallFailed,
    RpcWritten,
    SetMemo,
    SetSearchAttributes,
)
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.core.decisions import ClosingState
from iwf_interpreter.core.visibility import executing_state_id_mode
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    ExecutingStateIdMode,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    StateMovement,
    WorkflowConfig,
    compat,
)

ALL = ExecutingStateIdMode.ENABLED_FOR_ALL
WAITING = ExecutingStateIdMode.ENABLED_FOR_STATES_WITH_WAIT_UNTIL
DISABLED = ExecutingStateIdMode.DISABLED

DEFAULT = WorkflowConfig()
EVERY = WorkflowConfig(executing_state_id_mode=ALL)
IN_PLACE = WorkflowConfig(optimize_activity=True)
DEAD_END = state(ClosingState.DEAD_END)


def quick(state_id: str) -> StateMovement:
    return state(state_id, skip_wait_until=True)


def shown(commands: list[Command]) -> list[str] | None:
    """What these commands make of the attribute, `None` when they leave it alone."""
    for command in commands:
        if isinstance(command, SetSearchAttributes) and "IwfExecutingStateIds" in command.values:
            written = command.values["IwfExecutingStateIds"]
            assert written.type == "KeywordList"
            assert isinstance(written.value, list)
            return written.value
    return None


def keyword(key: str, text: str) -> SearchAttribute:
    return SearchAttribute(key=key, value_type=SearchAttributeValueType.KEYWORD, string_value=text)


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        pytest.param(DEFAULT, WAITING, id="default"),
        pytest.param(EVERY, ALL, id="all"),
        pytest.param(WorkflowConfig(disable_system_search_attribute=True), DISABLED, id="legacy-switch"),
        pytest.param(WorkflowConfig(disable_system_search_attribute=False), WAITING, id="legacy-switch-off"),
        pytest.param(
            WorkflowConfig(disable_system_search_attribute=True, executing_state_id_mode=ALL),
            ALL,
            id="mode-wins-over-legacy-switch",
        ),
    ],
)
def test_mode_comes_from_the_config(config: WorkflowConfig, mode: ExecutingStateIdMode) -> None:
    assert executing_state_id_mode(config) is mode


@pytest.mark.parametrize(
    ("config", "ids"),
    [
        pytest.param(DEFAULT, ["B"], id="with-wait-until"),
        pytest.param(EVERY, ["A", "B"], id="all"),
        pytest.param(QUIET, None, id="disabled"),
    ],
)
def test_mode_says_which_executions_are_shown(
    run: Driver, config: WorkflowConfig, ids: list[str] | None
) -> None:
    assert shown(run.start(state("B"), quick("A"), state("B"), config=config)) == ids


def test_state_id_is_shown_until_its_last_execution_ends(run: Driver) -> None:
    run.start(quick("A"), quick("A"), quick("B"), config=EVERY)

    first = run.batch(executed("A-1", DEAD_END))
    second = run.batch(executed("A-2", DEAD_END))

    assert (shown(first), shown(second)) == (None, ["B"])


def test_state_is_shown_while_it_waits_and_executes(run: Driver) -> None:
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        signal_commands=[SignalCommand(signal_channel_name="c")],
    )
    run.start(state("A"), config=DEFAULT)

    waiting = run.batch(waited("A-1", request))
    executing = run.batch(signal("c", "1"))
    ended = run.batch(executed("A-1", DEAD_END))

    assert [shown(each) for each in (waiting, executing, ended)] == [None, None, []]


def test_state_that_follows_another_of_the_same_id_changes_nothing(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    assert shown(run.batch(executed("A-1", quick("A")))) is None


def test_end_of_one_state_and_begin_of_the_next_are_one_write(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    commands = run.batch(executed("A-1", quick("B")))

    assert shown(commands) == ["B"]


def test_users_attributes_go_into_the_same_write(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    commands = run.batch(executed("A-1", quick("B"), upsert_search_attributes=[keyword("k", "v")]))

    assert only(commands, SetSearchAttributes).values == {
        "k": EngineValue("Keyword", "v"),
        "IwfExecutingStateIds": EngineValue("KeywordList", ["B"]),
    }


def test_attribute_that_gets_its_old_value_back_is_not_written(run: Driver) -> None:
    run.start(init_search_attributes=[keyword("k", "old")])
    writes = [
        RpcWritten(changes=RpcSignal(upsert_search_attributes=[keyword("k", text)]))
        for text in ("new", "old")
    ]

    assert run.batch(*writes) == []


def test_completing_workflow_removes_the_attribute(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    commands = run.batch(executed("A-1", state(ClosingState.GRACEFUL_COMPLETE)))

    assert [type(command) for command in commands] == [SetSearchAttributes, CompleteRun]
    assert shown(commands) == []


def test_force_completed_workflow_still_shows_what_it_abandoned(run: Driver) -> None:
    run.start(quick("A"), quick("B"), config=EVERY)

    commands = run.batch(executed("A-1", state(ClosingState.FORCE_COMPLETE)))

    assert shown(commands) == ["B"]


def test_completing_workflow_may_leave_the_attribute_as_it_is(run: Driver) -> None:
    run.start(
        quick("A"), config=compat.merged_config(EVERY, WorkflowConfig(keep_executing_state_ids_on_close=True))
    )

    commands = run.batch(
        executed("A-1", state(ClosingState.GRACEFUL_COMPLETE), upsert_search_attributes=[keyword("k", "v")])
    )

    assert only(commands, SetSearchAttributes).values == {"k": EngineValue("Keyword", "v")}


def test_failed_workflow_shows_where_it_stood(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    commands = run.batch(ExecuteFailed(execution_id="A-1", error_type="STATE_API_FAIL_ERROR_TYPE", text="no"))

    assert [type(command) for command in commands] == [FailRun]


def test_cancelled_workflow_shows_where_it_stood(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    assert run.batch(CancelRequested()) == [CancelRun()]


def test_mode_changed_on_the_way_shows_the_live_executions_at_once(run: Driver) -> None:
    run.start(state("B"), quick("A"), config=DEFAULT)

    every = run.batch(ConfigUpdated(config=EVERY))
    some = run.batch(ConfigUpdated(config=WorkflowConfig(executing_state_id_mode=WAITING)))

    assert (shown(every), shown(some)) == (["A", "B"], ["B"])


def test_disabling_leaves_what_is_shown(run: Driver) -> None:
    run.start(quick("A"), config=EVERY)

    commands = run.batch(ConfigUpdated(config=QUIET), executed("A-1", DEAD_END))

    assert shown(commands) is None
    assert run.state.executing_state_ids == ["A"]


def test_system_keys_of_data_attributes_stay_out_of_the_memo(run: Driver) -> None:
    run.start(use_memo_for_data_attributes=True)
    items = [KeyValue(key="__IwfSystem_x", value=value("1")), KeyValue(key="d", value=value("2"))]

    commands = run.batch(RpcWritten(changes=RpcSignal(upsert_data_objects=items)))

    assert only(commands, SetMemo).values == {"d": value("2")}


def test_empty_memo_write_is_not_sent(run: Driver) -> None:
    run.start(use_memo_for_data_attributes=True)
    system = KeyValue(key="__IwfSystem_x", value=value("1"))

    assert run.batch(RpcWritten(changes=RpcSignal(upsert_data_objects=[system]))) == []


def test_index_is_written_once_for_all_results_in_place_of_a_task(run: Driver) -> None:
    """A is followed by B, B by C; only C is live when no call is open any more."""
    first = run.start(quick("A"), config=compat.merged_config(EVERY, IN_PLACE))
    commands = run.in_place(
        executed("A-1", quick("B"), upsert_search_attributes=[keyword("k", "1")]),
        executed("B-1", state("C"), upsert_search_attributes=[keyword("k", "2")]),
        waited(
            "C-1",
            CommandRequest(
                command_waiting_type=CommandWaitingType.ALL_COMPLETED,
                signal_commands=[SignalCommand(signal_channel_name="c")],
            ),
        ),
    )

    assert shown(first) is None
    writes = [command for command in commands if isinstance(command, SetSearchAttributes)]
    assert [write.values for write in writes] == [
        {
            "k": EngineValue("Keyword", "2"),
            "IwfExecutingStateIds": EngineValue("KeywordList", ["C"]),
        }
    ]


def test_task_that_ends_with_calls_in_place_open_writes_what_there_is(run: Driver) -> None:
    run.start(quick("A"), config=compat.merged_config(EVERY, IN_PLACE), use_memo_for_data_attributes=True)
    run.in_place(executed("A-1", quick("B"), upsert_data_objects=[KeyValue(key="d")]))

    first = run.end_task()
    second = run.end_task()
    after = run.in_place(executed("B-1", DEAD_END))

    assert first == [
        SetSearchAttributes(values={"IwfExecutingStateIds": EngineValue("KeywordList", ["B"])}),
        SetMemo(values={"d": EncodedObject()}),
    ]
    assert second == []
    assert shown(after) == []


def test_index_is_written_when_the_last_call_in_place_goes_to_the_engine(run: Driver) -> None:
    first = run.start(quick("A"), config=compat.merged_config(EVERY, IN_PLACE))
    second = run.in_place(
        LocalCallFailed(
            call_id="ex/A-1",
            error_type="STATE_API_FAIL_ERROR_TYPE",
            text="no",
            timed_out=False,
            started_at=START_MS // 1000,
        )
    )

    assert (shown(first), shown(second)) == (None, ["A"])
    assert not only(second, CallExecute).local
    assert run.state.calls_in_place == 0


def test_closing_result_in_place_writes_the_index_although_other_calls_are_open(run: Driver) -> None:
    run.start(quick("A"), quick("B"), config=compat.merged_config(EVERY, IN_PLACE))

    commands = run.in_place(executed("A-1", state(ClosingState.FORCE_COMPLETE)))

    assert [type(command) for command in commands] == [SetSearchAttributes, CompleteRun]


def test_states_started_by_a_signal_while_calls_in_place_are_open_show_up_later(run: Driver) -> None:
    run.start(quick("A"), config=compat.merged_config(EVERY, IN_PLACE))

    commands = run.batch(started_by_rpc(quick("B")))

    assert (calls(commands), shown(commands)) == (["ex/B-1"], None)
    assert shown(run.end_task()) == ["A", "B"]
