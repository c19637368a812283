"""Speech from text: chunk by chunk through an engine, levelled and encoded for the line."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from gateway.messages import MarkAt, VoiceInfo, Word
from gateway.ring import UNIT_MS
from gateway.speech.recipe import Recipe
from gateway.speech.track import Stretch
from telephony_codecs import LINE_RATE, Encoder, Law, gain_to_dbm0
from tts_core import Chunk, EngineError, Script, Synthesiser

log = logging.getLogger("voxtrunk.speech")

_REFERENCE: Final = "1 2 3 1985"
"""Every voice can read digits, in its own language. Of those tried this is the shortest whose level is that of
sentences: within 1.3 dB for 13 languages, 0.2 dB off on the mean."""

_LEAST_MS: Final = 100
"""The first stretch is no shorter, so that the ring does not run dry while other legs' speech is made."""

_FIRST_MS: Final = 250
"""It is cut from what an engine makes in one piece, so that the first packet need not wait for all of that."""


class VoiceSource:
    """Makes speech with ``synthesiser``, every voice at ``level_dbm0``. It belongs to one thread.

    A voice's gain is constant, measured by ITU-T P.56 on its own reading of a few digits when it is first
    used. So it does not depend on what a voice happens to say first: the same text is the same audio in every
    process. It costs 4 to 8 ms, once; the default voice is measured before the first call.
    """

    def __init__(self, synthesiser: Synthesiser, level_dbm0: float, default_voice: str) -> None:
        self._synthesiser = synthesiser
        self._level_dbm0 = level_dbm0
        self._gains: dict[str, float] = {}
        self._mute: set[str] = set()
        self.gain(default_voice)

    @property
    def resets(self) -> int:
        """Chunks of speech that were lost because a voice's state was no longer finite."""
        return self._synthesiser.resets

    def voices(self) -> tuple[VoiceInfo, ...]:
        """What ``speech`` can speak with; voices that were warmed and did not speak are not among them."""
        return tuple(
            VoiceInfo(voice.name, voice.language, voice.engine, voice.description, voice.gender or None)
            for voice in self._synthesiser.voices()
            if voice.name not in self._mute
        )

    def warm(self, patterns: Iterable[str]) -> None:
        """Load and measure the voices of these names or patterns, so that no utterance waits for it.

        A voice that does not speak is left out, and the log says why.
        """
        for name in self._matching(patterns):
            try:
                self.gain(name)
            except EngineError as error:
                log.error("the voice %s is left out: %s", name, error)
                self._mute.add(name)

    def load(self, patterns: Iterable[str]) -> None:
        """Load the voices of these names or patterns, in any thread; the log says which do not speak."""
        for name in self._matching(patterns):
            try:
                self._synthesiser.load(name)
            except EngineError as error:
                log.error("the voice %s does not speak: %s", name, error)

    def _matching(self, patterns: Iterable[str]) -> Iterator[str]:
        names = [voice.name for voice in self._synthesiser.voices()]
        for pattern in patterns:
            matching = [name for name in names if fnmatchcase(name, pattern)]
            if not matching and not any(sign in pattern for sign in "*?["):
                log.warning("warm_voices: there is no voice %r", pattern)
            yield from matching

    def gain(self, voice: str) -> float:
        """The linear gain that brings a voice to the level. Raises UnknownVoice, EngineError."""
        gain = self._gains.get(voice)
        if gain is None:
            chunks = list(self._synthesiser.speak(Script.from_text(_REFERENCE), voice))
            pcm = np.concatenate([chunk.pcm for chunk in chunks]).astype(np.float32) / np.float32(32768)
            gain = gain_to_dbm0(pcm, chunks[0].sample_rate, self._level_dbm0)
            self._gains[voice] = gain
        return gain

    def __call__(self, recipe: Recipe) -> Generator[Stretch, None, None]:
        """The stretches of a text or SSML, each made when it is asked for.

        Raises CallerError and EngineError of ``tts_core`` from the generator.
        """
        build = Script.from_ssml if recipe.kind == "ssml" else Script.from_text
        chunks = self._synthesiser.speak(build(recipe.source), recipe.voice, recipe.rate)
        gain = self.gain(recipe.voice) * 10 ** (recipe.gain_db / 20)
        encoder: Encoder | None = None
        begun = False
        payload = b""  # of a first stretch that is still too short
        words: tuple[Word, ...] = ()
        marks: tuple[MarkAt, ...] = ()
        for chunk in chunks:
            if encoder is None:
                encoder = Encoder(chunk.sample_rate, Law(recipe.law), recipe.ptime_ms, gain)
            pcm, words, marks = chunk.pcm, words + _words(chunk), marks + _marks(chunk)
            if not begun:
                head = chunk.sample_rate * _FIRST_MS // 1000
                payload += encoder.push(pcm[:head])
                pcm = pcm[head:]
                if not len(pcm) and len(payload) < LINE_RATE * _LEAST_MS // 1000:
                    continue
                yield Stretch(payload, words, marks)
                begun, payload, words, marks = True, b"", (), ()
            if len(pcm):
                yield Stretch(encoder.push(pcm), words, marks)
                words, marks = (), ()
        yield Stretch(payload + (encoder.flush() if encoder else b""), words, marks, last=True)


def _words(chunk: Chunk) -> tuple[Word, ...]:
    """The chunk's words in units: each covers every unit that it sounds in."""
    unit = chunk.sample_rate * UNIT_MS / 1000  # samples; not whole at 22,050 Hz
    return tuple(
        Word(word.char_start, word.char_end, int(word.start_sample / unit), -int(-word.end_sample // unit))
        for word in chunk.words
    )


def _marks(chunk: Chunk) -> tuple[MarkAt, ...]:
    unit = chunk.sample_rate * UNIT_MS / 1000
    return tuple(MarkAt(mark.name, int(mark.sample / unit)) for mark in chunk.marks)
