"""One WebSocket to a provider: clauses go out on it, what comes is handed to the clause that it is about."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tts_core.remote.asking import Line, Talking, Timbre, Told, Unanswered
from tts_core.remote.refusals import by_close, shown
from tts_core.remote.seats import Seat

_log = logging.getLogger(__name__)
_CUT_S = 2.0
"""What is not confirmed to be cut by then makes the socket useless."""
_MOST_UNASKED = 2_000_000
"""Octets that nobody has asked for, or wants any more."""


class Broken(Unanswered):
    """The socket ended before the clause did."""


class Speaking:
    """A clause on a socket: what is told of it, in order. `heard`: something was."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard = self.ended = False
        self.told: asyncio.Queue[Told | Unanswered] = asyncio.Queue()
        self.cutting: asyncio.TimerHandle | None = None

    async def next(self) -> Told:
        """What is told next. Raises Unanswered."""
        told = await self.told.get()
        if isinstance(told, Unanswered):
            raise told
        self.heard = True
        return told


class Socket:
    """An open one, and its `seat`. `freed` is called when a clause has ended on it."""

    def __init__(
        self, socket: ClientConnection, talking: Talking, seat: Seat, key: str, freed: Callable[[Seat], None]
    ) -> None:
        self.seat = seat
        self._socket, self._talking, self._key, self._freed = socket, talking, key, freed
        self._names = map(str, itertools.count(1))
        self._speaking: dict[str, Speaking] = {}
        self._unasked = 0  # octets since a clause was asked for
        self._stray = False  # an end is owed to a clause that was cut, and may come late
        self._sending: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Hand out what comes, until it ends, by whoever's hand."""
        end: Unanswered = Broken("broken", "its socket was closed")
        try:
            async for message in self._socket:
                if not self._hand(self._talking.told(message)):
                    self._unasked += len(message)
                if self._unasked > _MOST_UNASKED:
                    raise Unanswered("garbage", "it speaks unasked")
        except ConnectionClosed:
            pass
        except Unanswered as garbage:
            end = garbage
        except Exception as unforeseen:
            _log.exception("a message was not understood")
            end = Unanswered("garbage", f"its message was not understood: {unforeseen!r}")
        finally:
            self.seat.retired = True
            code, reason = self._socket.close_code, self._socket.close_reason or ""
            if isinstance(end, Broken) and code is not None:
                end = Broken(
                    by_close(code, reason), f"it closed its socket ({code} {shown(reason, self._key)})"
                )
            for speaking in tuple(self._speaking.values()):
                self._end(speaking, end)
            await self.close()

    async def say(self, line: Line, timbre: Timbre) -> Speaking:
        """Ask for a clause, for which a place was taken. Raises Unanswered when it is closed."""
        speaking = Speaking(next(self._names))
        self._unasked = 0
        self._speaking[speaking.name] = speaking
        try:
            for message in self._talking.say(speaking.name, line, timbre):
                await self._socket.send(message)
        except ConnectionClosed:
            self._end(speaking, Broken("broken", "its socket was closed"))
        except BaseException:
            self.seat.retired = True  # who knows how much of it was sent
            self.leave(speaking)
            raise
        return speaking

    def leave(self, speaking: Speaking) -> None:
        """Nobody listens to it any more: what comes of it is dropped, and it is cut if it has not ended."""
        if speaking.ended:
            return
        if not self._talking.cut_by:
            self._free(speaking)
        else:
            self.seat.doubted += not speaking.heard
            self._stray = self._talking.cut_by == "cut"
            loop = asyncio.get_running_loop()
            speaking.cutting = loop.call_later(_CUT_S, self._uncut, speaking)
        if message := self._talking.cut(speaking.name):
            self._send(message)

    def stay(self) -> None:
        """Tell the provider that it is still wanted."""
        if message := self._talking.stay():
            self._send(message)

    async def close(self) -> None:
        """Close it."""
        for task in self._sending:
            task.cancel()
        await self._socket.close()

    def _hand(self, told: Told) -> bool:
        """Whether somebody wanted it."""
        alone = next(iter(self._speaking), "") if self._talking.most == 1 else ""
        speaking = self._speaking.get(told.clause or alone)
        if told.trouble and not told.clause:  # it is about all of them
            self.seat.retired = True
            for each in tuple(self._speaking.values()):
                self._end(each, self._error(told))
        if speaking is None or speaking.ended:
            if told.octets and not told.clause:  # whose would the next be?
                self.seat.retired = True
            return False
        if speaking.cutting is not None:
            if told.trouble or getattr(told, self._talking.cut_by):
                self.seat.doubted -= not speaking.heard
                self._free(speaking)
            return False
        if told.trouble:
            self._end(speaking, self._error(told))
        elif told.over and self._stray and not speaking.heard:
            self._stray = False
        elif told.octets or told.over:
            self._stray = self._stray and not told.octets
            speaking.told.put_nowait(told)
            if told.over:
                self._free(speaking)
        return True

    def _error(self, told: Told) -> Unanswered:
        kind = Broken if told.trouble == "broken" else Unanswered
        return kind(told.trouble, f"it said {shown(told.said, self._key)}")

    def _end(self, speaking: Speaking, error: Unanswered) -> None:
        speaking.told.put_nowait(error)
        self._free(speaking)

    def _free(self, speaking: Speaking) -> None:
        if speaking.ended:
            return
        speaking.ended = True
        if speaking.cutting is not None:
            speaking.cutting.cancel()
        del self._speaking[speaking.name]
        self._freed(self.seat)

    def _uncut(self, speaking: Speaking) -> None:
        self.seat.retired = True
        self._free(speaking)

    def _send(self, message: str) -> None:
        async def send() -> None:
            with contextlib.suppress(ConnectionClosed):  # `listen` sees it too
                await self._socket.send(message)

        task = asyncio.get_running_loop().create_task(send())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
