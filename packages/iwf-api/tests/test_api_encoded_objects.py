"""`encodedobject/load`: nothing can be loaded while there is no store, and the answer says why."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from scripted_engine import ScriptedEngine

pytestmark = pytest.mark.anyio

Post = Callable[[str, object], Awaitable[httpx.Response]]

PATH = "20260131$order-1/5f0c"


def refusal(detail: str) -> tuple[int, dict[str, str]]:
    return 400, {"detail": detail, "subStatus": "UNCATEGORIZED_SUB_STATUS"}


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
@pytest.mark.parametrize("field", ["extStoreId", "extPath"])
async def test_reference_must_be_complete(
    engine: ScriptedEngine, post: Post, field: str, value: str | None
) -> None:
    answer = await post("encodedobject/load", {"extStoreId": "s3", "extPath": PATH, field: value})

    detail = f"invalid request schema: {field} must be set and not be empty"
    assert (answer.status_code, answer.json()) == refusal(detail)
    assert engine.calls == []


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("order-1/5f0c", id="no-day"),
        pytest.param("2026013$order-1/5f0c", id="seven-digits"),
        pytest.param("٢٠٢٦٠١٣١$order-1/5f0c", id="other-digits"),
        pytest.param("20260131$/5f0c", id="no-workflow"),
        pytest.param("20260131$order$1/5f0c", id="dollar-in-workflow"),
        pytest.param("20260131$order-1/", id="no-object"),
        pytest.param("20260131$order-1/../secret", id="slash-in-object"),
        pytest.param(f"../{PATH}", id="something-before"),
        pytest.param(f"{PATH}/", id="something-after"),
    ],
)
async def test_path_of_another_form_is_refused(post: Post, path: str) -> None:
    answer = await post("encodedobject/load", {"extStoreId": "s3", "extPath": path})

    detail = f"extPath is not of the form <8 digits>$<workflow id>/<object id>: {path!r}"
    assert (answer.status_code, answer.json()) == refusal(detail)


async def test_reference_that_could_be_one_is_told_that_storage_is_off(
    engine: ScriptedEngine, post: Post
) -> None:
    answer = await post("encodedobject/load", {"encoding": "json", "extStoreId": "s3", "extPath": PATH})

    assert (answer.status_code, answer.json()) == refusal(
        "external storage is off, so store 's3' cannot be read"
    )
    assert engine.calls == []
