"""A Piper voice, loaded, and each who speaks in it: a clause to chunks of audio with its words and marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tts_core.engine import Chunk, Turn
from tts_core.errors import EngineError, UnknownVoice
from tts_core.neural.package import BadPackage
from tts_core.neural.speaker import TRIAL
from tts_core.piper.networks import RAMP, Networks
from tts_core.piper.package import Package
from tts_core.piper.phonemes import Phonemes, Tokens
from tts_core.plan import Clause
from tts_core.sounding import Edges, Floats, Layout, samples, sounded

_RELEASE_MS, _ATTACK_MS = 40, 10
"""What is kept of the pauses around a sound: VITS learns where phonemes end by itself, and not to the sample."""
_LONGEST_TRIAL_MS = 60_000


class Loaded:
    """A voice's graphs and phonemes. Raises BadPackage for one that cannot count to ten.

    `spoiled` is called for every chunk that is lost because it was not finite.
    """

    def __init__(self, package: Package, spoiled: Callable[[], None] = lambda: None) -> None:
        held = package.manifest
        try:
            self.phonemes = Phonemes(held.phoneme_type, held.espeak_voice, held.phonemes, held.clusters)
        except UnknownVoice as error:
            raise BadPackage(f"{package.folder}: espeak-ng cannot read its language: {error}") from error
        self.networks = Networks(package)
        self.sample_rate, self.hop = held.sample_rate, held.hop
        self.edges = Edges(
            samples(_RELEASE_MS, self.sample_rate),
            samples(_ATTACK_MS, self.sample_rate),
            samples(_ATTACK_MS, self.sample_rate),
        )
        self.spoiled: Callable[[], None] = _refuse
        try:
            self._try()
        except Exception as error:  # a hostile graph may fail in any way
            raise BadPackage(f"{package.folder}: it does not speak: {error}") from error
        self.spoiled = spoiled

    def _try(self) -> None:
        one = Speaker(self, 0)
        spoken = sum(
            len(part.pcm) for part in one.speak(TRIAL, one.read(TRIAL), 1.0, 0) if isinstance(part, Chunk)
        )
        if not 0 < spoken < samples(_LONGEST_TRIAL_MS, self.sample_rate):
            raise EngineError(f"it counts to ten in {spoken / self.sample_rate:.1f} s")


@dataclass(frozen=True, slots=True)
class Speaker:
    """The speaker numbered `number` in a voice."""

    voice: Loaded
    number: int

    def read(self, clause: Clause) -> Tokens:
        """The clause's tokens; any thread may ask. Raises EngineError."""
        return self.voice.phonemes.read(clause)

    def speak(self, clause: Clause, tokens: Tokens, rate: float, offset: int) -> Iterator[Chunk | Turn]:
        """The clause and the pause after it, `offset` samples into the utterance. Raises EngineError."""
        voice = self.voice
        score = voice.networks.compose(tokens.ids, rate, self.number)
        ends = score.ends * voice.hop
        onsets = []
        for char, token in tokens.words:
            token = min(token, len(ends) - 1)  # nothing that the voice knows follows
            early = voice.edges.lead if tokens.pauses[token - 1] else 0  # it fades in before its time
            onsets.append((char, max(int(ends[token - 1]) - early, 0)))
        layout = Layout(voice.sample_rate, ends, tokens.pauses, onsets, voice.edges)
        ramp = RAMP if offset == 0 else RAMP[-1:]
        audio = map(self._sound, voice.networks.pieces(score, ramp))
        return sounded(clause, layout, audio, rate, offset)

    def _sound(self, audio: Floats) -> Floats:
        if np.isfinite(audio).all():
            return audio
        self.voice.spoiled()
        return np.zeros_like(audio)


def _refuse() -> None:
    raise EngineError("its decoder answers what is no number")
