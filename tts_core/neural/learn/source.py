"""The vocoder's source: a phase-continuous harmonic sum and its short-time spectrum.

All K harmonics below 3.8 kHz at once, sum of sin(k x) = sin(K h) sin((K + 1) h) / sin(h) with h = x / 2, in
float64. Phase is kept in cycles, and what a frame adds is rounded to a multiple of 2^-36, so that sums are
exact and no chunking can change them. Within a frame the phase is wrapped to half a cycle in float64; the sines
are then of the precision that the audio has.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from tts_core.neural.frame import BINS, FFT, HOP, OVERLAP_GAIN, RATE, WINDOW, window

_GRAIN = float(2**36)
_HIGHEST = 3800.0  # Hz


def harmonics(hz: Tensor, phase: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """The unvoiced-or-not harmonic sum of the next frames.

    `hz` float64[B, 1, T, 2] is F0 at the end of the frame before each and at its own end, `phase` float64[B] in
    cycles. Returns the sum of K sines [B, 1, T, 80] and K [B, 1, T, 1], both of `kind`, and the new phase.
    """
    step = torch.arange(1, HOP + 1, dtype=torch.float64, device=hz.device)
    late = step * (step + 1) / (2 * HOP)
    path = torch.stack((torch.ones_like(step), (step - late) / RATE, late / RATE))
    total = torch.round((hz * (path[1:, -1] * _GRAIN)).sum(dim=3, keepdim=True)) / _GRAIN
    begin = phase.reshape(-1, 1, 1, 1)
    ends = begin + torch.cumsum(total, dim=2)
    ends = ends - torch.round(ends)
    starts = torch.cat((begin, ends[:, :, :-1]), dim=2)
    cycles = torch.cat((starts, hz), dim=3) @ path
    cycles = (cycles - torch.round(cycles)).to(kind)

    count = torch.floor(_HIGHEST / hz.amax(dim=3, keepdim=True)).to(kind)
    which = torch.arange(3, dtype=kind, device=hz.device).reshape(3, 1, 1)
    factors = ((which - 1).abs() + count * which.clamp(max=1)) * math.pi  # of h: 1, K, K + 1
    one, low, high = torch.sin(factors * cycles).split(1, dim=1)
    # where h is 0 so is the sum
    return low * high / one.masked_fill(one == 0, 1.0), count, ends[:, :, -1:].reshape(-1)


def moments() -> Tensor:
    """The 240 samples of a frame, float64[240, 1] from 0 on: what the DFT's matrices are made of."""
    return torch.arange(WINDOW, dtype=torch.float64)[:, None]


def analysis(moments: Tensor) -> Tensor:
    """The windowed DFT of 240 samples as a matrix [240, 2 * 129]: real parts, then imaginary parts."""
    return _waves(moments) * torch.from_numpy(window()[:, None]).to(moments)


def synthesis(moments: Tensor) -> Tensor:
    """The inverse DFT, windowed for overlap-add, for three frames on a hop: [3 * 258, 80].

    The first of them ends in the hop, the second goes on, the last one begins.
    """
    weight = np.full(BINS, 2.0 / FFT)
    weight[0] = weight[-1] = 1.0 / FFT
    weights, fading = (
        torch.from_numpy(each).to(moments) for each in (np.tile(weight, 2)[:, None], window() / OVERLAP_GAIN)
    )
    bases = _waves(moments).t() * weights * fading
    return torch.cat(bases.split(HOP, dim=1)[::-1])


def _waves(moments: Tensor) -> Tensor:
    """Cosines and negative sines of 2 pi n k / 256, [240, 2 * 129]."""
    turns = moments @ (torch.arange(BINS, dtype=moments.dtype, device=moments.device) / FFT)[None]
    angle = 2 * math.pi * turns
    return torch.cat((torch.cos(angle), -torch.sin(angle)), dim=1)
