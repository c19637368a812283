"""Speech for clients that listen themselves, by HTTP, WebSocket or gRPC ("doors"): a leg that is no telephone's.

    async with here.studio.take("openai", owner=key.name, owner_limit=key.max_calls) as take:
        await take.say(Say(requested_ns=…, script=Script.from_text(text), text=text))
        async for octets in take:        # G.711 of the codec asked for, whole 20 ms: all that is made by now
            …

    async with here.studio.take("elevenlabs", codec="PCMA", voice="neural:en-us-slt") as take:
        utterance = await take.open_text(rate=1.1)      # a text that is being written, clause by clause
        take.write(utterance.id, "Hello there, ")       # .flush, .end, and ``await take.clear`` (take it back)
        async for item in take.items():                 # octets, and what is told of them, in order
            match item:
                case bytes(): …
                case Told(id=uid, kind="word", data=data): …      # word, start_ms, end_ms, char_start, char_end
                case Told(kind="utterance.finished" | "utterance.stopped" | "utterance.failed"): …
        async for batch in take.batches():              # the same, all that is there by now at once

A take is a leg in the booth (``gateway.calls.booth``): it speaks, queues, is cut, cached and handed to another
worker as any leg is, and what is said is octet for octet what an RTP leg is sent, without the silence around it.
Times are of the utterance's audio. Told of an utterance are ``utterance.started``, ``word``, ``utterance.mark``
(name, at_ms), ``paused`` and ``resumed`` (of a writer who is far ahead), then its end; each after the octets that
it is about.

The client's pace is the take's: what he does not take in is not made, beyond ``BUFFER_OCTETS`` and a ring. Leave
the context when he goes away, and nothing more is made. Errors are ``errors.Refusal``: from entering and ``say``
as from opening a call and queueing an utterance (503 ``at_capacity``, ``draining``, ``unavailable``, 429
``too_many_calls``), from iterating when speech fails (``speech_failed``) or the gateway ends the take.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from gateway.calls.call import Call
from gateway.calls.life import ENDS
from gateway.calls.requests import Codec, OpenCall, Say
from gateway.errors import Refusal
from tts_core import Script
from tts_core.script import Manner
from tts_core.voices import chosen

if TYPE_CHECKING:
    from gateway.calls.actions import Publish
    from gateway.calls.switchboard import Switchboard
    from gateway.calls.utterance import Utterance

BUFFER_OCTETS: Final = 80_000
"""10 s: what waits for a client at most."""
_TOGETHER_OCTETS: Final = 8000
"""Of audio handed on together: 1 s, so that no message of any surface is too long for its client."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something told of the utterance ``id``."""

    id: str
    kind: str
    data: Mapping[str, object]


Batch = list[bytes | Told]
Permit = Callable[[str, Script | None], None]
"""Takes (voice, script); raises Refusal where that voice may not say it."""


def octets_of(batch: Batch) -> bytes:
    """All the audio of a batch."""
    return b"".join(item for item in batch if isinstance(item, bytes))


def _everything(voice: str, script: Script | None) -> None:
    """Every voice may."""


class Studio:
    """Opens takes on a switchboard."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard

    def voice(self, name: str | None = None, language: str | None = None, *, field: str = "voice") -> str:
        """The voice of this name (None: the default), or the one to speak ``language`` (BCP 47) in its place.

        Refusal ``unknown_voice``; ``field`` is the request's that names it.
        """
        workers = self._switchboard.workers
        wanted = workers.check_voice(name or self._switchboard.settings.default_voice, field)
        if language is None:
            return wanted
        offered = {voice.name: voice for voice in workers.voices()}
        found = chosen(offered, Manner(language=language), wanted)
        if found is None:
            raise Refusal("unknown_voice", f"No voice speaks {language!r}", field="language")
        return found

    def take(
        self,
        door: str,
        *,
        owner: str = "",
        owner_limit: int = 0,
        voice: str | None = None,
        codec: Codec = "PCMU",
        permit: Permit = _everything,
        words: bool = True,
    ) -> Take:
        """A take, to be entered. ``door`` names the API, ``owner`` the key; ``owner_limit``: see ``OpenCall``.

        ``voice``: who speaks where an utterance does not say; None: the default voice. ``permit`` is asked before
        anything is said. ``words``: whether each is told of, which costs a client who wants none.
        """
        asked = OpenCall("", 0, codec=codec, voice=voice, door=door, owner=owner, owner_limit=owner_limit)
        return Take(self._switchboard, asked, permit, words=words)


class Take:
    """See the module. One reader at a time: iterate the take, or ``items``."""

    def __init__(
        self, switchboard: Switchboard, asked: OpenCall, permit: Permit, *, words: bool = True
    ) -> None:
        self._switchboard = switchboard
        self._permit = permit
        self._words = words
        self._asked = asked
        self._call: Call | None = None
        self._items: deque[tuple[str, bytes | Told]] = deque()  # each with the utterance that it is of
        self._octets = 0
        self._full = False
        self._news = asyncio.Event()
        self._pending: set[str] = set()
        self._closed: str | None = None

    async def __aenter__(self) -> Self:
        """Raises what opening raises."""
        self._call = self._switchboard.reception.open_door(self._asked, self._taken, self._observed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def call(self) -> Call:
        """The leg's core, for reading."""
        assert self._call is not None, "enter the take first"
        return self._call

    @property
    def pending(self) -> frozenset[str]:
        """Utterances of which more may come out of ``items``."""
        return frozenset(self._pending)

    # -- saying -------------------------------------------------------------------------------------------

    async def say(self, say: Say) -> Utterance:
        """Queue an utterance (its ``mode`` included). Refusals as ``Speech.say``, and ``permit``'s."""
        self._permit(say.voice or self.call.voice, say.script)
        uid = say.id or f"u_{secrets.token_hex(8)}"
        taken = uid in self._pending
        self._pending.add(uid)
        try:
            return await self._switchboard.speech.say(
                self.call.id, replace(say, id=uid, listener=partial(self._told, uid), words=self._words)
            )
        except BaseException:
            if not taken:
                self._pending.discard(uid)
            raise

    async def open_text(
        self,
        *,
        id: str | None = None,
        voice: str | None = None,
        rate: float = 1.0,
        volume_db: float = 0.0,
        lexicons: tuple[str, ...] = (),
        requested_ns: int | None = None,
    ) -> Utterance:
        """Queue an utterance whose text is to be written. Its first audio counts from its first clause."""
        draft = self._switchboard.speech.draft(self.call.id, voice or self.call.voice)
        requested = time.monotonic_ns() if requested_ns is None else requested_ns
        say = Say(
            requested, id=id, voice=voice, rate=rate, volume_db=volume_db, lexicons=lexicons, draft=draft
        )
        return await self.say(say)

    def write(self, uid: str, text: str, mark: str | None = None) -> Utterance:
        """More text. Refusals ``unknown_utterance``, ``wrong_state``, ``text_too_long``."""
        return self._switchboard.speech.write(self.call.id, uid, text, mark)

    def flush(self, uid: str) -> Utterance:
        """Speak what is written, be it no clause. Refusals ``unknown_utterance``, ``wrong_state``."""
        return self._switchboard.speech.flush(self.call.id, uid)

    def end(self, uid: str) -> Utterance:
        """All is written. Refusals ``unknown_utterance``, ``wrong_state``."""
        return self._switchboard.speech.end_text(self.call.id, uid)

    async def clear(self, uid: str) -> list[Utterance]:
        """Take back what was not handed out of it; what waits here goes, too. ``utterance.stopped`` follows."""
        self._throw_away(uid)
        return await self._switchboard.speech.clear(self.call.id, uid)

    async def stop(self) -> list[Utterance]:
        """Stop all that is being said and that waits, what waits here included."""
        self._throw_away()
        return await self._switchboard.speech.stop(self.call.id, "all")

    def _throw_away(self, uid: str | None = None) -> None:
        """The audio that waits here, of one utterance or (None) of all."""
        items, self._items = self._items, deque()
        for of, item in items:
            if isinstance(item, Told) or uid not in (None, of):
                self._items.append((of, item))
            else:
                self._octets -= len(item)
        self._make_room()

    # -- hearing ------------------------------------------------------------------------------------------

    async def items(self) -> AsyncIterator[bytes | Told]:
        """Octets, and what is told of them, until the take is closed. Refusal when it was not by ``close``."""
        while await self._more():
            while self._items:
                yield self._next()

    async def batches(self) -> AsyncIterator[Batch]:
        """As ``items``, but all that is there at once; waits for nothing but the first of it."""
        while await self._more():
            batch: Batch = []
            octets = 0
            while self._items and octets < _TOGETHER_OCTETS:
                batch.append(item := self._next())
                octets += len(item) if isinstance(item, bytes) else 0
            yield batch
            await asyncio.sleep(0)  # however much is there: the loop has others to serve

    async def _more(self) -> bool:
        """Wait until something is there; False: the take was closed, and nothing is left."""
        while not self._items:
            if self._closed is not None:
                if self._closed != "closed":
                    raise _ended(self._closed)
                return False
            self._news.clear()
            await self._news.wait()
        return True

    def _next(self) -> bytes | Told:
        _, item = self._items.popleft()
        if isinstance(item, bytes):
            self._octets -= len(item)
            self._make_room()
        elif item.kind in ENDS:
            self._pending.discard(item.id)
        return item

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The octets of all that was said, until nothing is left to say. Refusal when some of it failed."""
        if not self._pending:
            return
        async for batch in self.batches():
            if octets := octets_of(batch):
                yield octets
            ends = [item for item in batch if isinstance(item, Told) and item.kind in ENDS]
            for end in ends:
                if end.kind == "utterance.failed":
                    raise Refusal("speech_failed", str(end.data.get("detail", end.data["cause"])))
            if ends and not self._pending:
                return

    def close(self) -> None:
        """Stop what is being said, and let the leg go. Without effect on a take that is closed."""
        self._closed = self._closed or "closed"
        self._news.set()
        if self._call is not None:
            self._switchboard.reception.close_door(self._call)

    # -- what the booth and the leg say -------------------------------------------------------------------

    def _taken(self, octets: bytes) -> bool:
        current = next(iter(self.call.playlist.queue), None)
        self._items.append((current.id if current else "", octets))
        self._octets += len(octets)
        self._full = self._octets >= BUFFER_OCTETS
        self._news.set()
        return not self._full

    def _make_room(self) -> None:
        if self._full and self._octets <= BUFFER_OCTETS // 2 and self._call is not None:
            self._full = False
            self._switchboard.workers.booth.stir(self._call.playlist.row)

    def _told(self, uid: str, kind: str, data: Mapping[str, object]) -> None:
        self._items.append((uid, Told(uid, kind, data)))
        self._news.set()

    def _observed(self, call: Call, note: Publish) -> None:
        if note.type == "call.closed":
            self._closed = self._closed or str(note.data["cause"])
            self._news.set()


def _ended(cause: str) -> Refusal:
    """Why the gateway ended a take."""
    if cause in {"drained", "shutdown"}:
        return Refusal("draining", "The gateway is shutting down; call another one", retry_after=1)
    if cause == "max_seconds":
        return Refusal("wrong_state", "The stream was open for too long (VOXTRUNK_MAX_CALL_SECONDS)")
    return Refusal("unavailable", f"The stream was ended: {cause}")
