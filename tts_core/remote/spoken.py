"""A clause on its way from a provider's samples to chunks, each of them some whole words.

Chunks are cut where it can be told which words are in them: where the provider's own times say that a word
begins, else in the gaps that speech has, its words counted by the pace of the voice. What is cut depends on the
samples alone, not on when they come. The silence around a clause is left out, its own pause put behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tts_core.engine import Chunk, Pcm, WordTime, silence
from tts_core.plan import Clause
from tts_core.remote.asking import NOTHING
from tts_core.sounding import samples
from tts_core.timing import audible, find_words, time_marks, trim

_BREATH_MS = 10
"""Before the first sound, at most."""
_SOUND = 64
"""Of 32,768: what the edges of a clause are found by."""
_LEAST_MS = 200
"""No chunk but the last is shorter."""
_MOST_MS = 600
"""A chunk without a gap is cut where it is quietest once there is so much of it."""
_LAST_WORD_MS = 1200
"""The same where only one word is left."""
_UNTIMED_MS = 1500
"""Without a word's beginning in so much, times are not waited for."""
_GAP_MS = 25
_GRAIN_MS = 5
_QUIET = 0.03
"""Of the loudest so far: below it is a gap."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the text: where its sound is in the clause's, and its part of the clause's length."""

    char: int
    start: int
    end: int
    weight: int


class Spoken:
    """One clause. `rate` Hz; `offset` samples into the utterance; `pause` samples follow; `per_s`: characters
    spoken in a second; `timed`: the provider tells where characters sound.
    """

    def __init__(
        self, clause: Clause, rate: int, offset: int, pause: int, per_s: float, *, timed: bool
    ) -> None:
        self._clause, self._rate, self._offset, self._pause = clause, rate, offset, pause
        self._timed = timed
        self._words = _words(clause)
        self._sample_of = rate / per_s
        self._held: Pcm = NOTHING  # not yet given; `_at` samples were
        self._begun = False
        self._skipped = self._at = self._next = 0
        self._peak = 0
        self._shift = 0.0
        self._marks = list(clause.marks)
        self._onsets: Sequence[tuple[int, int]] = ()

    @property
    def given(self) -> int:
        """Samples given so far."""
        return self._at

    def push(self, pcm: Pcm, onsets: Sequence[tuple[int, int]]) -> None:
        """The next samples, and all that is known so far of the samples at which characters begin."""
        self._onsets = onsets
        self._held = np.concatenate((self._held, pcm))
        if not self._begun:
            loud = np.flatnonzero(np.abs(self._held.astype(np.int32)) > _SOUND)
            begin = int(loud[0]) if loud.size else len(self._held)
            begin = max(begin - samples(_BREATH_MS, self._rate), 0)
            self._skipped += begin
            self._held, self._begun = self._held[begin:], bool(loud.size)

    def next(self) -> Chunk | None:
        """The next chunk; None while that needs more samples."""
        if not self._begun:
            return None
        if self._timed:
            chunk = self._by_onset()
            if chunk is not None or len(self._held) < samples(_UNTIMED_MS, self._rate):
                return chunk
        return self._by_gap()

    def last(self) -> Chunk:
        """All samples have come: the rest, and the pause. It may be empty."""
        _, end = trim(np.abs(self._held.astype(np.int32)) > _SOUND)
        pcm = np.concatenate((self._held[:end], silence(self._pause)))
        self._held = self._held[:end]
        return self._chunk(end, len(self._words), pcm, last=True)

    # -- where to cut -------------------------------------------------------------------------------------

    def _by_onset(self) -> Chunk | None:
        least = samples(_LEAST_MS, self._rate)
        for index in range(self._next + 1, len(self._words)):
            begin = self._told(self._words[index].char)
            if begin is None:
                return None
            cut = begin - self._at
            if least <= cut <= len(self._held):
                return self._chunk(cut, index, self._held[:cut])
        return None

    def _told(self, char: int) -> int | None:
        """The sample of the clause at which a character begins, by what the provider says."""
        sample = next((sample for at, sample in self._onsets if at >= char), None)
        return None if sample is None else max(0, sample - self._skipped)

    def _by_gap(self) -> Chunk | None:
        left = len(self._words) - self._next
        most = samples(_MOST_MS if left > 1 else _LAST_WORD_MS, self._rate)
        return self._cut(self._held[: 4 * most], most) or self._cut(self._held, most)

    def _cut(self, held: Pcm, most: int) -> Chunk | None:
        """The chunk up to the first gap that sound follows, or the quietest moment before sample `most`."""
        grain, least = samples(_GRAIN_MS, self._rate), samples(_LEAST_MS, self._rate)
        count = len(held) // grain
        if count * grain <= least:
            return None
        loud = np.abs(held[: count * grain].astype(np.int32)).reshape(count, grain).max(axis=1)
        peaks = np.maximum.accumulate(np.maximum(loud, self._peak))
        quiet = loud < np.maximum(peaks * _QUIET, _SOUND)
        length = 0
        for index in range(count):
            if quiet[index]:
                length += 1
                continue
            if length * _GRAIN_MS >= _GAP_MS and index * grain >= least:
                return self._by_guess(index * grain, int(peaks[index - 1]), gap=True)
            if index * grain >= most:
                first = least // grain
                cut = first + int(loud[first:index].argmin()) + 1
                return self._by_guess(cut * grain, int(peaks[cut - 1]), gap=False)
            length = 0
        return None

    def _by_guess(self, cut: int, peak: int, *, gap: bool) -> Chunk:
        """The chunk up to `cut`, its words by the pace of the voice."""
        self._peak = peak
        count, at = len(self._words), self._at + cut
        due = [self._due(number) for number in range(count)]
        if count - self._next <= 1:
            behind = count
        elif gap:
            behind = min(range(self._next + 1, count), key=lambda number: abs(due[number] - at))
            self._shift += at - due[behind]
        else:
            behind = min(max(self._next + 1, sum(each < at for each in due)), count - 1)
        return self._chunk(cut, behind, self._held[:cut])

    def _due(self, number: int) -> float:
        """The sample at which a word is expected to begin."""
        return self._shift + sum(word.weight for word in self._words[:number]) * self._sample_of

    # -- a chunk ------------------------------------------------------------------------------------------

    def _chunk(self, cut: int, behind: int, pcm: Pcm, *, last: bool = False) -> Chunk:
        """The next `cut` samples as `pcm`, in which the words before number `behind` begin."""
        mine = self._words[self._next : behind]
        heard = audible(self._held[:cut])
        times = []
        if mine:
            starts = self._starts(mine, cut)
            for word, start, stop in zip(mine, starts, [*starts[1:], cut], strict=True):
                _, length = trim(heard[start:stop])
                times.append(
                    WordTime(word.start, word.end, self._placed(start), self._placed(start + length))
                )
        end = self._offset + self._at + cut
        due = [mark for mark in self._marks if last or self._is_due(mark[1], mine)]
        del self._marks[: len(due)]
        marks = time_marks(due, times, end)
        self._next, self._held = behind, self._held[cut:]
        self._at += cut
        pcm = np.array(pcm)
        pcm.flags.writeable = False
        return Chunk(pcm, self._rate, tuple(times), marks, self._clause.manner.volume_db)

    def _is_due(self, char: int, mine: list[_Word]) -> bool:
        """Whether the word that a mark stands before is one of `mine`."""
        return any(word.end > char for word in mine)

    def _placed(self, sample: int) -> int:
        return self._offset + self._at + sample

    def _starts(self, mine: list[_Word], cut: int) -> list[int]:
        """Where each of `mine` begins in the next `cut` samples, in order; the first at once."""
        starts, floor = [0], 0
        total, passed = sum(word.weight for word in mine), mine[0].weight
        for word in mine[1:]:
            told = self._told(word.char) if self._timed else None
            begin = cut * passed // total if told is None else told - self._at
            floor = min(max(begin, floor), cut)
            starts.append(floor)
            passed += word.weight
        return starts


def _words(clause: Clause) -> list[_Word]:
    """The words of the text that a clause says; one that is said as many words is one."""
    words: list[_Word] = []
    for begin, end in find_words(clause.text):
        start, stop = clause.source(begin, end)
        weight = end - begin + 1
        if words and start < words[-1].end:
            before = words.pop()
            words.append(_Word(before.char, before.start, max(stop, before.end), before.weight + weight))
        else:
            words.append(_Word(begin, start, stop, weight))
    return words
