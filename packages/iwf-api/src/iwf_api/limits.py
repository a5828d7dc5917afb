"""How deep a body may be nested, and how long the names in it may be.

Small requests, nearly all there are, are told to be within the limits by their size alone. What must stay
true: no pass over a body takes a step of Python for each of its bytes. How long a body may be is
`iwf_api.app`'s business, since it counts while it reads.
"""

import re
from functools import cache
from typing import Any, get_args

import msgspec

_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_RUNS = re.compile(rb"(\[+)\]*")
_LEVELS_TAKEN_AWAY = 8
"""So many leave few enough runs of brackets, however a body is made: there is one for 18 bytes at most."""

_NAMES = frozenset(
    {
        "channelName",
        "executeApiFailureProceedStateId",
        "iwfWorkflowType",
        "key",
        "keys",
        "lockingKeys",
        "partialLoadingKeys",
        "requestId",
        "rpcName",
        "signalChannelName",
        "startStateId",
        "stateExecutionId",
        "stateId",
        "timerCommandId",
        "waitForCompletionStateExecutionIds",
        "waitForCompletionStateIds",
        "waitForKey",
        "workflowId",
        "workflowRunId",
        "workflowStateExecutionId",
    }
)
"""Fields, wherever they are, that hold an id, a name or a key, or a list of them."""


def is_deeper(body: bytes, max_depth: int) -> bool:
    """Whether a body, which must be valid JSON, has more than so many lists and objects inside each other.

    Args:
        body: The text.
        max_depth: At least 8.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return False
    # Escapes occur in strings only, and without them each quotation mark begins or ends a string.
    outside = body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    brackets = b"".join(outside).translate(_AS_SQUARE, _NO_BRACKETS)
    for _ in range(_LEVELS_TAKEN_AWAY):
        # What holds nothing is a level of its own, and the lowest one.
        brackets = brackets.replace(b"[]", b"")
    depth = _LEVELS_TAKEN_AWAY
    for run in _RUNS.finditer(brackets):
        turn = run.end(1)
        depth += turn - run.start()
        if depth > max_depth:
            return True
        depth -= run.end() - turn
    return False


def too_long(struct: msgspec.Struct, max_length: int) -> tuple[str, int] | None:
    """Path and length of the first id, name or key that has more than so many characters."""
    for attribute, name, is_name in _fields(type(struct)):
        value: object = getattr(struct, attribute)
        if value is None:
            continue
        if isinstance(value, str):
            if len(value) > max_length:
                return name, len(value)
        elif isinstance(value, msgspec.Struct):
            found = too_long(value, max_length)
            if found is not None:
                return f"{name}.{found[0]}", found[1]
        else:
            found = _too_long_in_list(value, max_length, is_name=is_name)
            if found is not None:
                return f"{name}{found[0]}", found[1]
    return None


def _too_long_in_list(value: object, max_length: int, *, is_name: bool) -> tuple[str, int] | None:
    assert isinstance(value, list)
    for index, item in enumerate[Any](value):  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(item, msgspec.Struct):
            found = too_long(item, max_length)
            if found is not None:
                return f"[{index}].{found[0]}", found[1]
        elif is_name and len(item) > max_length:
            return f"[{index}]", len(item)
    return None


@cache
def _fields(struct_type: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    """Attribute, name, and whether it is one of `_NAMES`, of all fields that can hold one."""
    return tuple(
        (field.name, field.encode_name, field.encode_name in _NAMES)
        for field in msgspec.structs.fields(struct_type)
        if field.encode_name in _NAMES or _holds_structs(field.type)
    )


def _holds_structs(type_: Any) -> bool:
    arguments = get_args(type_)
    if arguments:
        return any(map(_holds_structs, arguments))
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)
