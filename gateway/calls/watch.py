"""Watching what was sent without a message from the pacer: one vector compare a ring, every few milliseconds.

Control notes for each leg the next ring position at which something is to be told (an utterance's first
unit, a mark, the end). Only legs whose ``sent`` has reached it, or that ran dry, are looked at in Python.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gateway.calls.actions import Glance
from gateway.ring import NEVER, UNIT_MS, RingBlock

_UNIT_NS = UNIT_MS * 1_000_000


def left_at(glance: Glance, position: int, packet_units: int) -> int:
    """When the packet with the unit at ring position ``position`` left, on CLOCK_MONOTONIC in ns.

    ``sent_ns`` is the time of the newest packet, of units ``sent - packet_units`` to ``sent - 1``; those
    before it left one packet time apart. A unit that has not left is given the glance's own time.
    """
    if position >= glance.sent or not glance.sent_ns:
        return glance.now_ns
    packets_ago = (glance.sent - 1 - position) // packet_units
    return glance.sent_ns - packets_ago * packet_units * _UNIT_NS


class Watch:
    """The legs of one ring: ``next_at`` i64 [L] in ring positions, ``seen`` i64 [3, L] underruns by cause."""

    def __init__(self, ring: RingBlock) -> None:
        self.ring = ring
        self.next_at: npt.NDArray[np.int64] = np.full(ring.legs, NEVER, np.int64)
        self.seen: npt.NDArray[np.int64] = np.zeros((len(ring.breaks), ring.legs), np.int64)
        self._open: npt.NDArray[np.bool_] = np.zeros(ring.legs, np.bool_)
        self._hit: npt.NDArray[np.bool_] = np.zeros(ring.legs, np.bool_)
        self._left: npt.NDArray[np.int64] = np.zeros(ring.legs, np.int64)
        self._dry: npt.NDArray[np.bool_] = np.zeros(ring.legs, np.bool_)

    def open(self, row: int) -> None:
        """Begin to watch a leg; underruns count from now on."""
        self.seen[:, row] = [count[row] for count in self.ring.breaks.values()]
        self.next_at[row] = NEVER
        self._open[row] = True

    def close(self, row: int) -> None:
        """Watch the leg no more."""
        self.next_at[row] = NEVER
        self._open[row] = False

    def expect(self, row: int, position: int) -> bool:
        """Tell when ``sent`` reaches ``position`` (NEVER: nothing is awaited); whether that is news."""
        news = position not in (NEVER, self.next_at[row])
        self.next_at[row] = position
        return bool(news)

    def due(self) -> list[int]:
        """Rows that have something to tell, in order."""
        np.greater_equal(self.ring.sent, self.next_at, out=self._hit)
        for count, seen in zip(self.ring.breaks.values(), self.seen, strict=True):
            np.not_equal(count, seen, out=self._dry)
            np.logical_or(self._hit, self._dry, out=self._hit)
        np.logical_and(self._hit, self._open, out=self._hit)
        rows: list[int] = np.flatnonzero(self._hit).tolist()
        return rows

    def rest_units(self) -> int:
        """How many units are sent before anything is to be told, at the least; NEVER: nothing is awaited."""
        np.subtract(self.next_at, self.ring.sent, out=self._left)
        return NEVER if (self.next_at == NEVER).all() else int(self._left.min())

    def underruns(self, row: int) -> dict[str, int]:
        """Underruns of the leg since last asked, by cause; causes of none are left out."""
        new = {}
        for (cause, counts), seen in zip(self.ring.breaks.items(), self.seen, strict=True):
            count = int(counts[row])
            if count != seen[row]:
                new[cause] = count - int(seen[row])
                seen[row] = count
        return new

    def glance(self, row: int, now_ns: int) -> Glance:
        """The leg's ``sent`` and its time. The pacer stores the time first, so a new ``sent`` has a new time."""
        sent = int(self.ring.sent[row])
        return Glance(now_ns, sent, int(self.ring.sent_ns[row]))
