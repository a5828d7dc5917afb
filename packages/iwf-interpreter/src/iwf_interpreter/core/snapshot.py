"""A run's state as bytes.

JSON, so that an operator can read it and a later build can add fields. What is written at a border
between batches and read back behaves like the run that it was taken from.
"""

import msgspec

from iwf_interpreter.core.state import ExecutionState

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExecutionState)


def encode(state: ExecutionState) -> bytes:
    """Write a state down; the order of its parts is kept, since it means something."""
    return _encoder.encode(state)


def decode(data: bytes) -> ExecutionState:
    """Read a state back; raises `msgspec.DecodeError` when it is not one."""
    return _decoder.decode(data)
