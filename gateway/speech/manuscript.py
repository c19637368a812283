"""Text that is said while it is being written: part by part, as one utterance.

Each part is a script of its own, so that what follows changes nothing of how it is said, and a worker that goes
on with it after another's death makes the same audio. Between two parts is the pause that their punctuation calls
for, and at least as much as brings the last sound out of the encoder. A writer who is slow makes that pause
longer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace

from gateway.messages.synthesis import Part, Resume
from tts_core import Chunk, Mark, MarkTime, Piece, Say, Script, Speech, Turn
from tts_core.engine import silence
from tts_core.plan import pause_after
from tts_core.sounding import samples


class Manuscript:
    """The parts so far, and whether that is all. One thread writes, another reads; no two are the same."""

    def __init__(self, parts: Iterable[Part] = (), *, closed: bool = False) -> None:
        self.parts = list(parts)
        self.closed = closed

    def add(self, part: Part | None, *, last: bool) -> None:
        """Another part, and whether it is the last one."""
        if part is not None:
            self.parts.append(part)
        self.closed = last  # after the part: who sees it closed sees all of it


@dataclass(frozen=True, slots=True)
class Awaited:
    """All that is written was said; the part of this number is not there yet."""

    part: int


Recital = Generator[Chunk | Turn | Awaited, None, None]


def recite(
    manuscript: Manuscript,
    speak: Callable[[Script], Speech],
    rate: float,
    tail_ms: int,
    resume: Resume | None,
) -> Recital:
    """The manuscript's chunks, its chars and samples counted over the whole, and the moments at which it waits.

    ``rate``: the pace of its pauses. ``tail_ms``: the least silence behind a part. With ``resume`` it begins with
    the clause that holds ``resume.char``, led by the marks of what is left out.
    """
    number = chars = at = given = 0
    passed: tuple[str, ...] = ()
    begin = 0 if resume is None else resume.char or 0
    sample_rate = owed = 0  # the pause that is due before the next part, and what is given of it, in samples
    while True:
        closed = manuscript.closed
        if number == len(manuscript.parts):
            if closed:
                return
            if not given and owed:
                given = samples(tail_ms, sample_rate)
                yield Chunk(silence(given), sample_rate)
                at += given
            yield Awaited(number)
            continue
        part, start = manuscript.parts[number], chars
        number, chars = number + 1, chars + len(part.text)
        if chars <= begin:
            passed += tuple(name for name, _ in part.marks)
            continue
        if owed:
            yield Chunk(silence(owed - given), sample_rate)
            at += owed - given
            given = owed = 0
        script = _script(part, passed).rest(max(0, begin - start))
        passed, begin, said = (), 0, 0
        for chunk in speak(script).parts:
            if not isinstance(chunk, Chunk):
                yield chunk
                continue
            yield _moved(chunk, start, at)
            sample_rate, said = chunk.sample_rate, said + len(chunk.pcm)
        at += said
        if said:
            natural = samples(pause_after(part.text.rstrip(), _space_behind(part.text)) / rate, sample_rate)
            owed = max(natural, samples(tail_ms, sample_rate))


def _script(part: Part, passed: tuple[str, ...]) -> Script:
    pieces: list[Piece] = [Mark(name) for name in passed]
    at = 0
    for name, char in part.marks:
        if char > at:
            pieces.append(Say(at, char))
            at = char
        pieces.append(Mark(name))
    if at < len(part.text):
        pieces.append(Say(at, len(part.text)))
    return Script(part.text, tuple(pieces))


def _space_behind(text: str) -> str:
    return text[len(text.rstrip()) :]


def _moved(chunk: Chunk, chars: int, at: int) -> Chunk:
    """The chunk of a part that begins with character ``chars`` and sample ``at`` of the whole."""
    words = tuple(word.moved(chars, at) for word in chunk.words)
    marks = tuple(MarkTime(mark.name, mark.sample + at) for mark in chunk.marks)
    return replace(chunk, words=words, marks=marks)
