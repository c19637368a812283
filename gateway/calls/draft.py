"""Text that is being written: what of it is accepted, and what of that may be spoken. Pure; time is passed in.

Whole clauses are released, as soon as nothing that follows can change how they are read. When nothing is left
to be said for too long, what is whole of an unfinished clause is released, too (``hurry``); never a part of a
word, a number, a date or an abbreviation. ``flush`` and ``end`` release all there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.messages.synthesis import Part
from tts_core.clauses import STOPS, split


@dataclass(frozen=True, slots=True)
class Bounds:
    """``limit`` characters of text in all; a writer is asked to pause when ``high`` wait to be heard, until
    ``low``.

    ``wait_ns``: how long the caller hears nothing before an unfinished clause is begun.
    """

    limit: int
    high: int
    low: int
    wait_ns: int


class Draft:
    """``text`` is all that was accepted, ``text[:released]`` what was given out to be spoken, in parts.

    ``speakable``: how many characters of a text are read the same whatever follows.
    """

    def __init__(self, speakable: Callable[[str], int], bounds: Bounds) -> None:
        self.bounds = bounds
        self.swollen = False
        """Whether the writer was asked to pause."""
        self.text = ""
        self.released = 0
        self.ended = False
        self._speakable = speakable
        self._marks: list[tuple[str, int]] = []  # not released yet, with their place in the text
        self._since_ns: int | None = None  # when the oldest character came that is not released
        self._hurried = 0  # the length at which a hurry found all that there was to find

    @property
    def waits_since_ns(self) -> int | None:
        """Since when something waits that ``hurry`` may release; None when nothing does."""
        return None if self._hurried == len(self.text) else self._since_ns

    def swells(self, buffered: int) -> bool:
        """Whether the writer is to be asked to pause now, so many characters being unheard."""
        begins = not self.swollen and buffered > self.bounds.high
        self.swollen = self.swollen or begins
        return begins

    def eases(self, buffered: int) -> bool:
        """Whether the writer is to be asked to go on now."""
        ends = self.swollen and buffered <= self.bounds.low
        self.swollen = self.swollen and not ends
        return ends

    def write(self, text: str, mark: str | None, now_ns: int) -> Part | None:
        """Take ``text`` in, and a mark that stands behind it. Returns what can now be spoken."""
        if not text and mark is None:
            return None
        if self._since_ns is None:
            self._since_ns = now_ns
        self.text += text
        if mark is not None:
            self._marks.append((mark, len(self.text)))
        return self._release(self._whole(), now_ns)

    def hurry(self, now_ns: int) -> Part | None:
        """Release as much as can be spoken, be it no clause."""
        self._hurried = len(self.text)
        left = self.text[self.released :]
        end = self._speakable(left)
        if left[-1:] and left[-1] in STOPS and self._speakable(left + " ") > len(left):
            end = len(left)
        return self._release(self.released + end, now_ns)

    def flush(self, now_ns: int) -> Part | None:
        """Release all there is."""
        return self._release(len(self.text), now_ns)

    def end(self, now_ns: int) -> Part | None:
        """Nothing follows: release the rest."""
        self.ended = True
        return self.flush(now_ns)

    def _whole(self) -> int:
        """The place in the text behind the last clause that nothing can change any more."""
        left = self.text[self.released :]
        clauses = list(split(left, 0, len(left)))
        if len(clauses) < 2:
            return self.released
        settled = self._speakable(left)
        begins = (start for start, _ in clauses[1:] if start <= settled)
        return self.released + max(begins, default=0)

    def _release(self, end: int, now_ns: int) -> Part | None:
        marks = tuple((name, at - self.released) for name, at in self._marks if at <= end)
        if end == self.released and not marks:
            return None
        part = Part(self.text[self.released : end], marks)
        self._marks = self._marks[len(marks) :]
        self.released = end
        self._since_ns = now_ns if self.text[end:].strip() or self._marks else None
        return part
