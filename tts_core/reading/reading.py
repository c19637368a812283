"""A piece of text and how it is said, and a text of such pieces with the way back to the client's characters."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

GLUE = "\u00a0"
"""Stands between the words of one reading instead of a space, so that no clause ends there."""

_NO_SPACE_BEFORE = frozenset(",.;:!?)]}%\"'”’»।…")
_NO_SPACE_AFTER = frozenset("([{\"'“‘«¿¡-/")


@dataclass(frozen=True, slots=True)
class Reading:
    """`text[start:end]` is said as `spoken`: words with single spaces, maybe a comma, maybe nothing."""

    start: int
    end: int
    spoken: str

    def moved(self, chars: int) -> Reading:
        """This reading, `chars` further into the text."""
        return Reading(self.start + chars, self.end + chars, self.spoken)


@dataclass(frozen=True, slots=True)
class Aloud:
    """`text` as it is said. `spans` are (start, end, source start, source end) of its readings, in order.

    What lies between two of them is the source's own characters, one for one; `begin` is where the source
    begins.
    """

    text: str
    spans: tuple[tuple[int, int, int, int], ...]
    begin: int

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The source's characters that `text[start:end]` says."""
        return self._at(start)[0], self._at(end - 1)[1] if end > start else self._at(start)[0]

    def _at(self, char: int) -> tuple[int, int]:
        """The (start, end) in the source of one character: those of its reading, or its own."""
        index = bisect_right(self.spans, char, key=lambda span: span[0]) - 1
        if index < 0:
            return self.begin + char, self.begin + char + 1
        _, end, source_start, source_end = self.spans[index]
        if char < end:
            return source_start, source_end
        return source_end + char - end, source_end + char - end + 1

    def part(self, start: int, end: int) -> Aloud:
        """`text[start:end]`, with the way back."""
        first = bisect_right(self.spans, start, key=lambda span: span[1])
        spans = []
        for span in self.spans[first:]:
            if span[0] >= end:
                break
            spans.append((max(span[0] - start, 0), min(span[1], end) - start, span[2], span[3]))
        return Aloud(self.text[start:end], tuple(spans), self._at(start)[0])


def plain(text: str, begin: int = 0) -> Aloud:
    """`text` said as it stands; its first character is the source's at `begin`."""
    return Aloud(text, (), begin)


def aloud(text: str, start: int, end: int, readings: Iterable[Reading]) -> Aloud:
    """`text[start:end]` with `readings` (in order, disjoint, inside it) in the place of what they read.

    A reading has a space where it would touch a word, and glue within.
    """
    parts: list[str] = []
    spans: list[tuple[int, int, int, int]] = []
    length, at = 0, start
    before = ""  # the last character so far

    def add(piece: str) -> None:
        nonlocal length, before
        if piece:
            parts.append(piece)
            length += len(piece)
            before = piece[-1]

    apart = False  # the last was a reading: a word that follows needs a space
    for reading in readings:
        between = text[at : reading.start]
        spoken = reading.spoken.replace(" ", GLUE)
        opens = length
        if between:
            if apart and _is_word(between[0]):
                between = GLUE + between
                # the glue belongs to what was read before it
                spans[-1] = (spans[-1][0], spans[-1][1] + 1, spans[-1][2], spans[-1][3])
            add(between)
            opens = length
        lead = GLUE if spoken and _needs_space(before, spoken[0]) else ""
        add(lead + spoken)
        spans.append((opens, length, reading.start, reading.end))
        at, apart = reading.end, True
    rest = text[at:end]
    if rest:
        if apart and spans[-1][1] > spans[-1][0] and _is_word(rest[0]):
            rest = GLUE + rest
            spans[-1] = (spans[-1][0], spans[-1][1] + 1, spans[-1][2], spans[-1][3])
        add(rest)
    return Aloud("".join(parts), tuple(spans), start)


def _is_word(char: str) -> bool:
    """Whether a reading is kept apart from `char`; what a Bangla number carries is a part of it."""
    return char.isalnum() and not "\u0980" <= char <= "\u09ff"


def _needs_space(before: str, first: str) -> bool:
    return bool(
        before and not before.isspace() and before not in _NO_SPACE_AFTER and first not in _NO_SPACE_BEFORE
    )


_SPACES = re.compile(r"\s+")


def said(text: str, readings: Iterable[Reading]) -> str:
    """All of `text` as it is said, with single spaces: for people and for tests."""
    return _SPACES.sub(" ", aloud(text, 0, len(text), readings).text).strip()
