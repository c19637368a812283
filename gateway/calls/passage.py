"""Whether the newest cut of a leg's ring is through, and where: asked of the ring, turn by turn of the loop."""

from __future__ import annotations

from typing import Final

from gateway.ring import RingBlock

LOOKS: Final = 5
"""Turns of the loop within which a message that was sent before has been read."""


class Passage:
    """The newest cut on its way through the pacer. ``known_to``: up to where messages explain what is sent."""

    def __init__(self) -> None:
        self.known_to = 0
        self._sent_before = 0
        self._suspect: tuple[int, int] | None = None
        self._looks = 0

    def begins(self, sent: int) -> None:
        """The ring is cut while no other cut is under way, at ``sent``."""
        self._sent_before = sent

    def end(self, ring: RingBlock, row: int, generation: int) -> int | None:
        """The position at which ``generation``, the newest, began, once that is certain; else None.

        Call it once in a turn of the loop. When the pacer has let go and nothing was sent since the cut, ``sent``
        is it. Else what was sent may be the old generation's last packet or already the new one's first; but a
        Laying is written to the link before its audio is sent, so one that explains this ``sent`` has arrived
        a few turns later (and then ``laid`` knows better), or there is none.
        """
        if not ring.is_cut(row):
            return None
        sent = int(ring.sent[row])
        if sent == self._sent_before and sent <= self.known_to:
            return sent
        if self._suspect is None or self._suspect[0] != generation:
            self._suspect = generation, sent
            self._looks = 0
        self._looks += 1
        return self._suspect[1] if self._looks >= LOOKS else None
