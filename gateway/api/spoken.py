"""What the synthesis doors share: a request as an utterance, and all that is said of one as a recording."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.api.audio import NOTHING
from gateway.api.formats import Sound, sound_of
from gateway.api.permits import check_script
from gateway.api.saying import script_of, unspoken
from gateway.calls.requests import Say
from gateway.calls.studio import Take
from gateway.errors import Refusal

if TYPE_CHECKING:
    from gateway.api.context import Context
    from gateway.api.keyring import Key
    from gateway.api.requests import Synthesize

DEFAULT_SPEAKER: Final = "default"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Order:
    """A request that can be carried out. ``model``: the voice and its version."""

    say: Say
    voice: str
    model: str
    sound: Sound
    warnings: tuple[str, ...]

    def named(self, uid: str) -> Say:
        """What to say, as the utterance ``uid``."""
        return replace(self.say, id=uid)

    def take(self, here: Context, door: str, key: Key, *, words: bool = False) -> Take:
        """A take for it, to be entered."""
        return here.take(door, key, self.voice, self.sound.codec, words=words)


async def order_of(
    here: Context, key: Key, body: Synthesize, requested_ns: int | None = None, trace: str | None = None
) -> Order:
    """What ``key`` asks for. Refusals ``text_too_long``, ``bad_ssml``, ``unknown_voice``, ``cannot_clone``,
    ``unknown_lexicon``, ``not_permitted``."""
    voice, model = await voice_of(here, body.speaker_id, body.language)
    field, source = ("text", body.text) if body.ssml is None else ("ssml", body.ssml)
    recordings = NOTHING if body.ssml is None else await here.audio.find(body.ssml)
    script = script_of(source, field, here.settings.text_limit, recordings.missing)
    assert script is not None
    check_script(key, here.switchboard, voice, script)
    say = Say(
        requested_ns=time.monotonic_ns() if requested_ns is None else requested_ns,
        script=script,
        text=body.text,
        ssml=body.ssml,
        voice=voice,
        rate=body.speed,
        volume_db=body.volume_db,
        trace=trace,
        lexicons=await here.lexicon_paths(body.lexicons),
        audio=recordings.files,
    )
    warnings = (*script.warnings, *unspoken(script, here, voice))
    return Order(say, voice, model, sound_of(body.format, body.sample_rate), warnings)


async def voice_of(here: Context, speaker: str, language: str | None = None) -> tuple[str, str]:
    """The voice that a ``speaker_id`` means, and its name with its version.

    Refusals ``unknown_voice``, ``cannot_clone``.
    """
    await here.speakers.refuse(speaker, {voice.engine for voice in here.switchboard.workers.voices()})
    named = None if speaker == DEFAULT_SPEAKER else speaker
    name = here.studio.voice(named, language, field="speaker_id")
    version = next((voice.version for voice in here.switchboard.workers.voices() if voice.name == name), "")
    return name, f"{name} {version}".rstrip()


class Stopwatch:
    """What an order's audio took, from its request on; ``hear`` all of it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._first_ns = self._last_ns = 0
        self._octets = 0

    def hear(self, octets: bytes) -> None:
        """Some G.711 has come."""
        self._last_ns = time.monotonic_ns()
        self._first_ns = self._first_ns or self._last_ns
        self._octets += len(octets)

    async def heard(self, octets: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The same stream, heard."""
        async for part in octets:
            self.hear(part)
            yield part

    def told(self) -> dict[str, Any]:
        """As answers tell it. ``rtf``: real-time factor, the making's time over the audio's."""
        requested, duration_ms = self._order.say.requested_ns, self._octets / 8
        first_ms = max(0, self._first_ns - requested) / 1e6
        whole_ms = max(0, self._last_ns - requested) / 1e6
        return {
            "inference_time_ms": round(whole_ms, 2),
            "first_audio_ms": round(first_ms, 2),
            "audio_duration_ms": round(duration_ms),
            "rtf": round(whole_ms / duration_ms, 4) if duration_ms else 0.0,
            "model_version": self._order.model,
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """All of an utterance: G.711 of the order's codec, and ``Stopwatch.told``."""

    order: Order
    octets: bytes
    figures: dict[str, Any]


async def record(take: Take, order: Order, seconds: float) -> Recording:
    """Say it and keep it. Refusals as ``Take.say``, ``speech_failed``, ``audio_too_long`` beyond ``seconds``."""
    await take.say(order.say)
    octets, watch = bytearray(), Stopwatch(order)
    async for part in watch.heard(take):
        octets += part
        if len(octets) > seconds * 8000:
            detail = f"It takes more than {seconds:g} s to say (VOXTRUNK_SYNTHESIZE_SECONDS); use the stream"
            raise Refusal("audio_too_long", detail)
    return Recording(order, bytes(octets), watch.told())


async def until_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What ``work`` returns; it is cancelled when the client goes away. Raises ClientDisconnect then."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({doing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        for task in (doing, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
