"""Writing a JSON answer without a response object, which costs more than most operations."""

from starlette.types import Send

JSON = "application/json; charset=utf-8"
"""Content type of every answer of the API; the Go SDK reads no body with another one."""


async def send_json(send: Send, status: int, body: bytes) -> None:
    """Send a whole answer."""
    headers = [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
