"""Writing JSON: what is left out, what is kept, and the names that are public."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import iwf_models
from iwf_models import (
    Context,
    EncodedObject,
    KeyValue,
    SearchAttribute,
    WireStruct,
    WorkflowGetResponse,
    WorkflowStartOptions,
    WorkflowStateDecideRequest,
    WorkflowStatus,
    WorkflowWorkerRpcRequest,
    codec,
)
from iwf_models.workflows import WorkflowIDReusePolicy

MODELS: list[type[WireStruct]] = [
    type_
    for name in iwf_models.__all__
    if issubclass(type_ := getattr(iwf_models, name), WireStruct) and type_ is not WireStruct
]
CONTEXT = Context(workflow_id="w", workflow_run_id="r", workflow_started_timestamp=1)


def fields(model: type[WireStruct]) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)
    return info.fields


def required(model: type[WireStruct]) -> dict[str, Any]:
    """Python values for the required fields of a model."""
    return {field.name: blank(field.type) for field in fields(model) if field.required}


def blank(type_: inspect.Type) -> Any:
    """The value of a type that is most like nothing."""
    match type_:
        case inspect.StrType():
            return ""
        case inspect.IntType():
            return 0
        case inspect.FloatType():
            return 0.0
        case inspect.BoolType():
            return False
        case inspect.EnumType(cls=cls):
            return next(iter(cls))
        case inspect.ListType():
            return []
        case inspect.DictType():
            return {}
        case inspect.StructType(cls=cls):
            return cls(**required(cls))
        case inspect.UnionType(types=types):
            return blank(types[0])
        case _:
            raise AssertionError(type_)


def nulls(value: object) -> Iterator[object]:
    if value is None:
        yield value
    elif isinstance(value, dict):
        for item in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from nulls(item)  # pyright: ignore[reportUnknownArgumentType]


@pytest.mark.parametrize("model", MODELS)
def test_absent_fields_are_left_out(model: type[WireStruct]) -> None:
    written = msgspec.json.decode(codec.encode(model(**required(model))))

    assert sorted(written) == sorted(field.encode_name for field in fields(model) if field.required)
    assert list(nulls(written)) == []


@pytest.mark.parametrize("model", MODELS)
def test_present_fields_are_written_whatever_their_value(model: type[WireStruct]) -> None:
    value = model(**{field.name: blank(field.type) for field in fields(model)})

    written = codec.encode(value)

    assert sorted(msgspec.json.decode(written)) == sorted(field.encode_name for field in fields(model))
    assert codec.decode(written, model) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(EncodedObject(), b"{}", id="empty-object"),
        pytest.param(EncodedObject(data="1"), b'{"data":"1"}', id="missing-encoding"),
        pytest.param(EncodedObject(encoding="", data=""), b'{"encoding":"","data":""}', id="empty-texts"),
        pytest.param(KeyValue(key="a", value=EncodedObject()), b'{"key":"a","value":{}}', id="nested"),
        pytest.param(SearchAttribute(bool_value=False), b'{"boolValue":false}', id="false"),
        pytest.param(SearchAttribute(integer_value=0), b'{"integerValue":0}', id="zero"),
        pytest.param(
            SearchAttribute(integer_value=2**63 - 1), b'{"integerValue":9223372036854775807}', id="int64"
        ),
        pytest.param(SearchAttribute(string_array_value=[]), b'{"stringArrayValue":[]}', id="empty-list"),
        pytest.param(EncodedObject(data="é"), '{"data":"é"}'.encode(), id="utf-8"),
        pytest.param(
            WorkflowStartOptions(workflow_id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE),
            b'{"workflowIDReusePolicy":"REJECT_DUPLICATE"}',
            id="irregular-name",
        ),
        pytest.param(
            WorkflowGetResponse(workflow_run_id="r", workflow_status=WorkflowStatus.RUNNING),
            b'{"workflowRunId":"r","workflowStatus":"RUNNING"}',
            id="enum",
        ),
        pytest.param(
            WorkflowWorkerRpcRequest(
                context=CONTEXT,
                workflow_type="T",
                rpc_name="R",
                signal_channel_infos={},
                internal_channel_infos={},
            ),
            b'{"context":{"workflowId":"w","workflowRunId":"r","workflowStartedTimestamp":1},'
            b'"workflowType":"T","rpcName":"R","signalChannelInfos":{},"internalChannelInfos":{}}',
            id="empty-maps",
        ),
        pytest.param(
            WorkflowStateDecideRequest(
                context=CONTEXT, workflow_type="T", workflow_state_id="S", data_objects=[]
            ),
            b'{"context":{"workflowId":"w","workflowRunId":"r","workflowStartedTimestamp":1},'
            b'"workflowType":"T","workflowStateId":"S","DataObjects":[]}',
            id="capital",
        ),
    ],
)
def test_json_is_exactly(value: WireStruct, written: bytes) -> None:
    assert codec.encode(value) == written


def test_public_names_are_those_of_the_package() -> None:
    own = {
        name
        for name, value in vars(iwf_models).items()
        if isinstance(value, type) and value.__module__.startswith("iwf_models.")
    }

    assert sorted(iwf_models.__all__) == sorted(own)


def test_models_cannot_be_changed() -> None:
    for model in MODELS:
        assert model.__struct_config__.frozen, model
        with pytest.raises(TypeError):
            model("positional")
