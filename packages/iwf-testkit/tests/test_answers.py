"""The short forms, compared with the models that they stand for."""

import pytest

import iwf_testkit
from iwf_models import (
    CommandRequest,
    CommandWaitingType,
    EncodedObject,
    InterStateChannelCommand,
    SignalCommand,
    StateDecision,
    StateMovement,
    TimerCommand,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
)
from iwf_testkit import (
    dead_end,
    force_complete,
    force_fail,
    go_to,
    graceful_complete,
    next_states,
    value,
    wait_for,
)

DATA = EncodedObject(encoding="json", data='"x"')
OPTIONS = WorkflowStateOptions(skip_wait_until=True)


@pytest.mark.parametrize(
    ("answer", "movements"),
    [
        pytest.param(
            go_to("S1", "S2"), [StateMovement(state_id="S1"), StateMovement(state_id="S2")], id="states"
        ),
        pytest.param(
            go_to("S1", data='"x"', options=OPTIONS),
            [StateMovement(state_id="S1", state_input=DATA, state_options=OPTIONS)],
            id="state-with-input",
        ),
        pytest.param(
            next_states(StateMovement(state_id="S1", wait_for_key="k")),
            [StateMovement(state_id="S1", wait_for_key="k")],
            id="movement",
        ),
        pytest.param(
            graceful_complete('"x"'),
            [StateMovement(state_id="_SYS_GRACEFUL_COMPLETING_WORKFLOW", state_input=DATA)],
            id="graceful-complete",
        ),
        pytest.param(
            force_complete(), [StateMovement(state_id="_SYS_FORCE_COMPLETING_WORKFLOW")], id="force-complete"
        ),
        pytest.param(
            force_fail('"x"'),
            [StateMovement(state_id="_SYS_FORCE_FAILING_WORKFLOW", state_input=DATA)],
            id="force-fail",
        ),
        pytest.param(dead_end(), [StateMovement(state_id="_SYS_DEAD_END")], id="dead-end"),
    ],
)
def test_decisions(answer: WorkflowStateDecideResponse, movements: list[StateMovement]) -> None:
    assert answer == WorkflowStateDecideResponse(state_decision=StateDecision(next_states=movements))


def test_value_is_json_with_its_encoding() -> None:
    assert value('"x"') == DATA


def test_waiting_lists_only_the_commands_asked_for() -> None:
    one = wait_for(signals=("go",))
    all_kinds = wait_for(
        timers=(5,), signals=("go",), channels=("c",), waiting_type=CommandWaitingType.ALL_COMPLETED
    )

    assert one == WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=CommandWaitingType.ANY_COMPLETED,
            signal_commands=[SignalCommand(signal_channel_name="go")],
        )
    )
    assert all_kinds == WorkflowStateStartResponse(
        command_request=CommandRequest(
            command_waiting_type=CommandWaitingType.ALL_COMPLETED,
            timer_commands=[TimerCommand(duration_seconds=5)],
            signal_commands=[SignalCommand(signal_channel_name="go")],
            inter_state_channel_commands=[InterStateChannelCommand(channel_name="c")],
        )
    )


def test_public_names_of_the_testkit() -> None:
    assert set(iwf_testkit.__all__) == {
        "Answer",
        "FakeWorker",
        "IwfServer",
        "MemoryEngine",
        "MemoryServer",
        "UnexpectedCalls",
        "VirtualTimeLoop",
        "WorkerCall",
        "dead_end",
        "force_complete",
        "force_fail",
        "go_to",
        "graceful_complete",
        "iwf_server",
        "memory_server",
        "next_states",
        "temporal_dev_server",
        "value",
        "wait_for",
    }
    assert all(hasattr(iwf_testkit, name) for name in iwf_testkit.__all__)
