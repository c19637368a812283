"""One HTTP connection: uvicorn's httptools protocol, with an end to what a client may keep us waiting for.

uvicorn limits neither the size of a request's head nor the time it takes to arrive; both are memory and file
descriptors that a careless client could use up.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.api.problems import MEDIA_TYPE, Problem
from gateway.errors import KINDS

HEAD_OCTETS: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0


class Connection(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long or too slow; says 400 to what is not
    HTTP."""

    _head_octets = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request's head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head."""
        if self._in_head:
            self._head_octets += len(data)
        super().data_received(data)
        if self._in_head and self._head_octets > HEAD_OCTETS and not self.transport.is_closing():
            self.send_400_response(f"A request's head may have {HEAD_OCTETS} octets")

    def on_message_begin(self) -> None:
        """A new request on this connection."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """From here on it is the application's."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read as HTTP, in the shape of all error answers."""
        body = Problem("bad_request", KINDS["bad_request"], msg).body(None, None)
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _await_head(self) -> None:
        self._stop_timer()
        self._in_head = True
        self._head_octets = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
