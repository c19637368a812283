"""A provider over WebSockets: a pool of them that are open before they are needed, and kept open.

What to open, keep and close is decided in `seats`, what to say on one by its Talking; here it is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from tts_core.remote.asking import Expand, Heard, Line, Talking, Timbre, Unanswered
from tts_core.remote.octets import telephone
from tts_core.remote.refusals import refusal
from tts_core.remote.seats import Seat, Seats
from tts_core.remote.socket import Broken, Socket
from tts_core.remote.timed import Timed

_log = logging.getLogger(__name__)
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.WARNING)  # websockets would log headers, with the key, and what is said
_CONNECT_S = 3.0
_LOOKS_S = 0.5
_MOST_SOCKETS = 64
_LARGEST_MESSAGE = 4_000_000
_PING_S = 20.0
_CLOSE_S = 1.0


class _Connect(connect):
    """It goes nowhere else: a key may be in any of its headers."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """A redirect is no socket."""
        return exc


class Sockets:
    """See Way. `limit`: requests at once, 0 for any number; `home`: lines' addresses that are kept warm for ever;
    `well`: whether the provider is not left alone just now.
    """

    def __init__(
        self,
        base_url: str,
        talking: Talking,
        key: str,
        expand: Expand,
        limit: int,
        home: Iterable[str],
        well: Callable[[], bool],
    ) -> None:
        self._base_url = "ws" + base_url.removeprefix("http")
        self._talking, self._key, self._expand, self._well = talking, key, expand, well
        self._seats = Seats(talking.most, talking.a_minute, limit or _MOST_SOCKETS, home)
        self._strict = limit > 0
        self._moved = asyncio.Event()
        self._sockets: dict[Seat, Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: set[asyncio.Task[None]] = set()  # each ends with its socket, and only so
        self._keeper: asyncio.Task[None] | None = None

    async def hear(self, line: Line, timbre: Timbre) -> AsyncGenerator[tuple[Heard, int], None]:
        """See Way. A socket that was found closed as a clause went to it is no answer: another is asked."""
        if self._keeper is None:
            self._keeper = self._spawn(self._keep())
        address = self._talking.address(line, timbre)
        fresh = False
        while True:
            seat = None if fresh else await self._free(address)
            fresh = seat is None
            socket = self._sockets[seat] if seat is not None else await self._open(address)
            self._seats.take(socket.seat, self._now())
            speaking = await socket.say(line, timbre)
            reader = Timed(telephone(self._talking.law, self._expand, {}))
            try:
                while True:
                    told = await speaking.next()
                    yield reader.read(told.octets, told.chars, told.starts), reader.rate
                    if told.over:
                        break
                yield reader.end(), reader.rate
                return
            except Broken as broken:
                if fresh or speaking.heard or broken.kind != "broken":
                    raise
                fresh = True
            finally:
                socket.leave(speaking)

    async def _free(self, address: str) -> Seat | None:
        """A socket with room; None when another is to be opened. Where no more may be, one is waited for."""
        while (
            (seat := self._seats.free(address, self._now())) is None and self._strict and self._seats.full()
        ):
            await self._moved.wait()
        return seat

    async def close(self) -> None:
        """See Way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in self._sockets.values()))
        await asyncio.gather(*self._listening)

    # -- the pool -----------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            due = self._seats.due(self._now())
            for seat in due.close:
                self._spawn(self._sockets[seat].close())
            for seat in due.stay:
                self._sockets[seat].stay()
            for address in due.open:
                self._spawn(self._open_ahead(address))
            await asyncio.sleep(_LOOKS_S)

    async def _open_ahead(self, address: str) -> None:
        try:
            if self._well():
                await self._open(address)
            else:
                self._seats.failed(address, self._now())
        except Unanswered as error:
            _log.debug("no socket was opened ahead: %s", error)

    async def _open(self, address: str) -> Socket:
        """A socket more. Raises Unanswered."""
        if (idle := self._seats.crowded()) is not None:
            self._seats.gone(idle, self._now())
            self._spawn(self._sockets[idle].close())
        self._seats.opening(address)
        try:
            connection = await self._connected(address)
        except BaseException as error:
            self._seats.failed(address, self._now(), getattr(error, "wait_s", 0.0))
            raise
        seat = self._seats.opened(address, self._now())
        socket = Socket(connection, self._talking, seat, self._key, self._freed)
        self._sockets[seat] = socket
        listening = asyncio.get_running_loop().create_task(self._listen(socket))
        self._listening.add(listening)
        listening.add_done_callback(self._listening.discard)
        return socket

    async def _connected(self, address: str) -> ClientConnection:
        try:
            return await _Connect(
                self._base_url + address,
                additional_headers=self._talking.headers(self._key),
                compression=None,
                open_timeout=_CONNECT_S,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                close_timeout=_CLOSE_S,
                logger=_silent,
                max_size=_LARGEST_MESSAGE,
            )
        except InvalidStatus as refused:
            answer = refused.response
            said = (answer.body or b"").decode("utf-8", "replace")
            wait = answer.headers.get("Retry-After", "")
            raise refusal(answer.status_code, said, wait, self._key) from None
        except (OSError, TimeoutError) as unreachable:
            raise Unanswered("unreachable", f"it cannot be reached: {unreachable!r}") from None
        except InvalidHandshake as strange:
            raise Unanswered("garbage", f"it opened no WebSocket: {strange!r}") from None
        except WebSocketException as broken:
            raise Unanswered("broken", f"it broke off: {broken!r}") from None

    async def _listen(self, socket: Socket) -> None:
        try:
            await socket.listen()
        finally:
            self._seats.gone(socket.seat, self._now())
            del self._sockets[socket.seat]
            self._move()

    def _freed(self, seat: Seat) -> None:
        self._seats.leave(seat, self._now())
        self._move()

    def _move(self) -> None:
        """Whoever waits for a socket looks again."""
        self._moved.set()
        self._moved = asyncio.Event()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_reported)
        return task


def _reported(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("sockets are looked after no more", exc_info=error)
