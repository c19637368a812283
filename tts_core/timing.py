"""Where words lie in text and in audio."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tts_core.engine import MarkTime, Pcm, WordTime
from tts_core.plan import Clause
from tts_core.text import is_spoken, speaks

AUDIBLE = 16  # of 32,768: -66 dB of full scale; anything less is silence to a telephone

# Scripts without spaces whose every character is a word to a listener; kana runs are kept whole.
_IDEOGRAPH = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_IDEOGRAPH}]|[^\s{_IDEOGRAPH}]+")


def find_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield the words of cleaned `text` as (start, end), without the punctuation around them."""
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        while start < end and not is_spoken(text[start]):
            start += 1
        while end > start and not is_spoken(text[end - 1]):
            end -= 1
        if speaks(text[start:end]):
            yield start, end


def audible(pcm: Pcm) -> NDArray[np.bool_]:
    """Which samples of `pcm` int16[n] a telephone can tell from silence, bool[n]."""
    heard: NDArray[np.bool_] = np.abs(pcm.astype(np.int32)) > AUDIBLE
    return heard


def trim(heard: NDArray[np.bool_]) -> tuple[int, int]:
    """(start, end) of what is set in `heard` bool[n]; (0, 0) when nothing is."""
    loud = np.flatnonzero(heard)
    return (int(loud[0]), int(loud[-1]) + 1) if loud.size else (0, 0)


def time_words(
    words: Sequence[tuple[int, int]], onsets: Sequence[tuple[int, int]], heard: NDArray[np.bool_]
) -> list[WordTime]:
    """Give every word its span in the audio of one clause, whose samples sound where `heard` bool[n] is set.

    `onsets` are (char offset, sample) as the engine reports them, in order of time. A word that the
    engine reports none for (two spoken as one) gets its share, by length, of the word before it.
    Spans are in order, do not overlap, and end where the sound does.
    """
    starts = _anchors(words, onsets, len(heard))
    index = 0
    while index < len(words):
        behind = index + 1
        while behind < len(words) and starts[behind] is None:
            behind += 1
        _share(words, starts, index, behind, len(heard))
        index = behind
    known = [start for start in starts if start is not None]
    times = []
    for (begin, end), start, stop in zip(words, known, [*known[1:], len(heard)], strict=True):
        _, length = trim(heard[start:stop])
        times.append(WordTime(begin, end, start, start + length))
    return times


def _anchors(
    words: Sequence[tuple[int, int]], onsets: Sequence[tuple[int, int]], length: int
) -> list[int | None]:
    """The first onset inside each word, never going back in time; the first word starts at 0."""
    starts: list[int | None] = [None] * len(words)
    if words:
        starts[0] = 0
    at, latest = 0, 0
    for char, sample in onsets:
        word = at
        while word < len(words) and words[word][1] <= char:
            word += 1
        if word < len(words) and starts[word] is None:
            latest = starts[word] = min(max(sample, latest), length)
            at = word
    return starts


def _share(
    words: Sequence[tuple[int, int]], starts: list[int | None], first: int, behind: int, length: int
) -> None:
    """Fill starts[first + 1:behind] between the two onsets known around them, by characters."""
    begin = starts[first] or 0
    limit = starts[behind] if behind < len(words) else length
    stop = length if limit is None else limit
    total = sum(end - start for start, end in words[first:behind])
    passed = 0
    for index in range(first + 1, behind):
        passed += words[index - 1][1] - words[index - 1][0]
        starts[index] = begin + (stop - begin) * passed // total


def time_marks(marks: Sequence[tuple[str, int]], words: Sequence[WordTime], end: int) -> tuple[MarkTime, ...]:
    """Put each (name, char offset) where the next word begins, or at sample `end` when none follows."""
    return tuple(
        MarkTime(name, next((word.start_sample for word in words if word.char_end > char), end))
        for name, char in marks
    )


def words_said(
    clause: Clause, onsets: Sequence[tuple[int, int]], heard: NDArray[np.bool_], offset: int
) -> list[WordTime]:
    """The words of script.text that `clause` says, its audio beginning `offset` samples into the utterance.

    A word of the text that is said as many words has the span of all of them; see `time_words`.
    """
    words: list[WordTime] = []
    for said in time_words(tuple(find_words(clause.text)), onsets, heard):
        start, end = clause.source(said.char_start, said.char_end)
        word = WordTime(start, end, said.start_sample + offset, said.end_sample + offset)
        if words and start < words[-1].char_end:
            word = WordTime(
                words[-1].char_start, max(end, words[-1].char_end), words[-1].start_sample, word.end_sample
            )
            words.pop()
        words.append(word)
    return words
