"""From a script to the steps every engine takes: clauses to speak and rests to keep.

Marks do not cut a sentence, so its melody is the same with and without them; explicit pauses do.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace

from tts_core.clauses import COMMAS, STOPS, split
from tts_core.script import Pause, Say, Script
from tts_core.text import clean, speaks

SENTENCE_PAUSE_MS = 300
PARAGRAPH_PAUSE_MS = 500
CLAUSE_PAUSE_MS = 225
COMMA_PAUSE_MS = 150

_STOPS = frozenset(STOPS)
_COLONS = frozenset(":;؛；：–—")
_COMMAS = frozenset(COMMAS)
_CLOSERS = "\"'”’»›)]}」』】》〉） "


@dataclass(frozen=True, slots=True)
class Clause:
    """Speak `text`, which is `script.text[start:start + len(text)]` cleaned, in one breath.

    `marks` are (name, char offset into script.text). `pause_ms` of silence follow at rate 1.0.
    `continues`: the next clause carries the sentence on, though no punctuation says so.
    """

    text: str
    start: int
    marks: tuple[tuple[str, int], ...]
    pause_ms: int
    continues: bool


@dataclass(frozen=True, slots=True)
class Rest:
    """`ms` milliseconds of silence, at whose start the marks fall; ms may be 0."""

    ms: int
    marks: tuple[str, ...]


Step = Clause | Rest


def steps(script: Script) -> Iterator[Step]:
    """Yield what to do, in order and lazily. Clauses that hold nothing to say are left out.

    The last clause has no pause after it, nor has one that an explicit pause follows.
    """
    held: Clause | None = None
    for step in _steps(script):
        if held is not None:
            yield _closed(held) if isinstance(step, Rest) else held
        held = None
        if isinstance(step, Clause):
            held = step
        else:
            yield step
    if held is not None:
        yield _closed(held)


def _closed(clause: Clause) -> Clause:
    return replace(clause, pause_ms=0, continues=False)


def _steps(script: Script) -> Iterator[Step]:
    text = clean(script.text)
    names: list[str] = []  # marks that wait for something to stand before
    run: list[int] = []  # [start, end] of what the latest Says cover without a gap
    marks: list[tuple[str, int]] = []  # marks within that run
    for piece in script.pieces:
        if isinstance(piece, Say):
            if run and run[1] == piece.start:
                run[1] = piece.end
                continue
            if run:
                names = yield from _clauses(text, run, marks)
            run = [piece.start, piece.end]
            marks = [(name, piece.start) for name in names]
            names = []
        elif isinstance(piece, Pause):
            if run:
                names = yield from _clauses(text, run, marks)
            yield Rest(piece.ms, tuple(names))
            run, marks, names = [], [], []
        elif run:
            marks.append((piece.name, run[1]))
        else:
            names.append(piece.name)
    if run:
        names = yield from _clauses(text, run, marks)
    if names:
        yield Rest(0, tuple(names))


def _clauses(text: str, run: list[int], marks: list[tuple[str, int]]) -> Generator[Clause, None, list[str]]:
    """Yield the speakable clauses of a run; return the names of the marks that come after the last."""
    taken = 0
    for begin, end, following in _with_next(split(text, *run)):
        if not speaks(text[begin:end]):
            continue
        first = taken
        while taken < len(marks) and marks[taken][1] < end:
            taken += 1
        pause_ms, punctuated = _pause(text[begin:end], text[end:following])
        spoken = text[begin:end].replace("\n", " ")
        yield Clause(spoken, begin, tuple(marks[first:taken]), pause_ms, not punctuated)
    return [name for name, _ in marks[taken:]]


def _with_next(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Each (start, end) with the start of the range after it; the last one with its own end."""
    held: tuple[int, int] | None = None
    for start, end in ranges:
        if held is not None:
            yield *held, start
        held = start, end
    if held is not None:
        yield *held, held[1]


def _pause(clause: str, gap: str) -> tuple[int, bool]:
    """The natural pause after `clause` in ms, and whether punctuation or a paragraph calls for it."""
    if gap.count("\n") > 1:
        return PARAGRAPH_PAUSE_MS, True
    last = clause.rstrip(_CLOSERS)[-1:]
    if last in _STOPS:
        return SENTENCE_PAUSE_MS, True
    if last in _COLONS:
        return CLAUSE_PAUSE_MS, True
    if last in _COMMAS:
        return COMMA_PAUSE_MS, True
    return 0, False
