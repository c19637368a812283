"""A call's place in the machinery: its row in a ring, and who writes to it. No logic of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gateway.calls.actions import Glance, Publish
from gateway.calls.beds import Bed
from gateway.calls.call import Call
from gateway.calls.crew import SynthesisSeat
from gateway.calls.demand import Burden
from gateway.calls.requests import OpenCall
from gateway.calls.seat import LegSeat
from gateway.messages.media import LegRefused, LegStatistics

CloseCause = Literal[
    "closed",
    "max_seconds",
    "unreachable",
    "media_timeout",
    "media_worker_died",
    "drained",
    "shutdown",
    # of SIP calls
    "hung_up",
    "spoken",
    "rejected",
    "cancelled",
    "busy",
    "no_answer",
    "refused",
    "not_acceptable",
    "failed",
]
"""Why a call was closed. ``hung_up``: by the peer; ``spoken``: the announcement it was for has been heard;
``rejected``: by us; ``refused``: by the peer."""

Observer = Callable[[Call, Publish], None]
"""Told of each event of one call, in the middle of things: it must not ask anything of the call there."""


@dataclass(eq=False, slots=True)
class Opening:
    """A leg that the media worker was asked to open on a row whose ring is at ``generation``.

    ``answer``: the leg, the refusal, or None when the worker died over it.
    """

    request: OpenCall
    voice: str
    generation: int
    observer: Observer | None
    answer: asyncio.Future[Leg | LegRefused | None]


@dataclass(eq=False, slots=True)
class Leg:
    """An open call's leg. ``gone``: its final account, None when there is none to be had."""

    call: Call
    media: LegSeat
    gone: asyncio.Future[LegStatistics | None]
    observer: Observer | None = None
    writer: SynthesisSeat | None = None
    burden: Burden | None = None
    """What ``burdened`` has to make for it."""
    burdened: SynthesisSeat | None = None
    confirm_ms: int | None = None
    """What the media worker was told of listening to the caller (see ``Listen``)."""
    bed: Bed | None = None
    """What sounds behind its speech."""
    closing: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    hurry: asyncio.TimerHandle | None = None
    """When an unfinished clause is to be begun."""
    patience_ns: int = 0
    """Until when to wait for the newest cut, on CLOCK_MONOTONIC."""
    patience_for: int = -1
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def row(self) -> int:
        """Its row in the media seat's ring."""
        return self.call.playlist.row

    def glance(self, now_ns: int) -> Glance:
        """What the ring says of it now."""
        return self.media.glance(self.row, now_ns)

    async def settled(self) -> None:
        """Wait until all that is being cut has ended; somebody sees to it that this is soon."""
        while self.call.playlist.unsettled:
            change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change

    def changed(self) -> None:
        """Wake those who wait for a change."""
        for change in self._waiting:
            if not change.done():
                change.set_result(None)
        self._waiting.clear()
