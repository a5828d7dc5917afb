"""The OpenAPI document as one page of HTML, for people.

It stands alone: no script, no picture, no style from elsewhere, so it can be read without a network and kept
as a file. Everything that comes from the document is escaped.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc; }
h3 { margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; }
tr { border-bottom: 1px solid #eee; }
code { background: #f3f3f3; padding: 0 .2rem; }
"""
_CODE = re.compile(r"`([^`]+)`")


def page(document: dict[str, Any]) -> str:
    """The whole page."""
    return "".join(_page(document))


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{_prose(info['description'])}"
    yield _prose("The same for programs is served at `/openapi.json`.")
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'].capitalize())} operations</h2>\n{_prose(tag['description'])}"
        own = [
            (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "servers" and tag["name"] in operation["tags"]
        ]
        yield _table(
            ("operation", ""),
            ((_link("#" + _anchor(path), path), _inline(operation["summary"])) for _, path, operation in own),
        )
        for method, path, operation in own:
            yield from _operation(method, path, operation)
    yield "<h2>Models</h2>\n"
    for name, schema in document["components"]["schemas"].items():
        yield from _model(name, schema)
    yield "</body>\n</html>\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{escape(_anchor(path))}">{escape(method.upper())} {escape(path)}</h3>\n'
    yield _prose(operation["summary"]) + _prose(operation.get("description", ""))
    if (request := operation.get("requestBody")) is not None:
        yield _paragraph(f"Request: {_content(request)}. {_inline(request.get('description', ''))}")
    yield _table(
        ("status", "body", "meaning"),
        (
            (escape(status), _content(answer), _inline(answer["description"]))
            for status, answer in operation["responses"].items()
        ),
    )


def _model(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h3 id="{escape(name)}">{escape(name)}</h3>\n{_prose(schema.get("description", ""))}'
    if "enum" in schema:
        yield _paragraph(", ".join(f"<code>{escape(value)}</code>" for value in schema["enum"]))
        return
    required = schema.get("required", ())
    yield _table(
        ("field", "type", ""),
        (
            (
                f"<code>{escape(field)}</code>" + (" (required)" if field in required else ""),
                _type(part),
                _inline(part.get("description", "")),
            )
            for field, part in schema["properties"].items()
        ),
    )


def _content(part: dict[str, Any]) -> str:
    return ", ".join(_type(content["schema"]) for content in part.get("content", {}).values()) or "{}"


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return _link("#" + name, name)
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": values}:
            return f"map of {_type(values)}"
        case _:
            return escape(schema.get("format", schema["type"]))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; the cells are HTML."""
    lines = ["".join(f"<th>{escape(head)}</th>" for head in heads)]
    lines += ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    return "<table>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>\n"


def _prose(text: str) -> str:
    return "".join(_paragraph(_inline(part)) for part in text.split("\n\n") if part)


def _paragraph(html: str) -> str:
    return f"<p>{html}</p>\n"


def _inline(text: str) -> str:
    """Text as HTML, with what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _anchor(path: str) -> str:
    return path.strip("/").replace("/", "-")
