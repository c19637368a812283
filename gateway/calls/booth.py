"""A ring that is read in control, as fast as it is written: what is said there leaves by no telephone leg.

To the synthesis workers its rows are rows like any other. The booth plays the media worker's part for them: it
copies whole packets out of the ring as soon as they are laid, hands them on, and lets go after a cut (see
``gateway.ring``). It reads no further than has been told of (``explained``), and stops where something is to be
told: so whoever takes in what it hands on gets audio, words, marks and ends in the order of speech.

    take(octets) -> room   handed each row's octets of G.711; False: no more until ``stir``
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.calls.actions import Glance
from gateway.calls.rows import Rows
from gateway.calls.seat import LegSeat
from gateway.calls.watch import Watch
from gateway.messages.media import CloseLeg, FromMedia, LegClosed, LegOpened, LegStatistics, OpenLeg, ToMedia
from gateway.ring import CAPACITY, UNIT_MS, UNIT_OCTETS, RingBlock

PACKET_UNITS: Final = 2
"""Octets are handed on in whole 20 ms, as a leg's packets are."""
_POLL_SECONDS: Final = 0.005
"""How often to look for what has been told of and is not laid yet: it waits for room in the ring."""
_AT_ONCE: Final = 8
"""Rows read in one turn of the loop, however much is laid: it has telephone calls to serve."""
_UNIT_NS: Final = UNIT_MS * 1_000_000

Take = Callable[[bytes], bool]


class Booth(LegSeat):
    """``tell``: where a media worker's messages go; ``look``: told of a row of which something is to be told."""

    def __init__(
        self,
        index: int,
        legs: int,
        tell: Callable[[Booth, FromMedia], None],
        look: Callable[[Booth, int], None],
    ) -> None:
        ring = RingBlock.create(legs)
        super().__init__(index, ring, Rows(legs), Watch(ring))
        self._tell = tell
        self._look = look
        self._takes: dict[int, Take] = {}
        self._wanted = asyncio.Event()
        self._explained: npt.NDArray[np.int64] = np.zeros(legs, np.int64)
        self._room: npt.NDArray[np.bool_] = np.zeros(legs, np.bool_)
        """Which rows have somebody who takes more."""
        self._silent_ns: npt.NDArray[np.int64] = np.zeros(legs, np.int64)

    # -- the media worker's part --------------------------------------------------------------------------

    def send(self, message: ToMedia) -> None:
        """Open, close and cut; how a leg is sent concerns nobody here."""
        if isinstance(message, OpenLeg):
            row = message.row
            self.ring.sent[row] = self.ring.sent_ns[row] = self._explained[row] = 0
            self._silent_ns[row] = 0
            self.ring.acked[row] = self.ring.generation[row]
            self._tell(self, LegOpened(row, "", 0, 0, 0))
        elif isinstance(message, CloseLeg):
            row, units = message.row, int(self.ring.sent[message.row])
            self.close(row)
            self._tell(self, LegClosed(row, _account(units)))
        else:
            for row in np.flatnonzero(self.ring.acked != self.ring.generation).tolist():
                self._let_go(row)

    def glance(self, row: int, now_ns: int) -> Glance:
        """What the ring says of a leg, and when one who hears in time would have heard what was handed on."""
        return super().glance(row, now_ns)._replace(silent_ns=int(self._silent_ns[row]))

    def explained(self, row: int, position: int) -> None:
        """See ``LegSeat``."""
        self._explained[row] = position
        if self._room[row] and position > self.ring.sent[row]:
            self._wanted.set()

    # -- reading ------------------------------------------------------------------------------------------

    def open(self, row: int, take: Take) -> None:
        """From now on ``take`` is handed what is said on the row."""
        self._takes[row] = take
        self.stir(row)

    def close(self, row: int) -> None:
        """Nobody listens to the row any more; what is left to say on it is not read."""
        self._takes.pop(row, None)
        self._room[row] = False
        self._let_go(row)

    def stir(self, row: int) -> None:
        """Whoever takes from the row has room again."""
        if row in self._takes:
            self._room[row] = True
            self._wanted.set()

    async def run(self) -> None:
        """For ever: hand on what is laid."""
        ring = self.ring
        while True:
            awaited = self._awaited()
            for count, row in enumerate(np.flatnonzero(awaited & (ring.written > ring.sent)).tolist(), 1):
                self._read(row)
                if count % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS if awaited.any() else None):
                    await self._wanted.wait()
            self._wanted.clear()
            await asyncio.sleep(0)

    def _awaited(self) -> npt.NDArray[np.bool_]:
        """Rows of which more was told than is read, and could be."""
        sent = self.ring.sent
        return self._room & (self._explained > sent) & (self.ring.hold_at > sent)

    def _read(self, row: int) -> None:
        """Hand on all that can be read of a row, stopping at each place where something is to be told."""
        ring = self.ring
        while self._room[row] and (units := self._readable(row)) > 0:
            octets = self._copy(row, units)
            now_ns = time.monotonic_ns()
            self._silent_ns[row] = max(int(self._silent_ns[row]), now_ns) + units * _UNIT_NS
            ring.sent_ns[row] = now_ns
            ring.sent[row] += units
            self._room[row] = self._takes[row](octets)
            if ring.sent[row] >= self.watch.next_at[row]:
                self._look(self, row)
        self._let_go(row)

    def _readable(self, row: int) -> int:
        """Whole packets that may be read, in units, up to where something is to be told; negative after a cut."""
        ring = self.ring
        sent = int(ring.sent[row])
        if ring.written_generation[row] != ring.acked[row]:
            return 0
        end = min(int(ring.written[row]), int(self._explained[row]), int(ring.hold_at[row]))
        if ring.acked[row] != ring.generation[row]:
            end = min(end, int(ring.cut_at[row]))
        units = (end - sent) // PACKET_UNITS * PACKET_UNITS
        told_at = int(self.watch.next_at[row]) - sent
        if 0 < told_at < units:
            units = -(-told_at // PACKET_UNITS) * PACKET_UNITS
        return units

    def _copy(self, row: int, units: int) -> bytes:
        begin = int(self.ring.sent[row]) % CAPACITY
        end = begin + units
        frames = self.ring.frames[row]
        octets: bytes = frames[begin * UNIT_OCTETS : min(end, CAPACITY) * UNIT_OCTETS].tobytes()
        if end > CAPACITY:
            octets += frames[: (end - CAPACITY) * UNIT_OCTETS].tobytes()
        return octets

    def _let_go(self, row: int) -> None:
        """After a cut: the ring is let be once all before the cut was read, or nobody reads."""
        ring = self.ring
        generation = int(ring.generation[row])
        if ring.acked[row] == generation:
            return
        if row in self._takes and self._readable(row) > 0:
            return
        ring.acked[row] = generation


def _account(units: int) -> LegStatistics:
    """A closed row's: all that a booth knows is what was handed on."""
    packets, octets = units // PACKET_UNITS, units * UNIT_OCTETS
    none = dict.fromkeys(("synthesis", "pacer", "socket"), 0)
    return LegStatistics(packets, octets, 0, 0, 0, 0, 0, 0, None, None, None, None, 0, 0, none)
