import msgspec
import pytest
from temporalio.api.common.v1 import Payload, Payloads

from iwf_interpreter.temporal.payloads import (
    UnknownEncoding,
    decode,
    decode_or,
    encode,
    encode_raw,
    raw,
    raw_value,
    to_payloads,
)
from iwf_models import EncodedObject

JSON = {"encoding": b"json/plain"}
NULL = Payload(metadata={"encoding": b"binary/null"})
ENCRYPTED = Payload(metadata={"encoding": b"binary/encrypted"}, data=b"\x00\xff")
BARE = Payload(data=b"1")


@pytest.mark.parametrize(
    ("value", "data"),
    [
        pytest.param(EncodedObject(data="é"), '{"data":"é"}'.encode(), id="struct"),
        pytest.param(EncodedObject(), b"{}", id="empty-struct"),
        pytest.param("text", b'"text"', id="text"),
        pytest.param([1, 2.0, None], b"[1,2.0,null]", id="list"),
    ],
)
def test_a_value_is_written_as_plain_json(value: object, data: bytes) -> None:
    assert encode(value) == Payload(metadata=JSON, data=data)


def test_json_is_written_as_it_is() -> None:
    assert encode_raw(b'{ "a": 1 }') == Payload(metadata=JSON, data=b'{ "a": 1 }')


def test_several_values_keep_their_order() -> None:
    assert to_payloads("a", 1) == Payloads(payloads=[encode("a"), encode(1)])


def test_what_was_written_is_read() -> None:
    value = EncodedObject(encoding="json", data="{}")

    assert decode(encode(value), EncodedObject) == value


def test_the_sdks_form_of_nothing_is_null() -> None:
    assert raw(NULL) == b"null"
    assert decode(NULL, EncodedObject | None) is None  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        pytest.param(ENCRYPTED, "binary/encrypted", id="other-encoding"),
        pytest.param(BARE, "''", id="no-encoding"),
        pytest.param(Payload(metadata={"encoding": b"\xff"}), "unknown encoding", id="encoding-is-no-text"),
    ],
)
def test_another_encoding_is_named(payload: Payload, text: str) -> None:
    with pytest.raises(UnknownEncoding, match=text):
        decode(payload, EncodedObject)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(encode_raw(b'{"data":'), id="not-json"),
        pytest.param(encode_raw(b'{"data": 1}'), id="another-type"),
        pytest.param(encode_raw(b'{"data": "\xff"}'), id="not-utf-8"),
        pytest.param(encode_raw(b'{"x": ' + b"[" * 100_000), id="too-deep"),
        pytest.param(NULL, id="null"),
        pytest.param(ENCRYPTED, id="other-encoding"),
    ],
)
def test_what_cannot_be_read_is_one_error_or_the_fallback(payload: Payload) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(payload, EncodedObject)
    assert decode_or(payload, EncodedObject, None) is None


def test_raw_values_are_left_to_others() -> None:
    assert raw_value(encode([1])) == msgspec.Raw(b"[1]")
    assert raw_value(ENCRYPTED) == msgspec.Raw(b"null")
