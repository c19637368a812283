"""How much of its core a media worker's ticks take, and would take with more legs. Pure.

Measured from one look to the next, about a second; legs that came since are reckoned with what a leg has cost, so
that a burst of calls is refused before the next look.
"""

from __future__ import annotations

from typing import Final

_LEG: Final = 0.0003
"""Of a core, for one leg, until enough of them are there to tell: it was 0.0002 on a slow one."""
_ENOUGH: Final = 500
"""With fewer legs, what a tick costs without any would count as theirs."""


class Busy:
    """One worker's ticks; ``limit``: the part of a core that they may take."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.utilisation = 0.0
        """The part of the core that ticks took, 0 to 1, when last measured."""
        self._legs = 0
        self._busy_us = 0
        self._at_ns: int | None = None

    def look(self, busy_us: int, legs: int, now_ns: int) -> None:
        """``busy_us``: the microseconds of all ticks so far, of ``legs`` legs now."""
        if self._at_ns is not None:
            took_us = max(0, busy_us - self._busy_us)  # less than before: another process begins at 0
            self.utilisation = took_us * 1000 / (now_ns - self._at_ns)
        self._busy_us, self._at_ns, self._legs = busy_us, now_ns, legs

    def predicted(self, legs: int) -> float:
        """The part of the core that ticks would take with so many legs."""
        each = self.utilisation / self._legs if self._legs >= _ENOUGH else _LEG
        return self.utilisation + max(0, legs - self._legs) * each

    def headroom(self, legs: int) -> float:
        """1: nothing to do; 0: with so many legs it is full; less: there are more than there is room for."""
        return 1 - self.predicted(legs) / self.limit
