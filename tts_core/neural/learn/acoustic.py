"""The acoustic model: a clause's tokens to durations and features, all frames at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tts_core.neural.frame import FEATURES, MEL_CENTRE, MEL_SCALE, MELS, STATES
from tts_core.neural.frontend import PLACES, TONES
from tts_core.neural.learn.blocks import Block, through
from tts_core.neural.learn.rhythm import Rhythm

_SHAPE = 1.0  # how much the bands' movement counts
_DEEPER = 2  # blocks behind the context, of what tells durations
_SPAN, _STRIDE = 38, 8  # frames over which bands are compared, and how far apart those spans begin
_STILL = 1e-3  # of a band's magnitudes: a span with less movement than this says nothing
_TIMBRE = 1.0  # how much the spectrum's shape counts
_QUIET = math.log(100) / MEL_SCALE  # 40 dB: what lies further below the clause's loudest is not heard
_NEAR = 1.0  # how much an error of F0 counts by itself: its square alone is content with being nearly right


@dataclass(frozen=True, slots=True)
class AcousticSize:
    """How large the networks are: `timing` is the width of the one that tells durations."""

    phonemes: int
    channels: int = 160
    timing: int = 120
    encoder: int = 3
    decoder: tuple[int, ...] = (1, 2, 4, 1, 2, 1)  # dilations


class Encoder(nn.Module):
    """What each token means in its clause. Padding is phoneme 0."""

    def __init__(self, phonemes: int, width: int, blocks: int) -> None:
        super().__init__()
        self.phoneme = nn.Embedding(phonemes + 1, width, padding_idx=0)
        self.place = nn.Embedding(PLACES, width)
        self.tone = nn.Embedding(len(TONES), width)
        self.blocks = nn.ModuleList(Block(width, 2, taps=5) for _ in range(blocks))
        self.context = nn.GRU(width, width // 2, batch_first=True, bidirectional=True)

    def forward(self, ids: Tensor, counted: Tensor) -> Tensor:
        """`ids` int64[B, P, 3], and what a Rhythm says of them [B, P, C], to [B, P, C], 0 on padding."""
        mask = (ids[:, :, :1] != 0).to(self.place.weight.dtype)
        x = self.phoneme(ids[:, :, 0]) + self.place(ids[:, :, 1]) + self.tone(ids[:, :, 2])
        x = (x + counted) * mask
        x = through(self.blocks, x, mask)
        return (x + self._around(x, mask)) * mask

    def _around(self, x: Tensor, mask: Tensor) -> Tensor:
        """What lies before and behind each token; in a batch that is learned from, no clause's padding does."""
        if not self.training:
            return cast(Tensor, self.context(x)[0])
        lengths = mask.sum(dim=(1, 2)).long()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.context(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class Timing(nn.Module):
    """How long each token lasts, told by its states.

    It shares nothing with what says how tokens sound, so each can learn alone.

    A teacher's trees first ask which phoneme it is and in which of its states, and go other ways for each. So
    each phoneme has factors of its own in the hidden layer, and behind it, for each state, a row of weights of
    its own that is added to the one of all.
    """

    def __init__(self, size: AcousticSize) -> None:
        super().__init__()
        width = size.timing
        self.encoder = Encoder(size.phonemes, width, size.encoder)
        self.rhythm = Rhythm(size.phonemes, width)
        self.deeper = nn.ModuleList(Block(width, 2, taps=5) for _ in range(_DEEPER))
        self.out = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, STATES)
        )
        self.own = nn.Embedding(size.phonemes + 1, (1 + STATES) * width)
        for block in self.deeper:
            assert isinstance(block, Block)
            block.still()
        nn.init.zeros_(self.own.weight)

    def forward(self, ids: Tensor, counts: Tensor | None = None) -> Tensor:
        """`ids` int64[B, P, 3] to the frames of each token's states, [B, P, S].

        `counts` are a Rhythm's, if they are known.
        """
        x = self.encoder(ids, self.rhythm(ids, counts))
        norm, widen, bend, narrow = self.out
        x = through(self.deeper, x, (ids[:, :, :1] != 0).to(x.dtype))
        factors, *rows = self.own(ids[:, :, 0]).split(x.shape[2], dim=2)
        hidden = bend(widen(norm(x)) * (1 + factors))
        own = torch.stack([(hidden * row).sum(dim=2) for row in rows], dim=2)
        frames: Tensor = torch.exp(narrow(hidden) + own) - 1  # ONNX has no expm1, and no log1p
        return frames

    def pace(self, ids: Tensor, counts: Tensor | None = None) -> Tensor:
        """The same to ln(frames + 1) of each token, [B, P]."""
        return torch.log(1 + self(ids, counts).sum(dim=2).clamp(min=0))


class Acoustic(nn.Module):
    """Encoder over tokens, a length for each, decoder over frames."""

    def __init__(self, size: AcousticSize) -> None:
        super().__init__()
        self.size = size
        width = size.channels
        self.encoder = Encoder(size.phonemes, width, size.encoder)
        self.rhythm = Rhythm(size.phonemes, width)
        self.timing = Timing(size)
        self.where = nn.Linear(4, width)
        self.decoder = nn.ModuleList(Block(width, 2, dilation=step) for step in size.decoder)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, FEATURES)

    def alphabets(self) -> dict[str, nn.Embedding]:
        """The tables that have a row for each phoneme."""
        return {"sound": self.encoder.phoneme, "length": self.timing.encoder.phoneme, "own": self.timing.own}

    def tell(self, phonemes: Mapping[str, int]) -> None:
        """What the networks have to know of the phonemes themselves."""
        for counting in (self.rhythm, self.timing.rhythm):
            counting.tell(phonemes)

    def mean(self, ids: Tensor, counts: Tensor | None = None) -> Tensor:
        """`ids` int64[B, P, 3] to what each token means, [B, P, C]. `counts` as in Timing."""
        return cast(Tensor, self.encoder(ids, self.rhythm(ids, counts)))

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """`ids` int64[B, P, 3] to what each token means [B, P, C], and ln(frames + 1) of each [B, P]."""
        counts = self.rhythm.counts(ids)  # once for both
        return self.mean(ids, counts), self.timing.pace(ids, counts)

    def decode(self, meaning: Tensor, token: Tensor, place: Tensor, mask: Tensor) -> Tensor:
        """Features [B, T, 42], the voicing a logit.

        `meaning` [B, P, C]; `token` int64[B, T], which token each frame belongs to; `place` [B, T, 4] from
        `places`; `mask` [B, T, 1], 0 on padding.
        """
        index = token.unsqueeze(2).expand(-1, -1, meaning.shape[2])
        x = (torch.gather(meaning, 1, index) + self.where(place)) * mask
        x = through(self.decoder, x, mask)
        out: Tensor = self.out(self.norm(x))
        return out


def loss(
    model: Acoustic, ids: Tensor, token: Tensor, place: Tensor, mask: Tensor, target: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """What the features of one batch cost, in all and by part. `target` [B, T, 42]."""
    made = model.decode(model.mean(ids), token, place, mask)
    frames = mask.sum()
    off = (made[:, :, :-2] - target[:, :, :-2]) * mask
    mel = (off.abs().sum() + 2.0 * off.square().sum()) / (frames * off.shape[2])
    voiced = target[:, :, -1:] * mask
    astray = made[:, :, -2:-1] - target[:, :, -2:-1]
    pitch = ((_NEAR * astray.abs() + astray.square()) * voiced).sum() / voiced.sum().clamp(min=1)
    voicing = functional.binary_cross_entropy_with_logits(
        made[:, :, -1:], target[:, :, -1:], mask, reduction="sum"
    )
    shape = envelope(made[:, :, :MELS].float(), target[:, :, :MELS], mask)
    timbre = cepstral(made[:, :, :MELS].float(), target[:, :, :MELS], mask)
    parts = {"mel": mel, "f0": pitch, "voicing": voicing / frames, "envelope": shape, "cepstral": timbre}
    total = parts["mel"] + parts["f0"] + 0.2 * parts["voicing"] + _SHAPE * parts["envelope"]
    total = total + _TIMBRE * parts["cepstral"]
    return total, {name: float(value.detach()) for name, value in parts.items()}


def envelope(made: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """How unlike the bands rise and fall: 1 - the correlation of their magnitudes, 0.38 s at a time, its mean.

    It is what STOI listens to, and what an error of the logarithm hardly tells: how loud parts lie to each other.
    `made` and `target` scaled log-mels [B, T, 40], `mask` [B, T, 1].
    """
    if made.shape[1] < _SPAN:
        return made.new_zeros(())
    one, other = (
        torch.exp(mels * MEL_SCALE + MEL_CENTRE).unfold(1, _SPAN, _STRIDE) for mels in (made, target)
    )
    one, other = (span - span.mean(dim=3, keepdim=True) for span in (one, other))
    size = torch.linalg.vector_norm(one, dim=3) * torch.linalg.vector_norm(other, dim=3)
    alike = (one * other).sum(dim=3) / (size + _STILL)
    whole = mask.unfold(1, _SPAN, _STRIDE).amin(dim=3)
    return ((1 - alike) * whole).sum() / (whole.sum() * MELS).clamp(min=1)


def cepstral(made: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """How far the spectra's shapes are apart: the distance of c1 to c13, its mean over frames that are not quiet.

    It is what `measure` calls MCD, before the vocoder and in scaled log-mels. A distance, and not its square,
    counts a frame that is nearly right too. `made` and `target` scaled log-mels [B, T, 40], `mask` [B, T, 1].
    """
    level = target.amax(dim=2, keepdim=True)
    counted = mask * (level > level.amax(dim=1, keepdim=True) - _QUIET)
    gap = (made - target) @ _cosines()
    return ((gap.square().sum(dim=2, keepdim=True) / MELS + 1e-6).sqrt() * counted).sum() / counted.sum()


@functools.cache
def _cosines() -> Tensor:
    """c1 to c13 of the orthonormal DCT-II of 40 bands, [40, 13]."""
    angle = math.pi * (torch.arange(MELS)[:, None] + 0.5) * torch.arange(1, 14) / MELS
    return torch.cos(angle) * math.sqrt(2 / MELS)


def timing_loss(
    timing: Timing, ids: Tensor, durations: Tensor, states: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """How far the durations of one batch are off: mean absolute errors in frames, of tokens and of their states.

    `durations` [B, P]; `states` [B, P, S], NaN where they are not known. A sum tells less than its parts: slt's
    were learned in four minutes as they had not been in thirty from the sums alone.
    The pauses at both ends are of a length that every lesson was cut to, and count like the rest.
    """
    told = (ids[:, :, 0] != 0).to(torch.float32)
    made = timing(ids)
    off = ((made.sum(dim=2) - durations).abs() * told).sum() / told.sum()
    known = ~states.isnan() * told.unsqueeze(2)  # a NaN's own gradient would be one, times 0 or not
    parts = ((made - states.nan_to_num()).abs() * known).sum() / told.sum()
    return off + parts, {"frames": float(off.detach()), "states": float(parts.detach())}
