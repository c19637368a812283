"""What two waveforms differ by to the ear, phase aside: magnitudes at several resolutions."""

from __future__ import annotations

import torch
from torch import Tensor

_RESOLUTIONS = ((512, 400, 100), (256, 200, 50), (128, 100, 25))  # FFT, window, hop in samples
_FLOOR = 3e-3


def distance(made: Tensor, target: Tensor) -> Tensor:
    """Mean over the resolutions of log-magnitude L1 and of relative magnitude error; both are [B, N]."""
    total = made.new_zeros(())
    for size, length, hop in _RESOLUTIONS:
        window = torch.hann_window(length, dtype=made.dtype)
        one, other = (_magnitude(wave, size, hop, length, window) for wave in (made, target))
        logs = (torch.log(one + _FLOOR) - torch.log(other + _FLOOR)).abs().mean()
        gap = torch.linalg.vector_norm(one - other) / torch.linalg.vector_norm(other).clamp(min=1e-3)
        total = total + logs + gap
    return total / len(_RESOLUTIONS)


def _magnitude(wave: Tensor, size: int, hop: int, length: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(wave, size, hop, length, window, center=False, return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    return torch.sqrt(power + 1e-8)
