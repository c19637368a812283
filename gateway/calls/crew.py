"""All worker processes and the rings between them. Rings belong to control: they outlive every worker."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway import logs, told
from gateway.calls.booth import Booth
from gateway.calls.busy import Busy
from gateway.calls.cores import Cores
from gateway.calls.demand import Demand
from gateway.calls.rows import Rows
from gateway.calls.seat import LegSeat
from gateway.calls.watch import Watch
from gateway.calls.workers import Worker
from gateway.errors import Refusal
from gateway.media.counters import Counter as Counters
from gateway.messages.base import SetLogLevel
from gateway.messages.media import FromMedia, ToMedia
from gateway.messages.synthesis import (
    AskCache,
    FromSynthesis,
    RenewVoices,
    Speak,
    ToSynthesis,
    VoiceInfo,
    VoicesRenewed,
)
from gateway.messages.work import SynthesisStatistics
from gateway.ring import RingBlock
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.calls.leg import Leg

MEDIA: Final = (sys.executable, "-m", "gateway.media.worker")
_ANSWER_SECONDS: Final = 0.5
"""How long a worker may take to say whether speech is in its cache: on a full core it has to wait itself."""
_RENEWAL_SECONDS: Final = 60.0
"""How long it may take to load voices that were added."""
SYNTHESIS: Final = (sys.executable, "-m", "gateway.speech.worker")


@dataclass(eq=False)
class MediaSeat(LegSeat):
    """A media worker's place: its ring and the legs in it, whichever process sits there."""

    busy: Busy
    worker: Worker = field(init=False)
    silent: int = 0
    """For how many of control's looks the pacer has not ticked, though it should some hundred times a second."""
    _beat: int = 0

    def send(self, message: ToMedia) -> None:
        """Tell the worker."""
        self.worker.send(message)

    def explained(self, row: int, position: int) -> None:
        """The pacer asks nobody."""

    @property
    def headroom(self) -> float:
        """Room for one leg more by what ticks take: 1 idle, 0 full."""
        return self.busy.headroom(len(self.legs) + len(self.openings) + 1)

    @property
    def alive(self) -> bool:
        """Whether a worker turns its loop there."""
        return self.worker.alive

    def look(self) -> int:
        """Look whether the pacer has ticked since the last look; returns ``silent``."""
        beat = int(self.ring.counters[Counters.BEAT_NS])
        self.silent = self.silent + 1 if self.alive and beat == self._beat else 0
        self._beat = beat
        return self.silent

    @property
    def restarts(self) -> int:
        """How many workers have died there."""
        return self.worker.restarts


@dataclass(eq=False)
class SynthesisSeat:
    """A synthesis worker's place and the legs that it writes for."""

    index: int
    demand: Demand
    worker: Worker = field(init=False)
    legs: set[Leg] = field(default_factory=set)
    voices: tuple[VoiceInfo, ...] = ()
    statistics: SynthesisStatistics | None = None
    """The running totals of the process that sits there now."""
    refused: Counter[str] = field(default_factory=Counter)
    """Utterances that there was no room for, by voice."""
    heard_ns: int = 0
    """When anything was last heard from a process there, on CLOCK_MONOTONIC."""
    silent: int = 0
    """For how many of control's looks the process has said nothing, though it should four times a second."""

    _renewal: asyncio.Future[VoicesRenewed | None] | None = None
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _questions: dict[int, asyncio.Future[bool]] = field(default_factory=dict)

    async def has_made(self, speak: Speak) -> bool:
        """Whether the worker would find this speech in its cache; False when it does not say so soon."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._questions[speak.key] = answer
        self.worker.send(AskCache(speak))
        await asyncio.wait({answer}, timeout=_ANSWER_SECONDS)
        self._questions.pop(speak.key, None)
        return answer.done() and answer.result()

    def answer(self, key: int, cached: bool) -> None:
        """The worker's answer; void when it is late."""
        answer = self._questions.pop(key, None)
        if answer is not None and not answer.done():
            answer.set_result(cached)

    async def renew_voices(self) -> VoicesRenewed | None:
        """Have the worker look through the voices' folder; None when it does not say in time what it found.

        One after another: who asks while it looks has it look again, for what has changed meanwhile.
        """
        async with self._renewing:
            answer = self._renewal = asyncio.get_running_loop().create_future()
            self.worker.send(RenewVoices())
            await asyncio.wait({answer}, timeout=_RENEWAL_SECONDS)
            return answer.result() if answer.done() else None

    def renewed(self, message: VoicesRenewed | None) -> None:
        """The worker's answer; None when there will be none."""
        if self._renewal is not None and not self._renewal.done():
            self._renewal.set_result(message)

    def fall_silent(self) -> None:
        """The worker died: nothing is known to be made."""
        self.renewed(None)
        for key in tuple(self._questions):
            self.answer(key, False)

    @property
    def name(self) -> str:
        """Its name as a holder of rows."""
        return f"synthesis-{self.index}"

    @property
    def alive(self) -> bool:
        """Whether its engines are loaded."""
        return self.worker.alive

    @property
    def restarts(self) -> int:
        """How many workers have died there."""
        return self.worker.restarts


@dataclass(frozen=True)
class Hooks:
    """Whom to tell of what the workers say, and of their deaths."""

    from_media: Callable[[LegSeat, FromMedia], None]
    from_synthesis: Callable[[SynthesisSeat, FromSynthesis], None]
    media_died: Callable[[MediaSeat], None]
    synthesis_died: Callable[[SynthesisSeat], None]
    look: Callable[[LegSeat, int], None]


class Crew:
    """The seats. ``media`` and ``synthesis`` are for reading: rings' counters, statistics, who is alive.

    ``booth``: where legs are read that are no telephone's; there from ``start`` on.
    """

    booth: Booth

    def __init__(
        self, settings: Settings, media_command: Sequence[str], synthesis_command: Sequence[str]
    ) -> None:
        self.log_level: str = settings.log_level
        """What the workers log at least, those that are yet to be started, too."""
        self._settings = settings
        self._commands = tuple(media_command), tuple(synthesis_command)
        self._cores = Cores(len(os.sched_getaffinity(0)), settings.synthesis_workers)
        self._running: list[Worker] = []
        self.media: tuple[MediaSeat, ...] = ()
        self.synthesis: tuple[SynthesisSeat, ...] = ()

    async def start(self, hooks: Hooks) -> None:
        """Create the rings and start every worker. Raises WorkerFailed; call ``close`` then, too."""
        settings = self._settings
        legs = settings.legs_per_worker
        rings = [RingBlock.create(legs) for _ in range(settings.media_workers)]
        self.media = tuple(
            MediaSeat(i, ring, Rows(legs), Watch(ring), Busy(settings.media_limit))
            for i, ring in enumerate(rings)
        )
        self.synthesis = tuple(
            SynthesisSeat(index, Demand(settings.synthesis_limit, shares=settings.cache_octets > 0))
            for index in range(settings.synthesis_workers)
        )
        self.booth = Booth(len(rings), settings.doors_max, hooks.from_media, hooks.look)
        environment = told.environment(settings)
        rings.append(self.booth.ring)
        named = [f"{ring.fd}:{ring.legs}" for ring in rings]
        for media in self.media:
            media.worker = Worker(
                f"media-{media.index}",
                (*self._commands[0], "--rings", named[media.index], "--index", str(media.index)),
                (media.ring.fd,),
                environment,
                FromMedia,
                partial(hooks.from_media, media),
                partial(hooks.media_died, media),
            )
            self._running.append(media.worker)
        for synthesis in self.synthesis:
            synthesis.worker = Worker(
                synthesis.name,
                (*self._commands[1], "--rings", ",".join(named), "--index", str(synthesis.index)),
                [ring.fd for ring in rings],
                environment,
                FromSynthesis,
                partial(hooks.from_synthesis, synthesis),
                partial(hooks.synthesis_died, synthesis),
            )
            self._running.append(synthesis.worker)
        for worker in self._running:
            await worker.started()

    async def close(self) -> None:
        """End every worker and free the rings."""
        for worker in self._running:
            await worker.close()
        self._running.clear()
        for seat in self.seats:
            seat.ring.close()

    @property
    def seats(self) -> tuple[LegSeat, ...]:
        """All rings by their number; none before ``start``."""
        return (*self.media, self.booth) if self.media else ()

    @property
    def complete(self) -> bool:
        """Whether there is a worker of each kind to work with."""
        return any(seat.alive for seat in self.media) and any(seat.alive for seat in self.synthesis)

    @property
    def failed(self) -> bool:
        """Whether watching a worker has ended by a bug of ours."""
        return any(worker.failed for worker in self._running)

    def look(self) -> None:
        """Measure what pacing and control take; about once a second."""
        now_ns = time.monotonic_ns()
        for seat in self.media:
            seat.busy.look(int(seat.ring.counters[Counters.BUSY_US]), len(seat.legs), now_ns)
        beside = 0.0 if self._settings.media_cpus else sum(seat.busy.utilisation for seat in self.media)
        self._cores.look(time.process_time(), beside, now_ns)
        for writer in self.synthesis:
            writer.demand.limit = self._settings.synthesis_limit * self._cores.share

    def roomiest(self) -> MediaSeat | None:
        """The media seat with the fewest legs whose pacer ticks, with a free row and time for one leg more."""
        ticking = (seat for seat in self.media if seat.alive and seat.silent < 2)
        seats = [seat for seat in ticking if seat.rows.free and seat.headroom > 0]
        return min(seats, key=lambda seat: len(seat.legs) + len(seat.openings), default=None)

    def idlest(self) -> SynthesisSeat | None:
        """The living synthesis seat that has least to do, and the fewest legs."""
        living = (seat for seat in self.synthesis if seat.alive)
        return min(living, key=lambda seat: (seat.demand.total, len(seat.legs)), default=None)

    def voices(self) -> tuple[VoiceInfo, ...]:
        """The voices that every worker speaks with; those of one that is being replaced still count."""
        first, *others = [seat.voices for seat in self.synthesis if seat.voices] or [()]
        if all(voices == first for voices in others):
            return first
        common = set(first).intersection(*others)
        return tuple(voice for voice in first if voice in common)

    def check_voice(self, name: str, field: str = "voice") -> str:
        """The name of a voice that there is. Refusal ``unknown_voice``, of the request's ``field``."""
        if not any(voice.name == name for voice in self.voices()):
            raise Refusal(
                "unknown_voice", f"There is no voice {name!r}; GET /v1/voices lists them", field=field
            )
        return name

    @property
    def headroom(self) -> float:
        """Room for more speech, of the synthesis worker that has most: 1 idle, 0 full, less when overfull."""
        seats = (seat for seat in self.synthesis if seat.alive)
        return max((seat.demand.headroom for seat in seats), default=0.0)

    def set_log_level(self, level: str) -> None:
        """Have this process and every worker log what is at least so severe."""
        self.log_level = level
        logs.set_level(level)
        environment = told.environment(self._settings.model_copy(update={"log_level": level}))
        for worker in self._running:
            worker.environment = environment
            worker.send(SetLogLevel(level))

    async def renew_voices(self) -> tuple[list[str], list[str]]:
        """Have all synthesis workers look through the voices' folder: what is other now, what is left out."""
        seats = [seat for seat in self.synthesis if seat.alive]
        found = await asyncio.gather(*(seat.renew_voices() for seat in seats))
        changed = {name for answer in found if answer for name in answer.changed}
        left_out = {why for answer in found if answer for why in answer.left_out}
        mute = [seat.name for seat, answer in zip(seats, found, strict=True) if answer is None]
        left_out |= {f"{name} did not answer within {_RENEWAL_SECONDS:g} s" for name in mute}
        return sorted(changed), sorted(left_out)

    def tell_media(self, message: ToMedia) -> None:
        """Tell every media worker."""
        for seat in self.media:
            seat.send(message)

    def tell_synthesis(self, message: ToSynthesis) -> None:
        """Tell every synthesis worker."""
        for seat in self.synthesis:
            seat.worker.send(message)
