"""Places in JSON values: finding them, and comparing what is there.

Equality is that of the wire: numbers compare by value, but `true` is not 1 and text is not a number.
"""

from typing import Any, TypeAlias, TypeGuard

Json: TypeAlias = Any
"""Any JSON value. What a scenario sends and a server answers may have every form, also wrong ones."""

Path: TypeAlias = tuple[str, ...]
"""Keys and indexes from the outside in."""


def shown(path: Path) -> str:
    """How a place is written in messages and patterns."""
    return "/".join(path)


def is_object(value: Json) -> TypeGuard[dict[str, Json]]:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Whether it is a JSON list."""
    return isinstance(value, list)


def value_at(value: Json, place: str) -> Json:
    """Follow a place such as `results/0/key=x/value`; `None` when there is no such place.

    Args:
        value: Where to start.
        place: Object keys, list indexes, or `field=wanted` for the first list element that has it.
    """
    for part in place.split("/"):
        if is_list(value) and "=" in part:
            field, wanted = part.split("=", 1)
            value = next((item for item in value if is_object(item) and item.get(field) == wanted), None)
        else:
            value = value_of(value, (part,))
    return value


def value_of(value: Json, path: Path) -> Json:
    """What is at an exact path; `None` when there is no such place."""
    for key in path:
        if is_object(value):
            value = value.get(key)
        elif is_list(value) and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def same_scalar(one: Json, other: Json) -> bool:
    """Whether two values that are no objects and no lists are the same on the wire."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def contains(actual: Json, wanted: Json) -> bool:
    """Whether `wanted` is a part of `actual`: objects by field, every list element somewhere in the list."""
    if is_object(wanted):
        return is_object(actual) and all(
            key in actual and contains(actual[key], part) for key, part in wanted.items()
        )
    if is_list(wanted):
        return is_list(actual) and all(any(contains(item, part) for item in actual) for part in wanted)
    return same_scalar(actual, wanted)
