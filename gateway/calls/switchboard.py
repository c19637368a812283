"""The control process's heart: what there is to be asked, and the workers behind it. Put together here.

    API -> Speech -> Call (decides) -> Legs (does it) -> ring, media worker, synthesis worker

Requests are decided and done in one call stack, without an await in between; what is awaited afterwards is
only the answer: a leg that opens, what was heard until a cut, a leg's final account.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final, Literal

from gateway.calls import crew as crews
from gateway.calls.beds import Beds
from gateway.calls.crew import Crew
from gateway.calls.draining import Draining
from gateway.calls.events import EventLog
from gateway.calls.leg import Observer
from gateway.calls.minder import Minder
from gateway.calls.reception import Reception
from gateway.calls.registry import Registry
from gateway.calls.signalling import Signalling
from gateway.calls.sound import Sound
from gateway.calls.speech import Speech
from gateway.calls.workers import report_failure
from gateway.messages.media import DropBed
from gateway.settings import Settings

_START_SECONDS: Final = 30.0
_SWEEP_SECONDS: Final = 1.0

Obstacle = Literal["draining", "unavailable", "voiceless", "full"]
"""Why no new call is taken. ``voiceless``: nobody speaks with the voice of calls that name none."""


class Switchboard:
    """All calls of this gateway. ``start`` it, ``close`` it; both once.

    ``registry``: the calls, and how they end. ``reception``: opens them. ``speech`` and ``sound``: what is asked
    of them; ``signalling``: what their SIP peers do. ``draining``: whether new ones are taken at all.
    ``events``: what happened. ``workers``: the seats of the worker processes.
    ``on_event``: told of each event of each call, in the middle of things: it must not ask anything of the call.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        media_command: Sequence[str] = crews.MEDIA,
        synthesis_command: Sequence[str] = crews.SYNTHESIS,
    ) -> None:
        self.settings = settings
        self.run = secrets.token_hex(4)
        """Names this run of the gateway in its calls' and events' ids: other nodes know whose they are."""
        self.on_event: Observer = lambda call, note: None
        self.events = EventLog(settings.events_per_call, settings.events_retained, self.run)
        self.workers = workers = Crew(settings, media_command, synthesis_command)
        beds = Beds(
            settings.level_dbm0, settings.prompt_seconds, lambda bed: workers.tell_media(DropBed(bed))
        )
        self.registry = registry = Registry(
            settings, workers, beds, self.events, self.run, lambda call, note: self.on_event(call, note)
        )
        self.draining = Draining(workers, registry)
        self.reception = Reception(settings, workers, registry, self.draining)
        self.speech = Speech(settings, workers, registry)
        self.sound = Sound(registry, beds)
        self.signalling = Signalling(settings, registry)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the workers and wait until they are ready. Raises WorkerFailed, TimeoutError."""
        legs = self.registry.legs
        async with asyncio.timeout(_START_SECONDS):
            await self.workers.start(legs.hooks)
        minder = Minder(self.workers, legs)
        for loop in (legs.watch, legs.follow_cuts, minder.run, self._sweep, self.workers.booth.run):
            task = asyncio.create_task(loop(), name=loop.__qualname__)
            task.add_done_callback(report_failure)
            self._tasks.append(task)

    async def close(self) -> None:
        """End every call (the peers hear BYE), every worker, and every subscription."""
        self.draining.on = True
        closing = self.registry.begin_closing_all("shutdown")
        if closing:
            await asyncio.wait(closing)
        await self.draining.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.workers.close()
        self.events.close()

    @property
    def healthy(self) -> bool:
        """Whether the loops of this process that calls need turn; a restart is the only cure if not."""
        turning = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return turning and not self.workers.failed

    @property
    def obstacle(self) -> Obstacle | None:
        """Why no new call is taken; None when one is welcome and can speak."""
        if self.draining.on:
            return "draining"
        if not self.healthy or not self.workers.complete:
            return "unavailable"
        if not any(voice.name == self.settings.default_voice for voice in self.workers.voices()):
            return "voiceless"
        return None if self.reception.why_full() is None else "full"

    async def _sweep(self) -> None:
        """For ever: forget calls that were closed long enough ago, and measure what pacing takes."""
        while True:
            self.registry.forget_expired()
            self.workers.look()
            await asyncio.sleep(_SWEEP_SECONDS)
