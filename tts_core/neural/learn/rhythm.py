"""Where a token lies in its word and its phrase, counted in phonemes, syllables, stresses and words.

Festival's and flite's trees ask for such numbers (`syl_in`, `ssyl_out`, `pos_in_syl`, … in flite's
cst_ffeatures.c). A convolution does not see as far, and a recurrent network is slow to learn to count, so they
are given. They follow from the clause's own ids: an exported graph takes nothing more than before.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tts_core.neural.frontend import PAUSE

_VOWELS = frozenset("aAeEiIoOuUVyYWQ&03@")  # what a vowel's name in espeak's alphabet begins with
_PRIMARY = 4  # places from here on carry the primary stress
_MOST = 15  # what is further away is as far as this
_WAYS = 10


class Rhythm(nn.Module):
    """What each of those numbers adds to a token: a learned row for being more than 0, more than 1, … each."""

    sorts: Tensor

    def __init__(self, phonemes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("sorts", torch.zeros(phonemes + 1, 2))  # is it a vowel, is it a pause
        self.more = nn.Linear(_WAYS * _MOST, width, bias=False)
        nn.init.zeros_(self.more.weight)  # what this voice begins from may know nothing of it

    def tell(self, phonemes: Mapping[str, int]) -> None:
        """Which of the ids are vowels, and which one is the pause."""
        for name, index in phonemes.items():
            self.sorts[index] = torch.tensor([float(name[:1] in _VOWELS), float(name == PAUSE)])

    def counts(self, ids: Tensor) -> Tensor:
        """`ids` int64[B, P, 3] to whole numbers [B, P, 10].

        Before the token and behind it: the word's syllables, the word's phonemes, and, as far as the next pause,
        syllables, stressed ones and words.
        """
        told = (ids[:, :, 0] != 0).to(self.sorts.dtype)
        vowel, pause = self.sorts[ids[:, :, 0]].unbind(dim=2)
        stressed = vowel * (ids[:, :, 1] >= _PRIMARY)
        begins = torch.maximum((ids[:, :, 1] % 2).to(told.dtype), pause) * told
        at = torch.ones_like(told).cumsum(dim=1)
        earlier = (at[:, :, None] > at[:, None, :]).to(told.dtype)
        found = []
        for group, what in (
            (begins.cumsum(dim=1), (vowel, told)),
            (pause.cumsum(dim=1), (vowel, stressed, begins)),
        ):
            same = (group[:, :, None] == group[:, None, :]).to(told.dtype)
            counted = torch.stack(what, dim=2)
            before = torch.matmul(same * earlier, counted)
            found += [before, torch.matmul(same, counted) - before - counted]
        return torch.cat(found, dim=2)

    def forward(self, ids: Tensor, counts: Tensor | None = None) -> Tensor:
        """`ids` int64[B, P, 3], and their `counts` if they are known, to [B, P, C]."""
        counts = self.counts(ids) if counts is None else counts
        steps = torch.arange(_MOST, device=ids.device) + 0.5
        above = (counts[:, :, :, None] > steps).to(self.sorts.dtype)
        rows: Tensor = self.more(above.flatten(2))
        return rows
