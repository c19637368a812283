"""Kernel receive timestamps, which are wall clock time, on a clock that nobody can step.

SO_TIMESTAMPNS stamps with CLOCK_REALTIME. Both clocks are slewed alike, so their difference is constant
until somebody sets the time; the difference is sampled with every batch and a change of it is a step.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from gateway.listen.packets import Ints

STEP_NS: Final = 100_000
"""Smallest change of the clocks' difference that counts as a step; below it is sampling noise."""

_MEMORY_NS = 1_000_000_000  # for how long after a step a packet stamped before it may still be queued


@dataclass(frozen=True, slots=True)
class ClockSample:
    """Both clocks read at (nearly) one moment."""

    monotonic_ns: int
    realtime_ns: int
    width_ns: int
    """How long the reading took: the uncertainty of the difference."""

    @property
    def offset_ns(self) -> int:
        """CLOCK_REALTIME minus CLOCK_MONOTONIC."""
        return self.realtime_ns - self.monotonic_ns


def sample_clocks() -> ClockSample:
    """Read CLOCK_REALTIME between two readings of CLOCK_MONOTONIC."""
    before = time.monotonic_ns()
    realtime = time.time_ns()
    after = time.monotonic_ns()
    return ClockSample((before + after) // 2, realtime, after - before)


class StepFreeClock:
    """Turns CLOCK_REALTIME stamps into CLOCK_MONOTONIC ones, across steps of the former."""

    def __init__(self, sample: ClockSample) -> None:
        """Start from a `sample` taken before the first packet."""
        self.offset_ns = sample.offset_ns
        self.steps = 0
        self._before_step_ns = sample.offset_ns
        self._stepped_at_ns: int | None = None

    def to_monotonic(self, realtime_ns: Ints, since_ns: int, sample: ClockSample) -> Ints:
        """Stamps i64[n] of packets that arrived after `since_ns` (monotonic) and before `sample` was taken.

        Around a step the window tells old stamps from new ones; where a step is smaller than the window
        (a poll, milliseconds) and both readings fit, the error is at most the step.
        """
        if abs(sample.offset_ns - self.offset_ns) > STEP_NS + sample.width_ns:
            self._before_step_ns, self.offset_ns = self.offset_ns, sample.offset_ns
            self._stepped_at_ns = sample.monotonic_ns
            self.steps += 1
        stamps = realtime_ns - self.offset_ns
        if self._stepped_at_ns is None:
            return stamps
        if sample.monotonic_ns - self._stepped_at_ns > _MEMORY_NS:
            self._stepped_at_ns = None
            return stamps
        fits = (stamps >= since_ns - STEP_NS) & (stamps <= sample.monotonic_ns + STEP_NS)
        return np.where(fits, stamps, realtime_ns - self._before_step_ns)
