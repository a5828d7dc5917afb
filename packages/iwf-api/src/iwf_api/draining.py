"""What clients are answered when the server stops.

A client that waits for a workflow may wait for most of a minute, longer than a stopping server stays. It is
answered as if its time were over, which every SDK takes as a reason to ask again, then of another process.
Every other request goes on; one that is cut off in the end is answered so.
"""

from contextlib import suppress

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from iwf_api.errors import ServerStopped, answer
from iwf_api.json_answers import send_json
from iwf_interpreter.engine import WaitTimedOut
from iwf_models import codec

LONG_POLLS = frozenset(
    {"/api/v1/workflow/getWithWait", "/api/v1/workflow/waitForStateCompletion"},
)
"""Paths whose answer may take long and that their callers repeat."""


class LongPollDrain:
    """An application that can be told to answer the long polls of another one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._is_draining = False
        self._polls: set[anyio.CancelScope] = set()

    def drain(self) -> None:
        """Answer all long polls now, and later ones as they come."""
        self._is_draining = True
        for poll in self._polls:
            poll.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].rstrip("/") in LONG_POLLS:
            await self._poll(scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            except anyio.get_cancelled_exc_class():
                # The server has waited long enough. Nothing is above this call that would have to know.
                with anyio.CancelScope(shield=True), suppress(RuntimeError):
                    # It is one when the answer has begun.
                    await _send_error(send, ServerStopped())

    async def _poll(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_whole(message: Message) -> None:
            # An answer that has begun is sent to its end.
            self._polls.discard(poll)
            await send(message)

        with anyio.CancelScope() as poll:
            self._polls.add(poll)
            if self._is_draining:
                poll.cancel()
            try:
                await self._app(scope, receive, send_whole)
            finally:
                self._polls.discard(poll)
        if poll.cancelled_caught:
            await _send_error(send, WaitTimedOut())


async def _send_error(send: Send, error: Exception) -> None:
    status, response = answer(error)
    await send_json(send, status, codec.encode(response))
