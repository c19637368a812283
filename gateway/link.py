"""The link between the control process and one worker: typed messages over a private socket pair.

A message is a frozen ``msgspec`` struct, framed by a four-octet length. Writing never waits: what is sent in one
turn of the loop goes out as one write at the end of it, because each write may wake the other end. When the other
end dies the iterator ends, which is how either side learns of a death.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar, cast

import msgspec

Incoming = TypeVar("Incoming")
_LENGTH = struct.Struct("!I")


class Link(asyncio.Protocol, Generic[Incoming]):
    """One end of the link; ``incoming`` is the union of message types that the other end sends."""

    def __init__(self, incoming: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder()
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._received = bytearray()
        self._inbox: deque[Incoming] = deque()
        self._news = asyncio.Event()
        self._outbox: list[bytes] = []

    @classmethod
    async def open(cls, end: socket.socket, incoming: Any) -> Link[Incoming]:
        """Take over one end of a socket pair."""
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: cls(incoming), sock=end)
        return link

    def send(self, message: msgspec.Struct) -> None:
        """Queue a message. Silently void once the other end is gone: the reading loop reports that."""
        if not self._outbox:
            self._loop.call_soon(self._flush)
        body = self._encoder.encode(message)
        self._outbox += (_LENGTH.pack(len(body)), body)

    async def __aiter__(self) -> AsyncIterator[Incoming]:
        """Messages in order, until the other end closes or dies."""
        async for messages in self.batches(1):
            yield messages[0]

    async def batches(self, most: int) -> AsyncIterator[list[Incoming]]:
        """The same, those that are there at once, ``most`` of them."""
        inbox = self._inbox
        while True:
            while inbox:
                yield [inbox.popleft() for _ in range(min(most, len(inbox)))]
            if self._gone.done():
                return
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Close this end; the other end's loop stops."""
        self._flush()
        assert self._transport is not None
        self._transport.close()
        await asyncio.wait({self._gone})

    def _flush(self) -> None:
        assert self._transport is not None
        if self._outbox and not self._transport.is_closing():
            self._transport.write(b"".join(self._outbox))
        self._outbox.clear()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The link stands."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        """Messages, whole or in part."""
        received = self._received
        received += data
        begin, end = 0, len(received)
        while end - begin >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received, begin)
            if end - begin < _LENGTH.size + length:
                break
            begin += _LENGTH.size
            self._inbox.append(self._decoder.decode(received[begin : begin + length]))
            begin += length
        del received[:begin]
        self._news.set()

    def connection_lost(self, _error: Exception | None) -> None:
        """The other end has closed or died; or this one was closed."""
        self._gone.set_result(None)
        self._news.set()
