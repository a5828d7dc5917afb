"""A run as the loop feeds it: the same live and in a replay, and no other history than its own."""

from collections.abc import Sequence

import pytest

from iwf_interpreter.contract import (
    RpcSignal,
)
from iwf_interpreter.core import (
    CallExecute,
    CallWaitUntil,
    CancelRequested,
    CompleteRun,
    ContinueAsNewRequested,
    NotReady,
    RpcWritten,
    SetSearchAttributes,
    UnexpectedEvent,
)
from iwf_interpreter.loop.history import (
    Border,
    Echo,
    Fact,
    HeldBack,
    Item,
    LocalFailure,
    LocalResult,
    Outgoing,
)
from iwf_interpreter.loop.runs import Nondeterminism, Run
from iwf_models import (
    EventType,
    ExecutingStateIdMode,
    StateDecision,
    StateMovement,
    WorkflowConfig,
    WorkflowStateStartResponse,
    compat,
)
from run_stories import Story, answered
from scripted_loop import CALL_S1, IN_PLACE, Items, decision, signal, started

INDEXED = compat.merged_config(
    IN_PLACE, WorkflowConfig(executing_state_id_mode=ExecutingStateIdMode.ENABLED_FOR_ALL)
)


def kinds(outgoing: Sequence[Outgoing]) -> list[type[object]]:
    return [type(command) for command in outgoing]


def waited(execution_id: str, now_ms: int = 0) -> LocalResult:
    return LocalResult(call_id=f"wu/{execution_id}", now_ms=now_ms, wait_until=WorkflowStateStartResponse())


def executed(execution_id: str, *state_ids: str, now_ms: int = 0) -> LocalResult:
    return LocalResult(call_id=f"ex/{execution_id}", now_ms=now_ms, execute=decision(*state_ids))


def starting(*state_ids: str) -> RpcSignal:
    return RpcSignal(
        state_decision=StateDecision(next_states=[StateMovement(state_id=id_) for id_ in state_ids])
    )


COMPLETE = "_SYS_GRACEFUL_COMPLETING_WORKFLOW"


def test_run_without_events_is_not_ready() -> None:
    run = Run(Items())

    assert not run.closed
    with pytest.raises(NotReady):
        _ = run.state


def test_task_asks_for_what_its_batch_leads_to() -> None:
    story = Story()

    first = story.task(1000, started())
    second = story.task(2000, answered("S1-1"))

    assert (kinds(first), kinds(second)) == ([CallWaitUntil], [CallExecute])
    story.replayed()


def test_events_of_one_task_are_one_batch() -> None:
    """Two signals and the cancel request come together, so nothing is asked for but the end."""
    story = Story()
    story.task(1000, started())

    outgoing = story.task(2000, signal("1"), signal("2"), Fact(CancelRequested()))

    assert [Echo.of(command) for command in outgoing] == [Echo("close", "canceled")]
    assert story.run.closed
    story.replayed()


@pytest.mark.parametrize(
    ("behind_the_first_task", "reason"),
    [
        pytest.param(
            [signal("1")],
            "this interpreter asks for call 'wu/S1-1', the history has the event SignalReceived instead",
            id="event-instead-of-command",
        ),
        pytest.param(
            [Border(2000)],
            "this interpreter asks for call 'wu/S1-1', the history has the next task instead",
            id="task-instead-of-command",
        ),
        pytest.param(
            [Echo("call", "wu/Other-1")],
            "the history shows call 'wu/Other-1' where this interpreter asks for call 'wu/S1-1'",
            id="other-id",
        ),
        pytest.param(
            [Echo("memo", "a")],
            "the history shows memo 'a' where this interpreter asks for call 'wu/S1-1'",
            id="other-kind",
        ),
        pytest.param(
            [CALL_S1, Echo("timer start", "timer/1")],
            "the history shows timer start 'timer/1' where this interpreter asks for nothing",
            id="one-too-many",
        ),
        pytest.param(
            [waited("S1-1")],
            "this interpreter asks for call 'wu/S1-1', the history has the result of 'wu/S1-1' instead",
            id="local-result-instead-of-call",
        ),
        pytest.param(
            [CALL_S1, waited("S1-1")],
            "the history shows a result of 'wu/S1-1', a call that this interpreter does not make in place",
            id="local-result-of-a-regular-call",
        ),
    ],
)
def test_history_of_other_rules_is_refused_with_the_reason(
    behind_the_first_task: list[Item], reason: str
) -> None:
    with pytest.raises(Nondeterminism) as raised:
        Run(Items()).feed([started(), Border(1000), *behind_the_first_task])

    assert str(raised.value) == reason


def test_results_in_place_are_batches_of_their_own_live_and_in_a_replay() -> None:
    story = Story()

    outgoing = story.task(
        1000,
        started(IN_PLACE),
        results=[
            waited("S1-1", now_ms=1010),
            executed("S1-1", "S2", "S3", now_ms=1020),
            waited("S3-1", now_ms=1030),
        ],
    )

    assert kinds(outgoing) == [LocalResult, LocalResult, LocalResult]
    assert list(story.run.open_local) == ["wu/S2-1", "ex/S3-1"]
    assert story.run.now_ms == 1030
    story.replayed()


def test_call_that_goes_on_over_tasks_is_recorded_with_the_one_in_which_it_ends() -> None:
    story = Story()
    story.task(1000, started(IN_PLACE))
    story.task(6000, signal("1"))

    outgoing = story.task(11_000, results=[waited("S1-1", now_ms=11_500)])

    assert outgoing == [waited("S1-1", now_ms=11_500)]
    assert list(story.run.open_local) == ["ex/S1-1"]
    story.replayed()


def test_failed_call_in_place_goes_to_the_engine_in_the_same_task() -> None:
    story = Story()
    failure = LocalResult(
        call_id="wu/S1-1",
        now_ms=1500,
        failure=LocalFailure(error_type="STATE_API_FAIL_ERROR_TYPE", text="no", started_at=1),
    )

    outgoing = story.task(1000, started(IN_PLACE), results=[failure])

    assert [Echo.of(command) for command in outgoing] == [Echo("local call", "wu/S1-1"), CALL_S1]
    assert story.run.open_local == {}
    story.replayed()


def test_index_is_written_once_per_task_and_at_its_end() -> None:
    """The second task only waits for the call that is open."""
    story = Story()

    first = story.task(
        1000,
        started(INDEXED),
        results=[waited("S1-1", 1010), executed("S1-1", "S2", now_ms=1020), waited("S2-1", 1030)],
    )
    second = story.task(6000)
    third = story.task(11_000, results=[executed("S2-1", "_SYS_DEAD_END", now_ms=11_010)])

    assert kinds(first) == [LocalResult, LocalResult, LocalResult, SetSearchAttributes]
    assert second == []
    assert kinds(third) == [LocalResult, SetSearchAttributes]
    story.replayed()


def test_task_that_closes_has_nothing_left_for_the_index() -> None:
    story = Story()

    outgoing = story.task(1000, started(INDEXED), Fact(CancelRequested()))

    assert [Echo.of(command).kind for command in outgoing][-1] == "close"
    story.replayed()


def test_closing_result_ends_the_run_although_others_are_open() -> None:
    story = Story()
    story.task(1000, started(IN_PLACE), Fact(RpcWritten(changes=starting("S2"))))

    outgoing = story.task(
        2000,
        results=[
            waited("S1-1", 2010),
            executed("S1-1", "_SYS_FORCE_COMPLETING_WORKFLOW", now_ms=2020),
        ],
    )

    assert kinds(outgoing) == [LocalResult, LocalResult, CompleteRun]
    assert list(story.run.open_local) == ["wu/S2-1"]
    story.replayed()


def test_clock_of_a_run_never_goes_back() -> None:
    """The second task began before the result that the first one ended with."""
    story = Story()
    story.task(1000, started(IN_PLACE), results=[waited("S1-1", now_ms=2500)])

    story.task(2000, signal("1"))
    story.task(2600, results=[executed("S1-1", COMPLETE, now_ms=2550)])

    assert story.run.now_ms == 2600
    story.replayed()


@pytest.mark.parametrize("send", [1, 2])
def test_commands_that_did_not_fit_come_with_the_next_task(send: int) -> None:
    story = Story()
    first = story.task(1000, started(), Fact(RpcWritten(changes=starting("S2", "S3"))), send=send)

    second = story.task(1001, signal("1"))

    assert kinds(first) == [CallWaitUntil] * send + [HeldBack]
    assert [Echo.of(command).id for command in second] == ["wu/S1-1", "wu/S2-1", "wu/S3-1"][send:]
    assert len(story.run.state.signal_channels["c"]) == 1
    story.replayed()


def test_commands_may_be_held_back_again_and_again() -> None:
    story = Story()
    story.task(1000, started(), Fact(RpcWritten(changes=starting("S2", "S3"))), send=1)
    story.task(1001, send=1)

    third = story.task(1002)

    assert [Echo.of(command).id for command in third] == ["wu/S3-1"]
    story.replayed()


def test_new_calls_in_place_are_told_once() -> None:
    run = Run(Items())
    run.feed([started(IN_PLACE), Border(1000, in_hand=True)])

    first = [call.call_id for call in run.take_new_local_calls()]
    run.take_local(waited("S1-1"))
    second = [call.call_id for call in run.take_new_local_calls()]

    assert (first, second, run.take_new_local_calls()) == (["wu/S1-1"], ["ex/S1-1"], [])


def test_replay_leaves_only_the_calls_that_are_open() -> None:
    run = Run(Items())

    run.feed([started(IN_PLACE), Border(1000), waited("S1-1"), Border(2000, in_hand=True)])

    assert [call.call_id for call in run.take_new_local_calls()] == ["ex/S1-1"]


@pytest.mark.parametrize(
    ("event", "continues"),
    [
        pytest.param(ContinueAsNewRequested(), True, id="continued"),
        pytest.param(CancelRequested(), False, id="cancelled"),
    ],
)
def test_run_tells_whether_another_one_goes_on(
    event: ContinueAsNewRequested | CancelRequested, continues: bool
) -> None:
    story = Story()

    story.task(1000, started(start_state_id=None), Fact(event))

    assert (story.run.closed, story.run.continues) == (True, continues)
    story.replayed()


def test_replay_tells_nobody_anything_but_the_task_in_hand_does() -> None:
    run = Run(Items(), observed=True)

    run.feed([started(), Border(1000), CALL_S1, answered("S1-1"), Border(2000, in_hand=True)])

    assert [event.event_type for event in run.take_notices()] == [
        EventType.STATE_WAIT_UNTIL_EE_COMPLETE_EVENT,
        EventType.STATE_EXECUTE_EE_START_EVENT,
    ]


def test_replayed_results_in_place_tell_nobody_anything() -> None:
    run = Run(Items(), observed=True)

    run.feed([started(IN_PLACE), Border(1000), waited("S1-1"), executed("S1-1", "S2")])

    assert run.take_notices() == []


def test_events_behind_the_last_border_can_be_read() -> None:
    run = Run(Items())
    run.feed([started(), Border(1000), CALL_S1, signal("1")])

    run.take_in_rest()

    assert len(run.state.signal_channels["c"]) == 1


def test_event_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnexpectedEvent):
        Run(Items()).feed([started(), Border(1000), CALL_S1, answered("Other-1"), Border(2000)])
