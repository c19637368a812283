"""Audio in pieces that tell when characters sound, as it comes."""

from __future__ import annotations

import math

import numpy as np

from tts_core.remote.asking import LINE_RATE, NOTHING, Heard
from tts_core.remote.octets import Octets


class Timed:
    """Reads pieces of one answer. Times are the whole answer's, or their own piece's where they begin anew.

    Blanks before the first character are none of the text's: contexts of ElevenLabs are begun with one.
    """

    def __init__(self, octets: Octets) -> None:
        self._octets = octets
        self._read = self._chars = 0
        self._base = self._latest = 0.0

    @property
    def rate(self) -> int:
        """Hz of what is heard. Onsets are at the line's rate whatever this is."""
        return self._octets.rate

    def read(self, octets: bytes, chars: str, starts: tuple[float, ...]) -> Heard:
        """What these octets are; `chars` begin at `starts` seconds, of no use unless there are as many."""
        pcm = self._octets.read(octets).pcm if octets else NOTHING
        onsets = self._onsets(chars, starts)
        self._read += len(octets)
        return Heard(pcm, onsets)

    def end(self) -> Heard:
        """See Answering."""
        return self._octets.end()

    def _onsets(self, chars: str, starts: tuple[float, ...]) -> tuple[tuple[int, int], ...]:
        if not starts or len(chars) != len(starts) or not all(map(math.isfinite, starts)):
            return ()
        if starts[0] + self._base < self._latest:
            self._base = self._read / LINE_RATE
        self._latest = self._base + starts[-1]
        if not self._chars:
            starts = starts[len(chars) - len(chars.lstrip()) :]
        begin, self._chars = self._chars, self._chars + len(starts)
        return tuple((begin + n, int((self._base + at) * LINE_RATE)) for n, at in enumerate(starts))


def joined(*pieces: Heard) -> Heard:
    """Some pieces as one."""
    pcm = np.concatenate((NOTHING, *(piece.pcm for piece in pieces)))
    return Heard(pcm, tuple(onset for piece in pieces for onset in piece.onsets))
