"""Search: pages, and the tokens that lead from one to the next."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from iwf_interpreter.engine import SearchPage
from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]


@pytest.mark.parametrize(
    ("page_size", "asked"),
    [
        pytest.param(None, 1000, id="absent"),
        pytest.param(0, 1000, id="zero"),
        pytest.param(-5, 1000, id="negative"),
        pytest.param(2, 2, id="given"),
    ],
)
async def test_search_lists_runs(
    engine: ScriptedEngine, post: Post, page_size: int | None, asked: int
) -> None:
    engine.script("search", SearchPage(executions=[("w", "r")], next_page_token=b""))

    answer = await post("search", {"query": "x = 1", "pageSize": page_size})

    assert (answer.status_code, answer.json()) == (
        200,
        {"workflowExecutions": [{"workflowId": "w", "workflowRunId": "r"}], "nextPageToken": ""},
    )
    assert engine.calls == [("search", "x = 1", asked, b"")]


async def test_search_that_finds_nothing_has_an_empty_list(post: Post) -> None:
    assert (await post("search", {"query": ""})).json() == {"workflowExecutions": [], "nextPageToken": ""}


@pytest.mark.parametrize("token", [b"\x00", b"\xff\xfe\xfd", bytes(range(256))], ids=["one", "three", "all"])
async def test_token_leads_to_the_next_page(engine: ScriptedEngine, post: Post, token: bytes) -> None:
    engine.script("search", SearchPage(executions=[], next_page_token=token))
    first = await post("search", {"query": ""})

    await post("search", {"query": "", "nextPageToken": first.json()["nextPageToken"]})

    assert engine.calls_of("search")[1] == ("", 1000, token)


def cut(token: str) -> str:
    return token[:-1]


def changed(token: str) -> str:
    return ("B" if token.startswith("A") else "A") + token[1:]


def longer(token: str) -> str:
    return token + "AAAA"


def with_sign(token: str) -> str:
    return "%" + token


def replaced_by(text: str) -> Callable[[str], str]:
    return lambda token: text


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(cut, id="cut"),
        pytest.param(changed, id="changed"),
        pytest.param(longer, id="longer"),
        pytest.param(with_sign, id="not-base64"),
        pytest.param(replaced_by("é"), id="not-ascii"),
        pytest.param(replaced_by("A"), id="too-short-for-base64"),
        pytest.param(replaced_by("AAAAAA"), id="checksum-of-nothing"),
    ],
)
async def test_damaged_token_is_refused(
    engine: ScriptedEngine, post: Post, damage: Callable[[str], str]
) -> None:
    engine.script("search", SearchPage(executions=[], next_page_token=b"next page"))
    token = (await post("search", {"query": ""})).json()["nextPageToken"]

    answer = await post("search", {"query": "", "nextPageToken": damage(token)})

    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "nextPageToken is not one that a search returned",
    )
    assert len(engine.calls_of("search")) == 1
