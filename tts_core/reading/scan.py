"""A text's readings, found from left to right: at the beginning of each word, the first kind that knows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from tts_core.reading import clock, codes, dates, figures, letters, links, measures, money, telephone, words
from tts_core.reading.kind import LETTER, Kind, ends_sentence
from tts_core.reading.language import Language
from tts_core.reading.reading import Reading

_BEGIN: Final = re.compile(
    r"(?<![^\W_])(?<![\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0980-\u09ff])[^\s\u0300-\u036f]"
)
_PLAIN: Final = re.compile(rf"{LETTER}{{1,40}}(?=[\s,;!?\"')\]।]|$)")


class Reader:
    """Reads one language; its patterns are compiled once. Any thread may ask."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._starters = language.starters if language.nouns_capital else frozenset[str]()
        self._digits, self._letters, self._signs = _digits(language), _letters(language), _signs(language)
        # what numbers are read with is loaded now, not in a first utterance
        tuple(self.read("1 +14155550123"))

    def read(self, text: str, start: int = 0, end: int | None = None) -> Iterator[Reading]:
        """What of cleaned `text[start:end]` is not said as it is written, in order and disjoint; lazy.

        Takes time in proportion to the text. What stands before `start` is looked at, too.
        """
        stop = len(text) if end is None else end
        at = start
        for begin in _BEGIN.finditer(text, start, stop):
            if begin.start() < at:
                continue
            for reading in self.at(text, begin.start(), stop):
                yield reading
                at = reading.end

    def at(self, text: str, at: int, stop: int) -> list[Reading]:
        """The readings of what begins at `at` and ends before `stop`; none when it is said as it is written."""
        char = text[at]
        kinds = self._letters if char.isalpha() else self._digits if char.isdecimal() else self._signs
        if kinds is self._letters and (word := _PLAIN.match(text, at, stop)) is not None:
            written = word[0]
            if len(written) > 1 and written[1:].islower() and written.lower() not in self.language.open_words:
                return []
        return self.first(kinds, text, at, stop)

    def first(self, kinds: Iterable[Kind], text: str, at: int, stop: int) -> list[Reading]:
        """What the first of `kinds` says that knows what begins at `at`."""
        for kind in kinds:
            match = kind.pattern.match(text, at, stop)
            if match is not None and (said := kind.say(match)) is not None:
                if not isinstance(said, str):
                    return said
                if (
                    match[0].endswith(".")
                    and not said.endswith(".")
                    and ends_sentence(text, match.end(), self._starters)
                ):
                    said += "."  # it ends the sentence, too
                return [Reading(at, match.end(), said)]
        return []


def _digits(one: Language) -> list[Kind]:
    return [
        *links.kinds(one),
        *dates.figures(one),
        *clock.figures(one),
        *telephone.figures(one),
        *money.figures(one),
        *figures.decades(one),
        *measures.figures(one),
        *codes.figures(one),
        *figures.digits(one),
        letters.code(one),
    ]


def _letters(one: Language) -> list[Kind]:
    return [
        *links.kinds(one),
        *dates.words(one),
        *money.signs(one),
        *words.words(one),
        *letters.words(one),
    ]


def _signs(one: Language) -> list[Kind]:
    return [
        *money.signs(one),
        *telephone.plus(one),
        *telephone.figures(one),
        *figures.signs(one),
        *links.signs(one),
        *words.signs(one),
    ]
