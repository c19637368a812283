"""Speech level on the line: measured by ITU-T P.56, set to a dBm0 figure.

dBov is relative to full scale, an RMS of 1.0 being 0 dBov. 0 dBm0 is -6.15 dBov (ITU-T G.100.1): a full-scale
sine, at -3.01 dBov, is +3.14 dBm0 in A-law. Mu-law's +3.17 is near enough to share the figure.
"""

from dataclasses import dataclass
from math import ceil, exp, inf, isfinite, log10

import numpy as np
import numpy.typing as npt

from telephony_codecs.arrays import Float32, require
from telephony_codecs.filters import smoothed
from telephony_codecs.resample import LINE_RATE, Resampler

DBM0_FULL_SCALE = 6.15
MAX_GAIN_DB = 30.0

_TIME_CONSTANT_S = 0.03
_HANGOVER_S = 0.2
_MARGIN_DB = 15.9
_LOWEST_THRESHOLD = 2.0**-15


@dataclass(frozen=True, slots=True)
class ActiveLevel:
    """Active speech level in dBov (-inf: no speech found) and the share of time that is active, 0..1."""

    dbov: float
    activity: float


SILENT = ActiveLevel(-inf, 0.0)


def active_speech_level(pcm: Float32, rate: int) -> ActiveLevel:
    """Measure float32[n] at `rate` Hz by ITU-T P.56 method B.

    The level counts active time alone: pauses longer than the hangover do not lower it. A signal that
    stays more than 15.9 dB above every threshold its envelope reaches (a click) is given the level at the
    highest of them. Below about -74 dBov nothing is found. ValueError when `rate` is not positive or a
    sample is not finite.
    """
    require(pcm, np.float32)
    if rate <= 0:
        raise ValueError(f"sample rate must be positive, got {rate}")
    energy = float(np.square(pcm, dtype=np.float64).sum())
    if not isfinite(energy):
        raise ValueError("samples must be finite")
    if energy == 0.0:
        return SILENT
    envelope = _envelope(pcm, rate)
    hangover = ceil(rate * _HANGOVER_S)
    threshold, below = _LOWEST_THRESHOLD, None
    while active := _active_samples(envelope >= threshold, hangover):
        level = 10 * log10(energy / active)
        excess = level - 20 * log10(threshold) - _MARGIN_DB
        if excess <= 0:
            if below is None:
                return SILENT
            level = _interpolate(below, (level, excess))
            break
        below = level, excess
        threshold *= 2
    if below is None:
        return SILENT
    return ActiveLevel(level, min(1.0, energy / len(pcm) / 10 ** (level / 10)))


def gain_to_dbm0(pcm: Float32, rate: int, target_dbm0: float = -20.0) -> float:
    """The linear gain that brings float32[n] at `rate` (8000..96000 Hz) to `target_dbm0` on the line.

    Measured after band-limiting to 8 kHz, for only that part of the speech is heard. 1.0 for silence; never
    above MAX_GAIN_DB, so that a recording of noise is not blown up. ValueError for a rate out of range.
    """
    resampler = Resampler(rate)
    line = np.concatenate((resampler.push(pcm), resampler.flush()))
    level = active_speech_level(line, LINE_RATE).dbov
    if level == -inf:
        return 1.0
    gain_db = min(target_dbm0 - DBM0_FULL_SCALE - level, MAX_GAIN_DB)
    return float(10 ** (gain_db / 20))


def _envelope(pcm: Float32, rate: int) -> npt.NDArray[np.float64]:
    """float64[n]: the rectified signal through two equal first-order low-passes."""
    pole = exp(-1 / (rate * _TIME_CONSTANT_S))
    return smoothed(smoothed(np.abs(pcm, dtype=np.float64), pole), pole)


def _active_samples(above: npt.NDArray[np.bool_], hangover: int) -> int:
    """How many samples are above the threshold, or at most `hangover` samples after one that was."""
    edges = np.flatnonzero(above[1:] != above[:-1]) + 1
    quiet = np.diff(edges, append=len(above))[~above[edges]]
    return int(np.count_nonzero(above) + np.minimum(quiet, hangover).sum())


def _interpolate(below: tuple[float, float], above: tuple[float, float]) -> float:
    """The level at which the excess over the margin is nil, linear in dB between two (level, excess)."""
    (level_0, excess_0), (level_1, excess_1) = below, above
    return level_0 + (level_1 - level_0) * excess_0 / (excess_0 - excess_1)
