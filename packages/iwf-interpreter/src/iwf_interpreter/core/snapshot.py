"""A run's state written down, for the run that continues it and for people.

JSON, so that an operator can read it and a later build can add fields. What is written at a border
between batches and read back behaves like the run that it was taken from. A long one is compressed, and
one that does not fit the new run's input is read by it in parts (`docs/interpreter.md`).
"""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Sequence

import msgspec

from iwf_interpreter.contract import SnapshotPage
from iwf_interpreter.core.state import ExecutionState

PLAIN_BYTES = 64 * 1024
"""Up to this length a carried state stays readable."""

DEFAULT_PAGE_BYTES = 1024 * 1024
MIN_PAGE_BYTES = 1024
MAX_PAGE_BYTES = 1_300_000
"""As text a part grows by a third, and engines take no more than 2 MiB."""

_COMPRESSED = "zlib:"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExecutionState)


class BadSnapshot(Exception):
    """A carried state that cannot be read."""


def encode(state: ExecutionState) -> bytes:
    """Write a state down; the order of its parts is kept, since it means something."""
    return _encoder.encode(state)


def decode(data: bytes) -> ExecutionState:
    """Read a state back; raises `msgspec.DecodeError` when it is not one."""
    return _decoder.decode(data)


def carried(state: ExecutionState) -> ExecutionState:
    """What the next run takes over: everything but what belongs to a run of its own."""
    return msgspec.structs.replace(
        state,
        armed_timer=None,
        timers_started=0,
        lock_tickets=[],
        state_waits={},
        has_called=False,
        operations=0,
        continue_requested=False,
        continue_suggested=False,
        draining=False,
        closed=False,
        slow_locally={},
    )


def to_text(data: bytes) -> str:
    """An encoded state as text: as it is, or compressed when it is long."""
    return data.decode() if len(data) <= PLAIN_BYTES else _COMPRESSED + _compress(data)


def from_text(text: str) -> ExecutionState:
    """Read what `to_text` wrote; raises `BadSnapshot`."""
    try:
        data = _decompress(text.removeprefix(_COMPRESSED)) if text.startswith(_COMPRESSED) else text.encode()
        return decode(data)
    except (binascii.Error, zlib.error, msgspec.DecodeError) as error:
        raise BadSnapshot(f"the state carried from the run before cannot be read: {error}") from error


def page_bytes(configured: int | None) -> int:
    """The length of a part, of a wished one (`continueAsNewPageSizeInBytes`); 0 and absent are 1 MiB."""
    return min(max(configured or DEFAULT_PAGE_BYTES, MIN_PAGE_BYTES), MAX_PAGE_BYTES)


def page(data: bytes, number: int, count: int) -> SnapshotPage:
    """One of `count` parts of an encoded state. They are cut by bytes and only put together decoded."""
    begin, end = len(data) * number // count, len(data) * (number + 1) // count
    return SnapshotPage(text=_compress(data[begin:end]), sha256=hashlib.sha256(data).hexdigest())


def join(pages: Sequence[SnapshotPage]) -> ExecutionState:
    """Put all parts together; raises `BadSnapshot` when they do not belong together."""
    try:
        data = b"".join(_decompress(part.text) for part in pages)
    except (binascii.Error, zlib.error) as error:
        raise BadSnapshot(
            f"a part of the state carried from the run before cannot be read: {error}"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if any(part.sha256 != digest for part in pages):
        raise BadSnapshot("the parts of the state carried from the run before do not belong together")
    try:
        return decode(data)
    except msgspec.DecodeError as error:
        raise BadSnapshot(f"the state carried from the run before cannot be read: {error}") from error


def _compress(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def _decompress(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True))
