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

INT32 = inspect.IntType(ge=-(2**31), le=2**31 - 1)
INT64 = inspect.IntType(ge=-(2**63), le=2**63 - 1)

TYPES = {
    "string": inspect.StrType(),
    "boolean": inspect.BoolType(),
    # The document declares no format for most integers; all SDKs are generated with 32 bits for those.
    "integer": INT32,
    "integer/int32": INT32,
    "integer/int64": INT64,
    "number/double": inspect.FloatType(),
    # Python has no single precision; a double holds every value of one.
    "number/float": inspect.FloatType(),
}


class FieldFacts(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    required: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    enums: dict[str, list[str]]
    models: dict[str, dict[str, FieldFacts]]


FACTS = msgspec.json.decode(FACTS_FILE.read_bytes(), type=Facts)
PUBLIC: dict[str, type[object]] = {name: getattr(iwf_models, name) for name in iwf_models.__all__}
STRUCTS = {
    name: type_
    for name, type_ in PUBLIC.items()
    if issubclass(type_, WireStruct) and type_ is not WireStruct
}
ENUMS = {name: type_ for name, type_ in PUBLIC.items() if issubclass(type_, StrEnum)}


def inspected(type_name: str) -> inspect.Type:
    """What msgspec must know of a field whose type is given by the document."""
    if type_name.startswith("array of "):
        return inspect.ListType(inspected(type_name.removeprefix("array of ")))
    if type_name.startswith("map of "):
        return inspect.DictType(inspect.StrType(), inspected(type_name.removeprefix("map of ")))
    return TYPES.get(type_name) or inspect.type_info(PUBLIC[type_name])


def test_package_offers_the_models_and_enums_of_the_document_and_the_base() -> None:
    assert len(iwf_models.__all__) == len(PUBLIC)
    assert set(STRUCTS) == set(FACTS.models)
    assert set(ENUMS) == set(FACTS.enums)
    assert set(PUBLIC) == {"WireStruct", *STRUCTS, *ENUMS}


@pytest.mark.parametrize("name", FACTS.models)
def test_model_has_the_fields_of_the_document(name: str) -> None:
    model = inspect.type_info(STRUCTS[name])
    assert isinstance(model, inspect.StructType)

    actual = {field.encode_name: (field.type, field.required) for field in model.fields}

    expected: dict[str, tuple[inspect.Type, bool]] = {}
    for field, facts in FACTS.models[name].items():
        type_ = inspected(facts.type)
        if not facts.required:
            type_ = inspect.UnionType((type_, inspect.NoneType()))
        expected[field] = (type_, facts.required)
    assert actual == expected


@pytest.mark.parametrize("name", FACTS.enums)
def test_enum_has_the_values_of_the_document(name: str) -> None:
    members = ENUMS[name].__members__

    assert sorted(members.values()) == FACTS.enums[name]
    assert sorted(members) == FACTS.enums[name]


@pytest.mark.parametrize("document", [path for path in [os.environ.get("IWF_IDL")] if path])
def test_facts_are_those_of_the_document_at_hand(document: str) -> None:
    """Compares nothing unless the environment names a document."""
    command = [sys.executable, TOOL, "check", document, FACTS_FILE]

    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
