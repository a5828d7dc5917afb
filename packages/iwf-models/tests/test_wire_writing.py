"""Rules of writing, and the bytes of the messages that matter most (`docs/wire-models.md`)."""

import pytest

from iwf_models import (
    ChannelInfo,
    ChannelRequestStatus,
    CommandResults,
    Context,
    EncodedObject,
    ErrorResponse,
    ErrorSubStatus,
    HealthInfo,
    InterStateChannelResult,
    KeyValue,
    PersistenceLoadingPolicy,
    RetryPolicy,
    SearchAttribute,
    SearchAttributeValueType,
    SignalResult,
    StateCompletionOutput,
    TimerResult,
    TimerStatus,
    WireStruct,
    WorkflowErrorType,
    WorkflowGetDataObjectsResponse,
    WorkflowGetResponse,
    WorkflowGetSearchAttributesResponse,
    WorkflowIDReusePolicy,
    WorkflowRpcResponse,
    WorkflowSearchResponse,
    WorkflowStartOptions,
    WorkflowStartResponse,
    WorkflowStateDecideRequest,
    WorkflowStateStartRequest,
    WorkflowStatus,
    WorkflowWorkerRpcRequest,
)
from iwf_models.codec import decode, encode


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(HealthInfo(), b"{}", id="nothing-set"),
        pytest.param(HealthInfo(condition=""), b'{"condition":""}', id="empty-string"),
        pytest.param(HealthInfo(duration=0), b'{"duration":0}', id="zero"),
        pytest.param(SearchAttribute(double_value=0.0), b'{"doubleValue":0.0}', id="zero-double"),
        pytest.param(SearchAttribute(bool_value=False), b'{"boolValue":false}', id="false"),
        pytest.param(SearchAttribute(string_array_value=[]), b'{"stringArrayValue":[]}', id="empty-list"),
        pytest.param(KeyValue(value=EncodedObject()), b'{"value":{}}', id="empty-object"),
    ],
)
def test_what_was_set_is_written_even_when_empty(value: WireStruct, written: bytes) -> None:
    assert encode(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(
            WorkflowGetResponse(workflow_run_id="r", workflow_status=WorkflowStatus.RUNNING, results=None),
            b'{"workflowRunId":"r","workflowStatus":"RUNNING"}',
            id="results",
        ),
        pytest.param(WorkflowGetDataObjectsResponse(objects=None), b"{}", id="objects"),
        pytest.param(
            WorkflowGetSearchAttributesResponse(search_attributes=None), b"{}", id="search-attributes"
        ),
        pytest.param(
            WorkflowSearchResponse(workflow_executions=[], next_page_token=""),
            b'{"workflowExecutions":[],"nextPageToken":""}',
            id="search-writes-the-empty-list",
        ),
    ],
)
def test_list_that_must_not_be_written_empty_is_left_absent(value: WireStruct, written: bytes) -> None:
    assert encode(value) == written


def test_required_field_is_written_even_when_empty() -> None:
    result = TimerResult(command_id="", timer_status=TimerStatus.SCHEDULED)

    assert encode(result) == b'{"commandId":"","timerStatus":"SCHEDULED"}'


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63)])
def test_int64_is_written_as_an_exact_number(value: int) -> None:
    attribute = SearchAttribute(key="n", value_type=SearchAttributeValueType.INT, integer_value=value)

    assert encode(attribute) == b'{"key":"n","valueType":"INT","integerValue":%d}' % value


def test_double_is_written_with_all_its_digits() -> None:
    assert encode(RetryPolicy(backoff_coefficient=1.1)) == b'{"backoffCoefficient":1.1}'


def test_text_is_written_as_it_is() -> None:
    value = EncodedObject(data='{"größe":"<3 & 😀"}')

    assert encode(value) == '{"data":"{\\"größe\\":\\"<3 & 😀\\"}"}'.encode()


def test_legacy_reuse_policy_is_written_under_its_irregular_name() -> None:
    options = WorkflowStartOptions(workflow_id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE)

    assert encode(options) == b'{"workflowIDReusePolicy":"ALLOW_DUPLICATE"}'


def test_plain_values_that_hold_models_can_be_written() -> None:
    assert encode({"a": [EncodedObject(data="1")], "b": None}) == b'{"a":[{"data":"1"}],"b":null}'


CONTEXT = Context(
    workflow_id="wf",
    workflow_run_id="run",
    workflow_started_timestamp=1_700_000_000,
    state_execution_id="S1-1",
    first_attempt_timestamp=1_700_000_001,
    attempt=1,
)
CONTEXT_FRAME = (
    b'"context":{"workflowId":"wf","workflowRunId":"run","workflowStartedTimestamp":1700000000,'
    b'"stateExecutionId":"S1-1","firstAttemptTimestamp":1700000001,"attempt":1}'
)


@pytest.mark.parametrize(
    ("value", "frame"),
    [
        pytest.param(
            WorkflowStateStartRequest(
                context=CONTEXT,
                workflow_type="Order",
                workflow_state_id="S1",
                state_input=EncodedObject(encoding="json", data="1"),
                search_attributes=[
                    SearchAttribute(
                        key="city", value_type=SearchAttributeValueType.KEYWORD, string_value="Rome"
                    )
                ],
                data_objects=[KeyValue(key="a", value=EncodedObject())],
            ),
            b"{" + CONTEXT_FRAME + b',"workflowType":"Order","workflowStateId":"S1",'
            b'"stateInput":{"encoding":"json","data":"1"},'
            b'"searchAttributes":[{"key":"city","valueType":"KEYWORD","stringValue":"Rome"}],'
            b'"dataObjects":[{"key":"a","value":{}}]}',
            id="wait-until-request",
        ),
        pytest.param(
            WorkflowStateDecideRequest(
                context=CONTEXT,
                workflow_type="Order",
                workflow_state_id="S1",
                data_objects=[KeyValue(key="a", value=EncodedObject(data="1"))],
                state_locals=[KeyValue(key="l", value=EncodedObject(data="2"))],
                command_results=CommandResults(
                    timer_results=[TimerResult(command_id="", timer_status=TimerStatus.FIRED)],
                    signal_results=[
                        SignalResult(
                            command_id="s",
                            signal_channel_name="paid",
                            signal_request_status=ChannelRequestStatus.RECEIVED,
                            signal_value=EncodedObject(data="3"),
                        )
                    ],
                    inter_state_channel_results=[
                        InterStateChannelResult(
                            command_id="i",
                            channel_name="stock",
                            request_status=ChannelRequestStatus.WAITING,
                        )
                    ],
                    state_start_api_succeeded=True,
                    state_wait_until_failed=False,
                ),
            ),
            b"{" + CONTEXT_FRAME + b',"workflowType":"Order","workflowStateId":"S1",'
            b'"DataObjects":[{"key":"a","value":{"data":"1"}}],'
            b'"stateLocals":[{"key":"l","value":{"data":"2"}}],'
            b'"commandResults":{'
            b'"signalResults":[{"commandId":"s","signalRequestStatus":"RECEIVED",'
            b'"signalChannelName":"paid","signalValue":{"data":"3"}}],'
            b'"interStateChannelResults":[{"commandId":"i","requestStatus":"WAITING","channelName":"stock"}],'
            b'"timerResults":[{"commandId":"","timerStatus":"FIRED"}],'
            b'"stateStartApiSucceeded":true,"stateWaitUntilFailed":false}}',
            id="execute-request",
        ),
        pytest.param(
            WorkflowWorkerRpcRequest(
                context=Context(workflow_id="wf", workflow_run_id="run", workflow_started_timestamp=1),
                workflow_type="Order",
                rpc_name="status",
                input=EncodedObject(data="1"),
                data_attributes=[KeyValue(key="a", value=EncodedObject(data="1"))],
                signal_channel_infos={"paid": ChannelInfo(size=2)},
                internal_channel_infos={},
            ),
            b'{"context":{"workflowId":"wf","workflowRunId":"run","workflowStartedTimestamp":1},'
            b'"workflowType":"Order","rpcName":"status","input":{"data":"1"},'
            b'"dataAttributes":[{"key":"a","value":{"data":"1"}}],'
            b'"signalChannelInfos":{"paid":{"size":2}},"internalChannelInfos":{}}',
            id="worker-rpc-request",
        ),
        pytest.param(
            WorkflowGetResponse(
                workflow_run_id="run",
                workflow_status=WorkflowStatus.FAILED,
                results=[
                    StateCompletionOutput(
                        completed_state_id="S1",
                        completed_state_execution_id="S1-1",
                        completed_state_output=EncodedObject(),
                    )
                ],
                error_type=WorkflowErrorType.STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE,
                error_message="no stock",
            ),
            b'{"workflowRunId":"run","workflowStatus":"FAILED","results":['
            b'{"completedStateId":"S1","completedStateExecutionId":"S1-1","completedStateOutput":{}}],'
            b'"errorType":"STATE_DECISION_FAILING_WORKFLOW_ERROR_TYPE","errorMessage":"no stock"}',
            id="get-response",
        ),
        pytest.param(
            WorkflowStartResponse(workflow_run_id="run"), b'{"workflowRunId":"run"}', id="start-response"
        ),
        pytest.param(WorkflowRpcResponse(), b"{}", id="rpc-response-without-output"),
        pytest.param(
            ErrorResponse(
                detail="worker failed",
                sub_status=ErrorSubStatus.WORKER_API_ERROR,
                original_worker_error_detail="boom",
                original_worker_error_type="",
                original_worker_error_status=0,
            ),
            b'{"detail":"worker failed","subStatus":"WORKER_API_ERROR","originalWorkerErrorDetail":"boom",'
            b'"originalWorkerErrorType":"","originalWorkerErrorStatus":0}',
            id="error-response",
        ),
        pytest.param(
            PersistenceLoadingPolicy(partial_loading_keys=["a"], use_key_as_prefix=False),
            b'{"partialLoadingKeys":["a"],"useKeyAsPrefix":false}',
            id="loading-policy",
        ),
    ],
)
def test_message_is_written_as_this_frame_and_read_back(value: WireStruct, frame: bytes) -> None:
    """Runs that were started by an earlier release hold such bytes, so a frame must not change."""
    assert encode(value) == frame
    assert decode(frame, type(value)) == value
