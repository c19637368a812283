"""The frame: 10 ms at 8 kHz, and the 42 numbers that describe it.

A feature row is 40 log-mels, the log-F0 and the voicing, all scaled to about -2..2. Frame t is centred in
samples [80 t, 80 t + 80): its window covers [80 t - 80, 80 t + 160), three hops.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RATE = 8000
HOP = 80
WINDOW = 3 * HOP  # squared Hann windows at a third of their length add up to a constant
FFT = 256
BINS = FFT // 2 + 1
MELS = 40
F0, VOICING = MELS, MELS + 1  # columns
FEATURES = MELS + 2
STATES = 3  # that a phoneme's duration is told in: how it begins, its middle and how it ends
OVERLAP_GAIN = 1.125  # the sum of three squared periodic Hann windows

MEL_FLOOR = 1e-3
MEL_CENTRE, MEL_SCALE = -2.5, 2.5
F0_CENTRE, F0_SCALE = 5.0, 0.4  # natural log of Hz: 148 Hz


def window() -> NDArray[np.float64]:
    """The periodic Hann window, float64[240]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)


@functools.cache
def mel_matrix() -> NDArray[np.float64]:
    """Triangles on the mel scale of O'Shaughnessy (2595 log10(1 + f/700)), float64[129, 40], peak 1."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(30.0, top, MELS + 2) / 2595) - 1)
    hz = np.arange(BINS) * RATE / FFT
    rise = (hz[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall))


def log_mels(audio: NDArray[np.floating]) -> Floats:
    """Natural-log mel magnitudes of `audio` float[n], full scale 1: float32[ceil(n / 80), 40], floored."""
    count = -(-len(audio) // HOP)
    padded = np.zeros((count + 2) * HOP)
    padded[HOP : HOP + len(audio)] = audio
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * window(), FFT))
    return np.log(np.maximum(spectrum @ mel_matrix(), MEL_FLOOR)).astype(np.float32)


def pack(mels: Floats, hz: Floats) -> Floats:
    """Scaled features float32[T, 42] of log-mels [T, 40] and F0 [T], where 0 Hz is unvoiced.

    F0 runs on in a straight line through what is unvoiced.
    """
    voiced = hz > 0
    log_f0 = np.full(len(hz), F0_CENTRE)
    if voiced.any():
        at = np.flatnonzero(voiced)
        log_f0 = np.interp(np.arange(len(hz)), at, np.log(hz[at]))
    columns = [(mels - MEL_CENTRE) / MEL_SCALE, (log_f0[:, None] - F0_CENTRE) / F0_SCALE, voiced[:, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)


def unpack(features: Floats) -> tuple[Floats, Floats]:
    """Log-mels [T, 40] and F0 in Hz [T], 0 where unvoiced, of scaled features [T, 42]."""
    hz = np.where(features[:, VOICING] > 0.5, f0_hz(features[:, F0]), 0)
    return features[:, :MELS] * MEL_SCALE + MEL_CENTRE, hz.astype(np.float32)


def f0_hz(scaled: Floats) -> Floats:
    """Hz of the scaled log-F0 column."""
    hz: Floats = np.exp(scaled * F0_SCALE + F0_CENTRE)
    return hz
