"""Phonemes of a clause, with the character each belongs to, from espeak-ng's own events.

espeak speaks the clause into nothing and reports every phoneme with its sample: the frontend takes the
names, the teacher of an espeak-taught voice the times too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tts_core.engine import Pcm
from tts_core.errors import UnknownVoice
from tts_core.espeak import WORDS_PER_MINUTE
from tts_core.espeak_library import HURRIED, Sounded, open_library

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
        self._library = open_library()
        known = {voice.language: voice.identifier for voice in reversed(self._library.voices)}
        if language not in known:
            raise UnknownVoice(language, known)
        self._identifier = known[language]

    @property
    def sample_rate(self) -> int:
        """Hz, of what `read` returns."""
        return self._library.sample_rate

    def names(self, text: str) -> list[Phoneme]:
        """The phonemes of `text` (cleaned, one clause), pauses included, in a third of the time of `read`.

        Their samples are those of hurried speech. Raises EngineError when espeak fails.
        """
        return _named(self._library.phonemes(self._identifier, HURRIED, text, primed=False)[0])

    def read(self, text: str, wpm: int = WORDS_PER_MINUTE) -> tuple[list[Phoneme], Pcm]:
        """The phonemes of `text` (cleaned, one clause), pauses included, and espeak's audio int16[n].

        Raises EngineError when espeak fails.
        """
        sounded, pcm = self._library.phonemes(self._identifier, wpm, text)
        return _named(sounded), pcm


def _named(sounded: list[Sounded]) -> list[Phoneme]:
    """Names and stress apart; what is only a mark is no phoneme."""
    found = []
    for one in sounded:
        name = _STRESS.sub("", one.mnemonic)
        marks = one.mnemonic[: len(one.mnemonic) - len(name)]
        stress = 2 if "'" in marks else 1 if "," in marks else 0
        if name:
            found.append(Phoneme(name, stress, max(one.char, 0), one.sample))
    return found
