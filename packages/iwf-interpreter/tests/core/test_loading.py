"""A run that reads its state from the run before: in pages, while other things happen."""

import pytest

from core_driver import QUIET, Driver, calls, executed, only, published, signal, started, state, value
from iwf_interpreter.contract import (
    ContinuedRun,
    InterpreterInput,
    SnapshotPage,
    SnapshotPageQuery,
    StateTarget,
    UpdateError,
)
from iwf_interpreter.core import (
    BadSnapshot,
    CancelRequested,
    CancelRun,
    Command,
    ContinueAsNew,
    ContinueAsNewRequested,
    Event,
    FailRequested,
    FailRun,
    LoadSnapshotPage,
    NotReady,
    SnapshotPageLoaded,
    StateWaitRequested,
    UnexpectedEvent,
    continuing,
)
from iwf_models import KeyValue, WorkflowConfig, WorkflowErrorType, compat

SMALL_PAGES = compat.merged_config(QUIET, WorkflowConfig(continue_as_new_page_size_in_bytes=1024))


def large_run(run: Driver, text: str = "é" * 2000) -> ContinueAsNew:
    """A run whose state is three pages long or more, with S1 still to be called; its last command."""
    run.start(state("S", skip_wait_until=True), config=SMALL_PAGES)
    commands = run.batch(
        executed(
            "S-1",
            state("S1", skip_wait_until=True),
            upsert_data_objects=[KeyValue(key="d", value=value(text))],
        ),
        ContinueAsNewRequested(),
    )
    return only(commands, ContinueAsNew)


def pages_of(run: Driver, count: int) -> list[SnapshotPageLoaded]:
    """All pages that the closed run answers."""
    return [
        SnapshotPageLoaded(
            page_number=number,
            page=continuing.answer_page(run.state, SnapshotPageQuery(page=number, pages=count)),
        )
        for number in range(count)
    ]


def page_count(command: ContinueAsNew) -> int:
    assert command.input.continued is not None
    return command.input.continued.pages


def test_state_that_does_not_fit_the_input_is_left_behind(run: Driver) -> None:
    command = large_run(run)

    assert command.input.continued == ContinuedRun(previous_run_id="run-2", pages=page_count(command))
    assert page_count(command) >= 3


def test_next_run_asks_for_every_page_once(run: Driver) -> None:
    command = large_run(run)
    new, first = run.successor([command])

    again = new.batch(signal("c", "1"))

    count = page_count(command)
    assert first == [
        LoadSnapshotPage(
            call_id=f"snapshot/0/{number}",
            workflow_id="order-1",
            run_id="run-2",
            query=SnapshotPageQuery(page=number, pages=count),
        )
        for number in range(count)
    ]
    assert again == []


def test_run_goes_on_when_the_last_page_is_there_in_any_order(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])
    pages = pages_of(run, page_count(command))

    waiting = [command for page in pages[:0:-1] for command in new.batch(page)]
    commands = new.batch(pages[0])

    assert waiting == []
    assert calls(commands) == ["ex/S1-1"]
    assert new.state.data_attributes == {"d": value("é" * 2000)}
    assert new.state.run_id == "run-3"


def test_events_that_come_meanwhile_are_applied_in_order(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])
    first, *others = pages_of(run, page_count(command))

    new.batch(signal("c", "1"), published("i", "2"))
    new.batch(first, signal("c", "3"))
    new.batch(*others, signal("c", "4"))

    assert new.state.signal_channels == {"c": [value("1"), value("3"), value("4")]}
    assert new.state.internal_channels == {"i": [value("2")]}


def test_operations_that_came_meanwhile_count(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])

    new.batch(signal("c", "1"))
    new.batch(*pages_of(run, page_count(command)))

    assert new.state.operations == 1


def test_pages_that_do_not_belong_together_are_read_again(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])
    count = page_count(command)
    pages = pages_of(run, count)
    other = Driver()
    large_run(other, "ü" * 2000)

    commands = new.batch(*pages[:-1], pages_of(other, count)[-1])
    after = new.batch(*pages)

    assert [call.call_id for call in commands if isinstance(call, LoadSnapshotPage)] == [
        f"snapshot/1/{number}" for number in range(count)
    ]
    assert calls(after) == ["ex/S1-1"]


def test_page_that_cannot_be_read_makes_all_be_read_again(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])
    *pages, last = pages_of(run, page_count(command))
    broken = SnapshotPageLoaded(
        page_number=last.page_number, page=SnapshotPage(text="no base64!", sha256=last.page.sha256)
    )

    commands = new.batch(*pages, broken)

    assert len(commands) == page_count(command)


@pytest.mark.parametrize(
    ("events", "close"),
    [
        pytest.param([CancelRequested()], CancelRun(), id="cancel"),
        pytest.param(
            [FailRequested(reason="enough")],
            FailRun(error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE, text="enough"),
            id="fail",
        ),
        pytest.param(
            [signal("c", "1"), FailRequested(reason=""), FailRequested(reason="second")],
            FailRun(error_type=WorkflowErrorType.CLIENT_API_FAILING_WORKFLOW_ERROR_TYPE),
            id="first-failure",
        ),
        pytest.param([FailRequested(reason="enough"), CancelRequested()], CancelRun(), id="cancel-wins"),
    ],
)
def test_stopping_does_not_wait_for_the_state(run: Driver, events: list[Event], close: Command) -> None:
    new, _ = run.successor([large_run(run)])

    assert new.batch(*events) == [close]
    assert new.interpreter.closed
    with pytest.raises(UnexpectedEvent, match="closed"):
        new.interpreter.settle(new.now_ms)


def test_run_without_its_state_answers_nothing_and_takes_no_updates(run: Driver) -> None:
    new, _ = run.successor([large_run(run)])
    wait = StateWaitRequested(update_id="u", target=StateTarget(state_execution_id="S1-1"))

    assert new.interpreter.refusal(wait) is UpdateError.ASK_AGAIN
    assert new.interpreter.take_index_changes(new.now_ms) == []
    assert new.interpreter.take_notices() == []
    with pytest.raises(NotReady):
        _ = new.interpreter.state


def test_loading_run_is_not_started_twice(run: Driver) -> None:
    command = large_run(run)
    new, _ = run.successor([command])

    with pytest.raises(UnexpectedEvent, match="started already"):
        new.interpreter.apply(started(command.input), new.now_ms)


def test_page_after_the_state_is_there_is_refused() -> None:
    run = Driver()
    command = large_run(run)
    new, _ = run.successor([command])
    pages = pages_of(run, page_count(command))
    new.batch(*pages)

    with pytest.raises(UnexpectedEvent, match="SnapshotPageLoaded"):
        new.batch(pages[0])


def test_carried_text_that_cannot_be_read_suspends_the_run() -> None:
    start = InterpreterInput(
        iwf_workflow_type="Order",
        iwf_worker_url="http://w",
        config=QUIET,
        continued=ContinuedRun(snapshot="{"),
    )

    with pytest.raises(BadSnapshot):
        Driver().batch(started(start))


@pytest.mark.parametrize("page", [-1, 3])
def test_page_that_does_not_exist_is_a_bad_query(run: Driver, page: int) -> None:
    run.start()

    with pytest.raises(ValueError, match=f"page {page} of 3 does not exist"):
        continuing.answer_page(run.state, SnapshotPageQuery(page=page, pages=3))


def test_page_calls_are_told_from_others() -> None:
    assert continuing.is_page_call("snapshot/1/12")
    assert not continuing.is_page_call("wu/snapshot-1")
    assert continuing.page_number("snapshot/1/12") == 12


def test_run_that_is_to_continue_while_it_loads_makes_its_calls_first(run: Driver) -> None:
    """Else signals that keep coming could send it on and on without a single call."""
    command = large_run(run)
    new, _ = run.successor([command])
    new.batch(ContinueAsNewRequested())

    commands = new.batch(*pages_of(run, page_count(command)))
    after = new.batch(executed("S1-1", state("S2")))

    assert calls(commands) == ["ex/S1-1"]
    third, first = new.successor(after)
    assert len(first) == page_count(only(after, ContinueAsNew))
    assert calls(third.batch(*pages_of(new, len(first)))) == ["wu/S2-1"]
