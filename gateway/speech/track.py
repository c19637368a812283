"""One utterance's audio as it grows: packets of G.711, and the words and marks in them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from gateway.messages.synthesis import MarkAt, Word
from gateway.ring import UNIT_OCTETS
from gateway.speech.recipe import Recipe

_NOTHING: Final = memoryview(b"")


@dataclass(frozen=True, slots=True)
class Stretch:
    """The next stretch of an utterance: ``payload`` is whole packets of G.711 and may be empty.

    Units of ``words`` and ``marks`` count from the utterance's start. ``last``: the utterance ends with it.
    ``awaits``: so many parts of what is being written are said, and no more can be made before the next one.
    ``passing``: another voice stands in for the one that was asked for; it is not cached.
    """

    payload: bytes
    words: tuple[Word, ...] = ()
    marks: tuple[MarkAt, ...] = ()
    last: bool = False
    awaits: int | None = None
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no more audio comes. ``cause`` is one of a few words for programs, ``detail`` is for people."""

    cause: str
    detail: str


class Track:
    """The audio of a recipe. Those who say the same at the same time share one.

    ``units``: how much is made (10 ms each). ``kept``: all of it stays in memory, with its words, so that
    another utterance may join at its start; else each block goes as soon as every reader has heard it.
    """

    __slots__ = (
        "_awaits",
        "_blocks",
        "_ends",
        "about",
        "complete",
        "failure",
        "kept",
        "marks",
        "recipe",
        "units",
        "words",
    )

    def __init__(self, recipe: Recipe, *, kept: bool) -> None:
        self.recipe = recipe
        self.about: dict[str, str] = {}
        """The ids of the call and utterance that it was begun for, for the log."""
        self.kept = kept
        self.units = 0
        self.complete = False
        self.failure: Failure | None = None
        self.words: list[Word] = []
        self.marks: list[MarkAt] = []
        self._awaits: int | None = None
        self._blocks: list[bytes] = []
        self._ends: list[int] = []  # the unit after each block

    @property
    def octets(self) -> int:
        """Octets of G.711 made so far."""
        return self.units * UNIT_OCTETS

    @property
    def starved(self) -> bool:
        """Whether all that is written is made, and more may be written."""
        manuscript = self.recipe.manuscript
        if self._awaits is None or self.complete or manuscript is None:
            return False
        return not manuscript.closed and len(manuscript.parts) <= self._awaits

    @property
    def settled(self) -> bool:
        """Whether nothing is to follow, as far as is known now."""
        return self.complete or self.starved

    def grow(self, stretch: Stretch) -> None:
        """Append what was made."""
        assert not self.complete
        assert len(stretch.payload) % UNIT_OCTETS == 0
        if stretch.payload:
            self.units += len(stretch.payload) // UNIT_OCTETS
            self._blocks.append(stretch.payload)
            self._ends.append(self.units)
        if self.kept:
            self.words += stretch.words
            self.marks += stretch.marks
        self.complete = stretch.last
        self._awaits = stretch.awaits

    def fail(self, failure: Failure) -> None:
        """No more will come; what was made stands."""
        self.failure = failure
        self.complete = True
        self.let_go()

    def let_go(self) -> None:
        """Keep no more than the readers still need."""
        self.kept = False
        self.words = []
        self.marks = []

    def whole(self) -> bytes:
        """All octets of a kept track."""
        assert self.kept
        return b"".join(self._blocks)

    def payload(self, unit: int) -> memoryview:
        """What follows from ``unit`` on, to the end of the block in which it lies; empty at the end."""
        index = bisect_right(self._ends, unit)
        if index == len(self._ends):
            return _NOTHING
        block = self._blocks[index]
        begin = self._ends[index] * UNIT_OCTETS - len(block)
        assert unit * UNIT_OCTETS >= begin, "this part of the track was released"
        return memoryview(block)[unit * UNIT_OCTETS - begin :]

    def release(self, unit: int) -> None:
        """Forget the blocks that lie wholly before ``unit``."""
        gone = bisect_right(self._ends, unit)
        del self._blocks[:gone], self._ends[:gone]
