"""Bodies as the Java SDK and Spring write them: every optional field that was not set is there and null."""

from typing import Any, cast

import msgspec
from msgspec import inspect

from iwf_models import WireStruct


def with_nulls(model: type[WireStruct], body: dict[str, Any]) -> dict[str, Any]:
    """The body of a model with its unset fields as nulls, at every depth that it has.

    Only required fields can be missing afterwards.
    """
    return _fill(inspect.type_info(model), body)


def _fill(kind: inspect.Type, value: Any) -> Any:
    match kind, value:
        case inspect.StructType(fields=fields), dict():
            filled: dict[str, Any] = {
                field.encode_name: _fill(field.type, value[field.encode_name])
                if field.encode_name in value
                else None
                for field in fields
                if field.encode_name in value or not field.required
            }
            assert filled.keys() >= set(cast("dict[str, Any]", value)), value
            return filled
        case inspect.UnionType(types=types), dict() | list():
            (chosen,) = (one for one in types if isinstance(one, (inspect.StructType, inspect.ListType)))
            return _fill(chosen, value)
        case inspect.ListType(item_type=item), list():
            return [_fill(item, entry) for entry in cast("list[Any]", value)]
        case _:
            return value


def count_nulls(value: object) -> int:
    """How many nulls there are in a body."""
    return msgspec.json.encode(value).count(b":null")
