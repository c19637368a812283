"""In which tick a leg sends: the lanes of one media worker, by packet time and phase.

A packet time of 20 ms has eight phases, a tick each. Few legs share a tick, many are spread: being woken for one
costs as much as dozens of legs in it. And those of a port that leave together leave in one system call.
"""

from __future__ import annotations

from typing import Final

from gateway.media.lane import Lane
from gateway.media.leg import Leg
from gateway.media.ports import SHARED_AT_ONCE
from gateway.media.schedule import period
from gateway.media.sockets import Port
from gateway.ring import RingBlock

_FULL: Final = 128
"""Legs that a tick takes before another is used beside it."""
_REST: Final = period(20)


class Lanes(dict[tuple[int, int], Lane]):
    """Lane by packet time in ms and phase in ticks; those of a packet time come with its first leg."""

    def __init__(self, ring: RingBlock) -> None:
        super().__init__()
        self._ring = ring
        self.periods: tuple[int, ...] = ()
        """Packet times that there are lanes of."""

    def place(self, leg: Leg, port: Port) -> Lane:
        """The lane for a leg, and its ``group_key``: as the last leg on its port has, while there is room."""
        ptime = leg.order.ptime_ms
        if ptime not in self.periods:
            self.periods = tuple(sorted((*self.periods, ptime)))
            self.update({(ptime, phase): Lane(self._ring, ptime) for phase in range(period(ptime))})
        counts = {key: lane.group.n for key, lane in self.items() if key[0] == ptime}
        filling = [key for key, n in counts.items() if 0 < n < _FULL]
        best = max(filling, key=counts.__getitem__) if filling else min(counts, key=counts.__getitem__)
        most = _FULL if filling else counts[best] + SHARED_AT_ONCE
        beside = next((other.group_key for other in reversed(port.legs) if other is not leg), best)
        leg.group_key = beside if counts.get(beside, most) < most else best
        return self[leg.group_key]

    def next_busy(self, tick: int) -> int:
        """The first tick from ``tick`` on in which a leg sends; no later than ``_REST`` ticks after it."""
        for first in range(tick, tick + _REST):
            for ptime in self.periods:
                if self[ptime, first % period(ptime)].group.n:
                    return first
        return tick + _REST
