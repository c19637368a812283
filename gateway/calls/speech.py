"""What calls say: utterances that are queued, written, stopped and held."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal

from gateway.calls.actions import Glance
from gateway.calls.call import Call
from gateway.calls.crew import Crew
from gateway.calls.draft import Bounds, Draft
from gateway.calls.leg import Leg
from gateway.calls.life import Cause
from gateway.calls.registry import Registry
from gateway.calls.requests import Say
from gateway.calls.utterance import Utterance, order
from gateway.errors import Refusal
from gateway.settings import Settings
from tts_core.reading import speakable

_FULL_SECONDS: Final = 2
"""When to try again when synthesis is full: sooner than when calls have to end."""


class Speech:
    """Asks it of the call, then has done what the call decides."""

    def __init__(self, settings: Settings, workers: Crew, registry: Registry) -> None:
        self._settings = settings
        self._workers = workers
        self._registry = registry
        self._keys = itertools.count(1)

    async def say(self, call_id: str, say: Say) -> Utterance:
        """Queue an utterance. Refusals ``unknown_call``, ``unknown_voice``, ``at_capacity``, and ``Call``'s."""
        leg = self._registry.live(call_id)
        if say.voice is not None:
            self._workers.check_voice(say.voice)
        if say.prompt is None:
            await self._make_room(leg, say)
            leg = self._registry.live(call_id)
        utterance = leg.call.say(
            say,
            key=next(self._keys),
            fresh_id=f"u_{secrets.token_hex(8)}",
            glance=leg.glance(time.monotonic_ns()),
        )
        self._registry.legs.act(leg)
        return utterance

    async def _make_room(self, leg: Leg, say: Say) -> None:
        """See that a synthesis worker can make this speech in time. Refusal ``at_capacity``.

        When the leg's own is full, it goes to another worker. What is in the cache costs nothing; the worker is
        asked only when there is no room.
        """
        seat, voice = leg.writer, say.voice or leg.call.voice
        playlist = leg.call.playlist
        wanted = playlist.queue.asking(say, voice)
        if seat is None or seat.demand.fits(wanted, leg.burden):
            return
        other = self._workers.idlest()
        if other not in (None, seat) and other.demand.fits(wanted, None) and self._registry.legs.move(leg):
            return
        if await seat.has_made(order(say, voice, playlist.ring, playlist.row, next(self._keys))):
            return
        seat.refused[voice] += 1
        demand = seat.demand
        needed = demand.weight(wanted)
        raise Refusal(
            "at_capacity",
            f"The gateway is full: {voice} takes {needed:.3f} of a synthesis worker's core, and "
            f"{demand.total:.3f} is taken of the {demand.limit:.3g} that may be promised "
            "(VOXTRUNK_SYNTHESIS_LIMIT, less what control takes of cores that they share)",
            retry_after=_FULL_SECONDS,
        )

    def utterance(self, call_id: str, uid: str) -> Utterance:
        """The utterance, up to date. Refusals ``unknown_call``, ``unknown_utterance``."""
        return self._registry.call(call_id).utterance(uid)

    def draft(self, call_id: str, voice: str | None) -> Draft:
        """For a text that is to be written, and said by this voice or the call's.

        Refusals ``unknown_call``, ``…_voice``.
        """
        name = self._workers.check_voice(voice or self._registry.call(call_id).voice)
        language = next(known.language for known in self._workers.voices() if known.name == name)
        settings = self._settings
        bounds = Bounds(
            limit=settings.text_limit,
            high=settings.stream_high_water,
            low=settings.stream_high_water // 2,
            wait_ns=settings.stream_wait_ms * 1_000_000,
        )
        return Draft(partial(speakable, language=language), bounds)

    def write(self, call_id: str, uid: str, text: str, mark: str | None = None) -> Utterance:
        """More text for an utterance that is being written.

        Refusals ``unknown_…``, ``wrong_state``, ``text_too_long``.
        """
        return self._written(
            call_id, uid, lambda leg, utterance, glance: leg.call.writing.write(utterance, text, mark, glance)
        )

    def flush(self, call_id: str, uid: str) -> Utterance:
        """Speak what is written of it. Refusals ``unknown_…``, ``wrong_state``."""
        return self._written(
            call_id, uid, lambda leg, utterance, glance: leg.call.writing.flush(utterance, glance)
        )

    def end_text(self, call_id: str, uid: str, cause: Cause = "normal") -> Utterance:
        """All of it is written. ``cause``: of its end. Refusals ``unknown_…``, ``wrong_state``."""
        return self._written(
            call_id, uid, lambda leg, utterance, glance: leg.call.writing.end(utterance, glance, cause)
        )

    def _written(self, call_id: str, uid: str, write: Callable[[Leg, Utterance, Glance], None]) -> Utterance:
        leg = self._registry.live(call_id)
        leg.call.advance(leg.glance(time.monotonic_ns()))
        utterance = leg.call.utterance(uid)
        try:
            write(leg, utterance, leg.glance(time.monotonic_ns()))
        finally:
            self._registry.legs.act(leg)
        return utterance

    async def clear(self, call_id: str, uid: str) -> list[Utterance]:
        """Take back what was not heard of this utterance; an empty list when it has ended already."""
        leg = self._registry.live(call_id)
        return await self._stopped(
            leg, leg.call.stop_utterance(uid, leg.glance(time.monotonic_ns()), "cleared")
        )

    async def say_rest(self, call_id: str, uid: str, **changed: Any) -> Utterance:
        """Queue what was not heard of an utterance as a new one. Refusals as ``say``, ``unknown_utterance``."""
        return await self.say(call_id, replace(self._registry.call(call_id).rest_of(uid), **changed))

    async def stop(self, call_id: str, scope: Literal["current", "all"]) -> list[Utterance]:
        """Stop speech at once; returns what was stopped, with what was heard of it."""
        leg = self._registry.live(call_id)
        victims = leg.call.stop(scope, leg.glance(time.monotonic_ns()))
        return await self._stopped(leg, victims)

    async def stop_utterance(self, call_id: str, uid: str) -> list[Utterance]:
        """Stop this one utterance; an empty list when it has ended or is being stopped already."""
        if self._registry.call(call_id).closing:
            self.utterance(call_id, uid)
            return []
        leg = self._registry.live(call_id)
        victims = leg.call.stop_utterance(uid, leg.glance(time.monotonic_ns()))
        return await self._stopped(leg, victims)

    async def _stopped(self, leg: Leg, victims: list[Utterance]) -> list[Utterance]:
        self._registry.legs.act(leg)
        while not all(utterance.ended for utterance in victims):
            await leg.settled()
        return [utterance for utterance in victims if utterance.state == "stopped"]

    async def pause(self, call_id: str, *, at_word: bool = False) -> Call:
        """Hold speech, at once or at a word's end. Refusal ``wrong_state``."""
        leg = self._registry.live(call_id)
        leg.call.pause(leg.glance(time.monotonic_ns()), at_word=at_word)
        self._registry.legs.act(leg)
        return leg.call

    async def resume(self, call_id: str) -> Call:
        """Let speech go on. Refusal ``wrong_state``."""
        leg = self._registry.live(call_id)
        leg.call.resume(leg.glance(time.monotonic_ns()))
        self._registry.legs.act(leg)
        return leg.call
