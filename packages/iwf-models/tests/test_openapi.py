"""The OpenAPI document: what becomes of operations, models, fields and their docstrings."""

import sys
from enum import StrEnum
from types import ModuleType
from typing import Any

import msgspec
import pytest

from iwf_models import WireStruct, codec
from iwf_models._base import Int32, Int64
from iwf_models.openapi import Operation, Section, document


class Colour(StrEnum):
    """Colours."""

    RED = "RED"
    BLUE = "BLUE"


class Part(WireStruct, frozen=True, kw_only=True):
    part_name: str
    """Unique."""


class Order(WireStruct, frozen=True, kw_only=True):
    """An order
    of many parts.

    See `order_id`.
    """

    order_id: str
    """Unlike `part_count`
    it is `REQUIRED`."""
    small: Int32
    part_count: Int64 | None = None
    factor: float | None = None
    paid: bool | None = None
    colour: Colour | None = None
    """Of all parts."""
    parts: list[Part] | None = None
    names: list[str] | None = None
    limits: dict[str, Int32] | None = None
    bigger_order: "Order | None" = None
    legacy_name: str | None = msgspec.field(default=None, name="oldNAME")
    """Has a name of its own."""


class Receipt(WireStruct, frozen=True, kw_only=True):
    """What comes back."""


class Failure(WireStruct, frozen=True, kw_only=True):
    """What went wrong."""


SHOP = Section(name="shop", description="Sells.")
YARD = Section(name="yard", description="Ships.", server_variable="yardUrl", server_example="http://yard")


def made(*operations: Operation) -> dict[str, Any]:
    return document(operations, title="Orders", version="1.2", description="Buy here.")


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def body(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": reference(name)}}


def test_operation_has_its_request_its_answer_and_its_errors() -> None:
    buy = Operation(
        section=SHOP,
        path="/buy",
        summary="Buy.",
        description="At once.",
        request=Order,
        not_empty=("orderId", "parts[].partName"),
        response=Receipt,
        errors={420: "Sold out.", 400: "Odd."},
        error=Failure,
    )

    result = made(buy)

    assert result["paths"] == {
        "/buy": {
            "post": {
                "tags": ["shop"],
                "summary": "Buy.",
                "description": "At once.",
                "requestBody": {
                    "required": True,
                    "description": "Must be there and not be empty: `orderId`, `parts[].partName`.",
                    "content": body("Order"),
                },
                "responses": {
                    "200": {"description": "Success.", "content": body("Receipt")},
                    "400": {"description": "Odd.", "content": body("Failure")},
                    "420": {"description": "Sold out.", "content": body("Failure")},
                },
            }
        }
    }
    assert list(result["components"]["schemas"]) == ["Colour", "Failure", "Order", "Part", "Receipt"]


def test_operation_without_bodies_has_none_and_brings_no_models() -> None:
    result = made(Operation(section=SHOP, path="/", method="get", summary="Look."))

    success = {"200": {"description": "Success. The body is an empty object."}}
    assert result["paths"] == {"/": {"get": {"tags": ["shop"], "summary": "Look.", "responses": success}}}
    assert result["components"] == {"schemas": {}}


def test_sections_become_tags_and_name_their_own_server() -> None:
    result = made(
        Operation(section=SHOP, path="/a", summary="A."),
        Operation(section=YARD, path="/b", summary="B."),
        Operation(section=SHOP, path="/c", summary="C."),
    )

    assert result["info"] == {"title": "Orders", "version": "1.2", "description": "Buy here."}
    assert result["tags"] == [
        {"name": "shop", "description": "Sells."},
        {"name": "yard", "description": "Ships."},
    ]
    servers = [{"url": "{yardUrl}", "variables": {"yardUrl": {"default": "http://yard"}}}]
    assert [item.get("servers") for item in result["paths"].values()] == [None, servers, None]


def test_methods_of_one_path_are_together() -> None:
    result = made(
        Operation(section=SHOP, path="/a", summary="A.", method="get"),
        Operation(section=SHOP, path="/a", summary="B."),
    )

    assert list(result["paths"]["/a"]) == ["get", "post"]


def test_model_becomes_a_schema_with_names_types_and_texts_of_the_wire() -> None:
    result = made(Operation(section=SHOP, path="/a", summary="A.", request=Order))

    assert result["components"]["schemas"] == {
        "Colour": {"type": "string", "description": "Colours.", "enum": ["BLUE", "RED"]},
        "Part": {
            "type": "object",
            "required": ["partName"],
            "properties": {"partName": {"type": "string", "description": "Unique."}},
        },
        "Order": {
            "type": "object",
            "description": "An order of many parts.\n\nSee `orderId`.",
            "required": ["orderId", "small"],
            "properties": {
                "orderId": {"type": "string", "description": "Unlike `partCount` it is `REQUIRED`."},
                "small": {"type": "integer", "format": "int32"},
                "partCount": {"type": "integer", "format": "int64"},
                "factor": {"type": "number", "format": "double"},
                "paid": {"type": "boolean"},
                "colour": {**reference("Colour"), "description": "Of all parts."},
                "parts": {"type": "array", "items": reference("Part")},
                "names": {"type": "array", "items": {"type": "string"}},
                "limits": {
                    "type": "object",
                    "additionalProperties": {"type": "integer", "format": "int32"},
                },
                "biggerOrder": reference("Order"),
                "oldNAME": {"type": "string", "description": "Has a name of its own."},
            },
        },
    }


def test_document_can_be_written_as_json() -> None:
    result = made(Operation(section=YARD, path="/a", summary="A.", request=Order, response=Receipt))

    assert msgspec.json.decode(codec.encode(result)) == result


def test_fields_have_no_texts_where_there_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a build that ships compiled files only."""
    module = ModuleType("compiled")
    module.__file__ = "/nowhere/compiled.pyc"
    monkeypatch.setitem(sys.modules, "compiled", module)
    monkeypatch.setattr(Part, "__module__", "compiled")

    schema = made(Operation(section=SHOP, path="/a", summary="A.", request=Part))["components"]["schemas"]

    assert schema["Part"]["properties"] == {"partName": {"type": "string"}}
