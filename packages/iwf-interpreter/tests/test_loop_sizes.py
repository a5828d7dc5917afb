"""How long an answer may get: results in place are taken in only while there is room."""

import pytest

from iwf_interpreter.core import CallExecute, SetMemo, SetSearchAttributes, StartTimer
from iwf_interpreter.core.attribute_values import EngineValue
from iwf_interpreter.loop.history import LocalResult, Outgoing
from iwf_interpreter.loop.sizes import MAX_BEFORE_RESULT_BYTES, AnswerBudget
from iwf_models import Context, EncodedObject, RetryPolicy, WorkflowStateDecideRequest

HALF = "x" * (MAX_BEFORE_RESULT_BYTES // 2)
TIMER = StartTimer(timer_id="timer/1", delay_ms=1, execution_id="S-1")


def long_call() -> CallExecute:
    return CallExecute(
        call_id="ex/S-1",
        worker_url="http://w",
        request=WorkflowStateDecideRequest(
            context=Context(workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1),
            workflow_type="T",
            workflow_state_id="S",
            state_input=EncodedObject(data=HALF),
        ),
        timeout_seconds=1,
        retry_policy=RetryPolicy(),
    )


def test_first_result_of_a_task_always_fits() -> None:
    assert AnswerBudget().has_room_for(10 * MAX_BEFORE_RESULT_BYTES, [])


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(long_call(), id="call"),
        pytest.param(SetMemo(values={"d": EncodedObject(data=HALF)}), id="memo"),
        pytest.param(SetSearchAttributes(values={"k": EngineValue("Text", HALF)}), id="search-attributes"),
    ],
)
def test_long_commands_leave_less_room(command: Outgoing) -> None:
    assert AnswerBudget().has_room_for(len(HALF) - 2000, [command])
    assert not AnswerBudget().has_room_for(len(HALF), [command])


def test_other_commands_take_little_room() -> None:
    assert AnswerBudget().has_room_for(MAX_BEFORE_RESULT_BYTES - 500, [TIMER])
    assert not AnswerBudget().has_room_for(MAX_BEFORE_RESULT_BYTES, [TIMER])


def test_every_command_is_counted_once() -> None:
    budget = AnswerBudget()
    outgoing: list[Outgoing] = [long_call()]
    budget.has_room_for(0, outgoing)
    outgoing.append(TIMER)

    assert budget.has_room_for(len(HALF) - 3000, outgoing)


def test_results_that_were_taken_in_leave_less_room() -> None:
    budget = AnswerBudget()
    outgoing: list[Outgoing] = []
    fits: list[bool] = []
    for number in range(3):
        fits.append(budget.has_room_for(len(HALF) - 2000, outgoing))
        outgoing.append(LocalResult(call_id=f"wu/S-{number}"))

    assert fits == [True, True, False]
