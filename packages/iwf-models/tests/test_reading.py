"""Reading JSON: what is taken, what is refused, and how the refusal names the place."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import iwf_models
from iwf_models import (
    CommandWaitingType,
    EncodedObject,
    SearchAttribute,
    WireStruct,
    WorkflowGetRequest,
    WorkflowSignalRequest,
    WorkflowStartOptions,
    WorkflowStartRequest,
    WorkflowStateDecideRequest,
    WorkflowStateOptions,
    codec,
)

MODELS: list[type[WireStruct]] = [
    type_
    for name in iwf_models.__all__
    if issubclass(type_ := getattr(iwf_models, name), WireStruct) and type_ is not WireStruct
]


def fields(model: type[WireStruct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    return info.fields


def sample(type_: inspect.Type) -> Any:
    """Some JSON value of a type."""
    match type_:
        case inspect.StrType():
            return "text"
        case inspect.IntType():
            return 1
        case inspect.FloatType():
            return 1.5
        case inspect.BoolType():
            return True
        case inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case inspect.ListType(item_type=item):
            return [sample(item)]
        case inspect.DictType(value_type=value):
            return {"key": sample(value)}
        case inspect.StructType(cls=cls):
            return required(cls)
        case inspect.UnionType(types=types):
            return sample(types[0])
        case _:
            raise AssertionError(type_)


def required(model: type[WireStruct]) -> dict[str, Any]:
    return {field.encode_name: sample(field.type) for field in fields(model) if field.required}


def places(model: type[WireStruct], seen: tuple[type, ...] = ()) -> Iterator[list[str]]:
    """The path to every struct below a model, each model once on a path."""
    yield []
    for field in fields(model):
        type_ = field.type.types[0] if isinstance(field.type, inspect.UnionType) else field.type
        if isinstance(type_, inspect.StructType) and type_.cls not in (*seen, model):
            for rest in places(type_.cls, (*seen, model)):
                yield [field.encode_name, *rest]


def model_at(model: type[WireStruct], path: list[str]) -> type[WireStruct]:
    for name in path:
        type_ = next(field.type for field in fields(model) if field.encode_name == name)
        struct = type_.types[0] if isinstance(type_, inspect.UnionType) else type_
        assert isinstance(struct, inspect.StructType)
        model = struct.cls
    return model


def document(model: type[WireStruct], path: list[str], innermost: dict[str, Any]) -> dict[str, Any]:
    """A document of a model that has `innermost` at a path, and else only what is required."""
    if not path:
        return innermost
    inner = model_at(model, path[:1])
    return {**required(model), path[0]: document(inner, path[1:], innermost)}


@pytest.mark.parametrize("model", MODELS)
def test_null_is_absence_at_every_depth(model: type[WireStruct]) -> None:
    for path in places(model):
        inner = model_at(model, path)
        bare = required(inner)
        nulls = dict.fromkeys((field.encode_name for field in fields(inner) if not field.required), None)

        with_nulls = codec.decode(codec.encode(document(model, path, {**bare, **nulls})), model)

        assert with_nulls == codec.decode(codec.encode(document(model, path, bare)), model)


@pytest.mark.parametrize("model", MODELS)
def test_required_field_is_neither_null_nor_missing(model: type[WireStruct]) -> None:
    for field in fields(model):
        if field.required:
            body = required(model)
            with pytest.raises(msgspec.ValidationError, match=field.encode_name):
                codec.decode(codec.encode({**body, field.encode_name: None}), model)
            del body[field.encode_name]
            with pytest.raises(msgspec.ValidationError, match=field.encode_name):
                codec.decode(codec.encode(body), model)


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_read_under_its_name(model: type[WireStruct]) -> None:
    for field in fields(model):
        value = sample(field.type)

        read = codec.decode(codec.encode({**required(model), field.encode_name: value}), model)

        assert msgspec.to_builtins(getattr(read, field.name)) == value


@pytest.mark.parametrize("model", MODELS)
def test_unknown_fields_are_ignored(model: type[WireStruct]) -> None:
    body = required(model)

    assert codec.decode(codec.encode({**body, "somethingNew": [None]}), model) == codec.decode(
        codec.encode(body), model
    )


def test_null_in_a_list_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"got `null` - at `\$\[0\]`"):
        codec.decode(b"[null]", list[EncodedObject])


def test_empty_object_is_present() -> None:
    body = b'{"workflowId":"w","signalChannelName":"c","signalValue":%s}'

    with_value = codec.decode(body % b"{}", WorkflowSignalRequest)
    without = codec.decode(body % b"null", WorkflowSignalRequest)

    assert (with_value.signal_value, without.signal_value) == (EncodedObject(), None)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**63)])
def test_64_bit_integer_is_exact(number: int) -> None:
    assert codec.decode(b'{"integerValue":%d}' % number, SearchAttribute).integer_value == number


@pytest.mark.parametrize("number", [2**31 - 1, -(2**31)])
def test_32_bit_integer_has_its_whole_range(number: int) -> None:
    body = b'{"workflowId":"w","waitTimeSeconds":%d}' % number

    assert codec.decode(body, WorkflowGetRequest).wait_time_seconds == number


@pytest.mark.parametrize(
    ("body", "model", "path"),
    [
        pytest.param(b'{"integerValue":9223372036854775808}', SearchAttribute, "$.integerValue", id="int64"),
        pytest.param(
            b'{"integerValue":-9223372036854775809}', SearchAttribute, "$.integerValue", id="int64-low"
        ),
        pytest.param(
            b'{"workflowStartDelaySeconds":2147483648}',
            WorkflowStartOptions,
            "$.workflowStartDelaySeconds",
            id="int32",
        ),
        pytest.param(
            b'{"workflowStartDelaySeconds":-2147483649}',
            WorkflowStartOptions,
            "$.workflowStartDelaySeconds",
            id="int32-low",
        ),
        pytest.param(b'{"integerValue":1.0}', SearchAttribute, "$.integerValue", id="fraction-for-integer"),
        pytest.param(b'{"integerValue":"1"}', SearchAttribute, "$.integerValue", id="text-for-integer"),
        pytest.param(b'{"boolValue":1}', SearchAttribute, "$.boolValue", id="integer-for-boolean"),
        pytest.param(b'{"stringValue":1}', SearchAttribute, "$.stringValue", id="integer-for-text"),
        pytest.param(b'{"valueType":"UUID"}', SearchAttribute, "$.valueType", id="unknown-enum-value"),
        pytest.param(b'{"valueType":"keyword"}', SearchAttribute, "$.valueType", id="enum-in-lower-case"),
        pytest.param(
            b'{"searchAttributes":[{},{"valueType":"UUID"}]}',
            WorkflowStartOptions,
            "$.searchAttributes[1].valueType",
            id="inside-a-list",
        ),
    ],
)
def test_wrong_value_is_refused_by_its_path(body: bytes, model: type[WireStruct], path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        codec.decode(body, model)

    assert f"`{path}`" in str(refusal.value)


def test_integer_is_good_for_a_number() -> None:
    assert codec.decode(b'{"doubleValue":1}', SearchAttribute).double_value == 1.0


def test_last_of_duplicate_keys_counts() -> None:
    assert codec.decode(b'{"data":"1","data":"2"}', EncodedObject).data == "2"


def test_names_are_matched_exactly() -> None:
    assert codec.decode(b'{"Data":"1","DATA":"2"}', EncodedObject) == EncodedObject()


def test_data_objects_of_execute_has_a_capital() -> None:
    body = {**required(WorkflowStateDecideRequest), "DataObjects": [{"key": "a"}], "dataObjects": []}

    read = codec.decode(codec.encode(body), WorkflowStateDecideRequest)

    assert [item.key for item in read.data_objects or ()] == ["a"]


def test_missing_encoding_stays_missing() -> None:
    assert codec.decode(b'{"data":"1"}', EncodedObject).encoding is None


def test_options_nest_in_each_other() -> None:
    body = b'{"executeApiFailureProceedStateOptions":{"skipWaitUntil":true}}'

    assert codec.decode(body, WorkflowStateOptions) == WorkflowStateOptions(
        execute_api_failure_proceed_state_options=WorkflowStateOptions(skip_wait_until=True)
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"{}{}", id="two-documents"),
        pytest.param(b"\xff", id="not-utf-8"),
        pytest.param(b'{"data":"\xff"}', id="text-not-utf-8"),
        pytest.param(b'{"unknown":' + b"[" * 100_000, id="nested-too-deeply"),
    ],
)
def test_what_is_not_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as refusal:
        codec.decode(body, EncodedObject)

    assert not isinstance(refusal.value, msgspec.ValidationError)


def test_type_of_a_document_is_checked() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `object`, got `array`"):
        codec.decode(b"[]", WorkflowStartRequest)


def test_enum_members_are_texts() -> None:
    assert codec.decode(b'"ALL_COMPLETED"', CommandWaitingType) is CommandWaitingType.ALL_COMPLETED
