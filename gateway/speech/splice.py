"""Speech put together from pieces: text that never changes, what fills the slots in it, and recordings.

Each piece is made as if it were said alone, at 8 kHz and the level, freed of the silence around it, and kept:
what never changes is made once, however often the slots do. Pieces of speech follow on each other as words do;
where a recording meets speech, one fades into the other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony_codecs import LINE_RATE, as_float
from telephony_codecs.arrays import Float32, Int16
from tts_core import WordTime
from tts_core.mixing import CROSSFADE

_QUIET: Final = 10 ** (-50 / 20)
"""Below -50 dBov a piece has not begun, or is over."""
_MARGIN: Final = LINE_RATE * 10 // 1000
_GAP: Final = LINE_RATE * 30 // 1000
"""Between the last sound of one piece and the first of the next: what a stop takes inside a sentence."""
_PAUSE: Final = LINE_RATE * 220 // 1000
"""The same behind a piece that ends a clause."""
_CLAUSE_ENDS: Final = ".!?:;,…"
_KEPT_SAMPLES: Final = 8_000_000
"""Of all that is kept: 1000 s, 32 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """One piece made: float32[n] at 8 kHz, trimmed; its words in its own samples and characters.

    ``stands_in``: another voice said it than was to; not to be kept (see ``tts_core.Chunk``).
    """

    pcm: Float32
    words: tuple[WordTime, ...] = ()
    ends_clause: bool = False
    recorded: bool = False
    stands_in: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Spliced:
    """The next of what was put together; words in the whole's samples and characters."""

    pcm: Float32
    words: tuple[WordTime, ...]


def trimmed(pcm: Float32, words: Iterable[WordTime], rate: int, *, ends_clause: bool) -> Sound:
    """Speech, float32[n] at 8 kHz, without the silence around it. ``words`` are in samples at ``rate``."""
    loud = np.flatnonzero(np.abs(pcm) > _QUIET)
    begin = max(0, int(loud[0]) - _MARGIN) if len(loud) else 0
    end = min(len(pcm), int(loud[-1]) + 1 + _MARGIN) if len(loud) else 0

    def at(sample: int) -> int:
        return min(max(0, sample * LINE_RATE // rate - begin), end - begin)

    moved = (
        WordTime(word.char_start, word.char_end, at(word.start_sample), at(word.end_sample)) for word in words
    )
    return Sound(pcm[begin:end], tuple(moved), ends_clause)


class Splicer:
    """Puts sounds one behind the other, and gives out what no later one can change."""

    def __init__(self) -> None:
        self._at = 0  # samples given out
        self._held: Float32 = np.zeros(0, np.float32)  # the last of a piece, which may fade into the next
        self._before: Sound | None = None

    def add(self, char: int, sound: Sound) -> Spliced:
        """The next sound, whose text begins at ``char`` of the whole."""
        held, pcm, before = self._held, sound.pcm, self._before
        if before is not None and (before.recorded or sound.recorded):
            n = min(CROSSFADE, len(held), len(pcm))
            start = self._at + len(held) - n
            pcm = _faded(held, pcm, n)
        else:
            gap = 0 if before is None else (_PAUSE if before.ends_clause else _GAP)
            start = self._at + len(held) + gap
            pcm = np.concatenate((held, np.zeros(gap, np.float32), pcm))
        given = len(pcm) - min(CROSSFADE, len(pcm))
        self._held, self._before = pcm[given:], sound
        self._at += given
        return Spliced(pcm[:given], tuple(word.moved(char, start) for word in sound.words))

    def end(self) -> Spliced:
        """Nothing follows: the rest."""
        return Spliced(self._held, ())


class Joiner:
    """Pieces of one utterance, each given out when no later one can overlap it."""

    def __init__(self) -> None:
        self._held: Float32 = np.zeros(0, np.float32)

    def push(self, pcm: Int16 | Float32, overlaps: int) -> Float32:
        """The next piece, which begins ``overlaps`` samples before what was pushed ends."""
        whole = _faded(self._held, as_float(pcm), min(overlaps, len(self._held)))
        given = len(whole) - min(CROSSFADE, len(whole))
        self._held = whole[given:]
        return whole[:given]

    def rest(self) -> Float32:
        """Nothing follows: what is left."""
        held, self._held = self._held, np.zeros(0, np.float32)
        return held


def _faded(before: Float32, after: Float32, n: int) -> Float32:
    """One behind the other, the last ``n`` samples of one fading into the first of the other."""
    rise = np.linspace(0, 1, n, dtype=np.float32)
    joint = before[len(before) - n :] * (1 - rise) + after[:n] * rise
    return np.concatenate((before[: len(before) - n], joint, after[n:]))


class Sounds:
    """What was made of pieces, the least recently used forgotten first. It belongs to one thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Sound] = OrderedDict()
        self._samples = 0

    def find(self, key: Hashable) -> Sound | None:
        """What was kept by this key."""
        sound = self._kept.get(key)
        if sound is not None:
            self._kept.move_to_end(key)
        return sound

    def keep(self, key: Hashable, sound: Sound) -> None:
        """Keep it while there is room. Two utterances may have made the same at once: the later one stands."""
        if (before := self._kept.pop(key, None)) is not None:
            self._samples -= len(before.pcm)
        self._kept[key] = sound
        self._samples += len(sound.pcm)
        while self._samples > _KEPT_SAMPLES:
            self._samples -= len(self._kept.popitem(last=False)[1].pcm)


def ends_clause(text: str) -> bool:
    """Whether a pause is due behind this text."""
    return text.rstrip()[-1:] in tuple(_CLAUSE_ENDS)
