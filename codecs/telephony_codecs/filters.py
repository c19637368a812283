"""The two filters that are used here, in NumPy alone: loading scipy.signal for them takes 43 MB and a second."""

from functools import lru_cache
from math import ceil, pi

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

_SIDE = 64
_TILE = _SIDE * _SIDE
"""Samples at once: as fast as any number that stays in the cache."""


def lowpass_length(stopband_db: float, width: float) -> int:
    """Taps of a Kaiser-windowed low-pass whose transition takes ``width`` of the Nyquist frequency.

    J. F. Kaiser's formula (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5.3), for 50 dB and more.
    """
    return ceil((stopband_db - 7.95) / (2.285 * pi * width) + 1)


def lowpass(length: int, cutoff: float, stopband_db: float) -> Float64:
    """A windowed sinc, float64[length], half down at ``cutoff`` of the Nyquist frequency; its sum is 1."""
    at = np.arange(length) - (length - 1) / 2
    taps = np.sinc(cutoff * at) * np.kaiser(length, 0.1102 * (stopband_db - 8.7))
    weights: Float64 = taps / taps.sum()
    return weights


def smoothed(values: Float64, pole: float, start: float = 0.0) -> Float64:
    """y[n] = pole * y[n - 1] + (1 - pole) * values[n], y[-1] being ``start``: a first-order low-pass, float64[n].

    A tile's rows are filtered at once by a matrix product, and so is what each row hands on to the next.
    """
    within, between, fading = _response(pole)
    tiles = np.zeros((-(-len(values) // _TILE), _SIDE, _SIDE))
    tiles.reshape(-1)[: len(values)] = values
    for tile in tiles:
        tile[:] = tile @ within
        before = tile[:, -1] @ between + start * fading[:, 0]
        tile += before[:, None] * fading[0, 1:]
        start = tile[-1, -1]
    return tiles.reshape(-1)[: len(values)]


@lru_cache(maxsize=8)
def _response(pole: float) -> tuple[Float64, Float64, Float64]:
    """What a row makes of itself, what rows' ends make of the rows after them, and powers of the pole.

    float64[64, 64] each, but for the last: pole ** (64 * row + column), float64[64, 65].
    """
    lag = (
        np.arange(_SIDE) - np.arange(_SIDE)[:, None]
    )  # of the later one, a column, behind the earlier, a row
    fading = pole ** (_SIDE * np.arange(_SIDE)[:, None] + np.arange(_SIDE + 1.0))
    within = np.where(lag < 0, 0.0, (1 - pole) * fading[0, np.maximum(lag, 0)])
    between = np.where(lag < 1, 0.0, fading[np.maximum(lag - 1, 0), 0])
    return within, between, fading
