"""All worker processes and the rings between them. Rings belong to control: they outlive every worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.calls.rows import Rows
from gateway.calls.watch import Watch
from gateway.calls.workers import Worker
from gateway.messages import FromMedia, FromSynthesis, SynthesisStatistics, ToSynthesis, VoiceInfo
from gateway.ring import RingBlock
from gateway.settings import Settings, worker_environment

if TYPE_CHECKING:
    from gateway.calls.leg import Leg, Opening

MEDIA: Final = (sys.executable, "-m", "gateway.media.worker")
SYNTHESIS: Final = (sys.executable, "-m", "gateway.speech.worker")


@dataclass(eq=False)
class MediaSeat:
    """A media worker's place: its ring and the legs in it, whichever process sits there."""

    index: int
    ring: RingBlock
    rows: Rows
    watch: Watch
    worker: Worker = field(init=False)
    legs: dict[int, Leg] = field(default_factory=dict)
    openings: dict[int, Opening] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """Whether a worker turns its loop there."""
        return self.worker.alive

    @property
    def restarts(self) -> int:
        """How many workers have died there."""
        return self.worker.restarts


@dataclass(eq=False)
class SynthesisSeat:
    """A synthesis worker's place and the legs that it writes for."""

    index: int
    worker: Worker = field(init=False)
    legs: set[Leg] = field(default_factory=set)
    voices: tuple[VoiceInfo, ...] = ()
    statistics: SynthesisStatistics | None = None
    """The running totals of the process that sits there now."""

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

    from_media: Callable[[MediaSeat, FromMedia], None]
    from_synthesis: Callable[[SynthesisSeat, FromSynthesis], None]
    media_died: Callable[[MediaSeat], None]
    synthesis_died: Callable[[SynthesisSeat], None]


class Crew:
    """The seats. ``media`` and ``synthesis`` are for reading: rings' counters, statistics, who is alive."""

    def __init__(
        self, settings: Settings, media_command: Sequence[str], synthesis_command: Sequence[str]
    ) -> None:
        self._settings = settings
        self._commands = tuple(media_command), tuple(synthesis_command)
        self._running: list[Worker] = []
        self.media: tuple[MediaSeat, ...] = ()
        self.synthesis: tuple[SynthesisSeat, ...] = ()

    async def start(self, hooks: Hooks) -> None:
        """Create the rings and start every worker. Raises WorkerFailed; call ``close`` then, too."""
        settings = self._settings
        legs = settings.legs_per_worker
        rings = [RingBlock.create(legs) for _ in range(settings.media_workers)]
        self.media = tuple(MediaSeat(i, ring, Rows(legs), Watch(ring)) for i, ring in enumerate(rings))
        self.synthesis = tuple(SynthesisSeat(index) for index in range(settings.synthesis_workers))
        environment = worker_environment(settings)
        named = [f"{ring.fd}:{legs}" for ring in rings]
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
                (*self._commands[1], "--rings", ",".join(named)),
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
        for seat in self.media:
            seat.ring.close()

    @property
    def complete(self) -> bool:
        """Whether there is a worker of each kind to work with."""
        return any(seat.alive for seat in self.media) and any(seat.alive for seat in self.synthesis)

    @property
    def failed(self) -> bool:
        """Whether watching a worker has ended by a bug of ours."""
        return any(worker.failed for worker in self._running)

    def roomiest(self) -> MediaSeat | None:
        """The living media seat with the fewest legs that has a free row."""
        seats = [seat for seat in self.media if seat.alive and seat.rows.free]
        return min(seats, key=lambda seat: len(seat.legs) + len(seat.openings), default=None)

    def idlest(self) -> SynthesisSeat | None:
        """The living synthesis seat with the fewest legs."""
        return min(
            (seat for seat in self.synthesis if seat.alive), key=lambda seat: len(seat.legs), default=None
        )

    def tell_synthesis(self, message: ToSynthesis) -> None:
        """Tell every synthesis worker."""
        for seat in self.synthesis:
            seat.worker.send(message)
