"""Corpus items as padded or cropped tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts_core.neural.frame import HOP
from tts_core.neural.frontend import places
from tts_core.neural.learn.corpus import Item, Reading

_Any = TypeVar("_Any", bound=Reading)


@dataclass(frozen=True, slots=True, eq=False)
class Clauses:
    """A padded batch: the arguments of `acoustic.loss`, shapes as there."""

    ids: Tensor
    token: Tensor
    place: Tensor
    mask: Tensor
    features: Tensor


def clauses(items: Sequence[Item]) -> Clauses:
    """Whole clauses, padded with zeros to the longest."""
    tokens, frames = max(len(i.ids) for i in items), max(len(i.features) for i in items)
    placed = [places(item.durations) for item in items]
    return Clauses(
        _padded([item.ids for item in items], tokens),
        _padded([token for token, _ in placed], frames),
        _padded([place for _, place in placed], frames),
        _padded([np.ones((len(item.features), 1), np.float32) for item in items], frames),
        _padded([item.features for item in items], frames),
    )


def readings(items: Sequence[Reading]) -> tuple[Tensor, Tensor, Tensor]:
    """The arguments of `acoustic.timing_loss`, padded with zeros.

    They are ids [B, P, 3], exact durations [B, P] and those of their states [B, P, STATES].
    """
    tokens = max(len(item.ids) for item in items)
    told = ([getattr(item, name) for item in items] for name in ("ids", "exact", "states"))
    ids, exact, states = (_padded(rows, tokens) for rows in told)
    return ids, exact, states


def by_length(items: Sequence[_Any], size: int, dice: np.random.Generator) -> list[list[_Any]]:
    """All items in batches of `size` neighbours in length, the batches in a random order."""
    jittered = sorted(items, key=lambda item: float(item.durations.sum() * dice.uniform(0.9, 1.1)))
    batches = [jittered[at : at + size] for at in range(0, len(jittered), size)]
    return [batches[index] for index in dice.permutation(len(batches))]


def crops(
    pairs: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]], frames: int, dice: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """`frames` of each (features [T, 42], audio [80 T]) from a random place: [B, frames, 42], [B, 80 frames]."""
    rows = []
    for features, audio in pairs:
        short = max(frames - len(features), 0)
        start = int(dice.integers(0, max(len(features) - frames, 0) + 1))
        row = np.pad(features[start : start + frames], ((0, short), (0, 0)), mode="edge")
        heard = np.pad(audio[start * HOP : (start + frames) * HOP], (0, short * HOP))
        rows.append((row, heard))
    features_, audio_ = zip(*rows, strict=True)
    return torch.from_numpy(np.stack(features_)), torch.from_numpy(np.stack(audio_))


def _padded(rows: Sequence[NDArray[np.generic]], length: int) -> Tensor:
    filled = [np.pad(row, ((0, length - len(row)), *((0, 0),) * (row.ndim - 1))) for row in rows]
    return torch.from_numpy(np.stack(filled))
