"""The calls that there are, by id: whose they are, how they end, and for how long closed ones are told of."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Final

from gateway.calls.beds import Beds
from gateway.calls.call import Call
from gateway.calls.crew import Crew
from gateway.calls.events import EventLog
from gateway.calls.leg import CloseCause, Leg, Observer
from gateway.calls.legs import Legs
from gateway.calls.workers import report_failure
from gateway.errors import Refusal
from gateway.messages.media import CloseLeg, LegTrouble
from gateway.settings import Settings

_CLOSE_SECONDS: Final = 2.0
"""How long a media worker may take to close a leg."""


class Registry:
    """All calls. ``legs`` does what their cores decide; ``run`` is what their ids begin with.

    ``on_event`` is told of each event of each call, in the middle of things.
    """

    def __init__(
        self, settings: Settings, workers: Crew, beds: Beds, events: EventLog, run: str, on_event: Observer
    ) -> None:
        self._settings = settings
        self._workers = workers
        self._beds = beds
        self._events = events
        self._calls: dict[str, Call] = {}
        self.open: dict[str, Leg] = {}
        """Legs of calls that are not closed, those of doors, too; for reading."""
        self._expiring: deque[tuple[int, str]] = deque()
        self.owned: Counter[str] = Counter()
        """Open calls by the key that they were opened with."""
        self.legs = Legs(
            workers,
            events,
            run,
            settings.queue_limit,
            self._on_opened,
            self._on_closed,
            self._on_trouble,
            on_event,
        )

    def calls(self) -> list[Call]:
        """In the order of their opening, those among them that were closed lately; none of a door."""
        return list(self._calls.values())

    def doors(self) -> list[Call]:
        """Those of which clients of speech APIs are handed what is said."""
        started = bool(self._workers.seats)
        return [leg.call for leg in self._workers.booth.legs.values()] if started else []

    def call(self, call_id: str) -> Call:
        """The call, up to date. Refusal ``unknown_call``."""
        call = self._calls.get(call_id)
        if call is None:
            raise Refusal("unknown_call", f"There is no call {call_id!r} (any more)")
        leg = self.open.get(call_id)
        if leg is not None:
            call.advance(leg.glance(time.monotonic_ns()))
            self.legs.act(leg)
        return call

    def webhook_url(self, call_id: str) -> str | None:
        """Where a call's events are to be posted; None also when there is no such call any more."""
        call = self._calls.get(call_id)
        return None if call is None else call.webhook_url or self._settings.webhook_url

    def _on_opened(self, leg: Leg) -> None:
        call = leg.call
        if call.request.door is None:
            self._calls[call.id] = call
        self.open[call.id] = leg
        self.owned[call.request.owner] += 1
        if call.state == "open":
            self.limit(leg)

    def limit(self, leg: Leg) -> None:
        """From here on the call's time counts."""
        seconds = self._settings.max_call_seconds
        if leg.call.request.max_seconds is not None:
            seconds = min(seconds, leg.call.request.max_seconds)
        leg.timer = asyncio.get_running_loop().call_later(seconds, self.begin_closing, leg, "max_seconds")

    def _on_closed(self, leg: Leg) -> None:
        del self.open[leg.call.id]
        self.owned[leg.call.request.owner] -= 1
        self._beds.let_go(leg.bed)
        leg.bed = None
        if leg.call.request.door is None:
            until = time.monotonic_ns() + int(self._settings.closed_call_seconds * 1e9)
            self._expiring.append((until, leg.call.id))

    def _on_trouble(self, leg: Leg, trouble: LegTrouble) -> None:
        settings = self._settings
        if trouble.kind == "unreachable" and settings.unreachable_action == "close":
            self.begin_closing(leg, "unreachable")
        if trouble.kind == "timeout" and settings.media_timeout_action == "close":
            self.begin_closing(leg, "media_timeout")

    async def close_call(
        self, call_id: str, cause: CloseCause = "closed", sip_end: tuple[int, str] | None = None
    ) -> Call:
        """Stop its speech, say BYE, close. Returns the final call, at once if it is closed already.

        ``sip_end``: the status and reason with which a peer, or we, declined a SIP call.
        """
        call = self.call(call_id)
        leg = self.open.get(call_id)
        if leg is not None:
            await asyncio.shield(self.begin_closing(leg, cause, sip_end))
        return call

    def begin_closing(
        self, leg: Leg, cause: CloseCause, sip_end: tuple[int, str] | None = None
    ) -> asyncio.Task[None]:
        """Close once, whoever asks first and however often."""
        if leg.closing is None:
            leg.call.close(cause, leg.glance(time.monotonic_ns()), sip_end)
            self.legs.act(leg)
            leg.closing = asyncio.create_task(self._close_leg(leg), name=f"close {leg.call.id}")
            leg.closing.add_done_callback(report_failure)
        return leg.closing

    async def _close_leg(self, leg: Leg) -> None:
        await leg.settled()
        statistics = None
        if leg.call.state != "closed":
            self.legs.detach(leg)
            leg.media.send(CloseLeg(leg.row))
            await asyncio.wait({leg.gone}, timeout=_CLOSE_SECONDS)
            statistics = leg.gone.result() if leg.gone.done() else None
        if leg.call.state != "closed":
            self.legs.bury(leg, "closed", statistics)

    def begin_closing_all(self, cause: CloseCause) -> list[asyncio.Task[None]]:
        """The same of every leg, doors' too."""
        return [self.begin_closing(leg, cause) for leg in tuple(self.open.values())]

    def live(self, call_id: str) -> Leg:
        """The leg of a call that is not closed. Refusals ``unknown_call``, ``wrong_state``."""
        leg = self.open.get(call_id)
        if leg is None:
            self.call(call_id)
            raise Refusal("wrong_state", f"Call {call_id} is closed")
        return leg

    def forget_expired(self) -> None:
        """Forget calls that were closed long enough ago."""
        while self._expiring and self._expiring[0][0] <= time.monotonic_ns():
            _, call_id = self._expiring.popleft()
            del self._calls[call_id]
            self._events.forget_call(call_id)
