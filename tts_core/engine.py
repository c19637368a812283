"""What every speech engine is: the contract that tests/tts_core/test_engine_contract.py holds it to."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tts_core.errors import BadRate
from tts_core.script import Manner, Script
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
    Sample offsets of `words` and `marks` count from the start of the utterance, not of the chunk. It is to be
    `gain_db` louder than the voice is; `voice` is whose it is, where that is not the utterance's own. It begins
    `overlaps` samples before what came before it ends: one fades into the other.
    `stands_in`: it is not what the voice says when all is well, and not to be kept as such.
    """

    pcm: Pcm
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    marks: tuple[MarkTime, ...] = ()
    gain_db: float = 0.0
    voice: str = ""
    overlaps: int = 0
    stands_in: bool = False


class Turn(Protocol):
    """A step of an engine's networks that one utterance waits for, and that others may take with it."""

    def result(self) -> object:
        """What comes of it; taken alone if it was not taken with others."""
        ...

    @staticmethod
    def together(turns: Iterable[Any], /) -> None:
        """Take the turns of any utterances of any voices of this class in as few steps as it goes."""
        ...


class Arrival(ABC):
    """A turn that nobody here can take: audio on its way over a network.

    Whoever makes many utterances in one thread asks for the next part of this one when it `came`.
    """

    @property
    @abstractmethod
    def here(self) -> bool:
        """Whether the utterance can go on."""

    @abstractmethod
    def when(self, came: Callable[[], None]) -> None:
        """Call `came` once, in any thread, when the utterance can go on; at once if it can already."""

    @abstractmethod
    def result(self) -> object:
        """Wait until it can."""

    @staticmethod
    def together(turns: Iterable[Any], /) -> None:
        """Wait until all can."""
        for turn in turns:
            turn.result()


class Speech(Iterator[Chunk]):
    """An utterance that is made as it is asked for: its chunks, and the turns that they wait for.

    Whoever has one utterance iterates over it. Whoever has many goes through the `parts` of each: what is a turn
    is best taken together with the others' turns before the next part is asked for.
    """

    def __init__(self, parts: Generator[Chunk | Turn, None, None]) -> None:
        self.parts = parts

    def __next__(self) -> Chunk:
        while not isinstance(part := next(self.parts), Chunk):
            pass  # a turn that nobody has taken is taken alone
        return part

    def close(self) -> None:
        """Make no more of it. Dropping it does the same."""
        self.parts.close()


class Engine(Protocol):
    """A speech engine.

    `speak` checks its arguments at once (UnknownVoice, BadRate) and returns a lazy iterator: audio is made
    when it is asked for, not before. It may raise EngineError at any step. Iterators of one engine
    may be interleaved freely and dropped or closed at any point; each gives what it would give alone,
    bit for bit where the engine is deterministic. A voice has one sample rate, which its chunks tell. An engine
    belongs to the thread that made it.
    """

    @property
    def name(self) -> str:
        """What stands before the colon in its voices' names."""
        ...

    def voices(self) -> Sequence[Voice]:
        """Every voice that really speaks."""
        ...

    @property
    def resets(self) -> int:
        """Chunks of silence in the place of speech, because a state was no longer finite and began afresh."""
        ...

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why added voices are left out, or an earlier one of their name stands; as of the last `renew`."""
        ...

    def load(self, voice_name: str) -> None:
        """Load all that the voice's first utterance would wait for. Any thread may ask.

        Raises UnknownVoice, and EngineError for a voice that does not speak.
        """
        ...

    def renew(self) -> frozenset[str]:
        """Take in the voices that were added since, loaded, and let go of those that were removed.

        Speech under way goes on. Returns the names that came, went, or are another voice's now; the log says what
        is left out. Any thread may ask, one at a time.
        """
        ...

    def together(self, voice_name: str) -> int:
        """How many utterances of this voice are best made together; 1 where that gains nothing."""
        ...

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
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


def pace(rate: float, manner: Manner) -> float:
    """The rate of a clause said in `manner` in an utterance at `rate`: 0.5 to 2.0, as all rates are."""
    return min(max(rate * manner.rate, SLOWEST), FASTEST)
