"""Minding the workers: who hangs is ended, and speech that its worker cannot make goes to another, or fails."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from gateway.calls.crew import Crew
from gateway.calls.legs import Legs

_LOOK_SECONDS: Final = 0.25
_SILENT_LOOKS: Final = 12
"""A synthesis worker that has said nothing for so many looks, 3 s, hangs. Looks, not seconds: when control
itself was held up, by a debugger or a machine asleep, nobody is to blame for what could not be heard."""
_STILL_LOOKS: Final = 8
"""A media worker whose pacer has not ticked for so many looks, 2 s, hangs, too."""
_FORSAKEN_LOOKS: Final = 40
"""How long, 10 s, a leg waits for a synthesis worker before what it is to say fails."""
_MOVED_TOGETHER: Final = 32
"""Legs that an overfull worker leaves to another in a look: each has the other begin with a first stretch."""


class Minder:
    """Looks at the workers of ``crew`` and at what becomes of ``legs`` by them."""

    def __init__(self, crew: Crew, legs: Legs) -> None:
        self._crew = crew
        self._legs = legs

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._end_the_hanging()
            self._relieve_the_overfull()
            self._give_up_on_the_forsaken()

    def _end_the_hanging(self) -> None:
        for media in self._crew.media:
            if media.look() > _STILL_LOOKS:
                media.silent = 0
                media.worker.kill()
        for seat in self._crew.synthesis:
            seat.silent += seat.alive
            if seat.silent > _SILENT_LOOKS:
                seat.silent = 0
                seat.worker.kill()

    def _relieve_the_overfull(self) -> None:
        """Have the fullest synthesis worker leave legs to the idlest: all those of one that died came to it.

        Not those that share a stream with others: it would be made for these all the same.
        """
        living = [seat for seat in self._crew.synthesis if seat.alive]
        fullest = min(living, key=lambda seat: seat.demand.headroom, default=None)
        idlest = self._crew.idlest()
        if fullest is None or idlest is None or fullest.demand.headroom >= 0:
            return
        if any(leg.call.playlist.writer.moving for leg in fullest.legs):
            return  # what those take that are on their way counts for nobody else yet
        over, room = -fullest.demand.headroom, idlest.demand.headroom
        demand = fullest.demand
        making = [(leg, leg.burden) for leg in fullest.legs if leg.burden and demand.alone(leg.burden)]
        making.sort(key=lambda each: each[0].media.ring.ahead(each[0].row), reverse=True)
        for leg, burden in making[:_MOVED_TOGETHER]:
            moves = demand.weight(burden) / demand.limit
            if over <= 0 or moves > room:
                return
            if self._legs.move(leg):
                over, room = over - moves, room - moves

    def _give_up_on_the_forsaken(self) -> None:
        orphans = self._legs.orphans
        for leg in tuple(orphans):
            orphans[leg] += 1
            if orphans[leg] > _FORSAKEN_LOOKS and leg.call.speaking:
                detail = f"no synthesis worker for {_FORSAKEN_LOOKS * _LOOK_SECONDS:.0f} s"
                leg.call.playlist.forsake(detail, leg.glance(time.monotonic_ns()))
                self._legs.act(leg)
