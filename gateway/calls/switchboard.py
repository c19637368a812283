"""The control process's heart: calls by id, and all that can be asked of them. A thin shell over ``Call``.

    API -> Switchboard -> Call (decides) -> Legs (does it) -> ring, media worker, synthesis worker

Requests are decided and done in one call stack, without an await in between; what is awaited afterwards is
only the answer: a leg that opens, what was heard until a cut, a leg's final account.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from gateway.calls import crew as crews
from gateway.calls.actions import Glance
from gateway.calls.beds import Bed, Beds
from gateway.calls.booth import Take
from gateway.calls.call import Call, payload_type_of
from gateway.calls.crew import Crew, MediaSeat
from gateway.calls.demand import Burden
from gateway.calls.draft import Bounds, Draft
from gateway.calls.events import EventLog
from gateway.calls.leg import CloseCause, Leg, Observer, Opening
from gateway.calls.legs import MEDIA, Legs, wall_time
from gateway.calls.requests import Background, Media, OpenCall, Say
from gateway.calls.targets import check_target
from gateway.calls.utterance import Cause, Utterance, order
from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.messages.media import CloseLeg, DropBed, LegRefused, LegTrouble, OpenLeg, SendDigits
from gateway.messages.synthesis import VoiceInfo
from gateway.ring import NEVER
from gateway.settings import Settings
from tts_core.reading import speakable

_OPEN_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 2.0
"""How long a media worker may take to open or close a leg."""
_START_SECONDS: Final = 30.0
_DRAIN_POLL_SECONDS: Final = 0.02
_SWEEP_SECONDS: Final = 1.0
_DRAINING_SECONDS: Final = 30
_FULL_SECONDS: Final = 5
_SPEECH_SECONDS: Final = 2
"""When to try again: soon when calls have to end, sooner when utterances have to."""


Obstacle = Literal["draining", "unavailable", "voiceless", "full"]
"""Why no new call is taken. ``voiceless``: nobody speaks with the voice of calls that name none."""


class Switchboard:
    """All calls of this gateway. ``start`` it, ``close`` it; both once.

    ``events``: what happened. ``workers``: the seats of the worker processes, for metrics.
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
        self.draining = False
        self.run = secrets.token_hex(4)
        """Names this run of the gateway in its calls' and events' ids: other nodes know whose they are."""
        self.events = EventLog(settings.events_per_call, settings.events_retained, self.run)
        self.workers = Crew(settings, media_command, synthesis_command)
        self._beds = Beds(settings.level_dbm0, settings.prompt_seconds)
        self.on_event: Observer = lambda call, note: None
        self._calls: dict[str, Call] = {}
        self._open: dict[str, Leg] = {}
        self._expiring: deque[tuple[int, str]] = deque()
        self.owned: Counter[str] = Counter()
        """Open calls by the key that they were opened with."""
        self._opening: Counter[str] = Counter()
        self._keys = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._draining: asyncio.Task[None] | None = None
        self._drained_at = math.inf
        self._ending = False
        self._legs = Legs(
            self.workers,
            self.events,
            self.run,
            settings.queue_limit,
            self._on_opened,
            self._on_closed,
            self._on_trouble,
            lambda call, note: self.on_event(call, note),
        )

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workers and wait until they are ready. Raises WorkerFailed, TimeoutError."""
        async with asyncio.timeout(_START_SECONDS):
            await self.workers.start(self._legs.hooks)
        legs = self._legs
        for loop in (legs.watch, legs.follow_cuts, legs.mind_workers, self._sweep, self.workers.booth.run):
            task = asyncio.create_task(loop(), name=loop.__qualname__)
            task.add_done_callback(report_failure)
            self._tasks.append(task)

    async def close(self) -> None:
        """End every call (the peers hear BYE), every worker, and every subscription."""
        self.draining = True
        if self._draining is not None:
            self._tasks.append(self._draining)
        await self._close_all("shutdown")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.workers.close()
        self.events.close()

    async def drain(self, limit_seconds: float) -> None:
        """What SIGTERM asks for, and what nobody takes back: ``start_draining``, until there is no call."""
        self._ending = True
        await asyncio.shield(self._run_empty_within(limit_seconds))

    def start_draining(self, limit_seconds: float | None) -> None:
        """Take no new calls; those that there are may finish, for ``limit_seconds`` (None: as long as they like).

        Asked again, the new limit holds. Refusal ``wrong_state`` when the process is to end already.
        """
        self._check_staying()
        self._run_empty_within(limit_seconds)

    def stop_draining(self) -> None:
        """Take calls again. Refusal ``wrong_state`` when the process is to end."""
        self._check_staying()
        self.draining = False
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None

    def _check_staying(self) -> None:
        if self._ending:
            raise Refusal("wrong_state", "The gateway is shutting down, which cannot be taken back")

    @property
    def drained_in(self) -> float | None:
        """The seconds after which a draining gateway ends the calls that are left; None: never."""
        left = self._drained_at - time.monotonic()
        return None if not self.draining or math.isinf(left) else max(0.0, left)

    def _run_empty_within(self, limit_seconds: float | None) -> asyncio.Task[None]:
        self.draining = True
        self._drained_at = math.inf if limit_seconds is None else time.monotonic() + limit_seconds
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._run_empty(), name="drain")
            self._draining.add_done_callback(report_failure)
        return self._draining

    async def _run_empty(self) -> None:
        """Until no call is open nor about to be; beyond the limit those that are left are ended."""
        while self._open or any(seat.openings for seat in self.workers.media):
            if time.monotonic() >= self._drained_at:
                for leg in tuple(self._open.values()):
                    self._begin_closing(leg, "drained")
            await asyncio.sleep(_DRAIN_POLL_SECONDS)

    @property
    def sound(self) -> bool:
        """Whether the loops of this process that calls need turn; a restart is the only cure if not."""
        turning = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return turning and not self.workers.failed

    @property
    def obstacle(self) -> Obstacle | None:
        """Why no new call is taken; None when one is welcome and can speak."""
        if self.draining:
            return "draining"
        if not self.sound or not self.workers.complete:
            return "unavailable"
        if not any(voice.name == self.settings.default_voice for voice in self.voices()):
            return "voiceless"
        return None if self._why_full() is None else "full"

    def voices(self) -> tuple[VoiceInfo, ...]:
        """The voices that every worker speaks with; those of one that is being replaced still count."""
        first, *others = [seat.voices for seat in self.workers.synthesis if seat.voices] or [()]
        if all(voices == first for voices in others):
            return first
        common = set(first).intersection(*others)
        return tuple(voice for voice in first if voice in common)

    # -- calls --------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        """In the order of their opening, those among them that were closed lately; none of a door."""
        return list(self._calls.values())

    def doors(self) -> list[Call]:
        """Those of which clients of speech APIs are handed what is said."""
        started = bool(self.workers.seats)
        return [leg.call for leg in self.workers.booth.legs.values()] if started else []

    def call(self, call_id: str) -> Call:
        """The call, up to date. Refusal ``unknown_call``."""
        call = self._calls.get(call_id)
        if call is None:
            raise Refusal("unknown_call", f"There is no call {call_id!r} (any more)")
        leg = self._open.get(call_id)
        if leg is not None:
            call.advance(leg.glance(time.monotonic_ns()))
            self._legs.act(leg)
        return call

    def webhook_url(self, call_id: str) -> str | None:
        """Where a call's events are to be posted; None also when there is no such call any more."""
        call = self._calls.get(call_id)
        return None if call is None else call.webhook_url or self.settings.webhook_url

    def retry_after(self) -> int | None:
        """None while a new call is welcome, else the seconds after which one may be."""
        if self.draining:
            return _DRAINING_SECONDS
        if not self.workers.complete:
            return 1
        return None if self._why_full() is None else _FULL_SECONDS

    def _why_full(self) -> str | None:
        """Why there is no room for one call more; None when there is."""
        opening = sum(len(seat.openings) for seat in self.workers.media)
        if len(self._open) - len(self.workers.booth.legs) + opening >= self.settings.max_calls:
            return f"{self.settings.max_calls} calls are open (VOXTRUNK_MAX_CALLS)"
        if self.workers.roomiest() is None:
            return "every row is taken (VOXTRUNK_LEGS_PER_WORKER), or pacing has its share (VOXTRUNK_MEDIA_LIMIT)"
        return None

    async def open_call(self, request: OpenCall, observer: Observer | None = None) -> Call:
        """Open a leg; it sends at once, or once a SIP call is answered.

        Refusals ``draining``, ``unavailable``, ``unknown_voice``, ``invalid``, ``target_not_allowed``,
        ``too_many_calls``, ``at_capacity``.
        """
        voice = self._check_welcome(request)
        address = request.address
        if request.port or request.sip is None:
            address = str(
                check_target(
                    self.settings,
                    address,
                    request.port,
                    request.rtcp_port,
                    rtcp_mux=request.rtcp_mux,
                    owner_allow=request.owner_allow,
                )
            )
        self._check_owner(request)
        full = self._why_full()
        if full is not None:
            raise _full(full)
        seat = self.workers.roomiest()
        row = seat.rows.take(MEDIA) if seat else None
        assert seat is not None
        assert row is not None
        self._opening[request.owner] += 1
        try:
            answer = await self._open_leg(seat, row, request, voice, address, observer)
        finally:
            self._opening[request.owner] -= 1
        if isinstance(answer, Leg):
            return answer.call
        if answer is None:
            raise Refusal("unavailable", "The media worker died over it; try again in a second")
        if answer.code == "address":
            raise Refusal("invalid", f"RTP cannot be sent to {address}: {answer.detail}", field="rtp.address")
        raise _full(answer.detail)

    def open_door(self, request: OpenCall, take: Take, observer: Observer) -> Call:
        """Open a leg of which ``take`` is handed what is said (``gateway.calls.booth``). It is in no list.

        Refusals ``draining``, ``unavailable``, ``unknown_voice``, ``too_many_calls``, ``at_capacity``.
        """
        voice = self._check_welcome(request)
        self._check_owner(request)
        booth = self.workers.booth
        row = booth.rows.take(MEDIA)
        if row is None:
            raise _full(f"{booth.ring.legs} streams of speech APIs are open (VOXTRUNK_DOORS_MAX)")
        generation = booth.ring.cut(row)
        booth.ring.hold(row, NEVER)
        opening = Opening(request, voice, generation, observer, asyncio.get_running_loop().create_future())
        booth.openings[row] = opening
        booth.send(
            OpenLeg(
                row=row,
                remote_address="",
                remote_port=0,
                payload_type=payload_type_of(request),
                law=request.codec,
                ptime_ms=request.ptime,
                dtmf_payload_type=None,
                suppress_silence=True,
            )
        )
        leg = opening.answer.result()
        assert isinstance(leg, Leg)
        booth.open(row, take)
        return leg.call

    def close_door(self, call: Call) -> None:
        """Nobody hears it any more: stop its speech and let its leg go. Without effect when that is done."""
        leg = self._open.get(call.id)
        if leg is not None:
            self.workers.booth.close(leg.row)
            self._begin_closing(leg, "closed")

    def _check_welcome(self, request: OpenCall) -> str:
        """The voice of a new leg. Refusals ``draining``, ``unavailable``, ``unknown_voice``."""
        if self.draining:
            raise Refusal(
                "draining", "The gateway takes no new calls; call another one", retry_after=_DRAINING_SECONDS
            )
        if not self.workers.complete:
            raise Refusal("unavailable", "A worker process is being replaced; try again in a second")
        return self._check_voice(request.voice or self.settings.default_voice)

    def _check_owner(self, request: OpenCall) -> None:
        """Refusal ``too_many_calls``."""
        held = self.owned[request.owner] + self._opening[request.owner]
        if request.owner_limit and held >= request.owner_limit:
            detail = (
                f"The key {request.owner} may have {request.owner_limit} calls open (VOXTRUNK_KEY_MAX_CALLS)"
            )
            raise Refusal("too_many_calls", detail, retry_after=_FULL_SECONDS)

    async def _open_leg(
        self,
        seat: MediaSeat,
        row: int,
        request: OpenCall,
        voice: str,
        address: str,
        observer: Observer | None,
    ) -> Leg | LegRefused | None:
        """Ask the media worker. A leg that opens when nobody waits for it any more is closed again."""
        generation = seat.ring.cut(row)
        seat.ring.hold(row, NEVER)
        seat.ring.changes[row] = 0
        future: asyncio.Future[Leg | LegRefused | None] = asyncio.get_running_loop().create_future()
        seat.openings[row] = Opening(request, voice, generation, observer, future)
        seat.worker.send(
            OpenLeg(
                row=row,
                remote_address=address,
                remote_port=request.port,
                payload_type=payload_type_of(request),
                law=request.codec,
                ptime_ms=request.ptime,
                dtmf_payload_type=request.dtmf_payload_type,
                suppress_silence=request.silence == "suppress",
                remote_rtcp_port=request.rtcp_port,
                rtcp_mux=request.rtcp_mux,
                held=request.sip is not None,
            )
        )
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                return await future
        except TimeoutError:
            raise Refusal("unavailable", "The media worker does not answer; try again in a second") from None

    def _on_opened(self, leg: Leg) -> None:
        call = leg.call
        if call.request.door is None:
            self._calls[call.id] = call
        self._open[call.id] = leg
        self.owned[call.request.owner] += 1
        if call.state == "open":
            self._limit(leg)

    def _limit(self, leg: Leg) -> None:
        """From here on the call's time counts."""
        seconds = self.settings.max_call_seconds
        if leg.call.request.max_seconds is not None:
            seconds = min(seconds, leg.call.request.max_seconds)
        leg.timer = asyncio.get_running_loop().call_later(seconds, self._begin_closing, leg, "max_seconds")

    def _on_closed(self, leg: Leg) -> None:
        del self._open[leg.call.id]
        self.owned[leg.call.request.owner] -= 1
        self._let_go(leg.bed)
        leg.bed = None
        if leg.call.request.door is None:
            until = time.monotonic_ns() + int(self.settings.closed_call_seconds * 1e9)
            self._expiring.append((until, leg.call.id))

    def _on_trouble(self, leg: Leg, trouble: LegTrouble) -> None:
        settings = self.settings
        if trouble.kind == "unreachable" and settings.unreachable_action == "close":
            self._begin_closing(leg, "unreachable")
        if trouble.kind == "timeout" and settings.media_timeout_action == "close":
            self._begin_closing(leg, "media_timeout")

    async def close_call(
        self, call_id: str, cause: CloseCause = "closed", sip_end: tuple[int, str] | None = None
    ) -> Call:
        """Stop its speech, say BYE, close. Returns the final call, at once if it is closed already.

        ``sip_end``: the status and reason with which a peer, or we, declined a SIP call.
        """
        call = self.call(call_id)
        leg = self._open.get(call_id)
        if leg is not None:
            await asyncio.shield(self._begin_closing(leg, cause, sip_end))
        return call

    def _begin_closing(
        self, leg: Leg, cause: CloseCause, sip_end: tuple[int, str] | None = None
    ) -> asyncio.Task[None]:
        """Close once, whoever asks first and however often."""
        if leg.closing is None:
            leg.call.close(cause, leg.glance(time.monotonic_ns()), sip_end)
            self._legs.act(leg)
            leg.closing = asyncio.create_task(self._close_leg(leg), name=f"close {leg.call.id}")
            leg.closing.add_done_callback(report_failure)
        return leg.closing

    async def _close_leg(self, leg: Leg) -> None:
        await leg.settled()
        statistics = None
        if leg.call.state != "closed":
            self._legs.detach(leg)
            leg.media.send(CloseLeg(leg.row))
            await asyncio.wait({leg.gone}, timeout=_CLOSE_SECONDS)
            statistics = leg.gone.result() if leg.gone.done() else None
        if leg.call.state != "closed":
            self._legs.bury(leg, "closed", statistics)

    async def _close_all(self, cause: CloseCause) -> None:
        closing = [self._begin_closing(leg, cause) for leg in tuple(self._open.values())]
        if closing:
            await asyncio.wait(closing)

    # -- what a SIP peer does ------------------------------------------------------------------------------

    def ringing(self, call_id: str, code: int) -> None:
        """The peer is being called. Without effect, as all of these, on a call that is closed."""
        self._tell(call_id, lambda leg: leg.call.ringing(code, leg.glance(time.monotonic_ns())))

    def early(self, call_id: str) -> None:
        """Speech may go out although the call is not answered."""
        self._tell(call_id, lambda leg: leg.call.early(leg.glance(time.monotonic_ns())))

    def answered(self, call_id: str, media: Media) -> None:
        """The call is answered: speech begins. Refusals ``invalid``, ``target_not_allowed``."""
        self._check_media(call_id, media)

        def answer(leg: Leg) -> None:
            now_ns = time.monotonic_ns()
            leg.call.answered(media, wall_time(now_ns), leg.glance(now_ns))
            self._limit(leg)

        self._tell(call_id, answer)

    def change(self, call_id: str, media: Media) -> None:
        """The peer wants its audio elsewhere or otherwise. Refusals ``invalid``, ``target_not_allowed``."""
        self._check_media(call_id, media)
        self._tell(call_id, lambda leg: leg.call.change(media, leg.glance(time.monotonic_ns())))

    def digit(self, call_id: str, digit: str, duration_ms: int | None) -> None:
        """A key that the peer told of by other means than RTP."""
        self._tell(call_id, lambda leg: leg.call.digit(digit, duration_ms, leg.glance(time.monotonic_ns())))

    def _tell(self, call_id: str, tell: Callable[[Leg], None]) -> None:
        leg = self._open.get(call_id)
        if leg is not None and not leg.call.closing:
            tell(leg)
            self._legs.act(leg)

    def _check_media(self, call_id: str, media: Media) -> None:
        if media.address is not None:
            leg = self._open.get(call_id)
            allow = leg.call.request.owner_allow if leg is not None else ()
            check_target(self.settings, media.address, media.port, media.rtcp_port, owner_allow=allow)

    # -- speech -------------------------------------------------------------------------------------------

    async def say(self, call_id: str, say: Say) -> Utterance:
        """Queue an utterance. Refusals ``unknown_call``, ``unknown_voice``, ``at_capacity``, and ``Call``'s."""
        leg = self._live(call_id)
        if say.voice is not None:
            self._check_voice(say.voice)
        if say.prompt is None:
            await self._make_room(leg, say)
            leg = self._live(call_id)
        utterance = leg.call.say(
            say,
            key=next(self._keys),
            fresh_id=f"u_{secrets.token_hex(8)}",
            glance=leg.glance(time.monotonic_ns()),
        )
        self._legs.act(leg)
        return utterance

    async def _make_room(self, leg: Leg, say: Say) -> None:
        """See that a synthesis worker can make this speech in time. Refusal ``at_capacity``.

        A leg that is silent goes to another worker when its own is full. What is in the cache costs nothing; the
        worker is asked only when there is no room.
        """
        seat, voice = leg.writer, say.voice or leg.call.voice
        if seat is None or seat.demand.fits(voice, leg.burden):
            return
        playlist, other = leg.call.playlist, self.workers.idlest()
        silent = playlist.attached and not playlist.queue
        if silent and other not in (None, seat) and other.demand.fits(voice, None):
            playlist.leave(leg.glance(time.monotonic_ns()))
            self._legs.act(leg)
            return
        if await seat.has_made(order(say, voice, playlist.ring, playlist.row, next(self._keys))):
            return
        seat.refused[voice] += 1
        needed, demand = seat.demand.weight(Burden(voice, False)), seat.demand
        why = f"{voice} takes {needed:.3f} of a synthesis worker's core, and {demand.total:.3f} is taken of the "
        raise _full(f"{why}{demand.limit:g} that may be promised (VOXTRUNK_SYNTHESIS_LIMIT)", _SPEECH_SECONDS)

    @property
    def headroom(self) -> float:
        """Room for more speech, of the synthesis worker that has most: 1 idle, 0 full, less when overfull."""
        seats = (seat for seat in self.workers.synthesis if seat.alive)
        return max((seat.demand.headroom for seat in seats), default=0.0)

    def utterance(self, call_id: str, uid: str) -> Utterance:
        """The utterance, up to date. Refusals ``unknown_call``, ``unknown_utterance``."""
        return self.call(call_id).utterance(uid)

    def draft(self, call_id: str, voice: str | None) -> Draft:
        """For a text that is to be written, and said by this voice or the call's.

        Refusals ``unknown_call``, ``…_voice``.
        """
        name = self._check_voice(voice or self.call(call_id).voice)
        language = next(known.language for known in self.voices() if known.name == name)
        settings = self.settings
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
        leg = self._live(call_id)
        leg.call.advance(leg.glance(time.monotonic_ns()))
        utterance = leg.call.utterance(uid)
        try:
            write(leg, utterance, leg.glance(time.monotonic_ns()))
        finally:
            self._legs.act(leg)
        return utterance

    async def clear(self, call_id: str, uid: str) -> list[Utterance]:
        """Take back what was not heard of this utterance; an empty list when it has ended already."""
        leg = self._live(call_id)
        return await self._stopped(leg, leg.call.clear(uid, leg.glance(time.monotonic_ns())))

    async def say_rest(self, call_id: str, uid: str, **changed: Any) -> Utterance:
        """Queue what was not heard of an utterance as a new one. Refusals as ``say``, ``unknown_utterance``."""
        return await self.say(call_id, replace(self.call(call_id).rest_of(uid), **changed))

    async def stop(self, call_id: str, scope: Literal["current", "all"]) -> list[Utterance]:
        """Stop speech at once; returns what was stopped, with what was heard of it."""
        leg = self._live(call_id)
        victims = leg.call.stop(scope, leg.glance(time.monotonic_ns()))
        return await self._stopped(leg, victims)

    async def stop_utterance(self, call_id: str, uid: str) -> list[Utterance]:
        """Stop this one utterance; an empty list when it has ended or is being stopped already."""
        if self.call(call_id).closing:
            self.utterance(call_id, uid)
            return []
        leg = self._live(call_id)
        victims = leg.call.stop_utterance(uid, leg.glance(time.monotonic_ns()))
        return await self._stopped(leg, victims)

    async def _stopped(self, leg: Leg, victims: list[Utterance]) -> list[Utterance]:
        self._legs.act(leg)
        while not all(utterance.ended for utterance in victims):
            await leg.settled()
        return [utterance for utterance in victims if utterance.state == "stopped"]

    async def pause(self, call_id: str, *, at_word: bool = False) -> Call:
        """Hold speech, at once or at a word's end. Refusal ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.pause(leg.glance(time.monotonic_ns()), at_word=at_word)
        self._legs.act(leg)
        return leg.call

    async def resume(self, call_id: str) -> Call:
        """Let speech go on. Refusal ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.resume(leg.glance(time.monotonic_ns()))
        self._legs.act(leg)
        return leg.call

    async def set_volume(self, call_id: str, volume_db: float) -> Call:
        """Change the level of all that is said on a call. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.set_volume(volume_db)
        self._legs.act(leg)
        return leg.call

    async def set_background(
        self, call_id: str, prompt: str, path: Path, volume_db: float, duck_db: float
    ) -> Call:
        """Repeat an audio file behind a call's speech.

        Refusals ``unknown_call``, ``wrong_state``, ``bad_prompt``.
        """
        self._live(call_id)
        bed = await self._beds.take(path)
        try:
            leg = self._live(call_id)
            leg.call.set_background(Background(prompt, volume_db, duck_db, bed.number, bed.memory))
        except Refusal:
            self._let_go(bed)
            raise
        old, leg.bed = leg.bed, bed
        self._legs.act(leg)
        self._let_go(old)
        return leg.call

    async def clear_background(self, call_id: str) -> Call:
        """Play nothing behind a call's speech. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.set_background(None)
        self._legs.act(leg)
        self._let_go(leg.bed)
        leg.bed = None
        return leg.call

    def _let_go(self, bed: Bed | None) -> None:
        if bed is not None and self._beds.let_go(bed):
            for seat in self.workers.media:
                seat.worker.send(DropBed(bed.number))

    async def send_dtmf(self, call_id: str, digits: str, duration_ms: int) -> None:
        """Send RFC 4733 events now. Refusal ``wrong_state`` when the call has no telephone-event."""
        leg = self._live(call_id)
        if leg.call.closing:
            raise Refusal("wrong_state", f"Call {call_id} is closed")
        if leg.call.dtmf_payload_type is None:
            raise Refusal("wrong_state", f"Call {call_id} has no telephone-event (dtmf_payload_type null)")
        if leg.call.state == "ringing" or leg.call.held:
            raise Refusal(
                "wrong_state", f"Call {call_id} is {'on hold' if leg.call.held else 'not answered'}"
            )
        leg.media.send(SendDigits(leg.row, digits, duration_ms))

    # -- small things -------------------------------------------------------------------------------------

    def _live(self, call_id: str) -> Leg:
        """The leg of a call that is not closed. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self._open.get(call_id)
        if leg is None:
            self.call(call_id)
            raise Refusal("wrong_state", f"Call {call_id} is closed")
        return leg

    def _check_voice(self, name: str) -> str:
        if not any(voice.name == name for voice in self.voices()):
            raise Refusal(
                "unknown_voice", f"There is no voice {name!r}; GET /v1/voices lists them", field="voice"
            )
        return name

    async def _sweep(self) -> None:
        """For ever: forget calls that were closed long enough ago, and measure what pacing takes."""
        while True:
            while self._expiring and self._expiring[0][0] <= time.monotonic_ns():
                _, call_id = self._expiring.popleft()
                del self._calls[call_id]
                self.events.forget_call(call_id)
            self.workers.look()
            await asyncio.sleep(_SWEEP_SECONDS)


def _full(why: str, seconds: int = _FULL_SECONDS) -> Refusal:
    return Refusal("at_capacity", f"The gateway is full: {why}", retry_after=seconds)
