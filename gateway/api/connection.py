"""One HTTP connection: uvicorn's httptools protocol, with an end to what a client may keep us waiting for.

uvicorn limits neither the size of a request's head nor the time it takes to arrive, nor how many connections
there are; all are memory and file descriptors that a careless client could use up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.api.problems import MEDIA_TYPE, Problem
from gateway.errors import KINDS

HEAD_OCTETS: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0
BREAK_OFF: Final = "voxtrunk.break_off"
"""In a request's ``extensions``; its ``now`` is to be called when the answer that has begun cannot go on."""


@dataclass(slots=True)
class Room:
    """How many connections there may be, in all and of one client's address, and how many there are."""

    most: int = 16_384
    most_of_one: int = 4096
    taken: int = 0
    refused: int = 0
    clients: Counter[str] = field(default_factory=Counter)

    def enter(self, client: str) -> bool:
        """Whether there is room for one more; if so, it is counted."""
        if self.taken >= self.most or self.clients[client] >= self.most_of_one:
            self.refused += 1
            return False
        self.taken += 1
        self.clients[client] += 1
        return True

    def leave(self, client: str) -> None:
        """One less."""
        self.taken -= 1
        self.clients[client] -= 1
        if not self.clients[client]:
            del self.clients[client]


class Connection(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long or too slow; says 400 to what is not
    HTTP."""

    _head_octets = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None
    _leave: Callable[[], None] | None = None

    def __init__(self, room: Room, **more: Any) -> None:
        super().__init__(**more)
        self._room = room

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request's head, or say 503 when there is no room."""
        peer = transport.get_extra_info("peername")
        client = str(peer[0]) if peer else ""
        if not self._room.enter(client):
            transport.write(_FULL)
            transport.close()
            return
        self._leave = partial(self._room.leave, client)
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._stop_timer()
        if self._leave is not None:
            self._leave()
            super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The connection goes on as a WebSocket, and counts as one."""
        super().handle_websocket_upgrade()
        socket = self.transport.get_protocol()
        assert isinstance(socket, Socket)
        socket.leave = self._leave

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
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            # no message of ASGI's says that an answer is to end before its end
            self.scope["extensions"] = {BREAK_OFF: {"now": partial(self._break_off, cycle)}}

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read as HTTP, in the shape of all error answers."""
        self.transport.write(_answer("400 Bad Request", Problem("bad_request", KINDS["bad_request"], msg)))
        self.transport.close()

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        """The connection ends in the midst of this answer, as if its client had left."""
        cycle.disconnected = True
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


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket that was a connection; ``leave`` is called once it is none any more."""

    leave: Callable[[], None] | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """A refusal that is whole ends the handshake; uvicorn would log each as an error of the application's."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            self.handshake_complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        """There is room for another."""
        super().connection_lost(exc)
        if self.leave is not None:
            self.leave()


def _answer(status: str, problem: Problem) -> bytes:
    """A whole answer, made without an application."""
    body = problem.body(None, None)
    head = [f"HTTP/1.1 {status}", f"content-type: {MEDIA_TYPE}", f"content-length: {len(body)}"]
    head += [f"{name.lower()}: {value}" for name, value in problem.headers.items()]
    return "\r\n".join([*head, "connection: close", "\r\n"]).encode("ascii") + body


_FULL: Final = _answer(
    "503 Service Unavailable",
    Problem(
        "unavailable",
        KINDS["unavailable"],
        "Too many connections are open (VOXTRUNK_HTTP_CONNECTIONS, VOXTRUNK_HTTP_CONNECTIONS_PER_CLIENT)",
        headers={"Retry-After": "1"},
    ),
)
