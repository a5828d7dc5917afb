"""The load of the chaos sessions: what its workflow leaves behind, and that losses and repetitions show."""

import pytest

from tools.chaos.clients import Tokens
from tools.chaos.program import Plan, expected_notes


@pytest.fixture
def tokens() -> Tokens:
    """Three were acknowledged; of the second nobody knows."""
    tokens = Tokens("s", 4)
    tokens.acknowledged += ["s1", "s3", "s4"]
    tokens.unacknowledged.append("s2")
    return tokens


@pytest.mark.parametrize(
    "applied",
    [
        pytest.param(["s1", "s2", "s3", "s4"], id="all"),
        pytest.param(["s1", "s3", "s4"], id="without-the-one-that-was-not-acknowledged"),
    ],
)
def test_messages_that_were_applied_once_and_in_order_are_right(tokens: Tokens, applied: list[str]) -> None:
    assert tokens.faults(applied) == []


@pytest.mark.parametrize(
    ("applied", "fault"),
    [
        pytest.param(["s1", "s4"], "acknowledged and lost: ['s3']", id="lost"),
        pytest.param(["s1", "s3", "s3", "s4"], "not once and in order", id="twice"),
        pytest.param(["s1", "s4", "s3"], "not once and in order", id="out-of-order"),
        pytest.param(["s1", "s3", "s4", "x"], "never sent: ['x']", id="strange"),
    ],
)
def test_difference_is_told(tokens: Tokens, applied: list[str], fault: str) -> None:
    assert any(text.startswith(fault) for text in tokens.faults(applied))


def test_notes_follow_from_the_plan() -> None:
    notes = expected_notes(Plan(messages=2, timers=1, fan=2))

    assert notes == {
        "published": ["Publish-1", "Publish-2"],
        "collected": ["Collect-1 1", "Collect-2 2", "Collect-3 end"],
        "timer-waits": ["Timer-1"],
        "timers": ["Timer-1 FIRED"],
        "slow": ["Slow-1"],
        "joined": ["Calls", "Collect", "Fan", "Fan", "Publish", "Signals", "Slow", "Timer"],
    }
