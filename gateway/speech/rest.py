"""The rest of an utterance that another worker had begun: what of its chunks is still to be sent.

The script is spoken from the clause on in which it is to go on (``Script.rest``), and what lies before that
moment is dropped. An engine says a clause the same each time, so the rest joins what was sent, to the sample.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from gateway.messages.synthesis import Resume
from telephony_codecs import LINE_RATE
from tts_core import Chunk, MarkTime, WordTime
from tts_core.engine import Pcm, silence

_KEPT_MS: Final = 100
"""Audio kept until the word is found: more than the longest packet, with which it may begin."""


class Rest:
    """One utterance's way to ``resume``. Feed it every chunk of the script's rest, in order."""

    def __init__(self, resume: Resume) -> None:
        self._resume = resume
        self._passed = resume.marks  # of the script's marks, those that are not to be told again
        self._begin: int | None = None  # the first sample that is wanted, once it is known
        self._kept: Pcm | None = None
        self._end = 0  # samples that came

    def take(self, chunk: Chunk) -> Chunk:
        """What of ``chunk`` is wanted, maybe nothing; samples count from the first that is."""
        passed = min(self._passed, len(chunk.marks))
        self._passed -= passed
        marks, words = chunk.marks[passed:], tuple(filter(self._is_new, chunk.words))
        pcm, start = chunk.pcm, self._end - chunk.overlaps
        self._end = start + len(pcm)
        begin = self._begin
        if begin is None:
            if self._kept is not None:
                pcm, start = np.concatenate((self._kept, pcm)), start - len(self._kept)
            begin = self._begin = self._find(chunk)
            if begin is None:
                self._kept = pcm[-(chunk.sample_rate * _KEPT_MS // 1000) :]
                return replace(
                    chunk, pcm=pcm[:0], words=(), marks=tuple(MarkTime(mark.name, 0) for mark in marks)
                )
            if begin < start:  # what led to the word was a pause, which belongs to a clause that is left out
                pcm, start = np.concatenate((silence(start - begin), pcm)), begin
        return replace(
            chunk,
            pcm=pcm[max(0, begin - start) :],
            overlaps=0 if begin > start else chunk.overlaps,
            words=tuple(
                WordTime(
                    word.char_start,
                    word.char_end,
                    max(0, word.start_sample - begin),
                    max(0, word.end_sample - begin),
                )
                for word in words
            ),
            marks=tuple(MarkTime(mark.name, max(0, mark.sample - begin)) for mark in marks),
        )

    def _is_new(self, word: WordTime) -> bool:
        """Whether control has yet to be told of the word."""
        char = self._resume.char
        return char is None or word.char_start > char or (word.char_start == char and self._resume.skip <= 0)

    def _find(self, chunk: Chunk) -> int | None:
        """The first sample that is wanted; None while the word has not come."""
        char, skip = self._resume.char, round(self._resume.skip * chunk.sample_rate / LINE_RATE)
        if char is None:
            return skip
        found = next((word.start_sample for word in chunk.words if word.char_start >= char), None)
        return None if found is None else found + skip
