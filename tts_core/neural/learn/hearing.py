"""A small recogniser that a teacher's own speech has taught, for languages that pocketsphinx has no model of.

A network tells each frame's phoneme (it learned from the corpus, whose boundaries are known, under noise, gain
and tilt); a word is heard as the one of a closed vocabulary whose phonemes fit the frames best, in order, by
Viterbi's search over posterior over prior. It knows its teacher best, so a student's figure is if anything too
low. Without noise nearly every word is heard: compare at a signal-to-noise ratio where the teacher loses some.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn import functional

from tts_core.neural.frame import HOP, MELS, Floats, log_mels
from tts_core.neural.frontend import PAUSE, clean_phonemes, nearest
from tts_core.neural.learn.blocks import Block, through
from tts_core.neural.learn.corpus import LEVEL, Corpus, Item
from tts_core.neural.phonemes import PhonemeReader

_WIDTH, _BLOCKS = 96, 3
_CROP, _ROWS = 120, 12  # frames and rows of a training batch
_RATE, _WARM_UP = 4e-3, 50
_NOISE_DB = (0.0, 35.0)  # signal to noise while learning
_GAIN_DB, _TILT = 8.0, 0.5  # how far level and a first-order slope go either way while learning
_SKIP = 3.0  # what leaving a phoneme out costs: espeak gives 3 % of them no time
_SILENCE = 20  # frames around a word


class Ear(nn.Module):
    """Log-mels [B, T, 40] to the log-odds of each phoneme [B, T, N + 1]."""

    def __init__(self, phonemes: int) -> None:
        super().__init__()
        self.stem = nn.Linear(MELS, _WIDTH)
        self.blocks = nn.ModuleList(Block(_WIDTH, 2) for _ in range(_BLOCKS))
        self.context = nn.GRU(_WIDTH, _WIDTH // 2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(_WIDTH, phonemes + 1)

    def forward(self, mels: Tensor) -> Tensor:
        """See the class."""
        x = self.stem(mels)
        x = through(self.blocks, x, torch.ones_like(x[:, :, :1]))
        out: Tensor = self.out(x + self.context(x)[0])
        return out


class Recogniser:
    """Hears words of the corpus's language. Training takes `minutes` of processor time."""

    def __init__(self, corpus: Corpus, minutes: float, seed: int = 0) -> None:
        self._phonemes = corpus.phonemes
        self._reader = PhonemeReader(corpus.language)
        counts = np.ones(len(corpus.phonemes) + 1)
        for item in corpus.training:
            np.add.at(counts, item.ids[:, 0], item.durations)
        self._prior = torch.from_numpy(np.log(counts / counts.sum())).float()
        self._ear = _taught(corpus, minutes, seed)

    def words_right(self, speak: Callable[[str], Floats], words: Sequence[str], snr_db: float) -> float:
        """The share of `words` that are recognised when `speak` says each; audio float[n] at 8 kHz, full scale 1.

        Every word is brought to the same level, with the same silence around it, under white noise of `snr_db`.
        """
        spelled = [self._spelled(word) for word in words]
        right = sum(
            words[_best(self._frames(_padded(speak(word), snr_db)), spelled)] == word for word in words
        )
        return right / len(words)

    def _spelled(self, word: str) -> list[int]:
        names = [one.name for one in clean_phonemes(self._reader.names(word))]
        return [
            self._phonemes[PAUSE],
            *(nearest(name, self._phonemes) for name in names),
            self._phonemes[PAUSE],
        ]

    def _frames(self, audio: Floats) -> Floats:
        """Log posterior over prior of each phoneme, [T, N + 1]."""
        with torch.no_grad():
            odds = self._ear(torch.from_numpy(_scaled(log_mels(audio)))[None])[0]
            found: Floats = (torch.log_softmax(odds, 1) - self._prior).numpy()
        return found


def _taught(corpus: Corpus, minutes: float, seed: int) -> Ear:
    torch.manual_seed(seed)
    dice = np.random.default_rng(seed)
    ear = Ear(len(corpus.phonemes))
    optimiser = torch.optim.AdamW(ear.parameters(), _RATE)
    long = [item for item in corpus.training if len(item.features) > _CROP]
    end, steps = 60 * minutes, 0
    began = time.process_time()
    with Progress() as progress:
        bar = progress.add_task("learning to hear", total=end)
        while (spent := time.process_time() - began) < end:
            for group in optimiser.param_groups:
                group["lr"] = (
                    _RATE * min(1, (steps + 1) / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * spent / end))
                )
            mels, phonemes = zip(
                *(_crop(long[index], dice) for index in dice.choice(len(long), _ROWS)), strict=True
            )
            odds = ear(torch.from_numpy(np.stack(mels)))
            cost = functional.cross_entropy(odds.flatten(0, 1), torch.from_numpy(np.concatenate(phonemes)))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(cost)
            optimiser.step()
            steps += 1
            progress.update(bar, completed=spent)
    return ear.eval()


def _crop(item: Item, dice: np.random.Generator) -> tuple[Floats, NDArray[np.int64]]:
    """Scaled log-mels [_CROP, 40] of a crop under noise, gain and tilt, and the phoneme of each frame."""
    start = int(dice.integers(0, len(item.features) - _CROP))
    audio = item.audio[start * HOP : (start + _CROP) * HOP].astype(np.float64)
    slope = dice.uniform(-_TILT, _TILT)
    audio[1:] += slope * audio[:-1]
    audio *= 10 ** (dice.uniform(-_GAIN_DB, _GAIN_DB) / 20)
    heard = _noisy(audio, dice.uniform(*_NOISE_DB), dice)
    phonemes = np.repeat(item.ids[:, 0], item.durations)[start : start + _CROP]
    return _scaled(log_mels(heard)), phonemes


def _noisy(audio: NDArray[np.floating], snr_db: float, dice: np.random.Generator) -> Floats:
    level = float(np.sqrt(np.mean(audio**2))) * 10 ** (-snr_db / 20)
    return np.asarray(audio + dice.standard_normal(len(audio)) * level, np.float32)


def _scaled(mels: Floats) -> Floats:
    """Log-mels with the clip's mean taken out of each band."""
    return np.asarray(mels - mels.mean(axis=0), np.float32)


def _padded(audio: Floats, snr_db: float) -> Floats:
    """The word at the corpus's level in `_SILENCE` frames of noise at both ends."""
    loud = np.flatnonzero(np.abs(audio) > 0.02 * np.abs(audio).max(initial=0))
    if not len(loud):
        return np.zeros(2 * _SILENCE * HOP, np.float32)
    word = audio[loud[0] : loud[-1] + 1]
    word = word * (LEVEL / max(float(np.sqrt(np.mean(word**2))), 1e-6))
    dice = np.random.default_rng(0)
    padded = np.pad(word, _SILENCE * HOP)
    noise = dice.standard_normal(len(padded)) * LEVEL * 10 ** (-snr_db / 20)
    return np.asarray(padded + noise, np.float32)


def _best(frames: Floats, spelled: Sequence[Sequence[int]]) -> int:
    """Which spelling fits `frames` [T, N + 1] best: every state in order, staying as long as it likes."""
    longest = max(map(len, spelled))
    ids = np.array([[*one, *[0] * (longest - len(one))] for one in spelled])
    lasts = np.array([len(one) - 1 for one in spelled])
    total = np.full(ids.shape, -np.inf)
    total[:, 0] = frames[0, ids[:, 0]]
    for frame in frames[1:]:
        moved = np.full_like(total, -np.inf)
        moved[:, 1:] = total[:, :-1]
        moved[:, 2:] = np.maximum(moved[:, 2:], total[:, :-2] - _SKIP)
        total = np.maximum(total, moved) + frame[ids]
    return int(np.argmax(total[np.arange(len(ids)), lasts]))
