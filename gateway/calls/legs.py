"""The machine room: does what calls' cores decide, and tells them what workers say and what the ring shows.

Everything here happens in one call stack without waiting: take a glance, tell the core, ``act``. Two small
loops look at the rings: one every few milliseconds for what was sent, one every millisecond while a cut is on
its way.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gateway.calls.actions import CutRing, Publish, SetPaused
from gateway.calls.call import Call
from gateway.calls.crew import Crew, Hooks, MediaSeat, SynthesisSeat
from gateway.calls.events import EventLog
from gateway.calls.leg import Leg
from gateway.messages import (
    ChangeLeg,
    CloseLeg,
    Described,
    DetachLeg,
    DigitReceived,
    DigitsSent,
    FromMedia,
    FromSynthesis,
    Latched,
    Laying,
    LegClosed,
    LegDetached,
    LegOpened,
    LegRefused,
    LegStatistics,
    LegTrouble,
    MediaReady,
    Quality,
    Removed,
    RingReset,
    SpeechFailed,
    SynthesisReady,
    SynthesisStatistics,
)

_log = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 0.004
_CUT_POLL_SECONDS: Final = 0.001
_PATIENCE_NS: Final = 250_000_000
"""How long a stop waits for what was really heard before it answers with what is known."""
MEDIA: Final = "media"
_CONTROL: Final = "control"
"""Holders of a row, beside the synthesis workers: it is free when its call is buried, too."""


def wall_time(at_ns: int) -> datetime:
    """The wall clock's time of a moment on CLOCK_MONOTONIC. For people only: nothing is computed from it."""
    ago_ns = time.monotonic_ns() - at_ns
    return datetime.fromtimestamp((time.time_ns() - ago_ns) / 1e9, UTC)


class Legs:
    """The open legs of all seats. ``hooks`` are for the crew.

    ``on_opened`` is told before the leg's first event, ``on_closed`` after its last; ``on_trouble`` of what
    may call for closing a leg; ``on_first_audio`` of the seconds from a request to its first audio.
    """

    def __init__(
        self,
        crew: Crew,
        events: EventLog,
        queue_limit: int,
        on_opened: Callable[[Leg], None],
        on_closed: Callable[[Leg], None],
        on_trouble: Callable[[Leg, LegTrouble], None],
        on_first_audio: Callable[[float], None],
    ) -> None:
        self.hooks = Hooks(self._from_media, self._from_synthesis, self._media_died, self._synthesis_died)
        self._crew = crew
        self._events = events
        self._queue_limit = queue_limit
        self._on_opened = on_opened
        self._on_closed = on_closed
        self._on_trouble = on_trouble
        self._on_first_audio = on_first_audio
        self._unsettled: dict[Leg, None] = {}
        self._cutting = asyncio.Event()

    # -- doing --------------------------------------------------------------------------------------------

    def act(self, leg: Leg) -> None:
        """Do what the leg's core wants done, then note what to watch for."""
        self._perform(leg)
        playlist = leg.call.playlist
        if playlist.orphaned and not leg.call.closing:
            self._attach(leg)
        leg.media.watch.expect(leg.row, playlist.next_at())
        if playlist.unsettled:
            if leg not in self._unsettled or leg.patience_for != playlist.generation:
                leg.patience_ns = time.monotonic_ns() + _PATIENCE_NS
                leg.patience_for = playlist.generation
            self._unsettled[leg] = None
            self._cutting.set()
        else:
            self._unsettled.pop(leg, None)
            leg.changed()

    def _perform(self, leg: Leg) -> None:
        ring, row = leg.media.ring, leg.row
        for action in leg.call.take():
            match action:
                case Publish():
                    self._publish(leg, action)
                case CutRing(at, generation, with_change):
                    ring.changes[row] += with_change
                    made = ring.cut(row, at)
                    assert made == generation, f"row {row}: generation {made}, expected {generation}"
                case SetPaused(paused):
                    ring.paused[row] = paused
                case ChangeLeg():
                    leg.media.worker.send(action)
                case _:
                    assert leg.writer is not None
                    leg.writer.worker.send(action)

    def _publish(self, leg: Leg, note: Publish) -> None:
        self._events.publish(leg.call.id, note, wall_time(note.at_ns))
        if leg.observer is not None:
            leg.observer(leg.call, note)
        seconds = note.data.get("first_audio_ms") if note.type == "utterance.started" else None
        if isinstance(seconds, float):
            self._on_first_audio(seconds / 1000)

    def _attach(self, leg: Leg) -> None:
        """Give the leg to a synthesis worker; without one it waits until the next is ready."""
        seat = self._crew.idlest()
        if seat is None:
            return
        leg.writer = seat
        seat.legs.add(leg)
        leg.media.rows.hold(leg.row, seat.name)
        leg.call.playlist.attach()
        self._perform(leg)

    def detach(self, leg: Leg) -> None:
        """No more is to be written for the leg."""
        if leg.writer is not None:
            leg.writer.worker.send(DetachLeg(leg.media.index, leg.row))
            leg.writer.legs.discard(leg)
            leg.writer = None

    def bury(self, leg: Leg, cause: str, statistics: LegStatistics | None) -> None:
        """The leg is gone from the media worker: end its call and forget it."""
        now_ns = time.monotonic_ns()
        leg.call.closed(cause, statistics, wall_time(now_ns), leg.glance(now_ns))
        self._perform(leg)
        leg.media.watch.close(leg.row)
        self._unsettled.pop(leg, None)
        self.detach(leg)
        del leg.media.legs[leg.row]
        leg.media.rows.let_go(leg.row, _CONTROL)
        if leg.timer is not None:
            leg.timer.cancel()
        self._on_closed(leg)
        leg.changed()

    # -- looking ------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """For ever: look at what was sent."""
        while True:
            for seat in self._crew.media:
                for row in seat.watch.due():
                    leg = seat.legs[row]
                    leg.call.advance(leg.glance(time.monotonic_ns()), seat.watch.underruns(row))
                    self.act(leg)
            await asyncio.sleep(_WATCH_SECONDS)

    async def follow_cuts(self) -> None:
        """For ever: while cuts are on their way, look often for the pacer's and the writer's answer."""
        while True:
            await self._cutting.wait()
            self._cutting.clear()
            while self._unsettled:
                for leg in tuple(self._unsettled):
                    self._follow_cut(leg)
                await asyncio.sleep(_CUT_POLL_SECONDS)

    def _follow_cut(self, leg: Leg) -> None:
        now_ns = time.monotonic_ns()
        playlist = leg.call.playlist
        position = playlist.cut_is_through(leg.media.ring)
        if position is not None:
            playlist.begun(playlist.generation, position, leg.glance(now_ns))
        elif now_ns >= leg.patience_ns:
            _log.warning("a cut took too long", extra={"call_id": leg.call.id})
            playlist.give_up(leg.glance(now_ns))
        else:
            return
        self.act(leg)

    # -- what media workers say ---------------------------------------------------------------------------

    def _from_media(self, seat: MediaSeat, message: FromMedia) -> None:
        match message:
            case LegOpened():
                self._opened(seat, message)
            case LegRefused():
                seat.rows.let_go(message.row, MEDIA)
                opening = seat.openings.pop(message.row)
                if not opening.answer.done():
                    opening.answer.set_result(message)
            case LegClosed():
                seat.rows.let_go(message.row, MEDIA)
                leg = seat.legs.get(message.row)
                if leg is not None and not leg.gone.done():
                    leg.gone.set_result(message.statistics)
            case MediaReady() | DigitsSent():
                pass
            case DigitReceived() | Quality() | LegTrouble() | Latched():
                reporting = seat.legs.get(message.row)
                if reporting is not None:
                    self._reported(reporting, message)

    def _opened(self, seat: MediaSeat, message: LegOpened) -> None:
        opening = seat.openings.pop(message.row)
        if opening.answer.done():  # whoever asked has gone
            seat.worker.send(CloseLeg(message.row))
            return
        now_ns = time.monotonic_ns()
        call = Call(
            call_id=f"c_{secrets.token_hex(12)}",
            request=opening.request,
            voice=opening.voice,
            ring=seat.index,
            opened=message,
            generation=opening.generation,
            opened_at=wall_time(now_ns),
            queue_limit=self._queue_limit,
        )
        leg = Leg(call, seat, asyncio.get_running_loop().create_future(), opening.observer)
        seat.legs[message.row] = leg
        seat.rows.hold(message.row, _CONTROL)
        seat.watch.open(message.row)
        self._on_opened(leg)
        call.opened(leg.glance(now_ns))
        self.act(leg)
        opening.answer.set_result(leg)

    def _reported(self, leg: Leg, message: DigitReceived | Quality | LegTrouble | Latched) -> None:
        glance = leg.glance(time.monotonic_ns())
        if not isinstance(message, DigitReceived):
            leg.call.report(message, glance)
        elif message.duration_ms is None:  # its start, when it is to cut; its end tells nothing new
            leg.call.digit(message.digit, None, glance)
        self.act(leg)
        if isinstance(message, LegTrouble):
            self._on_trouble(leg, message)

    def _media_died(self, seat: MediaSeat) -> None:
        """Its calls end; rows are free again once the synthesis workers have let go, too."""
        for opening in seat.openings.values():
            if not opening.answer.done():
                opening.answer.set_result(None)
        seat.openings.clear()
        for leg in tuple(seat.legs.values()):
            if not leg.gone.done():
                leg.gone.set_result(None)
            self.bury(leg, "media_worker_died", None)
        self._crew.tell_synthesis(RingReset(seat.index))
        seat.rows.let_go_all(MEDIA)

    # -- what synthesis workers say -----------------------------------------------------------------------

    def _from_synthesis(self, seat: SynthesisSeat, message: FromSynthesis) -> None:
        match message:
            case SynthesisReady():
                seat.voices = message.voices
                for media in self._crew.media:
                    for leg in tuple(media.legs.values()):
                        self.act(leg)  # some wait for a writer
            case SynthesisStatistics():
                seat.statistics = message
            case LegDetached():
                self._crew.media[message.ring].rows.let_go(message.row, seat.name)
            case Described() | Laying() | Removed() | SpeechFailed():
                written = self._crew.media[message.ring].legs.get(message.row)
                if written is not None and written.writer is seat:
                    self._written(written, message)

    def _written(self, leg: Leg, message: Described | Laying | Removed | SpeechFailed) -> None:
        glance = leg.glance(time.monotonic_ns())
        playlist = leg.call.playlist
        match message:
            case Described():
                playlist.describe(message, glance)
            case Laying():
                playlist.laid(message, glance)
            case Removed():
                playlist.removed(message, glance)
            case SpeechFailed():
                playlist.speech_failed(message, glance)
        self.act(leg)

    def _synthesis_died(self, seat: SynthesisSeat) -> None:
        """What it was saying fails; what it had not begun is said by another."""
        seat.statistics = None
        for media in self._crew.media:
            media.rows.let_go_all(seat.name)
        for leg in tuple(seat.legs):
            leg.writer = None
            leg.call.playlist.writer_lost(leg.glance(time.monotonic_ns()))
            self.act(leg)
        seat.legs.clear()
