"""One client's connection: uvicorn's HTTP protocol, with limits on what a client may cost.

uvicorn itself limits only how long a connection may idle between two requests. What must stay true: requests
that come in one piece pay for nothing here but a few assignments, since `Connection.watch` looks at the clock
for all connections twice a second; a client is never answered 400 in place of an answer that is on its way.
"""

import asyncio
import re
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from iwf_api.errors import InvalidRequest, answer
from iwf_api.settings import ConnectionLimits
from iwf_models import codec

_BYTES_PER_SECOND = 16 * 1024
"""A client that is so fast has all the time that it needs."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


_COMPLETE, _HEAD, _BODY = range(3)
"""Where the newest message of a connection is. Plain numbers, since they are set for every request."""


class ConnectionConfig(uvicorn.Config):
    """uvicorn's configuration, with the limits of connections."""

    limits: ConnectionLimits = ConnectionLimits()


class Connection(HttpToolsProtocol):
    """A connection that keeps its client within the limits."""

    def __init__(
        self,
        config: ConnectionConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = config.limits
        self._stage = _COMPLETE
        self._messages = 0
        self._has_cycle = False
        """Whether there has been a request."""
        self._received = 0
        """Bytes of the body; of the head, with all of the chunk in which it has begun."""
        self._first_chunk = 0
        """Bytes of that one."""
        self._around = 0
        """Bytes of the body that are not data: sizes of chunks, and headers behind them."""
        self._chunk = 0
        """Bytes of the chunk that is being read."""
        self._refusal = ""
        """Why the message cannot be read, if uvicorn has not found it out itself."""
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0
        """When the stage was looked at for the first time."""
        self._most_unread = 0
        """Size of the answers that the client does not read, at its highest; 0 when it reads."""
        self._unread_since = 0.0

    # What the client sends

    def data_received(self, data: bytes) -> None:
        if self._stage != _BODY and b"pgrade" in data:
            data = _without_upgrade(data)
        self._chunk = len(data)
        before = self._stage
        super().data_received(data)
        if self._stage == _HEAD:
            self._received += len(data)
            self._check_unfinished_head()
        elif self._stage == _BODY == before:
            self._check_unfinished_body()

    def on_message_begin(self) -> None:
        self._stage = _HEAD
        self._messages += 1
        self._received = 0
        self._first_chunk = self._chunk
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        limits = self._limits
        if len(self.headers) > limits.max_headers:
            self._refuse_headers()
        elif self._received + self._chunk > limits.max_head_bytes:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > limits.max_head_bytes:
                self._refuse_head()
        super().on_headers_complete()
        self._stage = _BODY
        self._has_cycle = True
        self._received = 0
        self._around = 0

    def on_body(self, body: bytes) -> None:
        self._received += len(body)
        self._around -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stage = _COMPLETE
        super().on_message_complete()

    def _check_unfinished_head(self) -> None:
        try:
            if self._received - self._first_chunk > self._limits.max_head_bytes:
                self._refuse_head()
            if len(self.headers) > self._limits.max_headers:
                self._refuse_headers()
        except _Refused:
            self.send_400_response("")

    def _check_unfinished_body(self) -> None:
        self._around += self._chunk
        # The smallest chunk has one byte of data in six.
        if self._around > self._limits.max_head_bytes + 8 * self._received:
            self._refusal = f"the body has more than {self._limits.max_head_bytes} bytes around its data"
            self.send_400_response("")

    def _refuse_head(self) -> None:
        self._refusal = f"request line and headers are longer than {self._limits.max_head_bytes} bytes"
        raise _Refused

    def _refuse_headers(self) -> None:
        self._refusal = f"the request has more than {self._limits.max_headers} headers"
        raise _Refused

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, after the answers to what could, and close the connection."""
        if self.transport.is_closing():
            return
        if self._is_answering():
            # The client would take a refusal for the answer.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if self._is_answered_early():
            self.transport.close()
            return
        _, error = answer(InvalidRequest(self._refusal or "the request is not HTTP"))
        body = codec.encode(error)
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()

    def _is_answering(self) -> bool:
        """Whether a request has been read that is not answered yet."""
        return self._has_cycle and not self.cycle.response_complete and not self.cycle.more_body

    def _is_answered_early(self) -> bool:
        """Whether there is an answer already, and the rest of the body is read only to get rid of it."""
        return self._stage == _BODY and self.cycle.response_complete

    # What the clock says

    def watch(self, now: float) -> None:
        """Look whether the client takes longer than it may; to be called every now and then.

        Args:
            now: By any clock that never goes back.
        """
        if self._leaves_answers_unread(now):
            self.transport.abort()
        elif not self.transport.is_closing() and self._sends_too_slowly(now):
            if self._stage == _COMPLETE:
                # It has asked for nothing.
                self.transport.close()
            else:
                self._refusal = "the request came too slowly"
                self.send_400_response("")

    def _leaves_answers_unread(self, now: float) -> bool:
        unread = self.transport.get_write_buffer_size()
        if unread and not self._most_unread:
            self._unread_since = now
        self._most_unread = max(self._most_unread, unread) if unread else 0
        read = self._most_unread - unread
        return bool(unread) and now - self._unread_since > _allowed(self._limits.answer_seconds, read)

    def _sends_too_slowly(self, now: float) -> bool:
        seen = (self._stage, self._messages)
        if seen != self._seen or self._is_not_up_to_client():
            self._seen, self._seen_at = seen, now
            return False
        if self._stage != _BODY:
            allowed = self._limits.head_seconds
        elif self._is_answered_early():
            allowed = self._limits.body_seconds
        else:
            allowed = _allowed(self._limits.body_seconds, self._received)
        return now - self._seen_at > allowed

    def _is_not_up_to_client(self) -> bool:
        """Whether nothing is expected of the client now, or uvicorn sees to it."""
        idles = self.timeout_keep_alive_task is not None and self._stage == _COMPLETE
        return self.flow.read_paused or idles or self._is_answering()


class _Refused(Exception):
    """Makes the parser stop."""


def _without_upgrade(data: bytes) -> bytes:
    """Hide the wish to speak another protocol, or the parser takes the body for the other protocol's.

    Java's own HTTP client has that wish, HTTP/2, with every first request of a connection.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest


def _allowed(seconds: float, moved: int) -> float:
    """How long something may take of which so many bytes have been moved."""
    return seconds + moved / _BYTES_PER_SECOND
