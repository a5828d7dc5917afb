"""The models against the published API document: same names, types, required flags and enum values.

`idl_facts.json` holds the facts of the document, taken with `tools/idl_facts.py`. To see whether they are
current, set `IWF_IDL` to the path of the document.
"""

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

import iwf_models
from iwf_models import WireStruct

FACTS_FILE = Path(__file__).with_name("idl_facts.json")
TOOL = Path(__file__).parents[3] / "tools" / "idl_facts.py"

SAME_TYPE = {
    # The document declares no format for most integers; all SDKs are generated with 32 bits for those.
    "integer": "integer/int32",
    # Python has no single precision; a double holds every value of one.
    "number/float": "number/double",
}


class FieldFacts(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    required: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    enums: dict[str, list[str]]
    models: dict[str, dict[str, FieldFacts]]


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """An optional field of ours that the document does not have."""

    model: str
    field: str
    type: str
    reason: str


EXTENSIONS = (
    Extension(
        model="WorkflowConfig",
        field="countHeldMessages",
        type="boolean",
        reason="workflows that rely on how the reference server counts messages need it",
    ),
    Extension(
        model="WorkflowConfig",
        field="keepExecutingStateIdsOnClose",
        type="boolean",
        reason="searches that rely on the state ids that the reference server leaves need it",
    ),
    Extension(
        model="SignalResult",
        field="signalValues",
        type="array of EncodedObject",
        reason="a command with atLeast or atMost takes more messages than signalValue holds",
    ),
    Extension(
        model="InterStateChannelResult",
        field="values",
        type="array of EncodedObject",
        reason="a command with atLeast or atMost takes more messages than value holds",
    ),
)

FACTS = msgspec.json.decode(FACTS_FILE.read_bytes(), type=Facts)
PUBLIC: dict[str, type[object]] = {name: getattr(iwf_models, name) for name in iwf_models.__all__}
STRUCTS = {
    name: type_ for name, type_ in PUBLIC.items() if issubclass(type_, WireStruct) and type_ is not WireStruct
}
ENUMS = {name: type_ for name, type_ in PUBLIC.items() if issubclass(type_, StrEnum)}


def fact_of(type_: inspect.Type) -> str:
    """The type of a field, as the facts name it."""
    match type_:
        case inspect.StrType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.FloatType():
            return "number/double"
        case inspect.IntType(ge=-0x8000_0000, le=0x7FFF_FFFF):
            return "integer/int32"
        case inspect.IntType(ge=-0x8000_0000_0000_0000, le=0x7FFF_FFFF_FFFF_FFFF):
            return "integer/int64"
        case inspect.ListType(item_type=item):
            return f"array of {fact_of(item)}"
        case inspect.DictType(key_type=inspect.StrType(), value_type=value):
            return f"map of {fact_of(value)}"
        case inspect.StructType(cls=cls) | inspect.EnumType(cls=cls):
            return cls.__name__
        case _:
            return repr(type_)


def field_facts(field: inspect.Field) -> FieldFacts:
    match field:
        case inspect.Field(required=True, type=type_):
            return FieldFacts(type=fact_of(type_), required=True)
        case inspect.Field(default=None, type=inspect.UnionType(types=(type_, inspect.NoneType()))):
            return FieldFacts(type=fact_of(type_), required=False)
        case _:
            return FieldFacts(type=repr(field), required=False)


def test_package_offers_the_models_and_enums_of_the_document_and_the_base() -> None:
    assert len(iwf_models.__all__) == len(PUBLIC)
    assert set(STRUCTS) == set(FACTS.models)
    assert set(ENUMS) == set(FACTS.enums)
    assert set(PUBLIC) == {"WireStruct", *STRUCTS, *ENUMS}


@pytest.mark.parametrize("name", FACTS.models)
def test_model_has_the_fields_of_the_document(name: str) -> None:
    model = inspect.type_info(STRUCTS[name])
    assert isinstance(model, inspect.StructType)

    actual = {field.encode_name: field_facts(field) for field in model.fields}

    published = {
        field: FieldFacts(type=SAME_TYPE.get(facts.type, facts.type), required=facts.required)
        for field, facts in FACTS.models[name].items()
    }
    added = {
        extension.field: FieldFacts(type=extension.type, required=False)
        for extension in EXTENSIONS
        if extension.model == name
    }
    assert actual == published | added


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda extension: extension.field)
def test_extension_is_not_in_the_document(extension: Extension) -> None:
    """A field that the document has taken over is no extension any more."""
    assert extension.field not in FACTS.models[extension.model]


@pytest.mark.parametrize("name", FACTS.enums)
def test_enum_has_the_values_of_the_document(name: str) -> None:
    members = ENUMS[name].__members__

    assert sorted(members.values()) == FACTS.enums[name]
    assert sorted(members) == FACTS.enums[name]


def test_facts_are_those_of_the_document_at_hand() -> None:
    """Compares nothing unless the environment names a document."""
    for document in filter(None, [os.environ.get("IWF_IDL")]):
        command = [sys.executable, TOOL, "check", document, FACTS_FILE]

        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
