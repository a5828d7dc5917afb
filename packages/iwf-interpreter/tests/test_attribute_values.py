import msgspec
import pytest

from iwf_interpreter.contract import SYSTEM_SEARCH_ATTRIBUTES
from iwf_interpreter.core.attribute_values import (
    ENGINE_TYPES,
    EngineValue,
    InvalidSearchAttribute,
    check,
    engine_value,
    wire_attribute,
)
from iwf_models import SearchAttribute, SearchAttributeValueType

KEYWORD = SearchAttributeValueType.KEYWORD
TEXT = SearchAttributeValueType.TEXT
DATETIME = SearchAttributeValueType.DATETIME
INT = SearchAttributeValueType.INT
DOUBLE = SearchAttributeValueType.DOUBLE
BOOL = SearchAttributeValueType.BOOL
KEYWORD_ARRAY = SearchAttributeValueType.KEYWORD_ARRAY

NOW = 1_700_000_000_000_000_007


@pytest.mark.parametrize(
    ("attribute", "stored"),
    [
        pytest.param(
            SearchAttribute(key="k", value_type=KEYWORD, string_value="kw"),
            EngineValue("Keyword", "kw"),
            id="keyword",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=TEXT, string_value="a b"),
            EngineValue("Text", "a b"),
            id="text",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=DATETIME, string_value="1h"),
            EngineValue("Datetime", "2023-11-14T21:13:20.000000007Z"),
            id="datetime",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=INT, integer_value=2**63 - 1),
            EngineValue("Int", 2**63 - 1),
            id="int",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=DOUBLE, double_value=1.25),
            EngineValue("Double", 1.25),
            id="double",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=BOOL, bool_value=True), EngineValue("Bool", True), id="bool"
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=KEYWORD_ARRAY, string_array_value=["b", "a", "b"]),
            EngineValue("KeywordList", ["b", "a", "b"]),
            id="keyword-array",
        ),
    ],
)
def test_a_value_is_stored_under_the_engines_type(attribute: SearchAttribute, stored: EngineValue) -> None:
    assert engine_value(attribute, NOW) == stored


@pytest.mark.parametrize(
    ("value_type", "stored_json"),
    [
        pytest.param(KEYWORD, b'["Keyword",""]', id="keyword"),
        pytest.param(TEXT, b'["Text",""]', id="text"),
        pytest.param(DATETIME, b'["Datetime","1970-01-01T00:00:00Z"]', id="datetime"),
        pytest.param(INT, b'["Int",0]', id="int"),
        pytest.param(DOUBLE, b'["Double",0.0]', id="double"),
        pytest.param(BOOL, b'["Bool",false]', id="bool"),
        pytest.param(KEYWORD_ARRAY, b'["KeywordList",[]]', id="keyword-array"),
    ],
)
def test_a_missing_value_is_stored_as_the_zero_of_its_type(
    value_type: SearchAttributeValueType, stored_json: bytes
) -> None:
    stored = engine_value(SearchAttribute(key="k", value_type=value_type), NOW)

    assert msgspec.json.encode((stored.type, stored.value)) == stored_json


@pytest.mark.parametrize(
    ("attribute", "text"),
    [
        pytest.param(
            SearchAttribute(value_type=KEYWORD, string_value="v"),
            "search attribute None with value 'v' has no key",
            id="no-key",
        ),
        pytest.param(
            SearchAttribute(key="", value_type=KEYWORD, string_value="v"),
            "search attribute '' with value 'v' has no key",
            id="empty-key",
        ),
        pytest.param(
            SearchAttribute(key="k", integer_value=1),
            "search attribute 'k' with value 1 has no value type",
            id="no-type",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=INT, string_value="1"),
            "search attribute 'k' with value '1' is of type INT but has its value in another type's field",
            id="text-for-int",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=KEYWORD_ARRAY, string_value="1"),
            "search attribute 'k' with value '1' is of type KEYWORD_ARRAY but has its value in another "
            "type's field",
            id="text-for-array",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=DOUBLE, double_value=1.0, bool_value=False),
            "search attribute 'k' with value 1.0 is of type DOUBLE but has its value in another type's field",
            id="two-values",
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=DATETIME, string_value="someday"),
            "search attribute 'k' with value 'someday' is not a time",
            id="bad-time",
        ),
        pytest.param(
            SearchAttribute(key="IwfWorkflowType", value_type=KEYWORD, string_value="other"),
            "search attribute 'IwfWorkflowType' with value 'other' belongs to the server and cannot be "
            "written",
            id="system",
        ),
        pytest.param(
            SearchAttribute(key="unknown", value_type=KEYWORD, string_value="v"),
            "search attribute 'unknown' with value 'v' is not registered with the engine",
            id="unregistered",
        ),
        pytest.param(
            SearchAttribute(key="text", value_type=KEYWORD, string_value="v"),
            "search attribute 'text' with value 'v' is registered with the engine as Text, not as Keyword",
            id="registered-as-text",
        ),
    ],
)
def test_what_the_engine_would_refuse_is_refused_with_key_and_value(
    attribute: SearchAttribute, text: str
) -> None:
    with pytest.raises(InvalidSearchAttribute) as caught:
        check(attribute, registered={"k": "Keyword", "text": "Text"})

    assert str(caught.value) == text


def test_a_long_value_is_cut_in_the_error_text() -> None:
    attribute = SearchAttribute(key="k", value_type=DATETIME, string_value="x" * 1000)

    with pytest.raises(InvalidSearchAttribute) as caught:
        check(attribute, registered=None)

    assert str(caught.value) == f"search attribute 'k' with value '{'x' * 99}... is not a time"


@pytest.mark.parametrize(
    "attribute",
    [
        pytest.param(
            SearchAttribute(key="k", value_type=KEYWORD, string_value="é" * 1023 + "x"), id="keyword"
        ),
        pytest.param(
            SearchAttribute(key="k", value_type=KEYWORD_ARRAY, string_array_value=["x" * 1020, "x" * 1022]),
            id="keyword-array",
        ),
    ],
)
def test_a_value_too_long_for_the_engine_is_refused(attribute: SearchAttribute) -> None:
    with pytest.raises(InvalidSearchAttribute, match="is longer than 2048 bytes"):
        check(attribute, registered=None)


def test_a_value_as_long_as_the_engine_takes_passes() -> None:
    check(SearchAttribute(key="k", value_type=TEXT, string_value="é" * 1023), registered=None)


@pytest.mark.parametrize("value_type", list(SearchAttributeValueType))
def test_a_registered_key_of_the_same_type_passes(value_type: SearchAttributeValueType) -> None:
    check(SearchAttribute(key="k", value_type=value_type), registered={"k": ENGINE_TYPES[value_type]})


def test_any_key_passes_when_the_registered_ones_are_unknown() -> None:
    check(SearchAttribute(key="anything", value_type=INT, integer_value=1), registered=None)


@pytest.mark.parametrize("key", SYSTEM_SEARCH_ATTRIBUTES)
def test_system_attributes_are_refused_even_when_registered_ones_are_unknown(key: str) -> None:
    with pytest.raises(InvalidSearchAttribute, match="belongs to the server"):
        check(SearchAttribute(key=key, value_type=INT), registered=None)


@pytest.mark.parametrize(
    ("value_type", "raw_json", "attribute"),
    [
        pytest.param(
            KEYWORD, b'"kw"', SearchAttribute(key="k", value_type=KEYWORD, string_value="kw"), id="keyword"
        ),
        pytest.param(TEXT, b'"kw"', SearchAttribute(key="k", value_type=TEXT, string_value="kw"), id="text"),
        pytest.param(
            KEYWORD, b'""', SearchAttribute(key="k", value_type=KEYWORD, string_value=""), id="empty-keyword"
        ),
        pytest.param(
            KEYWORD,
            b'"2024-02-29T12:00:00.5Z"',
            SearchAttribute(key="k", value_type=KEYWORD, string_value="2024-02-29T12:00:00.5Z"),
            id="datetime-as-keyword",
        ),
        pytest.param(
            DATETIME,
            b'"2024-11-13T00:00:01.731455544+00:00"',
            SearchAttribute(key="k", value_type=DATETIME, string_value="2024-11-13T00:00:01.731455544Z"),
            id="datetime",
        ),
        pytest.param(
            DATETIME,
            b'"2023-04-17T21:17:49.120+02:00"',
            SearchAttribute(key="k", value_type=DATETIME, string_value="2023-04-17T19:17:49.12Z"),
            id="datetime-with-offset",
        ),
        pytest.param(
            INT,
            b"9223372036854775807",
            SearchAttribute(key="k", value_type=INT, integer_value=9223372036854775807),
            id="int-beyond-doubles",
        ),
        pytest.param(
            INT, b"1.25", SearchAttribute(key="k", value_type=INT, integer_value=1), id="double-as-int"
        ),
        pytest.param(
            INT, b"-1.75", SearchAttribute(key="k", value_type=INT, integer_value=-1), id="towards-zero"
        ),
        pytest.param(
            DOUBLE, b"1.25", SearchAttribute(key="k", value_type=DOUBLE, double_value=1.25), id="double"
        ),
        pytest.param(
            DOUBLE, b"42", SearchAttribute(key="k", value_type=DOUBLE, double_value=42.0), id="int-as-double"
        ),
        pytest.param(BOOL, b"false", SearchAttribute(key="k", value_type=BOOL, bool_value=False), id="bool"),
        pytest.param(
            KEYWORD_ARRAY,
            '["z","a","é",""]'.encode(),
            SearchAttribute(key="k", value_type=KEYWORD_ARRAY, string_array_value=["z", "a", "é", ""]),
            id="keyword-array",
        ),
        pytest.param(
            KEYWORD_ARRAY,
            b"[]",
            SearchAttribute(key="k", value_type=KEYWORD_ARRAY, string_array_value=[]),
            id="empty-keyword-array",
        ),
    ],
)
def test_a_stored_value_is_read_as_the_requested_type(
    value_type: SearchAttributeValueType, raw_json: bytes, attribute: SearchAttribute
) -> None:
    assert wire_attribute("k", value_type, raw_json) == attribute
    assert wire_attribute("k", value_type, msgspec.Raw(raw_json)) == attribute


@pytest.mark.parametrize("value_type", list(SearchAttributeValueType))
def test_a_removed_value_is_no_attribute(value_type: SearchAttributeValueType) -> None:
    assert wire_attribute("k", value_type, b"null") is None


@pytest.mark.parametrize(
    ("value_type", "raw_json", "shown"),
    [
        pytest.param(KEYWORD, b"42", "42", id="int-as-keyword"),
        pytest.param(TEXT, b"true", "True", id="bool-as-text"),
        pytest.param(KEYWORD, b'["a"]', "['a']", id="array-as-keyword"),
        pytest.param(DATETIME, b'"kw"', "'kw'", id="keyword-as-datetime"),
        pytest.param(DATETIME, b'"1h"', "'1h'", id="relative-datetime"),
        pytest.param(DATETIME, b'""', "''", id="empty-datetime"),
        pytest.param(DATETIME, b"0", "0", id="int-as-datetime"),
        pytest.param(INT, b'"kw"', "'kw'", id="keyword-as-int"),
        pytest.param(INT, b"true", "True", id="bool-as-int"),
        pytest.param(INT, b"9223372036854775808", "9223372036854775808", id="int-too-large"),
        pytest.param(INT, b"1e300", "1e+300", id="double-too-large"),
        pytest.param(DOUBLE, b'"1.0"', "'1.0'", id="keyword-as-double"),
        pytest.param(DOUBLE, b"false", "False", id="bool-as-double"),
        pytest.param(BOOL, b"1.25", "1.25", id="double-as-bool"),
        pytest.param(BOOL, b'"true"', "'true'", id="keyword-as-bool"),
        pytest.param(KEYWORD_ARRAY, b'"kw"', "'kw'", id="keyword-as-array"),
        pytest.param(KEYWORD_ARRAY, b'["a",1]', "['a', 1]", id="array-with-int"),
        pytest.param(KEYWORD_ARRAY, b'["a",null]', "['a', None]", id="array-with-null"),
        pytest.param(KEYWORD_ARRAY, b"{}", "{}", id="object-as-array"),
    ],
)
def test_a_stored_value_of_another_kind_is_refused(
    value_type: SearchAttributeValueType, raw_json: bytes, shown: str
) -> None:
    with pytest.raises(InvalidSearchAttribute) as caught:
        wire_attribute("k", value_type, raw_json)

    assert str(caught.value) == f"search attribute 'k': {shown} cannot be read as {value_type}"


def test_every_type_of_the_wire_has_its_own_engine_type() -> None:
    assert list(ENGINE_TYPES) == list(SearchAttributeValueType)
    assert len(set(ENGINE_TYPES.values())) == len(ENGINE_TYPES)
