"""The vocoder's source: a phase-continuous harmonic sum and its short-time spectrum.

All K harmonics below 3.8 kHz at once, sum of sin(k x) = sin(K h) sin((K + 1) h) / sin(h) with h = x / 2, in
float64. Phase is kept in cycles, and what a frame adds is rounded to a multiple of 2^-36, so that sums are
exact and no chunking can change them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tts_core.neural.frame import BINS, FFT, HOP, OVERLAP_GAIN, RATE, WINDOW, window

_GRAIN = float(2**36)
_HIGHEST = 3800.0  # Hz
_NEAR = 1e-7  # where sin(h) is this small the quotient is K (K + 1) h


def harmonics(hz: Tensor, before: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
    """The unvoiced-or-not harmonic sum of the next frames.

    `hz` float64[B, T] is F0 at each frame's end, `before` float64[B, 1] at the end of the frame before them,
    `phase` float64[B] in cycles. Returns the sum float64[B, T, 80], of unit power, and the new phase.
    """
    previous = torch.cat((before, hz[:, :-1]), dim=1)
    step = torch.arange(1, HOP + 1, dtype=torch.float64, device=hz.device)
    slope = (hz - previous).unsqueeze(2)
    gone = (previous.unsqueeze(2) * step + slope * (step * (step + 1) / (2 * HOP))) / RATE
    gone = torch.round(gone * _GRAIN) / _GRAIN
    total = gone[:, :, HOP - 1]
    start = phase.unsqueeze(1) + torch.cumsum(total, dim=1) - total
    cycles = start.unsqueeze(2) + gone
    cycles = cycles - torch.round(cycles)
    after = phase + total.sum(dim=1)
    count = torch.floor(_HIGHEST / torch.maximum(hz, previous)).unsqueeze(2)
    half = cycles * math.pi
    divisor = torch.sin(half)
    near = torch.abs(divisor) < _NEAR
    quotient = torch.sin(count * half) * torch.sin((count + 1) * half)
    safe = torch.where(near, torch.ones_like(divisor), divisor)
    wave = torch.where(near, count * (count + 1) * half, quotient / safe)
    return wave * torch.sqrt(2 / count), after - torch.round(after)


def analysis() -> Tensor:
    """The windowed DFT of 240 samples as a matrix [240, 2 * 129]: real parts, then imaginary parts."""
    angle = 2 * np.pi * np.arange(WINDOW)[:, None] * np.arange(BINS) / FFT
    bases = np.concatenate((np.cos(angle), -np.sin(angle)), axis=1) * window()[:, None]
    return torch.from_numpy(bases)


def synthesis() -> Tensor:
    """The inverse DFT, windowed for overlap-add, as a matrix [2 * 129, 240]."""
    angle = 2 * np.pi * np.arange(BINS)[:, None] * np.arange(WINDOW) / FFT
    weight = np.full((BINS, 1), 2.0 / FFT)
    weight[0] = weight[-1] = 1.0 / FFT
    bases = np.concatenate((np.cos(angle) * weight, -np.sin(angle) * weight))
    return torch.from_numpy(bases * window() / OVERLAP_GAIN)
