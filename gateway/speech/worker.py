"""The synthesis worker process: text to G.711 in the legs' rings.

    python -m gateway.speech.worker --link FD --rings FD:LEGS,FD:LEGS

A thin shell: it owns the loop, the clock, the link and the threads, and drives ``gateway.speech.feeder``. An
error of its own ends the process, and control starts another; an engine's error ends one utterance.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import uvloop

from gateway import logs
from gateway.link import Link
from gateway.messages import AttachLeg, Cut, SynthesisReady, SynthesisStatistics, ToSynthesis, VoiceInfo
from gateway.ring import RingBlock
from gateway.settings import Settings, effective_settings
from gateway.speech.feeder import Feeder
from gateway.speech.library import Library
from gateway.speech.maker import Maker, Opened, Outcome, Source, Unusable
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import Origin
from gateway.speech.track import Failure, Track
from gateway.speech.voice import VoiceSource
from tts_core import open_default

_SERVICE_S: Final = 0.005
_CUT_POLL_S: Final = 0.001
_STATISTICS_NS: Final = 1_000_000_000
_SWITCH_S: Final = 0.0005
"""How long the threads that make speech may hold the interpreter while the loop waits for it."""


class SynthesisWorker:
    """Joins control, the makers and the feeder."""

    def __init__(self, link: Link[ToSynthesis], blocks: list[RingBlock], settings: Settings) -> None:
        self._link = link
        self._library = Library(settings.cache_octets)
        self._feeder = Feeder(blocks, self._library, link.send, self._drop)
        self._outcomes: asyncio.Queue[tuple[Origin, Outcome]] = asyncio.Queue()
        self._idle: set[Origin] = set()
        self._cutting = asyncio.Event()
        self._synthesis_seconds = self._audio_seconds = 0.0
        self._voices: VoiceSource | None = None
        self._makers = {
            Origin.VOICE: Maker("voice", partial(self._open_voices, settings), self._deliver(Origin.VOICE)),
            Origin.FILE: Maker("prompt", partial(_open_prompts, settings), self._deliver(Origin.FILE)),
        }

    async def run(self) -> None:
        """Until control goes away."""
        try:
            await self._open()
            async with asyncio.TaskGroup() as group:
                works = self._collect(), self._serve(), self._follow_cuts()
                tasks = [group.create_task(work) for work in works]
                async for message in self._link:
                    self._take(message)
                    await asyncio.sleep(0)  # a burst of messages must not keep what is made waiting
                for task in tasks:
                    task.cancel()
        finally:
            for maker in self._makers.values():
                maker.close()
            await self._link.close()

    async def _open(self) -> None:
        """Wait for the makers and say that the worker is ready. Raises what keeps an engine from loading."""
        voices: tuple[VoiceInfo, ...] = ()
        while self._idle != set(self._makers):
            origin, outcome = await self._outcomes.get()
            if isinstance(outcome, Unusable):
                raise outcome.error
            assert isinstance(outcome, Opened)
            voices += outcome.voices
            self._idle.add(origin)
        gc.collect()
        gc.freeze()  # what is loaded by now stays; do not look through it again
        self._link.send(SynthesisReady(os.getpid(), voices))

    def _take(self, message: ToSynthesis) -> None:
        now_ns = time.monotonic_ns()
        self._feeder.take(message, now_ns)
        self._order(now_ns)
        if isinstance(message, AttachLeg | Cut):
            self._cutting.set()

    # -- the makers ---------------------------------------------------------------------------------------

    def _deliver(self, origin: Origin) -> Callable[[Outcome], None]:
        """How a maker's thread hands an outcome to the loop."""
        loop = asyncio.get_running_loop()

        def deliver(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(self._outcomes.put_nowait, (origin, outcome))

        return deliver

    def _open_voices(self, settings: Settings) -> tuple[Source, tuple[VoiceInfo, ...]]:
        """In the voices' thread: open the engines, and warm those voices that are to be warm."""
        synthesiser = open_default(settings.voices_folder, settings.neural_runtime)
        self._voices = source = VoiceSource(synthesiser, settings.level_dbm0, settings.default_voice)
        if settings.warm_in_background:
            loading = partial(source.load, settings.warm_voices)
            threading.Thread(target=loading, name="warm", daemon=True).start()
        else:
            source.warm(settings.warm_voices)
        return source, source.voices()

    def _order(self, now_ns: int) -> None:
        """Give every idle maker the most urgent work that it can do."""
        for origin in tuple(self._idle):
            track = self._feeder.next_track(origin, now_ns)
            if track is not None:
                self._idle.remove(origin)
                self._makers[origin].make(track)

    def _drop(self, track: Track) -> None:
        self._makers[track.recipe.origin].drop(track)

    async def _collect(self) -> None:
        """Take over what is made, as soon as it is."""
        while True:
            origin, outcome = await self._outcomes.get()
            assert not isinstance(outcome, Opened | Unusable)
            now_ns = time.monotonic_ns()
            self._idle.add(origin)
            self._synthesis_seconds += outcome.seconds
            before = outcome.track.units
            if isinstance(outcome.result, Failure):
                self._feeder.failed(outcome.track, outcome.result, now_ns)
            else:
                self._feeder.made(outcome.track, outcome.result, now_ns)
            self._audio_seconds += (outcome.track.units - before) / 100
            self._order(now_ns)

    # -- time ---------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Keep the rings filled."""
        next_statistics_ns = time.monotonic_ns()
        while True:
            now_ns = time.monotonic_ns()
            self._feeder.service(now_ns)
            self._order(now_ns)
            if now_ns >= next_statistics_ns:
                next_statistics_ns = now_ns + _STATISTICS_NS
                self._link.send(self._statistics())
            await asyncio.sleep(_SERVICE_S)

    async def _follow_cuts(self) -> None:
        """While a cut is under way, look more often: the rest of the queue is to follow without a gap."""
        while True:
            await self._cutting.wait()
            self._cutting.clear()
            while self._feeder.is_cutting:
                now_ns = time.monotonic_ns()
                self._feeder.service(now_ns)
                self._order(now_ns)
                await asyncio.sleep(_CUT_POLL_S)

    def _statistics(self) -> SynthesisStatistics:
        library = self._library
        return SynthesisStatistics(
            utterances=self._feeder.utterances,
            cache_hits=library.hits,
            cache_misses=library.misses,
            cache_octets=library.octets,
            cache_entries=len(library),
            synthesis_seconds=self._synthesis_seconds,
            audio_seconds=self._audio_seconds,
            streams=self._feeder.streams,
            resets=self._voices.resets if self._voices else 0,
        )


def _open_prompts(settings: Settings) -> tuple[Source, tuple[VoiceInfo, ...]]:
    return PromptSource(settings.level_dbm0, settings.prompt_seconds), ()


async def _main(arguments: argparse.Namespace) -> None:
    settings = effective_settings()
    logs.configure(settings)
    if settings.other_cpus:
        os.sched_setaffinity(0, settings.other_cpus)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # control lets speech finish; its death ends the link
    sys.setswitchinterval(_SWITCH_S)
    link: Link[ToSynthesis] = await Link.open(socket.socket(fileno=arguments.link), ToSynthesis)
    blocks = [RingBlock(fd, legs) for fd, legs in arguments.rings]
    await SynthesisWorker(link, blocks, settings).run()


def _rings(value: str) -> list[tuple[int, int]]:
    """``"7:4096,8:4096"`` to ``[(7, 4096), (8, 4096)]``."""
    return [(int(fd), int(legs)) for fd, _, legs in (part.partition(":") for part in value.split(","))]


def main() -> None:
    """Entry point of the process; control starts it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--link", type=int, required=True)
    parser.add_argument("--rings", type=_rings, required=True)
    uvloop.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
