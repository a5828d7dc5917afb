"""A state written down: nothing is lost, old ones can be read, and long ones are made short."""

from pathlib import Path

import msgspec
import pytest

from core_driver import state, value
from iwf_interpreter.contract import SnapshotPage, StateTarget
from iwf_interpreter.core import snapshot
from iwf_interpreter.core.commands import EarlierAttempts
from iwf_interpreter.core.state import (
    ArmedTimer,
    ExecutionState,
    LockTicket,
    Phase,
    StateExecution,
    Timer,
    TimerSkip,
    TimerState,
    Waiting,
)
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelCommand,
    KeyValue,
    SearchAttribute,
    SearchAttributeValueType,
    SignalCommand,
    StateCompletionOutput,
    TimerCommand,
    WorkflowConfig,
)

KEPT = Path(__file__).parent / "snapshots"
"""States as earlier builds wrote them. Never change one: a run may still carry it."""


def full_state() -> ExecutionState:
    """A state with something in every part that a next run takes over."""
    request = CommandRequest(
        command_waiting_type=CommandWaitingType.ALL_COMPLETED,
        timer_commands=[TimerCommand(command_id="t", duration_seconds=60)],
        signal_commands=[
            SignalCommand(command_id="s", signal_channel_name="c"),
            SignalCommand(signal_channel_name="d"),
        ],
        inter_state_channel_commands=[InterStateChannelCommand(channel_name="i")],
    )
    waiting = Waiting(
        sequence=4,
        request=request,
        timers=[Timer(fire_at_ms=1_700_000_060_000, command_id="t", status=TimerState.SKIPPED)],
        signals={0: [value("1")]},
        internal={0: [None]},
    )
    return ExecutionState(
        workflow_id="order-1",
        run_id="run-2",
        run_started_at_ms=1_700_000_000_000,
        first_run_id="run-1",
        started_at=1_699_999_000,
        deadline_ms=1_700_009_000_000,
        request_id="req-1",
        workflow_type="Order",
        worker_url="http://worker:8802",
        config=WorkflowConfig(continue_as_new_threshold=100, count_held_messages=True),
        interpreter_version=1,
        use_memo=True,
        queue=[state("S5", "in", skip_wait_until=True)],
        executions={
            "S1-2": StateExecution(movement=state("S1"), phase=Phase.WAITING, began_at_ms=5),
            "S2-1": StateExecution(
                movement=state("S2"),
                phase=Phase.READY,
                locals=[KeyValue(key="l", value=value("x"))],
                waited=Waiting(sequence=3, request=CommandRequest()),
            ),
            "S3-1": StateExecution(
                movement=state("S3"),
                phase=Phase.START,
                earlier=EarlierAttempts(count=1, first_attempt_at=1_700_000_001),
            ),
            "S4-1": StateExecution(movement=state("S4"), phase=Phase.READY, wait_until_failed=True),
        },
        waiting={"S1-2": waiting},
        registrations=4,
        started_counts={"S1": 2, "S2": 1, "S3": 1, "S4": 1},
        completed_keys={"S1": {"k": "S1-1"}},
        calls_to_make=["S3-1", "S2-1", "S4-1"],
        stale_skips=[TimerSkip(execution_id="S9-1", command_index=0)],
        data_attributes={"z": value("é"), "a": None},
        search_attributes={
            "k": SearchAttribute(key="k", value_type=SearchAttributeValueType.KEYWORD, string_value="v")
        },
        signal_channels={"q": [value("1"), EncodedObject()]},
        internal_channels={"q": [None]},
        executing_state_ids=["S1", "S2"],
        outputs=[
            StateCompletionOutput(
                completed_state_id="S1",
                completed_state_execution_id="S1-1",
                completed_state_output=value("out"),
            )
        ],
        graceful=True,
    )


def test_state_that_is_written_down_and_read_back_is_the_same() -> None:
    data = snapshot.encode(full_state())

    assert snapshot.decode(data) == full_state()
    assert snapshot.encode(snapshot.decode(data)) == data


def test_order_of_the_parts_is_kept() -> None:
    again = snapshot.decode(snapshot.encode(full_state()))

    assert list(again.executions) == ["S1-2", "S2-1", "S3-1", "S4-1"]
    assert list(again.data_attributes) == ["z", "a"]


def test_defaults_are_not_written() -> None:
    """So parts that different builds read from one closed run fit together."""
    written = msgspec.json.decode(
        snapshot.encode(
            ExecutionState(
                workflow_id="w",
                run_id="r",
                run_started_at_ms=1,
                first_run_id="r",
                started_at=1,
                workflow_type="T",
                worker_url="http://w",
                config=WorkflowConfig(),
                interpreter_version=1,
            )
        )
    )

    assert sorted(written) == [
        "config",
        "first_run_id",
        "interpreter_version",
        "run_id",
        "run_started_at_ms",
        "started_at",
        "worker_url",
        "workflow_id",
        "workflow_type",
    ]


def test_what_belongs_to_one_run_is_not_carried() -> None:
    of_one_run = {
        "armed_timer": ArmedTimer(timer_id="timer/3", fire_at_ms=9),
        "timers_started": 3,
        "lock_tickets": [LockTicket(owner="ex/S2-1", keys=["d=a"])],
        "state_waits": {"u": StateTarget(state_execution_id="S1-1")},
        "has_called": True,
        "operations": 7,
        "continue_requested": True,
        "continue_suggested": True,
        "draining": True,
        "closed": True,
        "slow_locally": {"S1": 2},
    }

    assert snapshot.carried(msgspec.structs.replace(full_state(), **of_one_run)) == full_state()


def test_carrying_does_not_change_the_state_itself() -> None:
    before = msgspec.structs.replace(full_state(), operations=3, draining=True)

    snapshot.carried(before)

    assert (before.operations, before.draining) == (3, True)


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_state_of_an_earlier_build_can_be_read(path: Path) -> None:
    again = snapshot.from_text(path.read_text())

    assert again == full_state()


def test_kept_states_are_there() -> None:
    assert [path.name for path in KEPT.glob("*.json")]


def test_fields_of_a_later_build_are_ignored() -> None:
    later = msgspec.json.decode(snapshot.encode(full_state()))
    later["not_invented_yet"] = {"a": 1}
    later["executions"]["S1-2"]["neither_this"] = True

    assert snapshot.from_text(msgspec.json.encode(later).decode()) == full_state()


def test_short_state_stays_readable() -> None:
    text = snapshot.to_text(b"{}" + b" " * (64 * 1024 - 2))

    assert text.startswith("{}")


def test_long_state_is_compressed_and_reads_the_same() -> None:
    long = msgspec.structs.replace(full_state(), data_attributes={"d": value("é" * 100_000)})

    text = snapshot.to_text(snapshot.encode(long))

    assert text.startswith("zlib:")
    assert len(text) < 10_000
    assert snapshot.from_text(text) == long


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="no-json"),
        pytest.param("{}", id="no-state"),
        pytest.param("zlib:###", id="no-base64"),
        pytest.param("zlib:AAAA", id="not-compressed"),
    ],
)
def test_text_that_is_no_state_is_bad(text: str) -> None:
    with pytest.raises(snapshot.BadSnapshot):
        snapshot.from_text(text)


@pytest.mark.parametrize("count", [1, 2, 7, 5000])
def test_parts_put_together_are_the_state(count: int) -> None:
    data = snapshot.encode(full_state())

    parts = [snapshot.page(data, number, count) for number in range(count)]

    assert snapshot.join(parts) == full_state()


def bad_parts(kind: str) -> list[SnapshotPage]:
    data = snapshot.encode(full_state())
    first, second = (snapshot.page(data, number, 2) for number in range(2))
    other = snapshot.page(snapshot.encode(msgspec.structs.replace(full_state(), graceful=False)), 1, 2)
    return {
        "of-two-states": [first, other],
        "wrong-order": [second, first],
        "one-missing": [first],
        "other-digest": [first, SnapshotPage(text=second.text, sha256=other.sha256)],
        "no-base64": [first, SnapshotPage(text="#", sha256=first.sha256)],
        "no-state": [snapshot.page(b"[]", 0, 1)],
    }[kind]


@pytest.mark.parametrize(
    "kind", ["of-two-states", "wrong-order", "one-missing", "other-digest", "no-base64", "no-state"]
)
def test_parts_that_do_not_make_a_state_are_bad(kind: str) -> None:
    with pytest.raises(snapshot.BadSnapshot):
        snapshot.join(bad_parts(kind))


@pytest.mark.parametrize(
    ("configured", "length"),
    [
        pytest.param(None, 1024 * 1024, id="absent"),
        pytest.param(0, 1024 * 1024, id="zero"),
        pytest.param(1, 1024, id="too-small"),
        pytest.param(-5, 1024, id="negative"),
        pytest.param(5000, 5000, id="as-configured"),
        pytest.param(2_000_000, 1_300_000, id="too-large"),
    ],
)
def test_length_of_a_part_is_kept_in_bounds(configured: int | None, length: int) -> None:
    assert snapshot.page_bytes(configured) == length
