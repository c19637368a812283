"""Text of a clause to a Piper voice's ids, in Piper's own way, and where each word begins.

`^`, then every phoneme with a pad `_` after it, and `$` (`piper.phoneme_ids`). Phonemes are the code points of
espeak-ng's IPA, decomposed (NFD), with the punctuation that ended each part; or those of the text itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import UnknownVoice
from tts_core.espeak_library import open_library
from tts_core.piper.settings import BEGIN, END, PAD, PhonemeType
from tts_core.plan import Clause

_SWITCH = re.compile(r"\([^)]+\)")  # espeak's marks around a word of another language
_MARKS = dict(zip(".?!,;:—،؛؟", ".?!,;:;,;?", strict=True))  # what ends a part, as Piper writes it
_GOES_ON = ",:;"
PAUSES = frozenset(".?!,;:—…-–\u00a1\u00bf،؛؟。，、！？")
_TOKEN = re.compile(r"\S+")

Spoken = tuple[str, int | None]
"""A phoneme, and where its word begins in the clause if it is the first of one."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """`ids` int64[P]; `pauses` bool[P], where nothing is spoken; `words` (char in the clause, token)."""

    ids: NDArray[np.int64]
    pauses: NDArray[np.bool_]
    words: Sequence[tuple[int, int]]


class Phonemes:
    """Reads clauses for one voice. Raises UnknownVoice when espeak-ng has not the voice that it names."""

    def __init__(
        self,
        phoneme_type: PhonemeType,
        espeak_voice: str,
        ids: Mapping[str, Sequence[int]],
        clusters: Sequence[Sequence[str]] = (),
    ) -> None:
        self._ids = ids
        self._clusters = {tuple(each) for each in clusters if len(each) > 1}
        self._longest = max(map(len, self._clusters), default=1)
        self._identifier = _identifier(espeak_voice) if phoneme_type == "espeak" else None

    def read(self, clause: Clause) -> Tokens:
        """The clause's tokens, without what the voice has no id for; any thread may ask. Raises EngineError."""
        # a comma keeps the voice up where the sentence goes on
        text = clause.text + "," if clause.continues else clause.text
        spoken = _letters(text) if self._identifier is None else _ipa(self._identifier, text)
        return self._tokens(list(self._merged(list(spoken))))

    def _merged(self, spoken: list[Spoken]) -> Iterator[Spoken]:
        """Clusters of vowels as the one phoneme that the voice learned them as, the longest first."""
        at = 0
        while at < len(spoken):
            for length in range(self._longest, 1, -1):
                run = tuple(phoneme for phoneme, _ in spoken[at : at + length])
                if run in self._clusters:
                    yield "".join(run), spoken[at][1]
                    at += length
                    break
            else:
                yield spoken[at]
                at += 1

    def _tokens(self, spoken: list[Spoken]) -> Tokens:
        pads = self._ids[PAD]
        ids = [*self._ids[BEGIN], *pads]
        pauses = [True] * len(ids)
        words: list[tuple[int, int]] = []
        silent = _silent([phoneme for phoneme, _ in spoken])
        for (phoneme, char), pause in zip(spoken, silent, strict=True):
            if char is not None:
                words.append((char, len(ids)))
            known = self._known(phoneme)
            if known is not None:
                ids += [*known, *pads]
                pauses += [pause] * (len(ids) - len(pauses))
        ids += self._ids[END]
        pauses += [True] * (len(ids) - len(pauses))
        return Tokens(np.array(ids, np.int64), np.array(pauses), words)

    def _known(self, phoneme: str) -> Sequence[int] | None:
        if phoneme in (PAD, BEGIN, END):
            return None
        for form in (phoneme, phoneme.casefold()):  # text voices were made with and without capitals
            if form in self._ids:
                return self._ids[form]
        return None


def _silent(phonemes: Sequence[str]) -> list[bool]:
    """Which phonemes are a pause: punctuation, and the spaces beside it. A space between words is none."""
    silent = [phoneme in PAUSES or phoneme == " " for phoneme in phonemes]
    at = 0
    while at < len(phonemes):
        behind = at
        while behind < len(phonemes) and silent[behind]:
            behind += 1
        if not any(phoneme in PAUSES for phoneme in phonemes[at:behind]):
            silent[at:behind] = [False] * (behind - at)
        at = behind + 1
    return silent


def _ipa(identifier: str, text: str) -> Iterator[Spoken]:
    parts, chars = open_library().ipa(identifier, text)
    begins = iter(chars)
    parts = [part for part in parts if part[0]]
    for index, (said, piece) in enumerate(parts):
        words = unicodedata.normalize("NFD", _SWITCH.sub("", said)).split(" ")
        for position, word in enumerate(words):
            if position:
                yield " ", None
            char = next(begins, None) if word else None
            for phoneme in word:
                yield phoneme, char
                char = None
        last = index == len(parts) - 1
        mark = _mark(piece, last)
        if mark and (last or mark != "."):  # a full stop inside a clause is an abbreviation's
            yield mark, None
        if not last or (mark and mark in _GOES_ON):
            yield " ", None


def _mark(piece: str, last: bool) -> str:
    """The punctuation that ends a part of a text, or nothing; `piece` has the next one's first letter in it."""
    end = len(piece) if last else len(piece) - 1
    while end > 0 and not (piece[end - 1] in _MARKS or piece[end - 1].isalnum()):
        end -= 1
    begin = end
    while begin > 0 and piece[begin - 1] in _MARKS:
        begin -= 1
    run = piece[begin:end]
    return "" if run.startswith("..") else _MARKS.get(run[:1], "")


def _letters(text: str) -> Iterator[Spoken]:
    at = 0
    for token in _TOKEN.finditer(text):
        yield from ((" ", None) for _ in range(token.start() - at))
        at = token.end()
        char: int | None = token.start()
        for letter in unicodedata.normalize("NFD", token[0]):
            yield letter, char
            char = None


def _identifier(name: str) -> str:
    """espeak-ng's voice of this name: a language's tag, or a voice file's own name."""
    voices = open_library().voices
    known = {voice.identifier.rpartition("/")[2].lower(): voice.identifier for voice in voices}
    known |= {voice.language: voice.identifier for voice in reversed(voices)}
    if name.lower() not in known:
        raise UnknownVoice(name, known)
    return known[name.lower()]
