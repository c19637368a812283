"""Where calls come in: whether one more is welcome, and the leg that is opened for it.

A leg is a media worker's, which sends it to an RTP target, or the booth's, whose client is handed what is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from gateway.calls.booth import Take
from gateway.calls.call import Call
from gateway.calls.crew import Crew
from gateway.calls.draining import Draining
from gateway.calls.leg import Leg, Observer, Opening
from gateway.calls.legs import MEDIA
from gateway.calls.registry import Registry
from gateway.calls.requests import OpenCall
from gateway.calls.seat import LegSeat
from gateway.calls.targets import check_target
from gateway.errors import Refusal
from gateway.messages.media import LegRefused, OpenLeg
from gateway.ring import NEVER
from gateway.settings import Settings

_OPEN_SECONDS: Final = 2.0
"""How long a media worker may take to open a leg."""
_DRAINING_SECONDS: Final = 30
_FULL_SECONDS: Final = 5
"""When to try again: calls have to end first."""


class Reception:
    """Opens legs, and says why it does not."""

    def __init__(self, settings: Settings, workers: Crew, registry: Registry, draining: Draining) -> None:
        self._settings = settings
        self._workers = workers
        self._registry = registry
        self._draining = draining
        self._opening: Counter[str] = Counter()

    def retry_after(self) -> int | None:
        """None while a new call is welcome, else the seconds after which one may be."""
        if self._draining.on:
            return _DRAINING_SECONDS
        if not self._workers.complete:
            return 1
        return None if self.why_full() is None else _FULL_SECONDS

    def why_full(self) -> str | None:
        """Why there is no room for one call more; None when there is."""
        opening = sum(len(seat.openings) for seat in self._workers.media)
        if len(self._registry.open) - len(self._workers.booth.legs) + opening >= self._settings.max_calls:
            return f"{self._settings.max_calls} calls are open (VOXTRUNK_MAX_CALLS)"
        if self._workers.roomiest() is None:
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
                    self._settings,
                    address,
                    request.port,
                    request.rtcp_port,
                    rtcp_mux=request.rtcp_mux,
                    owner_allow=request.owner_allow,
                )
            )
        self._check_owner(request)
        why = self.why_full()
        if why is not None:
            raise _full(why)
        seat = self._workers.roomiest()
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
        booth = self._workers.booth
        row = booth.rows.take(MEDIA)
        if row is None:
            raise _full(f"{booth.ring.legs} streams of speech APIs are open (VOXTRUNK_DOORS_MAX)")
        answer = self._ask(booth, row, request, voice, "", observer)
        leg = answer.result()  # the booth answers at once
        assert isinstance(leg, Leg)
        booth.open(row, take)
        return leg.call

    def close_door(self, call: Call) -> None:
        """Nobody hears it any more: stop its speech and let its leg go. Without effect when that is done."""
        leg = self._registry.open.get(call.id)
        if leg is not None:
            self._workers.booth.close(leg.row)
            self._registry.begin_closing(leg, "closed")

    def _check_welcome(self, request: OpenCall) -> str:
        """The voice of a new leg. Refusals ``draining``, ``unavailable``, ``unknown_voice``."""
        if self._draining.on:
            raise Refusal(
                "draining", "The gateway takes no new calls; call another one", retry_after=_DRAINING_SECONDS
            )
        if not self._workers.complete:
            raise Refusal("unavailable", "A worker process is being replaced; try again in a second")
        return self._workers.check_voice(request.voice or self._settings.default_voice)

    def _check_owner(self, request: OpenCall) -> None:
        """Refusal ``too_many_calls``."""
        held = self._registry.owned[request.owner] + self._opening[request.owner]
        if request.owner_limit and held >= request.owner_limit:
            detail = (
                f"The key {request.owner} may have {request.owner_limit} calls open (VOXTRUNK_KEY_MAX_CALLS)"
            )
            raise Refusal("too_many_calls", detail, retry_after=_FULL_SECONDS)

    async def _open_leg(
        self, seat: LegSeat, row: int, request: OpenCall, voice: str, address: str, observer: Observer | None
    ) -> Leg | LegRefused | None:
        """Ask the media worker. A leg that opens when nobody waits for it any more is closed again."""
        answer = self._ask(seat, row, request, voice, address, observer)
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                return await answer
        except TimeoutError:
            if not answer.cancelled():  # it came in that moment
                return answer.result()
            raise Refusal("unavailable", "The media worker does not answer; try again in a second") from None
        except asyncio.CancelledError:
            leg = None if answer.cancelled() else answer.result()
            if isinstance(leg, Leg) and not leg.call.closing:
                self._registry.begin_closing(leg, "closed")
            raise

    def _ask(
        self, seat: LegSeat, row: int, request: OpenCall, voice: str, address: str, observer: Observer | None
    ) -> asyncio.Future[Leg | LegRefused | None]:
        generation = seat.ring.cut(row)
        seat.ring.hold(row, NEVER)
        seat.ring.changes[row] = 0
        opening = Opening(request, voice, generation, observer, asyncio.get_running_loop().create_future())
        seat.openings[row] = opening
        seat.send(
            OpenLeg(
                row=row,
                remote_address=address,
                remote_port=request.port,
                payload_type=request.own_payload_type,
                law=request.codec,
                ptime_ms=request.ptime,
                dtmf_payload_type=request.dtmf_payload_type,
                suppress_silence=request.silence == "suppress",
                remote_rtcp_port=request.rtcp_port,
                rtcp_mux=request.rtcp_mux,
                held=request.sip is not None,
            )
        )
        return opening.answer


def _full(why: str) -> Refusal:
    return Refusal("at_capacity", f"The gateway is full: {why}", retry_after=_FULL_SECONDS)
