"""Requests to the server under test, and what their answers are as data."""

from collections.abc import Mapping

import anyio
import httpx
import msgspec
from msgspec import UNSET

from iwf_testkit.golden.placeholders import Placeholders
from iwf_testkit.golden.places import Json, contains
from iwf_testkit.golden.scenarios import Condition

API = "/api/v1/workflow/"

_OPEN = frozenset({"RUNNING", "CONTINUED_AS_NEW"})
_POST_SECONDS = 15.0
_USUAL_CONTENT_TYPE = "application/json;charset=utf-8"


class Unplayable(Exception):
    """A scenario could not be played to its end."""


class Client:
    """Sends requests; an answer is a JSON object as it stands in recordings, but not normalised."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @property
    def server_url(self) -> str:
        """The server's address, without a slash at its end."""
        return str(self._http.base_url).rstrip("/")

    async def post(self, path: str, body: Json) -> dict[str, Json]:
        """Call an endpoint below `/api/v1/workflow/`."""
        return await self.send("POST", f"{API}{path}", msgspec.json.encode(body), {}, _POST_SECONDS)

    async def send(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        timeout_seconds: float,
    ) -> dict[str, Json]:
        """Send any request.

        Raises:
            Unplayable: There is no server.
        """
        try:
            with anyio.move_on_after(timeout_seconds):
                response = await self._http.request(
                    method, path, content=content, headers={"Content-Type": "application/json", **headers}
                )
                return _answer(response)
        except httpx.TransportError as error:
            raise Unplayable(f"the server is not reachable: {error!r}") from error
        return {"status": "no answer in time"}


def is_closed(answer: dict[str, Json]) -> bool:
    """Whether an answer of `get` tells that the workflow has closed."""
    return answer["status"] == 200 and answer["body"].get("workflowStatus") not in _OPEN


def fulfils(answer: dict[str, Json], condition: Condition, placeholders: Placeholders) -> bool:
    """Whether an answer contains what a condition asks for."""
    if condition.status is not UNSET and answer["status"] != condition.status:
        return False
    if condition.body is not UNSET and not contains(answer.get("body"), placeholders.fill(condition.body)):
        return False
    return condition.not_ is UNSET or not contains(answer, placeholders.fill(condition.not_))


def _answer(response: httpx.Response) -> dict[str, Json]:
    answer: dict[str, Json] = {"status": response.status_code}
    try:
        answer["body"] = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        answer["text"] = response.content.decode(errors="replace")
    content_type = response.headers.get("content-type", "")
    if content_type.replace(" ", "").lower() != _USUAL_CONTENT_TYPE:
        answer["contentType"] = content_type
    return answer
