"""The command that takes facts out of an OpenAPI document, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "idl_facts.py"

DOCUMENT = """
openapi: 3.0.0
info: {title: orders, description: prose that must not be taken over}
paths:
  /orders:
    get:
      summary: ignored
      responses:
        '200':
          description: prose
          content: &order {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
    post:
      requestBody: {required: true, content: *order}
      responses: {'200': {description: prose, content: {}}, '400': {description: prose, content: *order}}
components:
  schemas:
    Order:
      type: object
      description: prose as well
      required: [id, state]
      properties:
        id: {type: string}
        state: {$ref: '#/components/schemas/State'}
        count: {type: integer}
        started: {type: integer, format: int64}
        factor: {type: number, format: float}
        paid: {type: boolean}
        lines: {type: array, items: {$ref: '#/components/schemas/Line'}}
        prices: {type: object, additionalProperties: {type: number}}
        failure:
          type: object
          required: [text]
          properties:
            text: {type: string}
    Line:
      type: object
      properties: {name: {type: string}}
    State:
      type: string
      enum: [OPEN, CLOSED]
"""

FACTS = {
    "operations": {
        "GET /orders": {"request": None, "responses": {"200": "Order"}},
        "POST /orders": {"request": "Order", "responses": {"200": None, "400": "Order"}},
    },
    "enums": {"State": ["CLOSED", "OPEN"]},
    "models": {
        "Line": {"name": {"type": "string", "required": False}},
        "Order": {
            "count": {"type": "integer", "required": False},
            "factor": {"type": "number/float", "required": False},
            "failure": {"type": "OrderFailure", "required": False},
            "id": {"type": "string", "required": True},
            "lines": {"type": "array of Line", "required": False},
            "paid": {"type": "boolean", "required": False},
            "prices": {"type": "map of number", "required": False},
            "started": {"type": "integer/int64", "required": False},
            "state": {"type": "State", "required": True},
        },
        "OrderFailure": {"text": {"type": "string", "required": True}},
    },
}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, TOOL, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def write_document(folder: Path, text: str) -> Path:
    path = folder / "document.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_extract_writes_the_facts_and_no_prose(tmp_path: Path) -> None:
    document, out = write_document(tmp_path, DOCUMENT), tmp_path / "facts.json"

    result = run("extract", document, out)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert json.loads(out.read_text(encoding="utf-8")) == FACTS


def test_check_accepts_what_extract_wrote(tmp_path: Path) -> None:
    document, facts = write_document(tmp_path, DOCUMENT), tmp_path / "facts.json"
    run("extract", document, facts)

    result = run("check", document, facts)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_check_shows_what_is_stale(tmp_path: Path) -> None:
    document, facts = write_document(tmp_path, DOCUMENT), tmp_path / "facts.json"
    run("extract", document, facts)
    write_document(tmp_path, DOCUMENT.replace("[OPEN, CLOSED]", "[OPEN, CLOSED, VOID]"))

    result = run("check", document, facts)

    assert result.returncode == 1
    assert '+      "VOID"' in result.stdout.splitlines()


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [
        pytest.param("{allOf: []}", "unknown field `allOf`", id="unknown-construct"),
        pytest.param("{type: string}", "Odd: neither an enumeration nor an object", id="plain-type"),
        pytest.param("{type: object}", "Odd: neither an enumeration nor an object", id="free-object"),
        pytest.param(
            "{type: object, required: [b], properties: {a: {type: string}}}",
            "Odd: required but not described: ['b']",
            id="required-unknown",
        ),
        pytest.param("{type: object, properties: {a: {}}}", "Odd.a: no type", id="field-without-type"),
        pytest.param(
            "{type: object, properties: {a: {type: string, enum: [X]}}}", "Odd.a: no type", id="enum-in-place"
        ),
    ],
)
def test_what_facts_cannot_express_is_refused(tmp_path: Path, schema: str, complaint: str) -> None:
    document, out = (
        write_document(tmp_path, f"components: {{schemas: {{Odd: {schema}}}}}"),
        tmp_path / "facts",
    )

    result = run("extract", document, out)

    assert result.returncode == 2
    assert complaint in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("{text/plain: {schema: {$ref: '#/components/schemas/Order'}}}", id="not-json"),
        pytest.param("{application/json: {schema: {type: string}}}", id="not-a-model"),
    ],
)
def test_body_that_is_no_json_model_is_refused(tmp_path: Path, content: str) -> None:
    document = write_document(
        tmp_path,
        f"paths: {{/orders: {{get: {{responses: {{'200': {{content: {content}}}}}}}}}}}\n"
        "components: {schemas: {}}",
    )

    result = run("extract", document, tmp_path / "facts")

    assert result.returncode == 2
    assert "/orders: a body that is neither one JSON model nor nothing" in result.stderr


def test_nested_object_may_not_take_the_name_of_another_model(tmp_path: Path) -> None:
    clash = DOCUMENT.replace("    Line:", "    OrderFailure: {type: object, properties: {}}\n    Line:")

    result = run("extract", write_document(tmp_path, clash), tmp_path / "facts")

    assert result.returncode == 2
    assert "OrderFailure: two models of this name" in result.stderr
