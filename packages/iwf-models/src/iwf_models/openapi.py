"""The OpenAPI document of an API that speaks these models.

Not the place that knows the API: its operations come in as a table, the models say everything else. What
must stay true: a schema requires what its model requires and nothing more, since that is what clients know,
and has the names, types and enumerations of its model. A field that an operation needs although its model
does not is named in the description of the request.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from iwf_models._base import WireStruct
from iwf_models._field_docs import class_text, field_texts
from iwf_models.errors import ErrorResponse

__all__ = ("Operation", "Section", "document")

Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_NO_CONTENT = "Success. The body is an empty object."
_SUCCESS = "Success."


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an API whose operations are served at one place."""

    name: str
    description: str
    server_variable: str | None = None
    """Name for the base address, if it is not that of the document."""
    server_example: str = ""
    """Such an address."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of an API."""

    section: Section
    path: str
    method: str = "post"
    summary: str
    description: str = ""
    request: type[WireStruct] | None = None
    not_empty: tuple[str, ...] = ()
    """Fields of the request that must be there and not be empty, whatever the model allows."""
    response: type[WireStruct] | None = None
    """Body of the answer with status 200; `None` is an empty object."""
    errors: Mapping[int, str] = {}
    """Meaning of each other status that the operation can answer."""
    error: type[WireStruct] = ErrorResponse
    """Body of those answers."""


def document(
    operations: Iterable[Operation], *, title: str, version: str, description: str
) -> dict[str, Any]:
    """Make the document, as values that JSON can hold.

    Args:
        operations: The operations, in the order in which readers see them.
        title: Name of the API.
        version: Version of the API.
        description: What readers should know of all operations.
    """
    table = list(operations)
    sections = {operation.section.name: operation.section for operation in table}
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        path = paths.setdefault(operation.path, _path_item(operation.section))
        path[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "tags": [{"name": item.name, "description": item.description} for item in sections.values()],
        "paths": paths,
        "components": {"schemas": _schemas(table)},
    }


def _path_item(section: Section) -> dict[str, Any]:
    variable = section.server_variable
    if variable is None:
        return {}
    return {
        "servers": [
            {"url": "{" + variable + "}", "variables": {variable: {"default": section.server_example}}},
        ]
    }


def _operation(operation: Operation) -> dict[str, Any]:
    result: dict[str, Any] = {"tags": [operation.section.name], "summary": operation.summary}
    if operation.description:
        result["description"] = operation.description
    if operation.request is not None:
        body: dict[str, Any] = {"required": True, "content": _content(operation.request)}
        if operation.not_empty:
            names = ", ".join(f"`{name}`" for name in operation.not_empty)
            body["description"] = f"Must be there and not be empty: {names}."
        result["requestBody"] = body
    if operation.response is None:
        success: dict[str, Any] = {"description": _NO_CONTENT}
    else:
        success = {"description": _SUCCESS, "content": _content(operation.response)}
    errors = {
        str(status): {"description": meaning, "content": _content(operation.error)}
        for status, meaning in sorted(operation.errors.items())
    }
    return {**result, "responses": {"200": success, **errors}}


def _content(model: type[WireStruct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=model.__name__)}}}


def _schemas(operations: list[Operation]) -> dict[str, Schema]:
    """The schemas of all models that the operations use, directly or inside another one."""
    used: list[type[WireStruct]] = []
    for operation in operations:
        candidates = (operation.request, operation.response, operation.error if operation.errors else None)
        used += [model for model in candidates if model is not None and model not in used]
    _, schemas = msgspec.json.schema_components(used, ref_template=_REFERENCE)
    classes = _classes(used)
    return {name: _component(classes[name], schemas[name]) for name in sorted(schemas)}


def _classes(models: Iterable[type[WireStruct]]) -> dict[str, type]:
    """All classes that have a schema, by name."""
    found: dict[str, type] = {}

    def visit(type_: msgspec.inspect.Type) -> None:
        match type_:
            case msgspec.inspect.StructType(cls=cls, fields=fields):
                if cls.__name__ not in found:
                    found[cls.__name__] = cls
                    for field in fields:
                        visit(field.type)
            case msgspec.inspect.EnumType(cls=cls):
                found[cls.__name__] = cls
            case msgspec.inspect.ListType(item_type=inner) | msgspec.inspect.DictType(value_type=inner):
                visit(inner)
            case msgspec.inspect.UnionType(types=types):
                for each in types:
                    visit(each)
            case _:
                pass

    for info in msgspec.inspect.multi_type_info(models):
        visit(info)
    return found


def _component(cls: type, schema: Schema) -> Schema:
    """A schema as msgspec makes it, in the words of the published API."""
    text = {"description": description} if (description := class_text(cls)) else {}
    if not issubclass(cls, WireStruct):
        return {"type": "string", **text, "enum": schema["enum"]}
    texts = field_texts(cls)
    properties = {
        name: {**_field(part), **({"description": texts[name]} if name in texts else {})}
        for name, part in schema["properties"].items()
    }
    required = {"required": schema["required"]} if schema["required"] else {}
    return {"type": "object", **text, **required, "properties": properties}


def _field(schema: Schema) -> Schema:
    """The schema of a field or of what it holds.

    Null is not mentioned: a reader takes it for absent, and nobody writes it.
    """
    if "anyOf" in schema:
        (schema,) = (part for part in schema["anyOf"] if part != {"type": "null"})
    match schema:
        case {"type": "integer", "minimum": minimum}:
            return {"type": "integer", "format": "int32" if minimum == -(2**31) else "int64"}
        case {"type": "number"}:
            return {"type": "number", "format": "double"}
        case {"type": "array", "items": items}:
            return {"type": "array", "items": _field(items)}
        case {"type": "object", "additionalProperties": values}:
            return {"type": "object", "additionalProperties": _field(values)}
        case _:
            return schema
