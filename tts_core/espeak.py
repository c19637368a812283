"""The embedded default: espeak-ng in this process, 100 and more languages, no download, no GPU."""

from __future__ import annotations

import threading
from collections.abc import Generator

import numpy as np

from tts_core.engine import Chunk, MarkTime, Pcm, Speech, check_rate, pace, silence
from tts_core.errors import UnknownVoice
from tts_core.espeak_library import NativeVoice, open_library
from tts_core.plan import Clause, steps
from tts_core.script import Script
from tts_core.timing import audible, time_marks, trim, words_said
from tts_core.voices import Voice

_LICENCE = "GPL-3.0-or-later"
WORDS_PER_MINUTE = 165  # rate 1.0: a little slower than espeak's 175, for a telephone


class EspeakEngine:
    """espeak-ng behind the engine contract; deterministic to the bit.

    It belongs to the thread that made it, which it asserts. Voices are `espeak:` and a language tag.
    """

    name = "espeak"
    resets = 0
    left_out: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._library = open_library()
        self._thread = threading.get_ident()
        self._natives: dict[str, NativeVoice] = {}
        for native in self._library.voices:
            name = f"{self.name}:{native.language}"
            if name in self._natives:  # two ways to write one language: the file's own name tells them apart
                name = f"{self.name}:{native.identifier.rpartition('/')[2].lower()}"
            self._natives[name] = native
        version = self._library.version
        self._voices = tuple(
            Voice(name, each.language, self.name, each.description, each.gender, version, _LICENCE)
            for name, each in self._natives.items()
        )

    @property
    def sample_rate(self) -> int:
        """22,050 Hz."""
        return self._library.sample_rate

    def voices(self) -> tuple[Voice, ...]:
        """Every language whose dictionary the package holds."""
        return self._voices

    def load(self, voice_name: str) -> None:
        """Nothing to load: the library was. Raises UnknownVoice."""
        self._native(voice_name)

    def renew(self) -> frozenset[str]:
        """Nothing is ever added."""
        return frozenset()

    def together(self, voice_name: str) -> int:
        """Each alone. Raises UnknownVoice."""
        self._native(voice_name)
        return 1

    def speak(self, script: Script, voice_name: str, rate: float) -> Speech:
        """Speak `script`, one clause at a time as asked for. Raises UnknownVoice and BadRate at once."""
        native = self._native(voice_name)
        check_rate(rate)
        return Speech(self._chunks(script, native, rate))

    def _native(self, voice_name: str) -> NativeVoice:
        native = self._natives.get(voice_name)
        if native is None:
            raise UnknownVoice(voice_name, self._natives)
        return native

    def _chunks(self, script: Script, native: NativeVoice, rate: float) -> Generator[Chunk, None, None]:
        offset = 0  # samples of the utterance before this chunk
        for step in steps(script, native.language):
            assert threading.get_ident() == self._thread, "an EspeakEngine belongs to one thread"
            if isinstance(step, Clause):
                chunk = self._clause(step, native.identifier, pace(rate, step.manner), offset)
            else:
                pcm = silence(self._samples(step.ms))
                marks = tuple(MarkTime(name, offset) for name in step.marks)
                chunk = Chunk(pcm, self.sample_rate, (), marks)
            offset += len(chunk.pcm)
            yield chunk

    def _clause(self, clause: Clause, identifier: str, rate: float, offset: int) -> Chunk:
        # a comma keeps the voice up where the sentence goes on
        text = clause.text + "," if clause.continues else clause.text
        raw, onsets = self._library.synthesise(
            identifier, round(WORDS_PER_MINUTE * rate), text, clause.manner.pitch
        )
        heard = audible(raw)
        begin, end = trim(heard)
        audio = raw[begin:end]
        onsets = [(char, sample - begin) for char, sample in onsets]
        words = tuple(words_said(clause, onsets, heard[begin:end], offset))
        marks = time_marks(clause.marks, words, offset + len(audio))
        pcm = _with_pause(audio, self._samples(clause.pause_ms / rate))
        return Chunk(pcm, self.sample_rate, words, marks, clause.manner.volume_db)

    def _samples(self, ms: float) -> int:
        return round(ms * self.sample_rate / 1000)


def _with_pause(audio: Pcm, samples: int) -> Pcm:
    pcm = np.concatenate((audio, silence(samples)))
    pcm.flags.writeable = False
    return pcm
