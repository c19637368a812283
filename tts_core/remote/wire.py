"""The thread that talks to providers: one loop, a way to each of them, answers read as they come."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from tts_core.engine import Arrival, Pcm
from tts_core.remote.asking import Heard, Line, Provider, Timbre, Unanswered, Way
from tts_core.remote.desk import Desk

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a provider is waited for, in seconds: for a first octet, and for audio that is due."""

    first_s: float = 1.5
    stall_s: float = 0.5


class Answer(Arrival):
    """What a provider says, as it comes. `pieces` are taken by one thread and put by another.

    `rate` Hz is known with the first piece; `onsets` has (character, sample) of those that are known. `over`: no
    more will come; `error`: because of this.
    """

    def __init__(self) -> None:
        self.rate = 0
        self.onsets: list[tuple[int, int]] = []
        self.over = False
        self.error: Unanswered | None = None
        self._pieces: deque[Pcm] = deque()
        self._lock = threading.Lock()
        self._here = threading.Event()
        self._waiting: list[Callable[[], None]] = []
        self.stop: Callable[[], None] | None = None
        """What ends the request."""

    @property
    def here(self) -> bool:
        """See Arrival: there is something to take, or no more will come."""
        return bool(self._pieces) or self.over

    def take(self) -> Pcm | None:
        """The next piece, int16[n]; None when there is none now."""
        with self._lock:
            piece = self._pieces.popleft() if self._pieces else None
            if not self.here:
                self._here.clear()
        return piece

    def when(self, came: Callable[[], None]) -> None:
        """See Arrival."""
        with self._lock:
            if not self.here:
                self._waiting.append(came)
                return
        came()

    def result(self) -> None:
        """See Arrival."""
        self._here.wait()

    def drop(self) -> None:
        """Nobody wants it any more."""
        if self.stop is not None and not self.over:
            self.stop()

    # -- in the wire's thread -----------------------------------------------------------------------------

    def put(self, pcm: Pcm, onsets: tuple[tuple[int, int], ...], rate: int) -> None:
        """Another piece, which may be empty."""
        self.onsets.extend(onsets)
        self.rate = rate
        if len(pcm):
            self._tell(lambda: self._pieces.append(pcm))

    def close(self, error: Unanswered | None) -> None:
        """No more will come."""

        def end() -> None:
            self.error, self.over = error, True

        self._tell(end)

    def _tell(self, change: Callable[[], None]) -> None:
        with self._lock:
            change()
            self._here.set()
            waiting, self._waiting = self._waiting, []
        for came in waiting:
            came()


class First(Arrival):
    """Whichever of a few comes first."""

    def __init__(self, arrivals: Iterable[Arrival]) -> None:
        self._arrivals = tuple(arrivals)

    @property
    def here(self) -> bool:
        """See Arrival."""
        return any(each.here for each in self._arrivals)

    def when(self, came: Callable[[], None]) -> None:
        """See Arrival."""
        once = threading.Lock()  # taken by the first, and never given back

        def first() -> None:
            if once.acquire(blocking=False):
                came()

        for each in self._arrivals:
            each.when(first)

    def result(self) -> None:
        """See Arrival."""
        here = threading.Event()
        self.when(here.set)
        here.wait()


class Wire:
    """The thread and its loop. `close` ends both; what is under way ends as dropped."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ways: list[Way] = []
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def take(self, way: Way) -> Way:
        """A way to a provider, which ends with this."""
        self._ways.append(way)
        return way

    def spawn(self, work: Coroutine[Any, Any, None]) -> Callable[[], None]:
        """Run `work` in the loop, from any thread; returns what cancels it."""
        held: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = self._loop.create_task(work)
            held.append(task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._loop.call_soon_threadsafe(begin)

        def cancel() -> None:  # a turn later: a task cancelled before its first step never runs its end
            self._loop.call_soon_threadsafe(lambda: self._loop.call_soon(held[0].cancel))

        return cancel

    def after(self, seconds: float) -> Answer:
        """What is here, and over, after so long."""
        timer = Answer()
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, timer.close, None)
        return timer

    def close(self) -> None:
        """End all of it."""
        if self._loop.is_closed():
            return

        async def end() -> None:
            tasks = [task for task in self._tasks if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for failed in await asyncio.gather(*(way.close() for way in self._ways), return_exceptions=True):
                if isinstance(failed, Exception):
                    _log.error("a way to a provider did not close", exc_info=failed)
            await asyncio.sleep(0)  # transports that were just closed tell so
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join(2)


@dataclass(frozen=True, slots=True)
class Peer:
    """One provider as it is asked, by its `way`, while there is `room`."""

    provider: Provider
    desk: Desk
    way: Way
    patience: Patience
    room: contextlib.AbstractAsyncContextManager[Any]


async def fetch(answer: Answer, line: Line, timbre: Timbre, peer: Peer, most_s: float) -> None:
    """Ask, and put what comes into `answer`. More than `most_s` of audio is no answer."""
    desk = peer.desk
    error: Unanswered | None = Unanswered("dropped", "nobody waited for it")
    try:
        await _read(answer, line, timbre, peer, most_s)
        error = None
    except Unanswered as known:
        error = Unanswered(known.kind, f"{desk.name}: {known}", known.wait_s)
    except Exception as unforeseen:
        _log.exception("an answer of %s was not understood", desk.name)
        error = Unanswered("garbage", f"{desk.name}: its answer was not understood: {unforeseen!r}")
    finally:
        desk.over(error)
        answer.close(error)


async def _read(answer: Answer, line: Line, timbre: Timbre, peer: Peer, most_s: float) -> None:
    patience, begun = peer.patience, False
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(loop.time() + patience.first_s) as limit, peer.room:
            begun = True
            limit.reschedule(loop.time() + patience.first_s)  # whoever waited for room waited for us
            async with contextlib.aclosing(peer.way.hear(line, timbre)) as hearing:
                await _heard(answer, hearing, peer, most_s, limit)
    except TimeoutError:
        if begun:
            raise Unanswered("late", "it was late (first_byte_ms, stall_ms)") from None
        raise Unanswered("held", "as much as may be is under way (at_once)") from None


async def _heard(
    answer: Answer,
    hearing: AsyncIterator[tuple[Heard, int]],
    peer: Peer,
    most_s: float,
    limit: asyncio.Timeout,
) -> None:
    loop = asyncio.get_running_loop()
    began, first, audio_s = loop.time(), 0.0, 0.0
    async for heard, rate in hearing:
        answer.put(heard.pcm, heard.onsets, rate)
        audio_s += len(heard.pcm) / rate
        if not first and audio_s:
            first = loop.time()
            peer.desk.heard(first - began)
        if audio_s > most_s:
            raise Unanswered("garbage", f"it does not stop: {audio_s:.0f} s for a clause")
        if first:  # what is said is heard from `first` on: by then more must be there
            limit.reschedule(first + audio_s + peer.patience.stall_s)
    if not audio_s:
        raise Unanswered("broken", "it answered nothing")
