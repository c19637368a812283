"""The vocoder: features to audio, frame by frame, causal, all its state in one row.

Source-filter: the network sees the features and the spectrum of the harmonic source, and answers with a complex
filter for the harmonics and a gain for the noise in each bin; the filtered spectra are summed, transformed back
and overlapped. It need not invent phase. A frame's audio is whole two frames after it came in (20 ms).

Inside, frames are [B, 1, T, C]: see `blocks`. A step for one stream costs as much by the number of its operators
as by their arithmetic, so what can be one product is one: three frames side by side (`_threes`) are what the stem
sees, what a spectrum is of, and what overlaps in a hop of audio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.neural import frame
from tts_core.neural.frame import BINS, FEATURES, HOP
from tts_core.neural.learn import source
from tts_core.neural.learn.blocks import Block

DELAY = 2  # frames from a feature row to its finished audio
_TAPS = 3
_PAST = _TAPS - 1
_LOUDEST = 6.0  # natural log of the largest gain in a bin


@dataclass(frozen=True, slots=True)
class VocoderSize:
    """How large the network is."""

    channels: int = 144
    blocks: int = 6
    expansion: int = 3


class Vocoder(nn.Module):
    """One call is the next few frames; a whole utterance is one call from a fresh state."""

    moments: Tensor  # [240, 1]
    analysis: Tensor  # [240, 258]
    synthesis: Tensor  # [774, 80], of three spectra
    quiet: Tensor  # what is taken from the answers: gains of untrained networks are to be small
    rise: Tensor  # how late the source comes up in the first voiced frame: the ramp's power

    def __init__(self, size: VocoderSize = VocoderSize()) -> None:
        super().__init__()
        self.size = size
        self.inputs = FEATURES + BINS
        self.stem = nn.Linear(_TAPS * self.inputs, size.channels)
        self.blocks = nn.ModuleList(Block(size.channels, size.expansion) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(size.channels)
        self.head = nn.Linear(size.channels, 3 * BINS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("rise", torch.tensor(2.0))
        self.register_buffer("moments", source.moments().float())  # kept: else an exporter takes it as known
        self.register_buffer("analysis", source.analysis(source.moments()).float(), persistent=False)
        self.register_buffer("synthesis", source.synthesis(source.moments()).float(), persistent=False)
        quiet = torch.tensor([1.0, 0.0, 4.0]).repeat_interleave(BINS)  # what no gain and no turn answer for
        self.register_buffer("quiet", quiet, persistent=False)
        self.reaches = [block.reach for block in self.blocks if isinstance(block, Block)]
        self.parts = [
            _PAST * self.inputs, sum(self.reaches) * size.channels, 2 * _PAST * HOP, _PAST * 2 * BINS
        ]  # fmt: skip

    @property
    def state_size(self) -> int:
        """Numbers in a state row: the last frames that the stem has seen, and each block; both waves; spectra."""
        return sum(self.parts)

    def fresh(self, rows: int) -> tuple[Tensor, Tensor]:
        """The state before anything is said: [rows, state_size] zeros and phase float64[rows] zeros."""
        weight = self.stem.weight
        state = torch.zeros(rows, self.state_size, dtype=weight.dtype, device=weight.device)
        return state, torch.zeros(rows, dtype=torch.float64, device=weight.device)

    def forward(
        self, features: Tensor, noise: Tensor, state: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next T frames of B rows.

        `features` [B, T, 42] scaled (voicing 0 to 1), `noise` [B, T, 80] white, of unit power, `state` [B, S] and
        `phase` float64[B] from the step before. Returns audio [B, T, 80], full scale 1 and two frames late, the
        new state and the new phase.
        """
        wide = features.unsqueeze(1)
        past = self._past(state)
        wave, phase = self._excited(wide, past[0], phase)
        audio, state = self._answered(wide, wave, noise.unsqueeze(1), past, self._bases())
        return audio, state, phase

    def excite(self, features: Tensor, state: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """The voiced source [B, T, 80] of the next frames, its phase in float64, and the new phase.

        It comes up late in the first voiced frame: else the frame before it is heard as voiced too.
        """
        wave, phase = self._excited(features.unsqueeze(1), self._past(state)[0], phase)
        return wave[:, 0], phase

    def answer(self, features: Tensor, wave: Tensor, noise: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The network's part, all of it in one precision: audio [B, T, 80] and the new state."""
        features, wave, noise = (each.unsqueeze(1) for each in (features, wave, noise))
        return self._answered(features, wave, noise, self._past(state), (self.analysis, self.synthesis))

    def _past(self, state: Tensor) -> list[Tensor]:
        """The parts of a state [B, S]: [B, 1, 2, 171], [B, 1, 36, C], [B, 2, 2, 80] and [B, 1, 2, 258]."""
        shapes = ((1, _PAST), (1, sum(self.reaches)), (2, _PAST), (1, _PAST))
        widths = (self.inputs, self.size.channels, HOP, 2 * BINS)
        parts = torch.split(state, self.parts, dim=1)
        return [
            part.reshape(-1, *shape, width) for part, shape, width in zip(parts, shapes, widths, strict=True)
        ]

    def _excited(self, features: Tensor, seen: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """The source [B, 1, T, 80] of `features` [B, 1, T, 42] after those `seen`; the new phase."""
        now = features[..., frame.F0 :]
        before = torch.cat((seen[:, :, -1:, frame.F0 : FEATURES], now[:, :, :-1]), dim=2)
        both = torch.cat((before, now), dim=3)
        hz = torch.exp(both[..., ::2].double() * frame.F0_SCALE + frame.F0_CENTRE)
        wave, count, phase = source.harmonics(hz, phase, features.dtype)
        rises = functional.relu(now - before)
        loud = torch.rsqrt(count) * torch.cat((both, rises), dim=3)
        return wave * (loud @ self._ramps()), phase

    def _ramps(self) -> Tensor:
        """How loud the source is, [6, 80], of F0 and voicing before, the same now, and how far both rose."""
        ramp = torch.arange(1, HOP + 1, dtype=self.rise.dtype, device=self.rise.device) / HOP
        none = torch.zeros_like(ramp)
        return torch.stack((none, 1 - ramp, none, ramp, none, ramp**self.rise - ramp)) * math.sqrt(2)

    def _answered(
        self, features: Tensor, wave: Tensor, noise: Tensor, past: list[Tensor], bases: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Audio [B, T, 80] and the new state; what it is given is [B, 1, T, .], `past` from `_past`."""
        seen, contexts, waves, spectra = past
        analysis, synthesis = bases
        frames, waves = _threes(waves, torch.cat((wave, noise), dim=1))
        harmonic, hiss = (frames @ analysis).split(1, dim=1)
        real, imaginary = harmonic.split(BINS, dim=3)
        level = 0.25 * torch.log(real * real + imaginary * imaginary + 1e-3)
        x, seen = _threes(seen, torch.cat((features, level), dim=3))
        x = self.stem(x)
        kept = []
        for block, context in zip(self.blocks, contexts.split(self.reaches, dim=2), strict=True):
            assert isinstance(block, Block)
            x, new = block.causal(x, context)
            kept.append(new)
        answer = functional.linear(self.norm(x), self.head.weight, self.head.bias - self.quiet)
        x, spectra = _threes(spectra, _filtered(answer, real, imaginary, hiss))
        news = (seen, torch.cat(kept, dim=2), waves, spectra)
        state = torch.cat([new.reshape(-1, size) for new, size in zip(news, self.parts, strict=True)], dim=1)
        return (x @ synthesis)[:, 0], state

    def _bases(self) -> tuple[Tensor, Tensor]:
        """The DFT's; a graph reckons them when it is loaded, which is half a megabyte less to ship.

        Not the one for TensorRT, `answer`'s: there is no float64 there to reckon them in.
        """
        if not torch.onnx.is_in_onnx_export():
            return self.analysis, self.synthesis
        moments = self.moments.double()
        return source.analysis(moments).float(), source.synthesis(moments).float()


def _threes(past: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Each frame of `x` [B, N, T, C] with the two before it, [B, N, T, 3 C]; the new `past` [B, N, 2, C]."""
    x = torch.cat((past, x), dim=2)
    return torch.cat((x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:]), dim=3), x[:, :, -_PAST:]


def _filtered(answer: Tensor, real: Tensor, imaginary: Tensor, hiss: Tensor) -> Tensor:
    """The sum of both sources, filtered, [.., 258]; `answer` is log gain, phase, log noise gain, 129 of each."""
    gain, turn, noise = answer.split(BINS, dim=3)
    gain, noise = (torch.exp(torch.clamp(each, -12.0, _LOUDEST)) for each in (gain, noise))
    hiss_real, hiss_imaginary = hiss.split(BINS, dim=3)
    cosine, sine = gain * torch.cos(turn), gain * torch.sin(turn)
    out_real = real * cosine - imaginary * sine + noise * hiss_real
    out_imaginary = real * sine + imaginary * cosine + noise * hiss_imaginary
    return torch.cat((out_real, out_imaginary), dim=3)
