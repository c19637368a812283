"""One voice, loaded: a clause to chunks of audio as the vocoder makes them, with its words and marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tts_core.engine import Chunk, Turn
from tts_core.errors import EngineError, UnknownVoice
from tts_core.neural import speech
from tts_core.neural.frame import HOP, RATE
from tts_core.neural.frontend import PAUSE, Frontend, Tokens
from tts_core.neural.package import BadPackage, Package
from tts_core.neural.runtime import Runtime
from tts_core.plan import Clause
from tts_core.sounding import Edges, Layout, sounded

_EDGES = Edges(release=HOP, attack=20)
TRIAL = Clause("1 2 3 4 5 6 7 8 9 10", 0, (), 0, False)  # long enough that no clause after it begins slowly


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
            for _ in self.speak(TRIAL, self.read(TRIAL), 1.0, 0):
                pass
        except Exception as error:  # a runtime's errors have no common class of their own
            raise BadPackage(f"{package.folder}: it does not speak: {error}") from error
        self._spoiled = spoiled

    def read(self, clause: Clause) -> Tokens:
        """The clause's tokens; any thread may ask."""
        # a comma keeps the voice up where the sentence goes on
        return self._frontend.read(clause.text + "," if clause.continues else clause.text)

    @property
    def most(self) -> int:
        """How many clauses are best spoken together."""
        return self._runtime.most

    def speak(self, clause: Clause, tokens: Tokens, rate: float, offset: int) -> Iterator[Chunk | Turn]:
        """The clause and the pause after it, `offset` samples into the utterance. Raises EngineError.

        The first clause's chunks begin short, for somebody waits for its first word.
        Each turn of the vocoder comes before what is made of it; see speech.parts.
        """
        score = speech.compose(self._runtime, tokens, rate, clause.manner.pitch)
        layout = Layout(
            RATE, score.ends * HOP, tokens.ids[:, 0] == self._pause, self._onsets(tokens, score.ends), _EDGES
        )
        ramp = speech.RAMP if offset == 0 else speech.RAMP[-1:]
        audio = speech.parts(self._runtime, score, ramp, self._spoiled)
        return sounded(clause, layout, audio, rate, offset)

    def _onsets(self, tokens: Tokens, ends: NDArray[np.int64]) -> list[tuple[int, int]]:
        """(char offset, sample) of each word's first phoneme."""
        first = (tokens.ids[:, 1] % 2 == 1) & (tokens.ids[:, 0] != self._pause)
        return [(int(tokens.chars[at]), int(ends[at - 1]) * HOP) for at in np.flatnonzero(first)]


def _refuse() -> None:
    raise EngineError("its vocoder's state is not finite")
