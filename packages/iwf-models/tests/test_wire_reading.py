"""Rules of reading: what is accepted, what is refused, and as which error (`docs/wire-models.md`)."""

import msgspec
import pytest

from iwf_models import (
    CommandRequest,
    EncodedObject,
    KeyValue,
    RetryPolicy,
    SearchAttribute,
    StateDecision,
    StateMovement,
    TimerCommand,
    WireStruct,
    WorkflowDumpRequest,
    WorkflowGetRequest,
    WorkflowResetRequest,
    WorkflowSignalRequest,
    WorkflowStartOptions,
    WorkflowStartRequest,
    WorkflowStateDecideRequest,
    WorkflowStateDecideResponse,
    WorkflowStateOptions,
    WorkflowWorkerRpcRequest,
)
from iwf_models.codec import decode


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"  \n", id="blank"),
        pytest.param(b'{"key":', id="cut-off"),
        pytest.param(b"{'key': 'a'}", id="single-quotes"),
        pytest.param(b'{"key": "a"} {}', id="second-value"),
        pytest.param(b'{"key": "a\x01"}', id="control-character"),
        pytest.param(b'{"key": "\xff"}', id="not-utf-8"),
        pytest.param(b'{"key": "\\ud800"}', id="half-of-a-surrogate-pair"),
        pytest.param(b'{"unknown": ' * 100_000 + b"1" + b"}" * 100_000, id="unknown-field-nested-too-deeply"),
    ],
)
def test_what_is_not_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as caught:
        decode(body, KeyValue)

    assert not isinstance(caught.value, msgspec.ValidationError)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"1", b"true"])
def test_body_other_than_an_object_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `object`"):
        decode(body, KeyValue)


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    body = b'{"new": {"a": [null]}, "nextStates": [{"stateId": "S", "stateInput": {"data": "1", "new": 2}}]}'

    assert decode(body, StateDecision) == StateDecision(
        next_states=[StateMovement(state_id="S", state_input=EncodedObject(data="1"))]
    )


def test_last_of_duplicate_fields_wins() -> None:
    assert decode(b'{"key": "a", "key": "b"}', KeyValue) == KeyValue(key="b")
    assert decode(b'{"key": "a", "key": null}', KeyValue) == KeyValue()


def test_field_names_are_case_sensitive() -> None:
    assert decode(b'{"Key": "a", "KEY": "b"}', KeyValue) == KeyValue()


def test_decide_request_reads_data_objects_under_their_capital_only() -> None:
    context = '"context": {"workflowId": "w", "workflowRunId": "r", "workflowStartedTimestamp": 1}'
    body = f'{{{context}, "workflowType": "T", "workflowStateId": "S", %s: [{{"key": "a"}}]}}'

    capital = decode((body % '"DataObjects"').encode(), WorkflowStateDecideRequest)
    small = decode((body % '"dataObjects"').encode(), WorkflowStateDecideRequest)

    assert capital.data_objects == [KeyValue(key="a")]
    assert small.data_objects is None


def test_legacy_reuse_policy_is_read_under_its_irregular_name_only() -> None:
    options = decode(b'{"workflowIDReusePolicy": "REJECT_DUPLICATE"}', WorkflowStartOptions)
    ignored = decode(b'{"workflowIdReusePolicy": "REJECT_DUPLICATE"}', WorkflowStartOptions)

    assert options.workflow_id_reuse_policy == "REJECT_DUPLICATE"
    assert ignored == WorkflowStartOptions()


@pytest.mark.parametrize(
    ("type_", "body", "place"),
    [
        pytest.param(KeyValue, b'{"key": 1}', "$.key", id="integer-for-string"),
        pytest.param(RetryPolicy, b'{"maximumAttempts": "1"}', "$.maximumAttempts", id="string-for-integer"),
        pytest.param(RetryPolicy, b'{"maximumAttempts": true}', "$.maximumAttempts", id="bool-for-integer"),
        pytest.param(SearchAttribute, b'{"boolValue": "true"}', "$.boolValue", id="string-for-bool"),
        pytest.param(SearchAttribute, b'{"boolValue": 1}', "$.boolValue", id="integer-for-bool"),
        pytest.param(SearchAttribute, b'{"doubleValue": "1.5"}', "$.doubleValue", id="string-for-double"),
        pytest.param(StateDecision, b'{"nextStates": {}}', "$.nextStates", id="object-for-list"),
        pytest.param(KeyValue, b'{"value": []}', "$.value", id="list-for-object"),
        pytest.param(
            StateDecision,
            b'{"nextStates": [{"stateId": "A"}, {"stateId": 2}]}',
            "$.nextStates[1].stateId",
            id="inside-a-list",
        ),
    ],
)
def test_wrong_json_type_is_refused_and_its_place_named(
    type_: type[WireStruct], body: bytes, place: str
) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        decode(body, type_)

    assert str(caught.value).endswith(f"at `{place}`")


@pytest.mark.parametrize("number", [b"1.0", b"1e2", b"1.5"])
def test_integer_written_with_fraction_or_exponent_is_refused(number: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"maximumAttempts": %s}' % number, RetryPolicy)


@pytest.mark.parametrize("value", [-(2**31), -1, 0, 2**31 - 1])
def test_int32_is_read_over_its_whole_range(value: int) -> None:
    assert decode(b'{"maximumAttempts": %d}' % value, RetryPolicy) == RetryPolicy(maximum_attempts=value)


@pytest.mark.parametrize("value", [-(2**31) - 1, 2**31, 10**40])
def test_int32_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"maximumAttempts": %d}' % value, RetryPolicy)


@pytest.mark.parametrize("value", [-(2**63), -(2**53) - 1, 2**53 + 1, 2**63 - 1])
def test_int64_is_read_exactly(value: int) -> None:
    assert decode(b'{"integerValue": %d}' % value, SearchAttribute) == SearchAttribute(integer_value=value)


@pytest.mark.parametrize("value", [-(2**63) - 1, 2**63])
def test_int64_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"durationSeconds": %d}' % value, TimerCommand)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        pytest.param(b"2", 2.0, id="integer"),
        pytest.param(b"1e3", 1000.0, id="exponent"),
        pytest.param(b"0.1", 0.1, id="keeps-double-precision"),
    ],
)
def test_numbers_are_read_as_doubles(number: bytes, value: float) -> None:
    assert decode(b'{"doubleValue": %s}' % number, SearchAttribute) == SearchAttribute(double_value=value)
    assert decode(b'{"backoffCoefficient": %s}' % number, RetryPolicy) == RetryPolicy(
        backoff_coefficient=value
    )


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"Infinity"])
def test_number_that_is_not_finite_is_refused(number: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(b'{"doubleValue": %s}' % number, SearchAttribute)


@pytest.mark.parametrize("value", [b'"SOME_DAY"', b'""', b'"any_completed"', b"1"])
def test_unknown_enum_value_is_refused(value: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"commandWaitingType": %s}' % value, CommandRequest)


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        pytest.param(WorkflowResetRequest, b'{"workflowId": "w", "resetType": null}', id="enum"),
        pytest.param(WorkflowSignalRequest, b'{"workflowId": null, "signalChannelName": "c"}', id="string"),
        pytest.param(
            WorkflowDumpRequest,
            b'{"workflowId": "w", "workflowRunId": "r", "pageSizeInBytes": null, "pageNum": 0}',
            id="integer",
        ),
    ],
)
def test_null_for_a_required_field_is_refused(type_: type[WireStruct], body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="got `null`"):
        decode(body, type_)


@pytest.mark.parametrize(
    ("type_", "body", "field"),
    [
        pytest.param(WorkflowGetRequest, b"{}", "workflowId", id="top-level"),
        pytest.param(
            WorkflowStartRequest,
            b'{"workflowId": "w", "iwfWorkflowType": "T", "iwfWorkerUrl": "u"}',
            "workflowTimeoutSeconds",
            id="integer",
        ),
        pytest.param(
            WorkflowStateDecideResponse, b'{"stateDecision": {"nextStates": [{}]}}', "stateId", id="nested"
        ),
        pytest.param(
            WorkflowStartOptions,
            b'{"workflowAlreadyStartedOptions": {"requestId": "q"}}',
            "ignoreAlreadyStartedError",
            id="bool",
        ),
    ],
)
def test_absent_required_field_is_refused_by_name(type_: type[WireStruct], body: bytes, field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{field}`"):
        decode(body, type_)


@pytest.mark.parametrize(
    ("type_", "body"),
    [
        pytest.param(StateDecision, b'{"nextStates": [null]}', id="object-in-list"),
        pytest.param(SearchAttribute, b'{"stringArrayValue": ["a", null]}', id="string-in-list"),
        pytest.param(
            WorkflowWorkerRpcRequest,
            b'{"context": {"workflowId": "w", "workflowRunId": "r", "workflowStartedTimestamp": 1},'
            b' "workflowType": "T", "rpcName": "f", "signalChannelInfos": {"c": null}}',
            id="value-in-map",
        ),
    ],
)
def test_null_as_an_element_is_refused(type_: type[WireStruct], body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="got `null`"):
        decode(body, type_)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"{}", None, id="absent"),
        pytest.param(b'{"value": null}', None, id="null"),
        pytest.param(b'{"value": {}}', EncodedObject(), id="empty-object"),
    ],
)
def test_empty_object_is_present_where_null_is_absent(body: bytes, value: EncodedObject | None) -> None:
    assert decode(body, KeyValue).value == value


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(b'{"data": "1"}', None, id="absent"),
        pytest.param(b'{"data": "1", "encoding": null}', None, id="null"),
        pytest.param(b'{"data": "1", "encoding": ""}', "", id="empty"),
    ],
)
def test_missing_encoding_is_not_an_empty_one(body: bytes, encoding: str | None) -> None:
    assert decode(body, EncodedObject) == EncodedObject(data="1", encoding=encoding)


def test_present_zero_differs_from_absent() -> None:
    options = decode(b'{"startApiTimeoutSeconds": 0, "skipStartApi": false}', WorkflowStateOptions)

    assert options == WorkflowStateOptions(start_api_timeout_seconds=0, skip_start_api=False)
    assert options != WorkflowStateOptions()


def test_state_options_nest_in_themselves() -> None:
    body = b'{"executeApiFailureProceedStateOptions": ' * 20 + b'{"skipWaitUntil": true}' + b"}" * 20

    expected = WorkflowStateOptions(skip_wait_until=True)
    for _ in range(20):
        expected = WorkflowStateOptions(execute_api_failure_proceed_state_options=expected)
    assert decode(body, WorkflowStateOptions) == expected


def test_state_options_nested_too_deeply_are_a_decode_error() -> None:
    body = b'{"executeApiFailureProceedStateOptions": ' * 100_000 + b"{}" + b"}" * 100_000

    with pytest.raises(msgspec.DecodeError, match="nested too deeply"):
        decode(body, WorkflowStateOptions)


def test_collections_of_models_can_be_read() -> None:
    assert decode(b'[{"key": "a"}]', list[KeyValue]) == [KeyValue(key="a")]
    assert decode(b'{"a": {}}', dict[str, EncodedObject]) == {"a": EncodedObject()}
