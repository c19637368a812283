"""A neural voice as a teacher: it knows its own durations."""

from __future__ import annotations

import numpy as np

from tts_core.neural import speech
from tts_core.neural.frame import Floats
from tts_core.neural.frontend import clean_phonemes, tokens, tone_of
from tts_core.neural.learn.teachers import Lesson, NoLesson, untold
from tts_core.neural.package import Package
from tts_core.neural.phonemes import PhonemeReader
from tts_core.neural.runtime import OrtRuntime


class VoiceTeacher:
    """A voice package speaking. Raises EngineError when its graphs cannot be run."""

    dark = False

    def __init__(self, package: Package) -> None:
        self.language = package.manifest.language
        self.name = f"neural {package.manifest.name}, taught by {package.manifest.teacher}"
        self._ids = package.manifest.phonemes
        self._reader = PhonemeReader(self.language)
        self._runtime = OrtRuntime(package)

    def say(self, text: str) -> Lesson:
        """The voice's audio of `text`, as long as its durations say. Raises NoLesson when nothing is spoken."""
        phonemes = clean_phonemes(self._reader.names(text))
        if not phonemes:
            raise NoLesson(f"no phonemes for {text[:64]!r}")
        score = speech.compose(self._runtime, tokens(phonemes, self._ids, tone_of(text)), 1.0)
        audio = np.concatenate(list(speech.frames(self._runtime, score)))
        lasting = np.diff(score.ends, prepend=0)
        return Lesson(text, tuple(phonemes), lasting, lasting.astype(np.float32), untold(len(lasting)), audio)

    def timed(self, text: str) -> Lesson:
        """The same."""
        return self.say(text)

    def audio(self, text: str) -> Floats:
        """The same audio, by itself."""
        return self.say(text).audio
