import pytest

from iwf_interpreter import worker_answers
from iwf_interpreter.worker_errors import InvalidWorkerAnswer
from iwf_models import (
    EncodedObject,
    InterStateChannelPublishing,
    KeyValue,
    RetryPolicy,
    SearchAttribute,
    SearchAttributeValueType,
    StateDecision,
    StateMovement,
    WorkflowConditionalClose,
    WorkflowConditionalCloseType,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowStateStartResponse,
    WorkflowWorkerRpcResponse,
    codec,
)

INTERNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY
SIGNAL = WorkflowConditionalCloseType.FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY
ALL_CHANNELS = WorkflowConditionalCloseType.GRACEFUL_COMPLETE_ON_ALL_CHANNELS_EMPTY
REGISTERED = {"k": "Keyword", "t": "Text"}

KEYWORD = SearchAttribute(key="k", value_type=SearchAttributeValueType.KEYWORD, string_value="v")
UNREGISTERED = SearchAttribute(key="u", value_type=SearchAttributeValueType.KEYWORD, string_value="v")
WITHOUT_KEY = [KeyValue(key="a"), KeyValue(value=EncodedObject(data="1"))]
EMPTY_KEY = [KeyValue(key="")]
NO_CHANNEL = [InterStateChannelPublishing(channel_name="")]
S2 = StateMovement(state_id="S2")


def decision(*next_states: StateMovement, close: WorkflowConditionalClose | None = None) -> StateDecision:
    return StateDecision(next_states=list(next_states), conditional_close=close)


def next_state_with(options: WorkflowStateOptions) -> StateDecision:
    return decision(StateMovement(state_id="S2", state_options=options))


@pytest.mark.parametrize(
    "state_decision",
    [
        pytest.param(decision(S2), id="one"),
        pytest.param(decision(S2, S2), id="several"),
        pytest.param(decision(StateMovement(state_id="_SYS_DEAD_END")), id="closing"),
        pytest.param(decision(S2, StateMovement(state_id="_SYS_FORCE_FAILING_WORKFLOW")), id="contradiction"),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(conditional_close_type=INTERNAL, channel_name="c")),
            id="internal-channel-empty",
        ),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(conditional_close_type=SIGNAL, channel_name="c")),
            id="signal-channel-empty",
        ),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(conditional_close_type=ALL_CHANNELS)),
            id="all-channels-empty",
        ),
        pytest.param(
            next_state_with(
                WorkflowStateOptions(
                    skip_wait_until=False,
                    execute_api_timeout_seconds=0,
                    execute_api_retry_policy=RetryPolicy(
                        initial_interval_seconds=0, backoff_coefficient=0.5, maximum_attempts=0
                    ),
                )
            ),
            id="zero-limits",
        ),
    ],
)
def test_a_decision_that_can_be_applied_passes(state_decision: StateDecision) -> None:
    answer = WorkflowStateDecideResponse(state_decision=state_decision)

    worker_answers.check_execute(answer, registered=REGISTERED)


@pytest.mark.parametrize(
    ("state_decision", "reason"),
    [
        pytest.param(None, "stateDecision has no nextStates", id="no-decision"),
        pytest.param(StateDecision(), "stateDecision has no nextStates", id="empty-decision"),
        pytest.param(decision(), "stateDecision has no nextStates", id="empty-list"),
        pytest.param(
            StateDecision(
                conditional_close=WorkflowConditionalClose(conditional_close_type=INTERNAL, channel_name="c")
            ),
            "stateDecision has no nextStates",
            id="conditional-close-alone",
        ),
        pytest.param(
            decision(S2, StateMovement(state_id="")),
            "an entry of nextStates has no stateId",
            id="no-state-id",
        ),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(channel_name="c")),
            "conditionalClose has no conditionalCloseType",
            id="close-without-type",
        ),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(conditional_close_type=INTERNAL)),
            "conditionalClose of type FORCE_COMPLETE_ON_INTERNAL_CHANNEL_EMPTY has no channelName",
            id="close-without-internal-channel",
        ),
        pytest.param(
            decision(S2, close=WorkflowConditionalClose(conditional_close_type=SIGNAL, channel_name="")),
            "conditionalClose of type FORCE_COMPLETE_ON_SIGNAL_CHANNEL_EMPTY has no channelName",
            id="close-without-signal-channel",
        ),
    ],
)
def test_a_decision_that_cannot_be_applied_is_refused(
    state_decision: StateDecision | None, reason: str
) -> None:
    answer = WorkflowStateDecideResponse(state_decision=state_decision)

    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_execute(answer, registered=REGISTERED)

    assert str(caught.value) == f"err msg: {reason}, response: {codec.encode(answer).decode()}"


NEGATIVE_OPTIONS = [
    pytest.param(
        WorkflowStateOptions(wait_until_api_timeout_seconds=-1),
        "waitUntilApiTimeoutSeconds is negative: -1",
        id="wait-until-timeout",
    ),
    pytest.param(
        WorkflowStateOptions(execute_api_timeout_seconds=-1),
        "executeApiTimeoutSeconds is negative: -1",
        id="execute-timeout",
    ),
    pytest.param(
        WorkflowStateOptions(start_api_timeout_seconds=-1),
        "startApiTimeoutSeconds is negative: -1",
        id="legacy-wait-until-timeout",
    ),
    pytest.param(
        WorkflowStateOptions(decide_api_timeout_seconds=-1),
        "decideApiTimeoutSeconds is negative: -1",
        id="legacy-execute-timeout",
    ),
    pytest.param(
        WorkflowStateOptions(wait_until_api_retry_policy=RetryPolicy(initial_interval_seconds=-1)),
        "waitUntilApiRetryPolicy.initialIntervalSeconds is negative: -1",
        id="initial-interval",
    ),
    pytest.param(
        WorkflowStateOptions(execute_api_retry_policy=RetryPolicy(backoff_coefficient=-0.5)),
        "executeApiRetryPolicy.backoffCoefficient is negative: -0.5",
        id="coefficient",
    ),
    pytest.param(
        WorkflowStateOptions(start_api_retry_policy=RetryPolicy(maximum_interval_seconds=-1)),
        "startApiRetryPolicy.maximumIntervalSeconds is negative: -1",
        id="maximum-interval",
    ),
    pytest.param(
        WorkflowStateOptions(decide_api_retry_policy=RetryPolicy(maximum_attempts=-1)),
        "decideApiRetryPolicy.maximumAttempts is negative: -1",
        id="attempts",
    ),
    pytest.param(
        WorkflowStateOptions(execute_api_retry_policy=RetryPolicy(maximum_attempts_duration_seconds=-1)),
        "executeApiRetryPolicy.maximumAttemptsDurationSeconds is negative: -1",
        id="duration",
    ),
    pytest.param(
        WorkflowStateOptions(
            execute_api_failure_proceed_state_options=WorkflowStateOptions(execute_api_timeout_seconds=-1)
        ),
        "executeApiFailureProceedStateOptions.executeApiTimeoutSeconds is negative: -1",
        id="options-of-the-state-to-proceed-to",
    ),
]


@pytest.mark.parametrize(("options", "reason"), NEGATIVE_OPTIONS)
def test_negative_limits_in_a_movement_are_refused(options: WorkflowStateOptions, reason: str) -> None:
    execute = WorkflowStateDecideResponse(state_decision=next_state_with(options))
    rpc = WorkflowWorkerRpcResponse(state_decision=next_state_with(options))

    with pytest.raises(ValueError, match=reason):
        worker_answers.check_state_options(options)
    with pytest.raises(InvalidWorkerAnswer, match=f"err msg: {reason}, response: "):
        worker_answers.check_execute(execute, registered=REGISTERED)
    with pytest.raises(InvalidWorkerAnswer, match=f"err msg: {reason}, response: "):
        worker_answers.check_rpc(rpc, registered=REGISTERED)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(WorkflowWorkerRpcResponse(), id="nothing"),
        pytest.param(WorkflowWorkerRpcResponse(output=EncodedObject(data="1")), id="output"),
        pytest.param(WorkflowWorkerRpcResponse(state_decision=StateDecision()), id="empty-decision"),
        pytest.param(WorkflowWorkerRpcResponse(state_decision=decision()), id="no-next-states"),
        pytest.param(WorkflowWorkerRpcResponse(state_decision=decision(S2, S2)), id="next-states"),
        pytest.param(
            WorkflowWorkerRpcResponse(
                upsert_data_attributes=[KeyValue(key="a")],
                upsert_search_attributes=[KEYWORD],
                record_events=[KeyValue(key="e")],
                publish_to_inter_state_channel=[InterStateChannelPublishing(channel_name="c")],
            ),
            id="writes",
        ),
    ],
)
def test_an_rpc_answer_that_can_be_applied_passes(answer: WorkflowWorkerRpcResponse) -> None:
    worker_answers.check_rpc(answer, registered=REGISTERED)


@pytest.mark.parametrize(
    "state_decision",
    [
        pytest.param(decision(StateMovement(state_id="_SYS_GRACEFUL_COMPLETING_WORKFLOW")), id="graceful"),
        pytest.param(decision(StateMovement(state_id="_SYS_FORCE_COMPLETING_WORKFLOW")), id="complete"),
        pytest.param(decision(S2, StateMovement(state_id="_SYS_FORCE_FAILING_WORKFLOW")), id="fail"),
        pytest.param(decision(StateMovement(state_id="_SYS_DEAD_END")), id="dead-end"),
        pytest.param(
            StateDecision(
                conditional_close=WorkflowConditionalClose(conditional_close_type=INTERNAL, channel_name="c")
            ),
            id="conditional",
        ),
        pytest.param(decision(S2, close=WorkflowConditionalClose()), id="empty-conditional"),
    ],
)
def test_an_rpc_cannot_close_the_workflow(state_decision: StateDecision) -> None:
    answer = WorkflowWorkerRpcResponse(state_decision=state_decision)

    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_rpc(answer, registered=REGISTERED)

    assert caught.value.reason == "an RPC cannot close the workflow or end a thread of states"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            WorkflowStateStartResponse(upsert_search_attributes=[KEYWORD, UNREGISTERED]),
            "search attribute 'u' with value 'v' is not registered with the engine",
            id="search-attribute",
        ),
        pytest.param(
            WorkflowStateStartResponse(upsert_data_objects=WITHOUT_KEY),
            "an entry of upsertDataObjects has no key",
            id="data-attribute",
        ),
        pytest.param(
            WorkflowStateStartResponse(upsert_state_locals=EMPTY_KEY),
            "an entry of upsertStateLocals has no key",
            id="state-local",
        ),
        pytest.param(
            WorkflowStateStartResponse(record_events=EMPTY_KEY),
            "an entry of recordEvents has no key",
            id="event",
        ),
        pytest.param(
            WorkflowStateStartResponse(publish_to_inter_state_channel=NO_CHANNEL),
            "a message of publishToInterStateChannel names no channel",
            id="message",
        ),
    ],
)
def test_a_bad_write_of_wait_until_is_refused(answer: WorkflowStateStartResponse, reason: str) -> None:
    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_wait_until(answer, registered=REGISTERED)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            WorkflowStateDecideResponse(upsert_search_attributes=[UNREGISTERED]),
            "search attribute 'u' with value 'v' is not registered with the engine",
            id="search-attribute",
        ),
        pytest.param(
            WorkflowStateDecideResponse(upsert_data_objects=EMPTY_KEY),
            "an entry of upsertDataObjects has no key",
            id="data-attribute",
        ),
        pytest.param(
            WorkflowStateDecideResponse(record_events=WITHOUT_KEY),
            "an entry of recordEvents has no key",
            id="event",
        ),
        pytest.param(
            WorkflowStateDecideResponse(publish_to_inter_state_channel=NO_CHANNEL),
            "a message of publishToInterStateChannel names no channel",
            id="message",
        ),
    ],
)
def test_a_bad_write_of_execute_is_refused(answer: WorkflowStateDecideResponse, reason: str) -> None:
    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_execute(answer, registered=REGISTERED)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            WorkflowWorkerRpcResponse(upsert_search_attributes=[UNREGISTERED]),
            "search attribute 'u' with value 'v' is not registered with the engine",
            id="search-attribute",
        ),
        pytest.param(
            WorkflowWorkerRpcResponse(upsert_data_attributes=EMPTY_KEY),
            "an entry of upsertDataAttributes has no key",
            id="data-attribute",
        ),
        pytest.param(
            WorkflowWorkerRpcResponse(record_events=WITHOUT_KEY),
            "an entry of recordEvents has no key",
            id="event",
        ),
        pytest.param(
            WorkflowWorkerRpcResponse(publish_to_inter_state_channel=NO_CHANNEL),
            "a message of publishToInterStateChannel names no channel",
            id="message",
        ),
        pytest.param(
            WorkflowWorkerRpcResponse(state_decision=decision(StateMovement(state_id=""))),
            "an entry of nextStates has no stateId",
            id="movement",
        ),
    ],
)
def test_a_bad_write_of_an_rpc_is_refused(answer: WorkflowWorkerRpcResponse, reason: str) -> None:
    with pytest.raises(InvalidWorkerAnswer) as caught:
        worker_answers.check_rpc(answer, registered=REGISTERED)

    assert caught.value.reason == reason


def test_search_attributes_pass_when_the_registered_ones_are_unknown() -> None:
    answer = WorkflowWorkerRpcResponse(upsert_search_attributes=[UNREGISTERED])

    worker_answers.check_rpc(answer, registered=None)


def test_state_locals_that_have_no_effect_are_not_checked() -> None:
    execute = WorkflowStateDecideResponse(state_decision=decision(S2), upsert_state_locals=EMPTY_KEY)
    rpc = WorkflowWorkerRpcResponse(upsert_state_locals=EMPTY_KEY)

    worker_answers.check_execute(execute, registered=REGISTERED)
    worker_answers.check_rpc(rpc, registered=REGISTERED)


@pytest.mark.parametrize(("depth", "accepted"), [(50, True), (51, False)])
def test_options_of_states_nest_only_so_deep(depth: int, accepted: bool) -> None:
    """Recovery states of recovery states."""
    options = WorkflowStateOptions()
    for _ in range(depth - 1):
        options = WorkflowStateOptions(execute_api_failure_proceed_state_options=options)

    if accepted:
        worker_answers.check_state_options(options)
    else:
        with pytest.raises(ValueError, match="nested more than 50 deep"):
            worker_answers.check_state_options(options)
