"""When packets came against when their timestamps say: unwrapping, gap error, jitter, clock rate, drift.

Every function takes the media packets of one stream, in order of arrival unless it says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gateway.listen.packets import Bools, Ints
from telephony_codecs.filters import smoothed

JUMP_S: Final = 0.5
"""A timestamp this far from wall time, with no sequence numbers to explain it, is a jump of the source."""

ANCHOR_PACKETS: Final = 50
"""The ideal schedule is anchored at the median of this many first packets, lest one late packet tilt it."""

MIN_SPAN_S: Final = 1.0
"""A clock's rate is not told from less than this."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MediaTime:
    """Where each packet stands on its source's clock."""

    samples: Ints
    """i64[n], from 0 at the first packet, 32-bit wraps undone; a jump is replaced by the time that passed."""
    jumps: Bools
    """[n], True where a jump was taken out."""
    step: int
    """Samples a packet, 0 where no two packets in a row tell."""


def media_time(t_ns: Ints, timestamp: npt.NDArray[np.uint32], extended: Ints, rate: int) -> MediaTime:
    """Unwrap `timestamp` u32[n], n >= 1, against arrival `t_ns` and extended sequence i64[n]; `rate` in Hz.

    A timestamp that trails wall time just as the sequence numbers do is a sender that stalled: lateness, and
    no jump.
    """
    elapsed = np.diff(t_ns) * 1e-9
    steps = np.diff(timestamp).astype(np.int32).astype(np.int64)
    numbers = np.diff(extended)
    plain = steps[(numbers == 1) & (steps > 0)]
    step = int(np.median(plain)) if len(plain) else 0
    ahead = steps / rate - elapsed
    stalled = (steps == numbers * step) & (step <= JUMP_S * rate)
    jumps = (ahead > JUMP_S) | ((ahead < -JUMP_S) & ~stalled)
    if jumps.any():
        steps = np.where(jumps, np.round(elapsed * rate).astype(np.int64), steps)
    return MediaTime(
        samples=np.concatenate([[0], steps]).cumsum(),
        jumps=np.concatenate([[False], jumps]),
        step=step,
    )


def gap_errors(t_ns: Ints, media: MediaTime, rate: int) -> Floats:
    """Inter-arrival time minus timestamp difference in seconds, f64[<= n - 1], jumps left out.

    It is D(i, j) of RFC 3550 6.4.1: positive where a packet came later than the one before it promised.
    """
    errors = np.diff(t_ns) * 1e-9 - np.diff(media.samples) / rate
    return errors[~media.jumps[1:]]


def jitter(gaps: Floats, start: float = 0.0) -> Floats:
    """Interarrival jitter after each of `gaps` f64[n], in their unit: J += (|D| - J) / 16 (RFC 3550 A.8)."""
    return smoothed(np.abs(gaps), 15 / 16, start)


def rate_error(t_ns: Ints, samples: Ints, rate: int) -> float | None:
    """How much faster the source's clock runs than ours, as a ratio minus 1; None from under MIN_SPAN_S.

    Theil-Sen over pairs half the stream apart: the median of their slopes. Up to a quarter of the packets may
    be late by any amount before it moves.
    """
    half = len(t_ns) // 2
    if half < 2 or t_ns[-1] - t_ns[0] < MIN_SPAN_S * 1e9:
        return None
    elapsed = (t_ns[half:] - t_ns[: len(t_ns) - half]) * 1e-9
    told = (samples[half:] - samples[: len(t_ns) - half]) / rate
    apart = elapsed > 0
    return float(np.median(told[apart] / elapsed[apart])) - 1.0


def drift(t_ns: Ints, samples: Ints, rate: int) -> Floats:
    """Lateness against the ideal schedule in seconds, f64[n]; negative is early."""
    late = (t_ns - t_ns[0]) * 1e-9 - samples / rate
    return np.asarray(late - np.median(late[:ANCHOR_PACKETS]), np.float64)
