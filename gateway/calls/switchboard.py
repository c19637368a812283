"""The control process's heart: calls by id, and all that can be asked of them. A thin shell over ``Call``.

    API -> Switchboard -> Call (decides) -> Legs (does it) -> ring, media worker, synthesis worker

Requests are decided and done in one call stack, without an await in between; what is awaited afterwards is
only the answer: a leg that opens, what was heard until a cut, a leg's final account.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal

from gateway.calls import crew as crews
from gateway.calls.call import Call, payload_type_of
from gateway.calls.crew import Crew, MediaSeat
from gateway.calls.events import EventLog
from gateway.calls.leg import CloseCause, Leg, Observer, Opening
from gateway.calls.legs import MEDIA, Legs, wall_time
from gateway.calls.requests import Media, OpenCall, Say
from gateway.calls.targets import check_target
from gateway.calls.utterance import Utterance
from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.messages import CloseLeg, LegRefused, LegTrouble, OpenLeg, SendDigits, VoiceInfo
from gateway.settings import Settings

_OPEN_SECONDS: Final = 2.0
_CLOSE_SECONDS: Final = 2.0
"""How long a media worker may take to open or close a leg."""
_START_SECONDS: Final = 30.0
_DRAIN_POLL_SECONDS: Final = 0.02
_SWEEP_SECONDS: Final = 1.0
_DRAINING_SECONDS: Final = 30
_FULL_SECONDS: Final = 5


class Switchboard:
    """All calls of this gateway. ``start`` it, ``close`` it; both once.

    ``events``: what happened. ``workers``: the seats of the worker processes, for metrics.
    ``on_first_audio``: called with the seconds from request to first audio of each utterance that starts.
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
        self.events = EventLog(settings.events_per_call, settings.events_retained, secrets.token_hex(4))
        self.workers = Crew(settings, media_command, synthesis_command)
        self.on_first_audio: Callable[[float], None] = lambda seconds: None
        self._calls: dict[str, Call] = {}
        self._open: dict[str, Leg] = {}
        self._expiring: deque[tuple[int, str]] = deque()
        self._keys = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._legs = Legs(
            self.workers,
            self.events,
            settings.queue_limit,
            self._on_opened,
            self._on_closed,
            self._on_trouble,
            lambda seconds: self.on_first_audio(seconds),
        )

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workers and wait until they are ready. Raises WorkerFailed, TimeoutError."""
        async with asyncio.timeout(_START_SECONDS):
            await self.workers.start(self._legs.hooks)
        for loop in (self._legs.watch, self._legs.follow_cuts, self._sweep):
            task = asyncio.create_task(loop(), name=loop.__qualname__)
            task.add_done_callback(report_failure)
            self._tasks.append(task)

    async def close(self) -> None:
        """End every call (the peers hear BYE), every worker, and every subscription."""
        self.draining = True
        await self._close_all("shutdown")
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.workers.close()
        self.events.close()

    async def drain(self, limit_seconds: float) -> None:
        """Take no new calls, let speech finish for up to ``limit_seconds``, then end every call."""
        self.draining = True
        deadline = time.monotonic() + limit_seconds
        while any(leg.call.speaking for leg in self._open.values()):
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        await self._close_all("drained")

    @property
    def ready(self) -> bool:
        """Whether new calls are taken and can speak."""
        sound = bool(self._tasks) and not any(task.done() for task in self._tasks)
        return sound and not self.draining and self.workers.complete and not self.workers.failed

    def voices(self) -> tuple[VoiceInfo, ...]:
        """The voices to speak with; those of a worker that is being replaced still count."""
        return next((seat.voices for seat in self.workers.synthesis if seat.voices), ())

    # -- calls --------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        """In the order of their opening, those among them that were closed lately."""
        return list(self._calls.values())

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
        opening = sum(len(seat.openings) for seat in self.workers.media)
        return _FULL_SECONDS if len(self._open) + opening >= self.settings.max_calls else None

    async def open_call(self, request: OpenCall, observer: Observer | None = None) -> Call:
        """Open a leg; it sends at once, or once a SIP call is answered.

        Refusals ``draining``, ``unavailable``, ``unknown_voice``, ``invalid``, ``target_not_allowed``,
        ``at_capacity``.
        """
        if self.draining:
            raise Refusal(
                "draining", "The gateway is shutting down; call another one", retry_after=_DRAINING_SECONDS
            )
        if not self.workers.complete:
            raise Refusal("unavailable", "A worker process is being replaced; try again in a second")
        voice = self._check_voice(request.voice or self.settings.default_voice)
        address = request.address
        if request.port or request.sip is None:
            address = str(
                check_target(
                    self.settings, address, request.port, request.rtcp_port, rtcp_mux=request.rtcp_mux
                )
            )
        if self.retry_after() is not None:
            raise _full(f"{self.settings.max_calls} calls are open (VOXTRUNK_MAX_CALLS)")
        seat = self.workers.roomiest()
        row = seat.rows.take(MEDIA) if seat else None
        if seat is None or row is None:
            raise _full("every row is taken (VOXTRUNK_LEGS_PER_WORKER)")
        answer = await self._open_leg(seat, row, request, voice, address, observer)
        if isinstance(answer, Leg):
            return answer.call
        if answer is None:
            raise Refusal("unavailable", "The media worker died over it; try again in a second")
        if answer.code == "address":
            raise Refusal("invalid", f"RTP cannot be sent to {address}: {answer.detail}", field="rtp.address")
        raise _full(answer.detail)

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
        seat.ring.paused[row] = 0
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
        self._calls[call.id] = call
        self._open[call.id] = leg
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
            leg.media.worker.send(CloseLeg(leg.row))
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
        self._check_media(media)

        def answer(leg: Leg) -> None:
            now_ns = time.monotonic_ns()
            leg.call.answered(media, wall_time(now_ns), leg.glance(now_ns))
            self._limit(leg)

        self._tell(call_id, answer)

    def change(self, call_id: str, media: Media) -> None:
        """The peer wants its audio elsewhere or otherwise. Refusals ``invalid``, ``target_not_allowed``."""
        self._check_media(media)
        self._tell(call_id, lambda leg: leg.call.change(media, leg.glance(time.monotonic_ns())))

    def digit(self, call_id: str, digit: str, duration_ms: int | None) -> None:
        """A key that the peer told of by other means than RTP."""
        self._tell(call_id, lambda leg: leg.call.digit(digit, duration_ms, leg.glance(time.monotonic_ns())))

    def _tell(self, call_id: str, tell: Callable[[Leg], None]) -> None:
        leg = self._open.get(call_id)
        if leg is not None and not leg.call.closing:
            tell(leg)
            self._legs.act(leg)

    def _check_media(self, media: Media) -> None:
        if media.address is not None:
            check_target(self.settings, media.address, media.port, media.rtcp_port)

    # -- speech -------------------------------------------------------------------------------------------

    async def say(self, call_id: str, say: Say) -> Utterance:
        """Queue an utterance. Refusals ``unknown_call``, ``unknown_voice`` and those of ``Call.say``."""
        leg = self._live(call_id)
        if say.voice is not None:
            self._check_voice(say.voice)
        utterance = leg.call.say(
            say,
            key=next(self._keys),
            fresh_id=f"u_{secrets.token_hex(8)}",
            glance=leg.glance(time.monotonic_ns()),
        )
        self._legs.act(leg)
        return utterance

    def utterance(self, call_id: str, uid: str) -> Utterance:
        """The utterance, up to date. Refusals ``unknown_call``, ``unknown_utterance``."""
        return self.call(call_id).utterance(uid)

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

    async def pause(self, call_id: str) -> Call:
        """Hold speech. Refusal ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.pause(leg.glance(time.monotonic_ns()))
        self._legs.act(leg)
        return leg.call

    async def resume(self, call_id: str) -> Call:
        """Let speech go on. Refusal ``wrong_state``."""
        leg = self._live(call_id)
        leg.call.resume(leg.glance(time.monotonic_ns()))
        self._legs.act(leg)
        return leg.call

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
        leg.media.worker.send(SendDigits(leg.row, digits, duration_ms))

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
        """For ever: forget calls that were closed long enough ago."""
        while True:
            while self._expiring and self._expiring[0][0] <= time.monotonic_ns():
                _, call_id = self._expiring.popleft()
                del self._calls[call_id]
                self.events.forget_call(call_id)
            await asyncio.sleep(_SWEEP_SECONDS)


def _full(why: str) -> Refusal:
    return Refusal("at_capacity", f"The gateway is full: {why}", retry_after=_FULL_SECONDS)
