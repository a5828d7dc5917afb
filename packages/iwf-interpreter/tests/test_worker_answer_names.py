"""Names in workers' answers that the engine or the server would not take."""

import pytest

from iwf_interpreter import worker_answers
from iwf_interpreter.worker_errors import InvalidWorkerAnswer
from iwf_models import (
    KeyValue,
    StateDecision,
    StateMovement,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
)

GO_ON = StateDecision(next_states=[StateMovement(state_id="S2")])
LONG = "é" * 121
"""242 bytes."""


@pytest.mark.parametrize(
    "movement",
    [
        pytest.param(StateMovement(state_id=LONG), id="next-state"),
        pytest.param(
            StateMovement(
                state_id="S2",
                state_options=WorkflowStateOptions(execute_api_failure_proceed_state_id=LONG),
            ),
            id="state-to-proceed-to",
        ),
    ],
)
def test_state_that_no_engine_would_call_is_refused(movement: StateMovement) -> None:
    reason = "has 242 bytes, at most 240 are allowed"

    with pytest.raises(InvalidWorkerAnswer, match=reason):
        worker_answers.check_execute(
            WorkflowStateDecideResponse(state_decision=StateDecision(next_states=[movement])), registered={}
        )
    with pytest.raises(InvalidWorkerAnswer, match=reason):
        worker_answers.check_rpc(
            WorkflowWorkerRpcResponse(state_decision=StateDecision(next_states=[movement])), registered={}
        )
    worker_answers.check_state_id(LONG[:120])


def test_reserved_keys_of_data_attributes_are_refused() -> None:
    reserved = [KeyValue(key="__IwfSystem_WorkerUrl")]
    reason = "key '__IwfSystem_WorkerUrl' of upsertData"

    with pytest.raises(InvalidWorkerAnswer, match=reason):
        worker_answers.check_wait_until(
            WorkflowStateStartResponse(upsert_data_objects=reserved), registered={}
        )
    with pytest.raises(InvalidWorkerAnswer, match=reason):
        worker_answers.check_execute(
            WorkflowStateDecideResponse(upsert_data_objects=reserved, state_decision=GO_ON),
            registered={},
        )
    with pytest.raises(InvalidWorkerAnswer, match=reason):
        worker_answers.check_rpc(WorkflowWorkerRpcResponse(upsert_data_attributes=reserved), registered={})
