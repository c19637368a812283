"""One voice, loaded: a clause to chunks of audio as the vocoder makes them, with its words and marks.

Nothing here needs the whole clause. The durations say where it sounds before its first sample is made; only how
much breath stands before the first sound is heard as it comes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from tts_core.engine import Chunk, Pcm, silence
from tts_core.errors import EngineError, UnknownVoice
from tts_core.neural import speech
from tts_core.neural.frame import HOP, RATE, Floats
from tts_core.neural.frontend import PAUSE, Frontend, Tokens
from tts_core.neural.package import BadPackage, Package
from tts_core.neural.runtime import Runtime
from tts_core.plan import Clause
from tts_core.timing import find_words, time_marks, time_words, trim

_ATTACK = 20  # samples: what follows a pause begins within 2.5 ms
_FIRST_SOUND = 128  # of 32,768
_BREATH = 160  # samples before the first sound, at most
_PATIENCE = 4000  # samples: a clause that is no louder than breath for so long begins with it
_TRIAL = Clause("1 2 3 4 5 6 7 8 9 10", 0, (), 0, False)  # long enough that no clause after it begins slowly


class Speaker:
    """Speaks clauses. `spoiled` is called for every chunk that is lost because a state was not finite.

    Raises BadPackage for a voice that cannot count to ten.
    """

    def __init__(
        self, package: Package, runtime: Runtime, spoiled: Callable[[], None] = lambda: None
    ) -> None:
        try:
            self._frontend = Frontend(package.manifest.language, package.manifest.phonemes)
        except UnknownVoice as error:
            raise BadPackage(f"{package.folder}: espeak-ng cannot read its language: {error}") from error
        self._pause = package.manifest.phonemes[PAUSE]
        self._runtime = runtime
        self._spoiled: Callable[[], None] = _refuse
        try:
            for _ in self.speak(_TRIAL, self.read(_TRIAL), 1.0, 0):
                pass
        except Exception as error:  # a runtime's errors have no common class of their own
            raise BadPackage(f"{package.folder}: it does not speak: {error}") from error
        self._spoiled = spoiled

    def read(self, clause: Clause) -> Tokens:
        """The clause's tokens; any thread may ask."""
        # a comma keeps the voice up where the sentence goes on
        return self._frontend.read(clause.text + "," if clause.continues else clause.text)

    def speak(self, clause: Clause, tokens: Tokens, rate: float, offset: int) -> Iterator[Chunk]:
        """The clause and the pause after it, `offset` samples into the utterance. Raises EngineError."""
        score = speech.compose(self._runtime, tokens, rate)
        gain, heard = _envelope(tokens.ids[:, 0] == self._pause, score.ends)
        lead, stop = trim(heard)
        pieces = _between(speech.frames(self._runtime, score, spoiled=self._spoiled), gain, lead, stop)
        first, skipped = _begun(pieces)
        begin = lead + skipped
        onsets = self._onsets(tokens, score.ends, begin)
        words = [
            word.moved(clause.start, offset)
            for word in time_words(tuple(find_words(clause.text)), onsets, heard[begin:stop])
        ]
        marks = time_marks(clause.marks, words, offset + stop - begin)
        at = begin
        for piece in itertools.chain((first,), pieces):
            since, at = at, at + len(piece)
            if at == stop:
                piece = np.concatenate((piece, silence(samples(clause.pause_ms / rate))))
            piece.flags.writeable = False
            span = range(offset + since - begin, offset + at - begin + (at == stop))
            yield Chunk(
                piece,
                RATE,
                tuple(word for word in words if word.start_sample in span),
                tuple(mark for mark in marks if mark.sample in span),
            )

    def _onsets(self, tokens: Tokens, ends: NDArray[np.int64], begin: int) -> list[tuple[int, int]]:
        """(char offset, sample) of each word's first phoneme, counted from sample `begin`."""
        first = (tokens.ids[:, 1] % 2 == 1) & (tokens.ids[:, 0] != self._pause)
        return [(int(tokens.chars[at]), int(ends[at - 1]) * HOP - begin) for at in np.flatnonzero(first)]


def samples(ms: float) -> int:
    """How many samples `ms` milliseconds are."""
    return round(ms * RATE / 1000)


def _refuse() -> None:
    raise EngineError("its vocoder's state is not finite")


def _envelope(pauses: NDArray[np.bool_], ends: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
    """The gain float32[n] that makes pauses digital silence, and where the clause sounds, bool[n].

    What sounds is faded out over a hop of the pause after it, and in as the next sound begins.
    """
    count = int(ends[-1]) * HOP
    gain, heard = np.ones(count, np.float32), np.ones(count, np.bool_)
    begins = np.concatenate(([0], ends[:-1]))
    for index in np.flatnonzero(pauses):
        begin, end = int(begins[index]) * HOP, int(ends[index]) * HOP
        gain[begin:end], heard[begin:end] = 0, False
        gain[end : end + _ATTACK] = np.linspace(0, 1, _ATTACK, endpoint=False)[: count - end]
        if index and not pauses[index - 1]:
            fade = min(HOP, end - begin)
            gain[begin : begin + fade] = np.linspace(1, 0, fade, endpoint=False)
            heard[begin : begin + fade] = True
    return gain, heard


def _between(audio: Iterable[Floats], gain: Floats, lead: int, stop: int) -> Iterator[Pcm]:
    """int16 of `audio` times `gain` from sample `lead` to `stop`, as it comes; none of it is empty."""
    at = 0
    for piece in audio:
        if at >= stop:
            return
        loud = np.clip(piece * gain[at : at + len(piece)], -0.999, 0.999)
        pcm: Pcm = np.round(loud * 32767).astype(np.int16)[max(lead - at, 0) : stop - at]
        at += len(piece)
        if len(pcm):
            yield pcm


def _begun(pieces: Iterator[Pcm]) -> tuple[Pcm, int]:
    """The first piece of a clause and how many samples of breath were left out before it.

    As many of `pieces` are taken as it takes to hear its first sound; at most 20 ms of breath are left before it.
    """
    held: Pcm = np.zeros(0, np.int16)
    for piece in pieces:
        held = np.concatenate((held, piece))
        loud = np.flatnonzero(np.abs(held.astype(np.int32)) > _FIRST_SOUND)
        if loud.size:
            skipped = max(int(loud[0]) - _BREATH, 0)
            return held[skipped:], skipped
        if len(held) > _PATIENCE:
            break
    return held, 0
