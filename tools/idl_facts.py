"""Facts of an OpenAPI document: operations, and names, types, required flags and enum values of schemas.

    python tools/idl_facts.py extract DOC OUT     write the facts of a document
    python tools/idl_facts.py check DOC FACTS     print how FACTS differs from them, exit with 1 if it does

The models of `iwf-models` are written by hand, and the server's own document is made from them. Their tests
compare them with these facts, so that the published document itself need not be here. Only facts are taken
over, none of its text. A construct that the facts could not express is an error (exit status 2), never left
out.

The facts are one JSON object, sorted throughout:

- `operations`: by method and path, the model of the `request` and those of the `responses` by status; `null`
  where there is no body;
- `enums`: the values of each enumeration;
- `models`: the fields of each model by JSON name, with `required` and a `type`: `string`, `boolean`,
  `integer` or `number` (then `/` and the format, if there is one), the name of a model or enumeration,
  `array of ...` or `map of ...`. An object described in place becomes a model named after parent and field.
"""

import argparse
import difflib
import json
import sys
from pathlib import Path
from typing import Any, Literal, TypedDict

import msgspec


class Schema(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One schema of the document, in the part of OpenAPI that it uses."""

    ref: str | None = msgspec.field(default=None, name="$ref")
    type: Literal["object", "array", "string", "boolean", "integer", "number"] | None = None
    format: str | None = None
    enum: list[str] | None = None
    items: "Schema | None" = None
    properties: "dict[str, Schema] | None" = None
    additional_properties: "Schema | None" = msgspec.field(default=None, name="additionalProperties")
    required: list[str] = []
    description: str | None = None


class Components(msgspec.Struct):
    """The part of a document that names its schemas."""

    schemas: dict[str, Schema]


class Media(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A body in one content type."""

    schema: Schema


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request or an answer."""

    content: dict[str, Media] = {}
    description: str | None = None
    required: bool | None = None


class Operation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one method of a path does."""

    responses: dict[str, Body]
    request_body: Body | None = msgspec.field(default=None, name="requestBody")
    summary: str | None = None
    description: str | None = None
    tags: list[str] = []


class PathItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The methods of a path."""

    get: Operation | None = None
    post: Operation | None = None
    servers: list[Any] = []


class Document(msgspec.Struct):
    """An OpenAPI document; everything but its operations and schemas is ignored."""

    components: Components
    paths: dict[str, PathItem] = {}


class FieldFacts(TypedDict):
    """What is known of one field."""

    type: str
    required: bool


class OperationFacts(TypedDict):
    """What is known of one operation."""

    request: str | None
    responses: dict[str, str | None]


class Facts(TypedDict):
    """Everything that is known of a document."""

    operations: dict[str, OperationFacts]

    enums: dict[str, list[str]]
    models: dict[str, dict[str, FieldFacts]]


class UnsupportedSchema(Exception):
    """The document uses something that the facts cannot express."""


def facts_of(document: Document) -> Facts:
    """The facts of a document.

    Raises:
        UnsupportedSchema: A schema is neither an enumeration nor an object with properties, a field has no
            type, a field that is required does not exist, or a body is neither one JSON model nor nothing.
    """
    facts = Facts(operations={}, enums={}, models={})
    for path, item in document.paths.items():
        for method, operation in (("GET", item.get), ("POST", item.post)):
            if operation is not None:
                facts["operations"][f"{method} {path}"] = _operation_facts(path, operation)
    for name, schema in document.components.schemas.items():
        if schema.enum is not None:
            facts["enums"][name] = sorted(schema.enum)
        else:
            _add_model(facts, name, schema)
    return facts


def render(facts: Facts) -> str:
    """The facts as the text of a file."""
    return json.dumps(facts, indent=2, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="idl_facts.py", description="Facts of an OpenAPI document.")
    parser.add_argument("command", choices=["extract", "check"])
    parser.add_argument("document", type=Path, help="OpenAPI document in YAML")
    parser.add_argument("facts", type=Path, help="file of facts to write, or to compare with")
    options = parser.parse_args(arguments)
    document: Path = options.document
    file: Path = options.facts

    try:
        current = render(facts_of(msgspec.yaml.decode(document.read_bytes(), type=Document)))
    except (UnsupportedSchema, msgspec.DecodeError) as error:
        print(f"{document}: {error}", file=sys.stderr)
        return 2
    if options.command == "extract":
        file.write_text(current, encoding="utf-8")
        return 0
    stored = file.read_text(encoding="utf-8")
    sys.stdout.writelines(
        difflib.unified_diff(
            stored.splitlines(keepends=True), current.splitlines(keepends=True), str(file), str(document)
        )
    )
    return 0 if stored == current else 1


def _operation_facts(path: str, operation: Operation) -> OperationFacts:
    return OperationFacts(
        request=None if operation.request_body is None else _body_model(path, operation.request_body),
        responses={status: _body_model(path, body) for status, body in operation.responses.items()},
    )


def _body_model(path: str, body: Body) -> str | None:
    match body.content:
        case {"application/json": Media(schema=Schema(ref=str(reference))), **others} if not others:
            return reference.rpartition("/")[2]
        case content if not content:
            return None
        case _:
            raise UnsupportedSchema(f"{path}: a body that is neither one JSON model nor nothing")


def _add_model(facts: Facts, name: str, schema: Schema) -> None:
    if schema.type != "object" or schema.properties is None:
        raise UnsupportedSchema(f"{name}: neither an enumeration nor an object with properties")
    if unknown := set(schema.required) - set(schema.properties):
        raise UnsupportedSchema(f"{name}: required but not described: {sorted(unknown)}")
    if name in facts["models"]:
        raise UnsupportedSchema(f"{name}: two models of this name")
    facts["models"][name] = {
        field: FieldFacts(type=_type_name(facts, name, field, part), required=field in schema.required)
        for field, part in schema.properties.items()
    }


def _type_name(facts: Facts, model: str, field: str, schema: Schema) -> str:
    if schema.ref is not None:
        return schema.ref.rpartition("/")[2]
    if schema.items is not None and schema.type == "array":
        return "array of " + _type_name(facts, model, field, schema.items)
    if schema.additional_properties is not None and schema.type == "object":
        return "map of " + _type_name(facts, model, field, schema.additional_properties)
    if schema.properties is not None and schema.type == "object":
        nested = model + field[:1].upper() + field[1:]
        _add_model(facts, nested, schema)
        return nested
    if schema.type in ("string", "boolean", "integer", "number") and schema.enum is None:
        return schema.type if schema.format is None else f"{schema.type}/{schema.format}"
    raise UnsupportedSchema(f"{model}.{field}: no type that the facts can express")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
