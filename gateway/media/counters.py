"""What a media worker counts about itself: a list of its own, copied to its ring, where ``/metrics`` reads it.

Only the media worker writes; control reads without asking. After the plain counters come the buckets of the
tick lateness histogram, in microseconds, the last one open-ended.
"""

from __future__ import annotations

import bisect
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt


class Counter(IntEnum):
    """Index into ``RingBlock.counters``."""

    TICKS = 0
    MISSED_TICKS = 1
    """Ticks that began a whole frame time (20 ms) late or were skipped after a stall."""
    SKIPPED_TICKS = 2
    PACKETS = 3
    OCTETS = 4
    SEND_ERRORS = 5
    SEND_BLOCKED = 6
    """Packets lost because the socket's send buffer was full, part of SEND_ERRORS."""
    UNREACHABLE = 7
    UNDERRUNS = 8
    DRY_TICKS = 9
    LEGS = 10
    RTCP_SENT = 11
    RTCP_RECEIVED = 12
    DIGITS_RECEIVED = 13
    INBOUND_DROPPED = 14
    """Datagrams that reached the process and were thrown away: malformed, foreign, or beyond the rate."""
    INBOUND_MUTED = 15
    """Times that a flooding socket was left unread for the rest of a second."""
    BEAT_NS = 16
    """CLOCK_MONOTONIC of the newest tick, for liveness."""
    LATENESS_SUM_US = 17
    STALLS = 18
    """Times that a leg's speech was a packet time late or skipped, though it was there."""
    BLOCKED = 19
    """Times that a leg's speech met a full send buffer."""
    BUSY_US = 20
    """Microseconds that ticks took; of one at most a frame time."""
    LATENESS_FIRST = 32


LATENESS_BUCKETS_US: Final = (50, 100, 200, 500, 1000, 2000, 3000, 5000, 10_000, 20_000, 50_000, 100_000)


def record_lateness(counters: list[int], late_us: int) -> None:
    """Count one tick in the histogram."""
    counters[Counter.LATENESS_FIRST + bisect.bisect_left(LATENESS_BUCKETS_US, late_us)] += 1
    counters[Counter.LATENESS_SUM_US] += late_us


def lateness_histogram(counters: npt.NDArray[np.int64]) -> list[tuple[float, int]]:
    """Cumulative (upper bound in seconds, ticks) pairs, the last bound infinite, as Prometheus wants them."""
    first = Counter.LATENESS_FIRST
    cumulative = counters[first : first + len(LATENESS_BUCKETS_US) + 1].cumsum().tolist()
    bounds = [us / 1e6 for us in LATENESS_BUCKETS_US] + [float("inf")]
    return list(zip(bounds, cumulative, strict=True))
