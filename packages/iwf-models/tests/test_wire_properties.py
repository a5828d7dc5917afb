"""What holds for every wire model, shown on payloads made from the models themselves."""

import json
from enum import Enum
from typing import Literal

import msgspec
import pytest
from msgspec import inspect

import iwf_models
from iwf_models import WireStruct
from iwf_models.codec import decode, encode

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Optional = Literal["absent", "null", "set", "containers-and-null", "containers"]

MODELS: list[type[WireStruct]] = [
    type_
    for name in iwf_models.__all__
    if issubclass(type_ := getattr(iwf_models, name), WireStruct) and type_ is not WireStruct
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)


def payload(model: type[WireStruct], optional: Optional) -> Json:
    """A payload of a model with its required fields, and its optional ones in the given way.

    - `absent`, `null`: no optional field, or each as null;
    - `set`: every field has a value, at every depth; a model inside itself has none;
    - `containers`: objects, and lists and maps of objects, have a value, all other fields are absent;
    - `containers-and-null`: the same, and all other fields are null.
    """
    return _struct(inspect.type_info(model), optional, inside=())


def _struct(type_: inspect.Type, optional: Optional, inside: tuple[type, ...]) -> Json:
    assert isinstance(type_, inspect.StructType)
    result: dict[str, Json] = {}
    for field in type_.fields:
        if field.required or _has_value(field.type, optional, (*inside, type_.cls)):
            result[field.encode_name] = _value(field.type, optional, (*inside, type_.cls))
        elif optional in ("null", "containers-and-null"):
            result[field.encode_name] = None
    return result


def _has_value(type_: inspect.Type, optional: Optional, inside: tuple[type, ...]) -> bool:
    match type_:
        case inspect.UnionType(types=(inner, _)):
            return _has_value(inner, optional, inside)
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            return _has_value(inner, optional, inside)
        case inspect.StructType(cls=cls):
            return cls not in inside and optional not in ("absent", "null")
        case _:
            return optional == "set"


def _value(type_: inspect.Type, optional: Optional, inside: tuple[type, ...]) -> Json:
    match type_:
        case inspect.UnionType(types=(inner, _)):
            return _value(inner, optional, inside)
        case inspect.ListType(item_type=inner):
            return [_value(inner, optional, inside)]
        case inspect.DictType(value_type=inner):
            return {"name": _value(inner, optional, inside)}
        case inspect.StrType():
            return "text"
        case inspect.IntType(le=limit):
            return limit
        case inspect.FloatType():
            return 1.5
        case inspect.BoolType():
            return False
        case inspect.EnumType(cls=cls):
            return _last_value(cls)
        case _:
            return _struct(type_, optional, inside)


def _last_value(enum: type[Enum]) -> str:
    value = [member.value for member in enum][-1]
    assert isinstance(value, str)
    return value


def read(model: type[WireStruct], value: Json) -> WireStruct:
    return decode(json.dumps(value).encode(), model)


@every_model
def test_null_in_every_optional_field_reads_as_absent(model: type[WireStruct]) -> None:
    assert read(model, payload(model, "null")) == read(model, payload(model, "absent"))


@every_model
def test_null_at_every_depth_reads_as_absent(model: type[WireStruct]) -> None:
    assert read(model, payload(model, "containers-and-null")) == read(model, payload(model, "containers"))


@every_model
def test_required_field_is_neither_null_nor_missing(model: type[WireStruct]) -> None:
    complete = payload(model, "absent")
    assert isinstance(complete, dict)

    for name in complete:
        with pytest.raises(msgspec.ValidationError, match=f"at `\\$.{name}`"):
            read(model, {**complete, name: None})
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{name}`"):
            read(model, {key: value for key, value in complete.items() if key != name})


@every_model
@pytest.mark.parametrize("optional", ["null", "containers-and-null"])
def test_null_that_was_read_is_never_written(model: type[WireStruct], optional: Optional) -> None:
    written = encode(read(model, payload(model, optional)))

    assert b"null" not in written


@every_model
@pytest.mark.parametrize("optional", ["absent", "containers", "set"])
def test_what_was_read_is_written_again_unchanged(model: type[WireStruct], optional: Optional) -> None:
    sent = payload(model, optional)

    received = read(model, sent)

    assert json.loads(encode(received)) == sent
    assert decode(encode(received), model) == received


@every_model
def test_models_are_immutable_and_built_by_keyword(model: type[WireStruct]) -> None:
    assert model.__struct_config__.frozen
    with pytest.raises(TypeError, match="Extra positional arguments"):
        model("positional")  # pyright: ignore[reportCallIssue]
