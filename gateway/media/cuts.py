"""What must end or wait: cuts and holds of one media worker's legs, found in one look at all rows of the ring."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gateway.media.group import Group
from gateway.media.lanes import Lanes
from gateway.media.leg import Leg
from gateway.ring import NEVER, RingBlock


class Cuts:
    """Every new generation and every hold, acted on once each."""

    def __init__(self, ring: RingBlock, legs: Mapping[int, Leg], lanes: Lanes) -> None:
        self._ring = ring
        self._legs = legs
        self._lanes = lanes
        self._changed = np.zeros(ring.legs, np.bool_)
        self._seen = 0
        self._holds = np.full(ring.legs, NEVER, np.int64)
        """Where each leg's speech is held, as far as that is done."""

    def act(self) -> None:
        """Act on what is new, if anything is.

        Which rows are cut is looked up first, and what is held or goes on is seen to before they are: a cut that
        was made after a leg was let go on must not find it held, for it would be cut where it was held.
        """
        cuts = int(self._ring.cuts[0])
        if cuts == self._seen:
            return
        np.not_equal(self._ring.generation, self._ring.acked, out=self._changed)
        rows, done = np.flatnonzero(self._changed).tolist(), self._hold()
        for row in rows:
            leg = self._legs.get(row)
            if leg is not None:
                done &= self._group(leg).cut(leg.index)
        if done:
            self._seen = cuts

    def _hold(self) -> bool:
        """Act on every hold; True when all is done.

        What the peer holds goes on once the ChangeLeg is here that says so, for it says as well where to.
        """
        done, hold_at = True, self._ring.hold_at
        np.not_equal(hold_at, self._holds, out=self._changed)
        for row in np.flatnonzero(self._changed).tolist():
            leg, at = self._legs.get(row), int(hold_at[row])
            if leg is not None:
                too_soon = at == NEVER and leg.order.held
                fade = not (leg.order.held or leg.lost)
                if too_soon or not self._group(leg).hold(leg.index, at, fade=fade):
                    done = False
                    continue
            self._holds[row] = at
        return done

    def _group(self, leg: Leg) -> Group:
        return self._lanes[leg.group_key].group
