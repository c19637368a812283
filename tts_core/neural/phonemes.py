"""Phonemes of a clause, with the character each belongs to, from espeak-ng's own events.

espeak speaks the clause into nothing and reports every phoneme with its sample: the frontend takes the
names, the teacher of an espeak-taught voice the times too. The process-wide library of the espeak engine is
used, under its lock; its callback is put back after every clause.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass

import numpy as np

from tts_core.engine import Pcm
from tts_core.errors import EngineError, UnknownVoice
from tts_core.espeak import WORDS_PER_MINUTE
from tts_core.espeak_library import EspeakLibrary, open_library

_EVENT_END_OF_LIST, _EVENT_PHONEME = 0, 7  # espeak_EVENT_TYPE of speak_lib.h
_HURRIED = 440  # words a minute: less audio to make, the same phonemes
_STRESS = re.compile(r"^[',%=]+")
PAUSES = frozenset(("_:", "_", "_::", "_;_", "_^_"))  # "_|" and "_!" are too short: they begin a vowel


@dataclass(frozen=True, slots=True)
class Phoneme:
    """`name` in espeak's own alphabet without stress marks; `stress` 0 none, 1 secondary, 2 primary.

    `char` is where its word begins in the clause; `sample` where it sounds, at the library's rate.
    """

    name: str
    stress: int
    char: int
    sample: int


class PhonemeReader:
    """Reads clauses with one espeak voice, by its language tag. Raises UnknownVoice when there is none."""

    def __init__(self, language: str) -> None:
        self._library: EspeakLibrary = open_library()
        known = {voice.language: voice.identifier for voice in reversed(self._library.voices)}
        if language not in known:
            raise UnknownVoice(language, known)
        self._identifier = known[language]
        self._found: list[Phoneme] = []
        self._pcm: list[bytes] = []
        self._lib = self._library._lib
        self._lib.espeak_ng_SetPhonemeEvents.argtypes = [ctypes.c_int, ctypes.c_int]
        self._callback = type(self._library._callback)(self._collect)

    @property
    def sample_rate(self) -> int:
        """Hz, of what `read` returns."""
        return self._library.sample_rate

    def names(self, text: str) -> list[Phoneme]:
        """The phonemes of `text` (cleaned, one clause), pauses included, in a third of the time of `read`.

        Their samples are those of hurried speech. Raises EngineError when espeak fails.
        """
        return self._read(text, _HURRIED, primed=False)[0]

    def read(self, text: str, wpm: int = WORDS_PER_MINUTE) -> tuple[list[Phoneme], Pcm]:
        """The phonemes of `text` (cleaned, one clause), pauses included, and espeak's audio int16[n].

        Raises EngineError when espeak fails.
        """
        return self._read(text, wpm, primed=True)

    def _read(self, text: str, wpm: int, primed: bool) -> tuple[list[Phoneme], Pcm]:
        library = self._library
        with library._lock:
            library._select(self._identifier, wpm)
            if primed:
                library._say("1")  # as the engine does: how the last clause ended moves a sample of the next
            self._found, self._pcm = [], []
            encoded = text.encode() + b"\0"
            self._lib.espeak_ng_SetPhonemeEvents(1, 0)
            self._lib.espeak_SetSynthCallback(self._callback)
            try:
                self._lib.espeak_ng_SetRandSeed(1)
                status = self._lib.espeak_Synth(encoded, len(encoded), 0, 1, 0, 1, None, None)
            finally:
                self._lib.espeak_SetSynthCallback(library._callback)
                self._lib.espeak_ng_SetPhonemeEvents(0, 0)
        if status != 0:
            raise EngineError(f"espeak-ng: phonemes failed with status {status}")
        return self._found, np.frombuffer(b"".join(self._pcm), np.int16)

    def _collect(self, wave: int | None, samples: int, events: ctypes._Pointer[ctypes.Structure]) -> int:
        if wave and samples > 0:
            self._pcm.append(ctypes.string_at(wave, 2 * samples))
        index = 0
        while (event := events[index]).type != _EVENT_END_OF_LIST:
            if event.type == _EVENT_PHONEME:
                self._add(event.id.string.decode("utf-8", "replace"), event.text_position - 1, event.sample)
            index += 1
        return 0

    def _add(self, raw: str, char: int, sample: int) -> None:
        name = _STRESS.sub("", raw)
        stress = 2 if "'" in raw[: len(raw) - len(name)] else 1 if "," in raw[: len(raw) - len(name)] else 0
        if name:
            self._found.append(Phoneme(name, stress, max(char, 0), sample))
