"""The machine room: does what calls' cores decide, and tells them what workers say and what the ring shows.

Everything here happens in one call stack without waiting: take a glance, tell the core, ``act``. Two small
loops look at the rings: one every few milliseconds for what was sent, one every millisecond while a cut is on
its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from gateway.calls.actions import CutRing, Publish, SetPaused, Tell
from gateway.calls.call import Call
from gateway.calls.crew import Crew, Hooks, MediaSeat, SynthesisSeat
from gateway.calls.events import EventLog
from gateway.calls.leg import Leg, Observer
from gateway.calls.seat import LegSeat
from gateway.messages.media import (
    ChangeLeg,
    CloseLeg,
    DigitReceived,
    DigitsSent,
    FromMedia,
    Latched,
    LegClosed,
    LegOpened,
    LegRefused,
    LegStatistics,
    LegTrouble,
    Listen,
    MediaReady,
    MixLeg,
    Quality,
    RingCut,
    VoiceHeard,
)
from gateway.messages.synthesis import (
    CacheKnown,
    Described,
    DetachLeg,
    FromSynthesis,
    Laying,
    LegDetached,
    Removed,
    RingReset,
    SpeechFailed,
    SynthesisReady,
    VoicesChanged,
    VoicesRenewed,
)
from gateway.messages.work import SynthesisStatistics
from gateway.ring import NEVER, UNIT_MS

_log = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 0.004
_LONGEST_WATCH_SECONDS: Final = 0.04
"""Whoever speaks is looked at so often at least: an underrun is told no later."""
_SENT_TOGETHER: Final = 6
"""Units of the longest packet: they are sent all at once."""
_CUT_POLL_SECONDS: Final = 0.001
_UNNOTICED: Final = 30
"""Units that are laid of what a leg says when another synthesis worker is to go on with it: it lets go, and the
other makes the next clause, in less."""
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
    """The open legs of all seats. ``hooks`` are for the crew; ``run`` is what their calls' ids begin with.

    ``on_opened`` is told before the leg's first event, ``on_closed`` after its last; ``on_trouble`` of what
    may call for closing a leg; ``on_event`` of every event of every call.
    """

    def __init__(
        self,
        crew: Crew,
        events: EventLog,
        run: str,
        queue_limit: int,
        on_opened: Callable[[Leg], None],
        on_closed: Callable[[Leg], None],
        on_trouble: Callable[[Leg, LegTrouble], None],
        on_event: Observer,
    ) -> None:
        self.hooks = Hooks(
            self._from_media, self._from_synthesis, self._media_died, self._synthesis_died, self._look_at
        )
        self._crew = crew
        self._events = events
        self._run = run
        self._queue_limit = queue_limit
        self._on_opened = on_opened
        self._on_closed = on_closed
        self._on_trouble = on_trouble
        self._on_event = on_event
        self._unsettled: dict[Leg, None] = {}
        self._cutting = asyncio.Event()
        self._expecting = asyncio.Event()
        self.orphans: dict[Leg, int] = {}
        """Legs without a synthesis worker, and for how many of the minder's looks."""

    # -- doing --------------------------------------------------------------------------------------------

    def act(self, leg: Leg) -> None:
        """Do what the leg's core wants done, then note what to watch for."""
        self._perform(leg)
        playlist = leg.call.playlist
        if playlist.orphaned and not leg.call.closing:
            self._attach(leg)
        self._weigh(leg)
        self._listen(leg)
        if leg.media.watch.expect(leg.row, playlist.next_at()):
            self._expecting.set()
        leg.media.explained(leg.row, playlist.explained_to)
        if leg.call.writing:
            self._await_hurry(leg)
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
                case Tell(listener, kind, data):
                    listener(kind, data)
                case CutRing(at, generation, with_change, fade):
                    ring.changes[row] += with_change
                    made = ring.cut(row, at, fade=fade)
                    assert made == generation, f"row {row}: generation {made}, expected {generation}"
                    leg.media.send(RingCut())
                case SetPaused(paused, at):
                    ring.hold(row, at if paused else NEVER)
                case ChangeLeg() | MixLeg():
                    leg.media.send(action)
                case _:
                    assert leg.writer is not None
                    leg.writer.worker.send(action)

    def _publish(self, leg: Leg, note: Publish) -> None:
        if leg.call.request.door is None:  # else it is told to the door's client, and to nobody else
            self._events.publish(leg.call.id, note, wall_time(note.at_ns))
        if leg.observer is not None:
            leg.observer(leg.call, note)
        self._on_event(leg.call, note)

    def _await_hurry(self, leg: Leg) -> None:
        """Set the clock for what is being written."""
        now_ns = time.monotonic_ns()
        at = leg.call.writing.hurry_at(leg.glance(now_ns))
        if leg.hurry is not None:
            leg.hurry.cancel()
        if at is None:
            leg.hurry = None
        else:
            leg.hurry = asyncio.get_running_loop().call_later(max(0, at - now_ns) / 1e9, self._hurry, leg)

    def _hurry(self, leg: Leg) -> None:
        leg.hurry = None
        leg.call.writing.hurry(leg.glance(time.monotonic_ns()))
        self.act(leg)

    def _attach(self, leg: Leg) -> None:
        """Give the leg to a synthesis worker; without one it waits until the next is ready."""
        seat = self._crew.idlest()
        if seat is None:
            self.orphans.setdefault(leg, 0)
            return
        self.orphans.pop(leg, None)
        leg.writer = seat
        seat.legs.add(leg)
        leg.media.rows.hold(leg.row, seat.name)
        leg.call.playlist.attach()
        self._perform(leg)

    def _weigh(self, leg: Leg) -> None:
        """Keep account of what the leg's synthesis worker has to do for it."""
        burden = None if leg.writer is None else leg.call.playlist.queue.burden
        if (leg.writer, burden) != (leg.burdened, leg.burden):
            if leg.burdened is not None:
                leg.burdened.demand.change(leg.burden, None)
            if leg.writer is not None:
                leg.writer.demand.change(None, burden)
            leg.burdened, leg.burden = leg.writer, burden

    def move(self, leg: Leg) -> bool:
        """Have the idlest synthesis worker go on with the leg, unless that might be heard; whether it does."""
        playlist = leg.call.playlist
        lead = NEVER if not playlist.queue else leg.media.ring.ahead(leg.row)
        if not playlist.movable or lead < _UNNOTICED:
            return False
        playlist.move()
        self.act(leg)
        return True

    def _listen(self, leg: Leg) -> None:
        """Have the media worker listen to the caller while his voice may cut something."""
        confirm_ms = leg.call.confirm_ms
        if confirm_ms != leg.confirm_ms and leg.call.state != "closed":
            leg.media.send(Listen(leg.row, confirm_ms))
            leg.confirm_ms = confirm_ms

    def detach(self, leg: Leg) -> None:
        """No more is to be written for the leg."""
        if leg.writer is not None:
            if not leg.call.playlist.writer.parting:
                leg.writer.worker.send(DetachLeg(leg.media.index, leg.row))
            leg.writer.legs.discard(leg)
            leg.writer = None
            self._weigh(leg)

    def bury(self, leg: Leg, cause: str, statistics: LegStatistics | None) -> None:
        """The leg is gone from the media worker: end its call and forget it."""
        now_ns = time.monotonic_ns()
        leg.call.closed(cause, statistics, wall_time(now_ns), leg.glance(now_ns))
        self._perform(leg)
        leg.media.watch.close(leg.row)
        self._unsettled.pop(leg, None)
        self.orphans.pop(leg, None)
        self.detach(leg)
        del leg.media.legs[leg.row]
        leg.media.rows.let_go(leg.row, _CONTROL)
        for timer in (leg.timer, leg.hurry):
            if timer is not None:
                timer.cancel()
        self._on_closed(leg)
        leg.changed()

    # -- looking ------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """For ever: look at what was sent, when something may be to tell."""
        while True:
            for seat in self._crew.media:
                self._look(seat)
            self._expecting.clear()
            units = min((seat.watch.rest_units() for seat in self._crew.media), default=NEVER)
            rest = min(max(_WATCH_SECONDS, (units - _SENT_TOGETHER) * UNIT_MS / 1000), _LONGEST_WATCH_SECONDS)
            await asyncio.sleep(_WATCH_SECONDS)  # however much is expected: the loop has others to serve
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if units == NEVER else rest - _WATCH_SECONDS):
                    await self._expecting.wait()

    def _look(self, seat: LegSeat) -> None:
        """Look at what was sent of those legs of a ring of which something is to be told."""
        for row in seat.watch.due():
            self._look_at(seat, row)

    def _look_at(self, seat: LegSeat, row: int) -> None:
        leg = seat.legs[row]
        leg.call.advance(leg.glance(time.monotonic_ns()), seat.watch.underruns(row))
        self.act(leg)

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

    def _from_media(self, seat: LegSeat, message: FromMedia) -> None:
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
            case DigitReceived() | VoiceHeard() | Quality() | LegTrouble() | Latched():
                reporting = seat.legs.get(message.row)
                if reporting is not None:
                    self._reported(reporting, message)

    def _opened(self, seat: LegSeat, message: LegOpened) -> None:
        opening = seat.openings.pop(message.row)
        if opening.answer.done():  # whoever asked has gone
            seat.send(CloseLeg(message.row))
            return
        now_ns = time.monotonic_ns()
        call = Call(
            call_id=f"c_{self._run}{secrets.token_hex(8)}",
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

    def _reported(
        self, leg: Leg, message: DigitReceived | VoiceHeard | Quality | LegTrouble | Latched
    ) -> None:
        glance = leg.glance(time.monotonic_ns())
        if isinstance(message, VoiceHeard):
            leg.call.hear(message, glance)
        elif not isinstance(message, DigitReceived):
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
        seat.heard_ns = time.monotonic_ns()
        seat.silent = 0
        match message:
            case SynthesisReady():
                seat.voices = message.voices
                for place in self._crew.seats:
                    for leg in tuple(place.legs.values()):
                        self.act(leg)  # some wait for a writer
            case VoicesChanged():
                seat.voices = message.voices
            case VoicesRenewed():
                seat.renewed(message)
            case SynthesisStatistics():
                seat.statistics = message
                seat.demand.learn(message.costs)
            case CacheKnown(key=key, cached=cached):
                seat.answer(key, cached)
            case LegDetached():
                media = self._crew.seats[message.ring]
                media.rows.let_go(message.row, seat.name)
                left = media.legs.get(message.row)
                if left is not None and left.writer is seat:
                    self._left(left, seat)
            case Described() | Laying() | Removed() | SpeechFailed():
                written = self._crew.seats[message.ring].legs.get(message.row)
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
        """What it laid goes on being sent, and another says the rest."""
        seat.statistics = None
        seat.fall_silent()
        for place in self._crew.seats:
            place.rows.let_go_all(seat.name)
        legs = tuple(seat.legs)
        seat.legs.clear()
        for leg in legs:
            leg.writer = None
            leg.call.playlist.writer_lost(leg.media.ring.laid_to(leg.row), leg.glance(time.monotonic_ns()))
            self.act(leg)

    def _left(self, leg: Leg, seat: SynthesisSeat) -> None:
        """The worker has let go of a leg that is to be given out anew."""
        leg.writer = None
        seat.legs.discard(leg)
        leg.call.playlist.writer_left(leg.media.ring.laid_to(leg.row), leg.glance(time.monotonic_ns()))
        self.act(leg)
