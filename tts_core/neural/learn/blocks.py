"""ConvNeXt blocks over [B, 1, T, C], causal with explicit context or centred (Liu et al. 2022, one dimension).

Frames lie as an image of one row: ONNX Runtime has a fast depthwise filter for images alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def depthwise(padded: Tensor, weight: Tensor, dilation: int = 1) -> Tensor:
    """Each channel's own filter: `padded` [B, 1, T + (K - 1) dilation, C], `weight` [K, C] to [B, 1, T, C].

    While gradients flow it is written as shifted multiply-adds, three times faster on a CPU than a grouped
    convolution's backward pass; otherwise as the convolution, one node in an exported graph.
    """
    taps = weight.shape[0]
    if not torch.is_grad_enabled():
        kernel = weight.t()[:, None, None]
        image = padded.permute(0, 3, 1, 2)
        out = functional.conv2d(image, kernel, groups=weight.shape[1], dilation=(1, dilation))
        return out.permute(0, 2, 3, 1)
    length = padded.shape[2] - (taps - 1) * dilation
    out = padded[:, :, :length] * weight[0]
    for tap in range(1, taps):
        out = torch.addcmul(out, padded[:, :, tap * dilation : tap * dilation + length], weight[tap])
    return out


class Block(nn.Module):
    """Depthwise filter, normalisation and a two-layer network, added to what came in."""

    def __init__(self, channels: int, expansion: int, taps: int = 7, dilation: int = 1) -> None:
        super().__init__()
        self.taps, self.dilation = taps, dilation
        self.filter = nn.Parameter(torch.randn(taps, channels) / taps**0.5)
        self.norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, expansion * channels)
        self.narrow = nn.Linear(expansion * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.3))

    def still(self) -> None:
        """Begin as a block that adds nothing: put behind what has learned already, it changes nothing yet."""
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)

    @property
    def reach(self) -> int:
        """Frames beyond the one in question that the filter covers."""
        return (self.taps - 1) * self.dilation

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        """`x` [B, 1, T, C], and the same with `reach` frames around it, to [B, 1, T, C]."""
        inner = self.norm(depthwise(padded, self.filter, self.dilation))
        out: Tensor = x + self.scale * self.narrow(functional.silu(self.widen(inner)))
        return out

    def centred(self, x: Tensor, mask: Tensor) -> Tensor:
        """The block over a whole sequence [B, 1, T, C]; `mask` [B, 1, T, 1] is 0 on padding."""
        half = self.reach // 2
        padded = functional.pad(x, (0, 0, half, self.reach - half))
        out: Tensor = self(x, padded) * mask
        return out

    def causal(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The block over the next frames [B, 1, T, C] after `context` [B, 1, reach, C]; the new context too."""
        padded = torch.cat((context, x), dim=2)
        return self(x, padded), padded[:, :, -self.reach :]


def through(blocks: Iterable[nn.Module], x: Tensor, mask: Tensor) -> Tensor:
    """One centred block after the other: `x` [B, T, C], `mask` [B, T, 1], 0 on padding, to [B, T, C]."""
    x, mask = x.unsqueeze(1), mask.unsqueeze(1)
    for block in blocks:
        assert isinstance(block, Block)
        x = block.centred(x, mask)
    return x[:, 0]
