"""JSON in and out, the same way everywhere: `decode` for what was received, `encode` for what is sent.

Decoders are built once per type, and there is one encoder. Neither knows what a message means. What must
stay true: every body that is not what its type says is one of msgspec's two errors and no other exception,
so that callers can answer bad input without listing the ways in which it can be bad.

The rules of reading and writing are in `docs/wire-models.md`.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

__all__ = ("decode", "encode")

T = TypeVar("T")


def decode(data: bytes, type_: type[T]) -> T:
    """Read one JSON document as a value of a type, usually a wire model.

    Raises:
        msgspec.ValidationError: It is JSON, but not of that type. The message names the place.
        msgspec.DecodeError: It is not JSON in UTF-8, or nested too deeply. The base of the other one.
    """
    try:
        return _decoder(type_).decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"JSON is not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("JSON is nested too deeply") from error


def encode(value: object) -> bytes:
    """Write a wire model, or a plain value that holds wire models, as compact JSON in UTF-8."""
    return _encoder.encode(value)


_encoder = msgspec.json.Encoder()


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)
