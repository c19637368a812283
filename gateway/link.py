"""The link between the control process and one worker: typed messages over a private socket pair.

A message is a frozen ``msgspec`` struct, framed by a four-octet length. Writing never waits; reading is one
loop. When the other end dies the iterator ends, which is how either side learns of a death.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import msgspec

Incoming = TypeVar("Incoming")
_LENGTH = struct.Struct("!I")
LARGEST = 16 * 1024 * 1024


class Link(Generic[Incoming]):
    """One end of the link; ``incoming`` is the union of message types that the other end sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder()

    @classmethod
    async def open(cls, end: socket.socket, incoming: Any) -> Link[Incoming]:
        """Take over one end of a socket pair."""
        end.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=end, limit=LARGEST)
        return cls(reader, writer, incoming)

    def send(self, message: msgspec.Struct) -> None:
        """Queue a message. Silently void once the other end is gone: the reading loop reports that."""
        if self._writer.is_closing():
            return
        body = self._encoder.encode(message)
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def __aiter__(self) -> AsyncIterator[Incoming]:
        """Messages in order, until the other end closes or dies."""
        while True:
            try:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                body = await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield self._decoder.decode(body)

    async def close(self) -> None:
        """Close this end; the other end's loop stops."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
