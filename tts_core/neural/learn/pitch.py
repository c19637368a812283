"""F0 by normalised autocorrelation, with the path chosen by dynamic programming.

The measure is the normalised cross-correlation of RAPT (Talkin 1995), one candidate for every lag, and one
more for "unvoiced"; octave errors are paths that cost more than staying.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from tts_core.neural.frame import HOP, RATE, Floats

_SPAN = 200  # samples compared with themselves a lag away: two periods at 80 Hz
_UNVOICED = 0.45  # what "unvoiced" earns: a correlation below this is no period
_LAG_COST = 0.12  # a long lag earns less: of two that fit equally, the shorter is the period
_MOVE_COST = 6.0  # for each natural-log unit between neighbours
_SWITCH_COST = 0.25
_QUIET = 2e-3  # of full scale, RMS: nothing below this is voiced


def track(audio: NDArray[np.floating], lowest: float = 70.0, highest: float = 330.0) -> Floats:
    """F0 of `audio` float[n] at 8 kHz, in Hz, 0 where unvoiced: float32[ceil(n / 80)]."""
    first, last = int(RATE / highest), int(np.ceil(RATE / lowest))
    correlation, loud = _correlations(np.asarray(audio, np.float64), first, last)
    inner = correlation[:, 1:-1]
    lags = np.arange(first, last + 1)
    score = np.where(loud[:, None], inner - _LAG_COST * lags / last, -1.0)
    path = _best_path(score, first, last)
    return _refined(correlation, path, lags)


def _correlations(
    audio: NDArray[np.float64], first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Correlation [T, lags + 2] for lags first - 1 to last + 1, and whether each frame is loud [T]."""
    count = -(-len(audio) // HOP)
    reach = _SPAN + last + 1
    before = (reach - HOP) // 2
    padded = np.zeros(count * HOP + reach)
    padded[before : before + len(audio)] = audio
    longer = np.lib.stride_tricks.sliding_window_view(padded, reach)[: count * HOP : HOP]
    longer = longer - longer.mean(axis=1, keepdims=True)
    shorter = longer[:, :_SPAN]
    size = 512
    spectrum = np.conj(np.fft.rfft(shorter, size)) * np.fft.rfft(longer, size)
    products = np.fft.irfft(spectrum, size)[:, first - 1 : last + 2]
    energy = np.cumsum(np.pad(longer**2, ((0, 0), (1, 0))), axis=1)
    lagged = energy[:, first - 1 + _SPAN : last + 2 + _SPAN] - energy[:, first - 1 : last + 2]
    own = energy[:, _SPAN : _SPAN + 1]
    middle = (energy[:, -1] - energy[:, 0]) / reach
    return products / np.sqrt(own * lagged + 1e-9), np.sqrt(middle) > _QUIET


@functools.cache
def _moves(first: int, last: int) -> NDArray[np.float64]:
    """What coming to one state from another costs, [to, from]; the last state is "unvoiced"."""
    logs = np.log(np.arange(first, last + 1))
    cost = np.full((len(logs) + 1, len(logs) + 1), _SWITCH_COST)
    cost[:-1, :-1] = np.minimum(_MOVE_COST * np.abs(logs[:, None] - logs), 1.0)  # either way
    cost[-1, -1] = 0
    return cost


def _best_path(score: NDArray[np.float64], first: int, last: int) -> NDArray[np.int64]:
    """The best state of each frame, int64[T]."""
    count, lags = score.shape
    earned = np.concatenate([score, np.full((count, 1), _UNVOICED - _LAG_COST / 2)], axis=1)
    moves = _moves(first, last)
    came_from = np.zeros((count, lags + 1), np.int64)
    total = np.zeros(lags + 1)
    states = np.arange(lags + 1)
    for frame in range(count):
        reached = total - moves
        came_from[frame] = np.argmax(reached, axis=1)
        total = reached[states, came_from[frame]] + earned[frame]
    path = np.zeros(count, np.int64)
    state = int(np.argmax(total))
    for frame in range(count - 1, -1, -1):
        path[frame] = state
        state = int(came_from[frame, state])
    return path


def _refined(correlation: NDArray[np.float64], path: NDArray[np.int64], lags: NDArray[np.int64]) -> Floats:
    """Hz of the path, between the lags by a parabola through the correlations around each."""
    hz = np.zeros(len(path), np.float32)
    voiced = np.flatnonzero(path < len(lags))
    at = path[voiced] + 1
    left, peak, right = (correlation[voiced, at + step] for step in (-1, 0, 1))
    bend = left - 2 * peak + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.minimum(bend, -1e-9), 0)
    hz[voiced] = RATE / (lags[path[voiced]] + np.clip(shift, -0.5, 0.5))
    return hz
