"""Text of a clause to what the acoustic model reads: three ids a phoneme.

Pauses inside a clause are one token each, and every clause begins and ends with one: the same in training and
in speaking. Runs ahead of the audio, on whatever thread the caller likes that is not the pacer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts_core.neural.phonemes import PAUSES, Phoneme, PhonemeReader

PAUSE = "_"
UNKNOWN = "?unknown"
_CLOSERS = "\"'”’»›)]}」』】》〉） "
TONES = ("statement", "question", "exclamation", "continuation")
_QUESTIONS, _CRIES, _COMMAS = "?？؟", "!！", ",;:،；：，、–—"
_POSITIONS = 2  # inside a word, at its beginning
PLACES = 3 * _POSITIONS


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """`ids` int64[P, 3]: phoneme, stress and place in its word, tone of the clause. `chars` int64[P]: where
    each one's word begins in the clause, -1 for the pauses at both ends."""

    ids: NDArray[np.int64]
    chars: NDArray[np.int64]


def alphabet(names: Sequence[str]) -> dict[str, int]:
    """Ids for phoneme names: 0 is padding, 1 what was never seen, 2 the pause."""
    known = [UNKNOWN, PAUSE, *sorted(set(names) - {PAUSE, UNKNOWN})]
    return {name: index for index, name in enumerate(known, 1)}


def clean_phonemes(phonemes: Sequence[Phoneme]) -> list[Phoneme]:
    """Runs of espeak's pauses as one, those at both ends left out, language switches too."""
    kept: list[Phoneme] = []
    for one in phonemes:
        if one.name.startswith("("):
            continue
        if one.name not in PAUSES:
            kept.append(one)
        elif kept and kept[-1].name != PAUSE:
            kept.append(Phoneme(PAUSE, 0, one.char, one.sample))
    while kept and kept[-1].name == PAUSE:
        kept.pop()
    return kept


def tone_of(text: str) -> int:
    """Which of TONES the clause has, from how it ends."""
    last = text.rstrip(_CLOSERS)[-1:]
    if last and last in _QUESTIONS:
        return 1
    if last and last in _CRIES:
        return 2
    return 3 if last and last in _COMMAS else 0


def nearest(name: str, ids: Mapping[str, int]) -> int:
    """The id of `name`, or of what it begins with where the voice never learned it, or of its schwa."""
    for length in range(len(name), 0, -1):
        for shorter in (name[:length], name[:length].lower()):
            if shorter in ids:
                return ids[shorter]
    return ids.get("@", ids[UNKNOWN])


def tokens(phonemes: Sequence[Phoneme], ids: Mapping[str, int], tone: int) -> Tokens:
    """Tokens of cleaned `phonemes`, a pause at each end. For what `ids` does not know, see `nearest`."""
    rows = [(ids[PAUSE], 0, tone)]
    chars = [-1]
    word = -1
    for one in phonemes:
        begins = one.char != word
        word = one.char
        rows.append((nearest(one.name, ids), one.stress * _POSITIONS + begins, tone))
        chars.append(one.char)
    rows.append((ids[PAUSE], 0, tone))
    chars.append(-1)
    return Tokens(np.array(rows, np.int64), np.array(chars, np.int64))


def places(durations: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The token of each frame int64[T], and where in the token it lies float32[T, 4].

    The four are the fraction passed, ln(length), and tenths of a second from its begin and to its end.
    """
    token = np.repeat(np.arange(len(durations)), durations)
    length = durations[token].astype(np.float32)
    passed = np.arange(len(token)) - (np.cumsum(durations) - durations)[token] + 0.5
    where = np.stack((passed / length, np.log(length), 0.1 * passed, 0.1 * (length - passed)), axis=1)
    return token.astype(np.int64), where.astype(np.float32)


class Frontend:
    """Clauses to tokens with one espeak voice's phonemes. Raises UnknownVoice for a language espeak has not."""

    def __init__(self, language: str, ids: Mapping[str, int]) -> None:
        self._reader = PhonemeReader(language)
        self._ids = dict(ids)

    def read(self, text: str) -> Tokens:
        """Tokens of `text` (cleaned, one clause); only the two pauses when nothing in it is spoken."""
        return tokens(clean_phonemes(self._reader.names(text)), self._ids, tone_of(text))
