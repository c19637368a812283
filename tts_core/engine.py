"""What every speech engine is: the contract that tests/tts_core/test_engine_contract.py holds it to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import BadRate
from tts_core.script import Script
from tts_core.voices import Voice

Pcm = NDArray[np.int16]

SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class WordTime:
    """`script.text[char_start:char_end]` sounds from start_sample to end_sample of the utterance."""

    char_start: int
    char_end: int
    start_sample: int
    end_sample: int

    def moved(self, chars: int, samples: int) -> WordTime:
        """This word, `chars` further into the text and `samples` further into the utterance."""
        return WordTime(
            self.char_start + chars,
            self.char_end + chars,
            self.start_sample + samples,
            self.end_sample + samples,
        )


@dataclass(frozen=True, slots=True)
class MarkTime:
    """The mark `name` falls at `sample` of the utterance."""

    name: str
    sample: int


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The next of an utterance: a clause with the pause after it, a piece of one, or a rest.

    `pcm` int16[n], mono at `sample_rate`, read-only; n may be 0 where only marks are left. A word comes with
    the chunk in which it begins, and may end in a later one; a mark comes with the chunk in which it falls.
    Sample offsets of `words` and `marks` count from the start of the utterance, not of the chunk.
    """

    pcm: Pcm
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    marks: tuple[MarkTime, ...] = ()


class Engine(Protocol):
    """A speech engine.

    `speak` checks its arguments at once (UnknownVoice, BadRate) and returns a lazy iterator: audio is made
    when it is asked for, not before. It may raise EngineError at any step. Iterators of one engine
    may be interleaved freely and dropped or closed at any point; each gives what it would give alone,
    bit for bit where the engine is deterministic. An engine belongs to the thread that made it.
    """

    @property
    def name(self) -> str:
        """What stands before the colon in its voices' names."""
        ...

    @property
    def sample_rate(self) -> int:
        """Hz, of every chunk."""
        ...

    def voices(self) -> Sequence[Voice]:
        """Every voice that really speaks."""
        ...

    @property
    def resets(self) -> int:
        """Chunks of silence in the place of speech, because a state was no longer finite and began afresh."""
        ...

    def load(self, voice_name: str) -> None:
        """Load all that the voice's first utterance would wait for. The one method for any thread.

        Raises UnknownVoice, and EngineError for a voice that does not speak.
        """
        ...

    def speak(self, script: Script, voice_name: str, rate: float) -> Iterator[Chunk]:
        """Speak `script`; `rate` 0.5 to 2.0 times the voice's own pace."""
        ...


def check_rate(rate: float) -> None:
    """Raise BadRate unless `rate` is a number from 0.5 to 2.0."""
    if not (math.isfinite(rate) and SLOWEST <= rate <= FASTEST):
        raise BadRate(rate)


def silence(samples: int) -> Pcm:
    """`samples` zeros, int16, read-only."""
    pcm = np.zeros(samples, np.int16)
    pcm.flags.writeable = False
    return pcm
