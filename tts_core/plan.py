"""From a script to the steps every engine takes: clauses to speak and rests to keep.

Marks do not cut a sentence, so its melody is the same with and without them; explicit pauses do, and so does
another manner of speaking. Text is read (`reading`) on the way, block by block, before it is cut into clauses.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace

from tts_core.clauses import COMMAS, STOPS, split
from tts_core.reading.blocks import blocks
from tts_core.reading.languages import language_of
from tts_core.reading.reading import GLUE, Aloud, Reading
from tts_core.reading.sayas import explicit
from tts_core.reading.scan import Reader
from tts_core.script import PLAIN, Manner, Mark, Pause, Say, Script
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
    """Speak `text` in one breath.

    It is `script.text[start:start + len(text)]` cleaned, or what that is read as: `said` then tells which
    characters each part of it says. `marks` are (name, char offset into script.text). `pause_ms` of silence
    follow at rate 1.0. `continues`: the next clause carries the sentence on, though no punctuation says so.
    """

    text: str
    start: int
    marks: tuple[tuple[str, int], ...]
    pause_ms: int
    continues: bool
    said: Aloud | None = None
    manner: Manner = PLAIN

    @property
    def end(self) -> int:
        """The character of script.text behind its last."""
        return self.source(0, len(self.text))[1]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The characters of script.text that `text[start:end]` says."""
        if self.said is None:
            return self.start + start, self.start + end
        return self.said.source(start, end)


@dataclass(frozen=True, slots=True)
class Rest:
    """`ms` milliseconds of silence, at whose start the marks fall; ms may be 0."""

    ms: int
    marks: tuple[str, ...]


Step = Clause | Rest


def steps(script: Script, language: str = "") -> Iterator[Step]:
    """Yield what to do, in order and lazily, the text read as in `language` (a BCP 47 tag).

    Clauses that hold nothing to say are left out. The last clause has no pause after it, unless the script
    goes on; nor has one that an explicit pause follows.
    """
    held: Clause | None = None
    for step in _from(script.begin, _steps(script, language_of(language))):
        if held is not None:
            yield _closed(held) if isinstance(step, Rest) else held
        held = None
        if isinstance(step, Clause):
            held = step
        else:
            yield step
    if held is not None:
        yield held if script.goes_on else _closed(held)


def _from(begin: int, all_steps: Iterator[Step]) -> Iterator[Step]:
    """What is left from the clause with character `begin` on, led by the marks of what is not."""
    passed: tuple[str, ...] = ()
    for step in all_steps:
        if begin and not (isinstance(step, Clause) and step.end > begin):
            passed += step.marks if isinstance(step, Rest) else tuple(name for name, _ in step.marks)
            continue
        if passed and isinstance(step, Clause):
            step = replace(step, marks=(*((name, step.start) for name in passed), *step.marks))
        begin, passed = 0, ()
        yield step
    if passed:
        yield Rest(0, passed)


def _closed(clause: Clause) -> Clause:
    return replace(clause, pause_ms=0, continues=False)


def _steps(script: Script, reader: Reader | None) -> Iterator[Step]:
    text = clean(script.text)
    names: list[str] = []  # marks that wait for something to stand before
    run: list[Say] = []  # Says in one manner without a gap between them
    marks: list[tuple[str, int]] = []  # marks within that run
    for piece in script.pieces:
        if isinstance(piece, Say):
            if run and run[-1].end == piece.start and run[-1].manner == piece.manner:
                if run[-1].how is None and piece.how is None:
                    run[-1] = replace(piece, start=run[-1].start)
                else:
                    run.append(piece)
                continue
            if run:
                names = yield from _clauses(text, run, marks, reader)
            run = [piece]
            marks = [(name, piece.start) for name in names]
            names = []
        elif isinstance(piece, Pause):
            if run:
                names = yield from _clauses(text, run, marks, reader)
            yield Rest(piece.ms, tuple(names))
            run, marks, names = [], [], []
        elif isinstance(piece, Mark):
            if run:
                marks.append((piece.name, run[-1].end))
            else:
                names.append(piece.name)
    if run:
        names = yield from _clauses(text, run, marks, reader)
    if names:
        yield Rest(0, tuple(names))


def _clauses(
    text: str, run: list[Say], marks: list[tuple[str, int]], reader: Reader | None
) -> Generator[Clause, None, list[str]]:
    """Yield the speakable clauses of a run; return the names of the marks that come after the last."""
    taken = 0
    first = True
    manner = run[0].manner
    for block in blocks(text, run[0].start, run[-1].end, _readings(text, run, reader)):
        whole = block.text
        for begin, end, following in _with_next(split(whole, 0, len(whole), first), len(whole)):
            first = False
            if not speaks(whole[begin:end]):
                continue
            said = block.part(begin, end)
            start = said.source(0, 1)[0]
            before = taken
            behind = said.source(end - begin - 1, end - begin)[1]
            while taken < len(marks) and marks[taken][1] < behind:
                taken += 1
            pause_ms, punctuated = _pause(whole[begin:end], whole[end:following])
            spoken = said.text.replace("\n", " ").replace(GLUE, " ")
            yield Clause(
                spoken,
                start,
                tuple(marks[before:taken]),
                pause_ms,
                not punctuated,
                said if said.spans else None,
                manner,
            )
    return [name for name, _ in marks[taken:]]


def _readings(text: str, run: list[Say], reader: Reader | None) -> Iterator[Reading]:
    """The readings of a run: as its language reads it, but for what was said to be read otherwise."""
    for say in run:
        if say.how is not None:
            yield from explicit(say.how, text, say.start, say.end, reader)
        elif reader is not None:
            yield from reader.read(text, say.start, say.end)


def _with_next(ranges: Iterable[tuple[int, int]], limit: int) -> Iterator[tuple[int, int, int]]:
    """Each (start, end) with the start of the range after it; the last one with `limit`."""
    held: tuple[int, int] | None = None
    for start, end in ranges:
        if held is not None:
            yield *held, start
        held = start, end
    if held is not None:
        yield *held, limit


def pause_after(clause: str, gap: str) -> int:
    """The natural pause in ms between `clause` and what follows after the white space `gap`."""
    return _pause(clause, gap)[0]


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
