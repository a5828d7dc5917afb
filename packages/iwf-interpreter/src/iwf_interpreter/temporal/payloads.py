"""Values as Temporal payloads: JSON written and read by msgspec, the same on both sides of the engine.

Raw service calls pass by the SDK's data converter. This module stands in for it everywhere, so that one
place decides how a value is stored.
"""

from typing import TypeVar

import msgspec
from temporalio.api.common.v1 import Payload, Payloads

from iwf_models import codec

T = TypeVar("T")
D = TypeVar("D")

_JSON = b"json/plain"
_NULL = b"binary/null"


class UnknownEncoding(msgspec.DecodeError):
    """A payload in an encoding that this interpreter does not write."""

    def __init__(self, encoding: bytes) -> None:
        super().__init__(f"payload has the unknown encoding {encoding.decode(errors='replace')!r}")


def encode(value: object) -> Payload:
    """Write a value."""
    return encode_raw(codec.encode(value))


def encode_raw(json: bytes) -> Payload:
    """Write a value that is JSON already."""
    return Payload(metadata={"encoding": _JSON}, data=json)


def to_payloads(*values: object) -> Payloads:
    """Write several values."""
    return Payloads(payloads=[encode(value) for value in values])


def raw(payload: Payload) -> bytes:
    """The JSON of a payload; raises `UnknownEncoding`."""
    encoding = payload.metadata.get("encoding", b"")
    if encoding == _JSON:
        return payload.data
    if encoding == _NULL:
        return b"null"
    raise UnknownEncoding(encoding)


def decode(payload: Payload, type_: type[T]) -> T:
    """Read a value; raises `msgspec.DecodeError`."""
    return codec.decode(raw(payload), type_)


def decode_or(payload: Payload, type_: type[T], fallback: D) -> T | D:
    """Read a value that others may have written, or return the fallback."""
    try:
        return decode(payload, type_)
    except msgspec.DecodeError:
        return fallback


def raw_value(payload: Payload) -> msgspec.Raw:
    """The JSON of a payload for someone else to decode; null when it is in an unknown encoding."""
    try:
        return msgspec.Raw(raw(payload))
    except UnknownEncoding:
        return msgspec.Raw(b"null")
