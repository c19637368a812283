"""What synthesis workers may count on of the cores that they share with control, and perhaps with media. Pure.

Admission promises a part of a core to each of them. Where there are no more cores than that, what others take of
them is not there to be promised: a burst of new calls would make the speech of those who are there late.
"""

from __future__ import annotations

from typing import Final

_KEPT: Final = 0.9
"""What counts of the most that others took, a look later: bursts come again."""
_LEAST: Final = 0.1
"""Of a core, that a worker may always count on."""


class Cores:
    """``cores`` that control may run on, and ``workers`` synthesis workers with it."""

    def __init__(self, cores: int, workers: int) -> None:
        self._cores = cores
        self._workers = workers
        self._taken = 0.0
        self._busy_s = 0.0
        self._at_ns: int | None = None

    def look(self, busy_s: float, beside: float, now_ns: int) -> None:
        """``busy_s``: processor time of control so far; ``beside``: cores that others of ours take there."""
        if self._at_ns is not None and now_ns > self._at_ns:
            taken = beside + (busy_s - self._busy_s) * 1e9 / (now_ns - self._at_ns)
            self._taken = max(taken, self._taken * _KEPT)
        self._busy_s, self._at_ns = busy_s, now_ns

    @property
    def share(self) -> float:
        """The part of a core that is there for each worker, at most 1."""
        return min(1.0, max(_LEAST, (self._cores - self._taken) / self._workers))
