"""When to send: an absolute schedule on CLOCK_MONOTONIC, ``start + n * 2.5 ms``, never "sleep 20 ms".

Legs are spread over the ticks of their packet time (eight phases for 20 ms), so that a tick is short and the
wire is smooth; ticks in which nobody sends are left out, since half of what one costs is being woken.
``Schedule`` is arithmetic only; ``TickTimer`` is the kernel timer that wakes the event loop.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import Final

TICK_NS: Final = 2_500_000
TICKS_PER_MS: Final = 1e6 / TICK_NS
CATCH_UP_TICKS: Final = 24
"""After a stall up to three 20 ms frames of a leg are sent at once; what is older is skipped, not burst."""


def period(ptime_ms: int) -> int:
    """Ticks between two packets of a leg."""
    return int(ptime_ms * TICKS_PER_MS)


@dataclass(frozen=True, slots=True)
class Due:
    """Ticks to do now: ``first`` to ``last`` inclusive, after ``skipped`` that are given up."""

    first: int
    last: int
    skipped: int


class Schedule:
    """Which ticks are due. ``start_ns`` is CLOCK_MONOTONIC at tick 0."""

    def __init__(self, start_ns: int) -> None:
        self.start_ns = start_ns
        self._next = 0

    def time_of(self, tick: int) -> int:
        """CLOCK_MONOTONIC, in ns, at which ``tick`` is due."""
        return self.start_ns + tick * TICK_NS

    @property
    def next_tick(self) -> int:
        """The first tick that is not done yet."""
        return self._next

    def skip_to(self, tick: int) -> None:
        """No tick before ``tick`` has anything to do: none of them will be due."""
        self._next = max(self._next, tick)

    def resume(self, now_ns: int) -> None:
        """There is more to do: ticks after ``now_ns`` are due again, skipped or not."""
        self._next = min(self._next, (now_ns - self.start_ns) // TICK_NS + 1)

    def due(self, now_ns: int) -> Due | None:
        """The ticks that have come since the last call, None when there is none. Late ones are bounded."""
        last = (now_ns - self.start_ns) // TICK_NS
        if last < self._next:
            return None
        first = max(self._next, last + 1 - CATCH_UP_TICKS)
        due = Due(first, last, first - self._next)
        self._next = last + 1
        return due


class _Interval(ctypes.Structure):
    """``struct itimerspec``."""

    _fields_ = (
        ("every_s", ctypes.c_long),
        ("every_ns", ctypes.c_long),
        ("first_s", ctypes.c_long),
        ("first_ns", ctypes.c_long),
    )


_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class TickTimer:
    """A timer descriptor that is readable from ``arm``'s time on, every tick (timerfd_create(2)).

    The kernel keeps the absolute schedule; uvloop's own timers have a grain of 1 ms. Raises OSError.
    """

    def __init__(self) -> None:
        self.fd: int = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _Interval(0, TICK_NS, 0, 0)

    def arm(self, at_ns: int) -> None:
        """Be readable at ``at_ns`` on CLOCK_MONOTONIC, not before, and every tick from then on."""
        spec = self._spec
        spec.first_s, spec.first_ns = divmod(at_ns, 1_000_000_000)
        if _libc.timerfd_settime(self.fd, _ABSOLUTE, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def acknowledge(self) -> None:
        """Clear the readable state until the next tick."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Stop the timer."""
        os.close(self.fd)
