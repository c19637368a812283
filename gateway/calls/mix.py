"""How a leg sounds: how loud it speaks, what plays behind it, and whether it gives way to the caller."""

from __future__ import annotations

from typing import Final

from gateway.calls.actions import Outbox
from gateway.calls.requests import Background
from gateway.messages.media import MixLeg

_DUCKED_DB: Final = -18
"""Speech that gives way."""


class Mix:
    """Of the leg at ``row``; each change is told to its media worker."""

    def __init__(self, row: int, volume_db: float, outbox: Outbox) -> None:
        self.volume_db = volume_db
        self.background: Background | None = None
        self._ducked = False
        self._row = row
        self._outbox = outbox

    def set_volume(self, volume_db: float) -> None:
        """The level of all that is said."""
        self.volume_db = volume_db
        self.tell()

    def set_background(self, background: Background | None) -> None:
        """What sounds behind speech."""
        self.background = background
        self.tell()

    def duck(self, ducked: bool) -> None:
        """Give way, or speak as before."""
        if ducked != self._ducked:
            self._ducked = ducked
            self.tell()

    def tell(self) -> None:
        """Tell the media worker how things stand."""
        gain = _linear(self.volume_db + (_DUCKED_DB if self._ducked else 0))
        behind = self.background
        if behind is None:
            self._outbox.add(MixLeg(self._row, gain))
            return
        level, duck = _linear(behind.volume_db), _linear(behind.duck_db)
        self._outbox.add(MixLeg(self._row, gain, behind.bed, behind.memory, level, duck))


def _linear(db: float) -> float:
    return float(10 ** (db / 20))
