"""The OpenAPI document and the page for people, as they are served."""

from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from iwf_api.app import create_app
from iwf_api.documentation import openapi_document
from iwf_api.documentation_page import page
from iwf_api.settings import ApiSettings
from iwf_interpreter.worker_client import WorkerClient
from scripted_engine import ScriptedEngine

MARKUP = "<b a='1' c=\"2\">&"


class Elements(HTMLParser):
    """The elements of a page, its texts, and what they link to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            else:
                assert (name, value) in (("lang", "en"), ("charset", "utf-8"))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


async def get(engine: ScriptedEngine, path: str) -> httpx.Response:
    app = create_app(engine, WorkerClient(), ApiSettings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://iwf") as http:
        return await http.get(path)


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/openapi.json", "/openapi.json/"])
async def test_document_is_served_as_json(engine: ScriptedEngine, path: str) -> None:
    answer = await get(engine, path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == openapi_document()


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/docs", "/docs/"])
async def test_page_is_served_as_html_that_may_load_nothing(engine: ScriptedEngine, path: str) -> None:
    answer = await get(engine, path)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert answer.text == page(openapi_document())


def test_page_names_every_operation_model_field_and_value() -> None:
    document = openapi_document()
    schemas: dict[str, Any] = document["components"]["schemas"]

    text = Elements(page(document)).text

    parts = [*document["paths"], *schemas]
    for schema in schemas.values():
        parts += [*schema.get("properties", ()), *schema.get("enum", ())]
    assert [part for part in parts if part not in text] == []
    assert "Start a workflow" in text
    assert "workflowId (required)" in text
    assert "list of KeyValue" in text
    assert "map of ChannelInfo" in text


def test_page_stands_alone_and_its_links_lead_to_its_own_parts() -> None:
    found = Elements(page(openapi_document()))

    assert found.open == []
    assert not found.tags & {"script", "link", "img", "iframe", "form", "object"}
    assert len(found.ids) == len(set(found.ids))
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids)
    assert all(link.startswith("#") for link in found.links)


def test_everything_from_the_document_is_escaped() -> None:
    schema = {"$ref": f"#/components/schemas/{MARKUP}"}
    body: dict[str, Any] = {"description": MARKUP, "content": {"application/json": {"schema": schema}}}
    operation: dict[str, Any] = {
        "tags": [MARKUP],
        "summary": MARKUP,
        "description": MARKUP,
        "requestBody": body,
        "responses": {MARKUP: body},
    }
    properties = {MARKUP: {"type": MARKUP, "description": MARKUP}}
    document: dict[str, Any] = {
        "info": {"title": MARKUP, "version": MARKUP, "description": MARKUP},
        "tags": [{"name": MARKUP, "description": MARKUP}],
        "paths": {f"/{MARKUP}": {"post": operation}},
        "components": {
            "schemas": {
                MARKUP: {"type": "object", "description": MARKUP, "properties": properties},
                f"{MARKUP}2": {"type": "string", "description": MARKUP, "enum": [MARKUP]},
            }
        },
    }

    found = Elements(page(document))

    assert "b" not in found.tags
    assert found.open == []
    assert found.text.count(MARKUP) > 15


def test_page_has_no_empty_paragraphs() -> None:
    operation: dict[str, Any] = {"tags": ["n"], "summary": "/a", "responses": {}}
    document: dict[str, Any] = {
        "info": {"title": "t", "version": "1", "description": ""},
        "tags": [{"name": "n", "description": ""}],
        "paths": {"/a": {"get": operation}},
        "components": {"schemas": {"E": {"type": "string", "enum": ["X"]}}},
    }

    assert "<p></p>" not in page(document)
