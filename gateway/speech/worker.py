"""The synthesis worker process: text to G.711 in the legs' rings.

    python -m gateway.speech.worker --link FD --rings FD:LEGS,FD:LEGS --index N

A thin shell: it owns the loop, the clock, the link and the threads, and drives ``gateway.speech.feeder``. An
error of its own ends the process, and control starts another; an engine's error ends one utterance.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import uvloop

from gateway import logs
from gateway.link import Link
from gateway.messages.base import SetLogLevel
from gateway.messages.synthesis import (
    AttachLeg,
    Cut,
    RenewVoices,
    SynthesisReady,
    ToSynthesis,
    VoiceInfo,
    VoicesChanged,
    VoicesRenewed,
)
from gateway.messages.work import SynthesisStatistics
from gateway.ring import RingBlock
from gateway.settling import settle
from gateway.speech import gpu
from gateway.speech.feeder import Feeder
from gateway.speech.library import Library
from gateway.speech.load import Load
from gateway.speech.maker import Maker, Opened, Outcome, Unusable
from gateway.speech.making import Made, Source, Step
from gateway.speech.prompt import PromptSource
from gateway.speech.recipe import Origin
from gateway.speech.repertoire import Repertoire
from gateway.speech.shared import SharedSpeech
from gateway.speech.track import Failure, Stretch, Track
from gateway.speech.work import Work
from gateway.told import Told, told
from telephony_codecs import LINE_RATE
from tts_core import Arrival, Lexicon, UnknownVoice

log = logging.getLogger("voxtrunk.speech")

_SERVICE_S: Final = 0.02
"""What cannot wait (a new order, a made stretch, a cut) is seen to at once; rings run low over half a second."""
_CUT_POLL_S: Final = 0.001
_AT_ONCE: Final = 32
"""Messages taken in one turn of the loop: a turn may have to wait for the interpreter, and that for a core."""
_STATISTICS_NS: Final = 250_000_000
"""Control takes a worker that is silent for seconds for one that hangs."""
_STUCK_S: Final = 10.0
"""An engine that is at one stretch for so long does not come back."""
_SWITCH_S: Final = 0.0005
"""How long the threads that make speech may hold the interpreter while the loop waits for it."""


@dataclass(slots=True)
class _Order:
    """What a maker is at. ``first``: first stretches; ``open``: tracks not yet made; ``units``: what is made."""

    voice: str
    tracks: int
    first: bool
    open: set[Track]
    units: int = 0


class SynthesisWorker:
    """Joins control, the makers and the feeder."""

    def __init__(self, link: Link[ToSynthesis], blocks: list[RingBlock], settings: Told) -> None:
        self._link = link
        self._library = Library(settings.cache_octets)
        self._repertoire = Repertoire(settings)
        together = self._repertoire.together
        self._feeder = Feeder(blocks, self._library, link.send, self._drop, together, self._seek)
        shares = settings.redis_url is not None and settings.redis_speech_octets > 0
        self._shared = SharedSpeech(settings, self._repertoire.print_of) if shares else None
        self._seeking: set[asyncio.Task[None]] = set()
        self._outcomes: asyncio.Queue[tuple[Origin, Outcome]] = asyncio.Queue()
        self._idle: set[Origin] = set()
        self._ordered: dict[Origin, _Order] = {}
        self._load = Load()
        self._cutting = asyncio.Event()
        self._work = Work()
        self._utilisation = 0.0
        self._makers = {
            Origin.VOICE: Maker("voice", self._open_voices, self._deliver(Origin.VOICE)),
            Origin.FILE: Maker("prompt", partial(_open_prompts, settings), self._deliver(Origin.FILE)),
        }

    async def run(self) -> None:
        """Until control goes away."""
        try:
            await self._open()
            async with asyncio.TaskGroup() as group:
                works = self._collect(), self._serve(), self._follow_cuts()
                tasks = [group.create_task(work) for work in works]
                async for messages in self._link.batches(_AT_ONCE):
                    for message in messages:
                        self._take(message)
                    self._order(time.monotonic_ns())
                    await asyncio.sleep(0)  # a burst of messages must not keep what is made waiting
                for task in tasks:
                    task.cancel()
        finally:
            self._repertoire.watch_no_more()
            for maker in self._makers.values():
                maker.close()
            self._repertoire.close()
            if self._shared is not None:
                for task in tuple(self._seeking):
                    task.cancel()
                await self._shared.close()
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
        source = self._repertoire.source
        for voice, (busy_s, audio_s) in source.tried.items():
            self._load.begin(voice, busy_s, audio_s)
        for voice in source.abroad():
            self._load.begin_abroad(voice)
        settle()
        self._link.send(SynthesisReady(os.getpid(), voices))
        loop = asyncio.get_running_loop()

        def offer(changed: frozenset[str], asked: bool, lexicons: tuple[Lexicon, ...] | None) -> None:
            loop.call_soon_threadsafe(self._offer, changed, asked, lexicons)

        self._repertoire.watch(offer)

    def _open_voices(self) -> tuple[Source, tuple[VoiceInfo, ...]]:
        source = self._repertoire.open(lambda: self._utilisation)
        return source.parts, source.voices()

    def _offer(self, changed: frozenset[str], asked: bool, lexicons: tuple[Lexicon, ...] | None) -> None:
        """Voices were added or removed, or somebody asked whether they or the ``lexicons`` were."""
        source = self._repertoire.source
        # both in one turn: else what was made by the old would be shared with other nodes as if by the new
        if lexicons is not None and source.follow(lexicons):
            self._library.forget(None)
        if changed:
            self._library.forget(changed)
            self._link.send(VoicesChanged(source.voices()))
        if asked:
            self._link.send(VoicesRenewed(tuple(sorted(changed)), source.left_out))

    def _take(self, message: ToSynthesis) -> None:
        now_ns = time.monotonic_ns()
        if isinstance(message, SetLogLevel):
            logs.set_level(message.level)
        elif isinstance(message, RenewVoices):
            self._repertoire.look()
        self._feeder.take(message, now_ns)
        if isinstance(message, AttachLeg | Cut):
            self._cutting.set()

    # -- the makers ---------------------------------------------------------------------------------------

    def _deliver(self, origin: Origin) -> Callable[[Outcome], None]:
        """How a maker's thread hands an outcome to the loop."""
        loop = asyncio.get_running_loop()

        def deliver(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(self._outcomes.put_nowait, (origin, outcome))

        return deliver

    def _order(self, now_ns: int) -> None:
        """Give every idle maker the most urgent work that it can do."""
        for origin in tuple(self._idle):
            tracks = self._feeder.next_tracks(origin, now_ns)
            if tracks:
                self._idle.remove(origin)
                self._ordered[origin] = _Order(
                    tracks[0].recipe.voice,
                    len(tracks),
                    not all(track.units for track in tracks),
                    set(tracks),
                )
                self._makers[origin].make(tracks)

    def _drop(self, track: Track) -> None:
        self._makers[track.recipe.origin].drop(track)

    # -- what other nodes have made -----------------------------------------------------------------------

    def _seek(self, track: Track) -> bool:
        key = self._shared.key(track.recipe) if self._shared else None
        if key is None:
            return False
        task = asyncio.create_task(self._ask_others(track, key), name="seek speech")
        self._seeking.add(task)
        task.add_done_callback(self._seeking.discard)
        return True

    async def _ask_others(self, track: Track, key: str) -> None:
        assert self._shared is not None
        found = await self._shared.fetch(track.recipe, key)
        now_ns = time.monotonic_ns()
        self._feeder.found(track, found, now_ns)
        self._order(now_ns)

    async def _collect(self) -> None:
        """Take over what is made, as soon as it is."""
        while True:
            origin, outcome = await self._outcomes.get()
            now_ns = time.monotonic_ns()
            assert isinstance(outcome, Step)
            order = self._ordered[origin]
            order.open.difference_update(made.track for made in outcome.made)
            for made in outcome.made:
                order.units += self._take_over(made, now_ns)
            if outcome.seconds is not None:
                self._feeder.took(order.voice, outcome.seconds, order.tracks, order.units, first=order.first)
                room = self._repertoire.together(order.voice)
                self._work.stepped(order.voice, outcome.seconds, order.tracks, room)
                if origin is Origin.VOICE:
                    self._load.worked(outcome.seconds, now_ns)
                self._idle.add(origin)
                self._order(now_ns)

    def _take_over(self, made: Made, now_ns: int) -> int:
        """Let a track grow; returns the units that it grew by."""
        before = made.track.units
        if isinstance(made.result, Arrival):
            self._await(made.track, made.result, now_ns)
            return 0
        self._weigh(made, now_ns)
        if isinstance(made.result, Failure):
            self._feeder.failed(made.track, made.result, now_ns)
        else:
            self._feeder.made(made.track, made.result, now_ns)
            if self._shared is not None and made.track.complete and made.track.kept:
                self._shared.keep(made.track)
        grown = made.track.units - before
        self._work.made(made.track.recipe.voice, made.seconds, grown / 100)
        return grown

    def _await(self, track: Track, arrival: Arrival, now_ns: int) -> None:
        """Leave a track alone until what it waits for has come."""
        loop = asyncio.get_running_loop()

        def here() -> None:
            now_ns = time.monotonic_ns()
            self._feeder.found(track, None, now_ns)
            self._order(now_ns)

        def came() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the worker has ended
                loop.call_soon_threadsafe(here)

        self._feeder.waits(track, now_ns)
        arrival.when(came)

    def _weigh(self, made: Made, now_ns: int) -> None:
        """Account for what a stretch of speech has cost; not of one that another began, or with recordings."""
        recipe, first, result = made.track.recipe, not made.track.units, made.result
        if not isinstance(result, Stretch) or recipe.origin is not Origin.VOICE or recipe.files:
            return
        if first and recipe.resume:
            return
        self._load.made(recipe.voice, made.seconds, len(result.payload) / LINE_RATE, now_ns, first=first)

    # -- time ---------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Keep the rings filled."""
        next_statistics_ns = time.monotonic_ns()
        while True:
            now_ns = time.monotonic_ns()
            self._feeder.service(now_ns)
            self._order(now_ns)
            if self._makers[Origin.VOICE].busy_s > _STUCK_S:
                self._give_up(now_ns)
            if now_ns >= next_statistics_ns:
                next_statistics_ns = now_ns + _STATISTICS_NS
                self._link.send(self._statistics(now_ns))
            await asyncio.sleep(_SERVICE_S)

    def _give_up(self, now_ns: int) -> None:
        """An engine hangs: say over whose speech, so that nobody else tries it, and end the process."""
        detail = f"the engine was at one stretch for {_STUCK_S:g} s"
        for track in self._ordered[Origin.VOICE].open:
            self._feeder.failed(track, Failure("engine_error", detail), now_ns)
        raise RuntimeError(detail)

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

    def _statistics(self, now_ns: int) -> SynthesisStatistics:
        library = self._library
        self._utilisation = self._load.utilisation(now_ns)
        return SynthesisStatistics(
            utterances=self._feeder.utterances,
            cache_hits=library.hits,
            cache_misses=library.misses,
            cache_octets=library.octets,
            cache_entries=len(library),
            streams=self._feeder.streams,
            resets=self._repertoire.source.resets,
            utilisation=self._utilisation,
            costs=self._load.costs(now_ns),
            work=self._work.told(self._feeder.waiting()),
            gpu=gpu.memory(),
            shared=self._shared.statistics() if self._shared else None,
            providers=self._repertoire.providers(),
            fail_overs=self._repertoire.fail_overs(),
        )


def _open_prompts(settings: Told) -> tuple[Source, tuple[VoiceInfo, ...]]:
    folder = settings.prompts_folder
    if folder is not None and any(each.suffix.lower() not in ("", ".wav") for each in folder.rglob("*")):
        importlib.import_module("av")  # takes 0.1 s, which the first call that is played one would wait for
    return PromptSource(settings.level_dbm0, settings.prompt_seconds), ()


async def _main(arguments: argparse.Namespace) -> None:
    settings = told()
    logs.configure(settings.log_level, settings.log_json, f"synthesis-{arguments.index}")
    if settings.other_cpus:
        os.sched_setaffinity(0, settings.other_cpus)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
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
    parser.add_argument("--index", type=int, default=0)
    try:
        uvloop.run(_main(parser.parse_args()))
    except UnknownVoice as error:
        log.error("VOXTRUNK_DEFAULT_VOICE: %s (`voxtrunk voices` lists those that there are)", error)
        os._exit(os.EX_CONFIG)  # at once, lest control take it for one that hangs


if __name__ == "__main__":
    main()
