"""The vocoder: features to audio, frame by frame, causal, all its state in one row.

Source-filter: the network sees the features and the spectrum of the harmonic source, and answers with a complex
filter for the harmonics and a gain for the noise in each bin; the filtered spectra are summed, transformed back
and overlapped. It need not invent phase. A frame's audio is whole two frames after it came in (20 ms).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tts_core.neural import frame
from tts_core.neural.frame import BINS, FEATURES, HOP
from tts_core.neural.learn import source
from tts_core.neural.learn.blocks import Block

DELAY = 2  # frames from a feature row to its finished audio
_STEM_TAPS = 3
_TAIL = 2 * HOP
_LOUDEST = 6.0  # natural log of the largest gain in a bin


@dataclass(frozen=True, slots=True)
class VocoderSize:
    """How large the network is."""

    channels: int = 144
    blocks: int = 6
    expansion: int = 3


class Vocoder(nn.Module):
    """One call is the next few frames; a whole utterance is one call from a fresh state."""

    analysis: Tensor
    synthesis: Tensor
    rise: Tensor  # how late the source comes up in the first voiced frame: the ramp's power

    def __init__(self, size: VocoderSize = VocoderSize()) -> None:
        super().__init__()
        self.size = size
        inputs = FEATURES + BINS
        self.inputs = inputs
        self.stem = nn.Linear(_STEM_TAPS * inputs, size.channels)
        self.blocks = nn.ModuleList(Block(size.channels, size.expansion) for _ in range(size.blocks))
        self.norm = nn.LayerNorm(size.channels)
        self.head = nn.Linear(size.channels, 3 * BINS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("rise", torch.tensor(2.0))
        self.register_load_state_dict_pre_hook(_known_rise)
        self.register_buffer("analysis", source.analysis().float(), persistent=False)
        self.register_buffer("synthesis", source.synthesis().float(), persistent=False)
        contexts = [(_STEM_TAPS - 1) * inputs] + [6 * size.channels] * size.blocks
        self.parts = [*contexts, 2, _TAIL, _TAIL, HOP, _TAIL]

    @property
    def state_size(self) -> int:
        """Numbers in a state row."""
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
        wave, phase = self.excite(features, state, phase)
        audio, state = self.answer(features, wave, noise, state)
        return audio, state, phase

    def excite(self, features: Tensor, state: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """The voiced source [B, T, 80] of the next frames, its phase in float64, and the new phase.

        It comes up late in the first voiced frame: else the frame before it is heard as voiced too.
        """
        last = torch.split(state, self.parts, dim=1)[-5]
        scaled = torch.cat((last.unsqueeze(1), features[:, :, frame.F0 :]), dim=1)
        hz = torch.exp(scaled[:, :, 0].double() * frame.F0_SCALE + frame.F0_CENTRE)
        wave, phase = source.harmonics(hz[:, 1:], hz[:, :1], phase)
        ramp = torch.arange(1, HOP + 1, dtype=features.dtype, device=features.device) / HOP
        before, now = scaled[:, :-1, 1:], scaled[:, 1:, 1:]
        passed = torch.where(now > before, ramp**self.rise, ramp)
        return wave.to(features.dtype) * (before + (now - before) * passed), phase

    def answer(self, features: Tensor, wave: Tensor, noise: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The network's part, all of it in one precision: audio [B, T, 80] and the new state."""
        old = torch.split(state, self.parts, dim=1)
        contexts, tails, middle, end = old[: len(self.blocks) + 1], old[-4:-2], old[-2], old[-1]

        harmonic, tail_h = self._spectra(wave, tails[0])
        hiss, tail_n = self._spectra(noise, tails[1])

        real, imaginary = harmonic[..., :BINS], harmonic[..., BINS:]
        level = 0.25 * torch.log(real * real + imaginary * imaginary + 1e-3)
        x = torch.cat((features, level), dim=2)
        x = torch.cat((contexts[0].reshape(-1, _STEM_TAPS - 1, self.inputs), x), dim=1)
        fresh = [x[:, 1 - _STEM_TAPS :].reshape(-1, self.parts[0])]
        x = self.stem(torch.cat((x[:, :-2], x[:, 1:-1], x[:, 2:]), dim=2))
        for block, context in zip(self.blocks, contexts[1:], strict=True):
            assert isinstance(block, Block)
            x, kept = block.causal(x, context.reshape(-1, block.reach, self.size.channels))
            fresh.append(kept.reshape(-1, block.reach * self.size.channels))
        spectrum = self._filtered(self.head(self.norm(x)), real, imaginary, hiss)
        audio, middle, end = self._overlapped(spectrum @ self.synthesis, middle, end)
        last = features[:, -1, frame.F0 :]
        return audio, torch.cat((*fresh, last, tail_h, tail_n, middle, end), dim=1)

    def _spectra(self, wave: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra [B, T, 258] of three hops each, ending with each hop of `wave` [B, T, 80]; the new tail."""
        hops = torch.cat((tail.reshape(-1, 2, HOP), wave), dim=1)
        frames = torch.cat((hops[:, :-2], hops[:, 1:-1], hops[:, 2:]), dim=2)
        return frames @ self.analysis, hops[:, -2:].reshape(-1, _TAIL)

    def _filtered(self, answer: Tensor, real: Tensor, imaginary: Tensor, hiss: Tensor) -> Tensor:
        """The sum of both sources, filtered, [B, T, 258]; `answer` is log gain, phase, log noise gain."""
        gain, turn, noise = torch.split(answer, BINS, dim=2)
        gain = torch.exp(torch.clamp(gain - 1.0, -12.0, _LOUDEST))
        noise = torch.exp(torch.clamp(noise - 4.0, -12.0, _LOUDEST))
        cosine, sine = gain * torch.cos(turn), gain * torch.sin(turn)
        out_real = real * cosine - imaginary * sine + noise * hiss[..., :BINS]
        out_imaginary = real * sine + imaginary * cosine + noise * hiss[..., BINS:]
        return torch.cat((out_real, out_imaginary), dim=2)

    def _overlapped(self, frames: Tensor, middle: Tensor, end: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Audio [B, T, 80] of frames [B, T, 240], each a hop after the one before; what is still to be added."""
        begin, centre, last = torch.split(frames, HOP, dim=2)
        centre = torch.cat((middle.unsqueeze(1), centre), dim=1)
        last = torch.cat((end.reshape(-1, 2, HOP), last), dim=1)
        audio = begin + centre[:, :-1] + last[:, :-2]
        return audio, centre[:, -1], last[:, -2:].reshape(-1, _TAIL)


def _known_rise(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
    """Weights from before there was a `rise` learned with a straight ramp."""
    state.setdefault(f"{prefix}rise", torch.tensor(1.0))
