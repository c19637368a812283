"""The speech cache's second tier: what any node has made lies in Redis, for all of them.

It is asked once for each utterance that this worker does not have, before that is made here, and never waited for
longer than ``VOXTRUNK_REDIS_SPEECH_MS``. A key is a digest of all that can change the audio, so texts are not
found in Redis, nor is there anything to invalidate.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.messages.synthesis import MarkAt, Word
from gateway.messages.work import SharedStatistics
from gateway.nodes.store import Away, Store
from gateway.speech.recipe import Origin, Recipe
from gateway.speech.track import Stretch, Track
from gateway.told import Told
from telephony_codecs import LINE_RATE

log = logging.getLogger("voxtrunk.speech")

_FORMAT: Final = 1
"""Counted up when what lies in Redis, or the way from a text to audio, is another."""
_AT_ONCE: Final = 16
_KEEP_SECONDS: Final = 1.0
_KEEPING: Final = 64
"""Utterances on their way to Redis; those beyond are not stored."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """An utterance as it lies in Redis."""

    payload: bytes
    words: tuple[Word, ...]
    marks: tuple[MarkAt, ...]


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    misses: int = 0
    unanswered: int = 0
    stored: int = 0
    dropped: int = 0


class SharedSpeech:
    """``print_of`` tells what a voice sounds like, None while nobody knows (see ``VoiceSource.print_of``)."""

    def __init__(self, settings: Told, print_of: Callable[[str], str | None]) -> None:
        assert settings.redis_url is not None
        self._store = Store(settings.redis_url, _AT_ONCE + _KEEPING)
        self._patience_s = settings.redis_speech_ms / 1000
        self._ttl_s = settings.redis_speech_seconds
        self._largest = settings.redis_speech_octets
        self._prefix = f"{settings.redis_prefix}:speech:"
        from importlib.metadata import version  # 1 MB for whoever has no Redis

        self._common = (_FORMAT, version("voxtrunk"), settings.level_dbm0)
        self._print_of = print_of
        self._counts = _Counts()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Kept)
        self._keeping: set[asyncio.Task[None]] = set()

    def key(self, recipe: Recipe) -> str | None:
        """Under which name it lies there; None for what is not shared.

        That are prompts, rests, texts that are being written, what a voice not yet heard says, and what follows
        files or other voices than the one that the name tells of: lexicons and recordings, SSML's voice and lang.
        """
        voice = self._print_of(recipe.voice)
        if (
            recipe.origin is not Origin.VOICE
            or not recipe.cacheable
            or voice is None
            or recipe.lexicons
            or recipe.files
        ):
            return None
        if recipe.kind == "ssml" and ("voice" in recipe.source or "lang" in recipe.source):
            return None
        told = (
            *self._common,
            voice,
            recipe.kind,
            recipe.source,
            recipe.voice,
            recipe.rate,
            recipe.gain_db,
            recipe.law,
            recipe.ptime_ms,
            recipe.reading,
        )
        digest = hashlib.blake2b(self._encoder.encode(told), digest_size=20)
        return self._prefix + digest.hexdigest()

    async def fetch(self, recipe: Recipe, key: str) -> Stretch | None:
        """All of it, or None: it is to be made here."""
        try:
            found = await self._store.ask(lambda redis: redis.get(key), self._patience_s)
        except Away:
            self._counts.unanswered += 1
            return None
        stretch = None if found is None else self._read(found, recipe)
        if stretch is None:
            self._counts.misses += 1
        else:
            self._counts.hits += 1
        return stretch

    def _read(self, found: bytes, recipe: Recipe) -> Stretch | None:
        try:
            kept = self._decoder.decode(found)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("what lies in Redis is no speech of ours: %s", error)
            return None
        packet = LINE_RATE * recipe.ptime_ms // 1000
        if len(kept.payload) % packet:
            log.warning("what lies in Redis is not whole packets: %d octets", len(kept.payload))
            return None
        return Stretch(kept.payload, kept.words, kept.marks, last=True)

    def keep(self, track: Track) -> None:
        """Store a complete, kept track in the background; nobody waits for it."""
        key = self.key(track.recipe)
        if key is None:
            return
        if track.octets > self._largest or len(self._keeping) >= _KEEPING or not self._store.up:
            self._counts.dropped += 1
            return
        kept = self._encoder.encode(Kept(track.whole(), tuple(track.words), tuple(track.marks)))
        task = asyncio.create_task(self._keep(key, kept), name="keep speech")
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, key: str, kept: bytes) -> None:
        try:
            await self._store.ask(lambda redis: redis.set(key, kept, ex=self._ttl_s), _KEEP_SECONDS)
        except Away:
            self._counts.dropped += 1
        else:
            self._counts.stored += 1

    def statistics(self) -> SharedStatistics:
        """Running totals."""
        counts = self._counts
        return SharedStatistics(
            self._store.up, counts.hits, counts.misses, counts.unanswered, counts.stored, counts.dropped
        )

    async def close(self) -> None:
        """Store no more."""
        for task in tuple(self._keeping):
            task.cancel()
        await self._store.close()
