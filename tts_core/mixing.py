"""An utterance of many voices and recordings as one: each says its part of the script, at the line's rate."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr

from tts_core.engine import Chunk, MarkTime, Pcm, Speech, Turn, WordTime
from tts_core.script import PLAIN, Manner, Mark, Pause, Piece, Recording, Say, Script

RATE = 8000
"""Hz of an utterance in which voices of different rates speak: a telephone line's."""
RECORDED = "prompt"
"""The voice of recordings."""
CROSSFADE = RATE * 60 // 1000
"""Samples in which a recording and what it meets fade into each other, where no pause is between them."""

Play = Callable[[str], Pcm]
"""The samples, int16[n] at `RATE`, of what a Recording names."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a script that `voice` says alone."""

    script: Script
    voice: str

    @property
    def recording(self) -> Recording | None:
        """What is played, in the place of speech."""
        return next((piece for piece in self.script.pieces if isinstance(piece, Recording)), None)

    def fades(self, before: Part | None) -> bool:
        """Whether it and what came `before` it fade into each other."""
        if before is None or not (self.recording or before.recording):
            return False
        own = (piece for piece in self.script.pieces if not isinstance(piece, Mark))
        others = (piece for piece in reversed(before.script.pieces) if not isinstance(piece, Mark))
        return not isinstance(next(own, None), Pause) and not isinstance(next(others, None), Pause)


def parts(script: Script, choose: Callable[[Manner], str]) -> list[Part]:
    """`script` by who speaks, in order. `choose` says which voice speaks in a manner.

    A mark falls where the next word begins, whoever says it; a pause belongs to who spoke before it.
    """
    found: list[tuple[str, list[Piece]]] = []
    marks: list[Mark] = []
    for piece in script.pieces:
        if isinstance(piece, Mark):
            marks.append(piece)
            continue
        recorded = isinstance(piece, Recording)
        voice = RECORDED if recorded else choose(piece.manner if isinstance(piece, Say) else PLAIN)
        other = not found or (isinstance(piece, Say) and found[-1][0] != voice)
        if other or recorded or found[-1][0] == RECORDED:
            found.append((voice, []))
        found[-1][1].extend((*marks, piece))
        marks.clear()
    if marks:
        if not found:
            found.append((choose(PLAIN), []))
        found[-1][1].extend(marks)
    spoken: list[Part] = []
    begin = script.begin
    for (voice, pieces), (behind, _) in zip(found, [*found[1:], ("", [])], strict=True):
        goes_on = behind != RECORDED if behind else script.goes_on
        part = Part(Script(script.text, tuple(pieces), (), begin, goes_on), voice)
        spoken.append(part)
        if part.recording is not None and part.recording.end > begin:
            begin = 0  # what is behind it is not at the beginning, pauses and all
    return spoken


def mixed(
    spoken: Sequence[Part], speak: Callable[[Script, str], Speech], play: Play
) -> Generator[Chunk | Turn, None, None]:
    """The chunks of all parts at `RATE`, one after the other, their samples counted from the first's begin."""
    offset = 0
    before: Part | None = None
    for part in spoken:
        room = min(CROSSFADE, offset) if part.fades(before) else 0
        before = part
        if part.recording is not None:
            chunk = _played(part, part.recording, play, offset, room)
            offset += len(chunk.pcm) - chunk.overlaps
            yield chunk
            continue
        speech = speak(part.script, part.voice)
        line: Line | None = None
        try:
            for piece in speech.parts:
                if not isinstance(piece, Chunk):
                    yield piece
                    continue
                if line is None:
                    line = Line(piece.sample_rate, offset)
                chunk = replace(line.take(piece, room), voice=piece.voice or part.voice)
                if len(chunk.pcm):
                    room = 0
                offset += len(chunk.pcm) - chunk.overlaps
                yield chunk
        finally:
            speech.close()
        if line is not None and len(rest := line.rest()):
            offset += len(rest)
            yield Chunk(rest, RATE, voice=part.voice, gain_db=line.gain_db)


def _played(part: Part, recording: Recording, play: Play, offset: int, room: int) -> Chunk:
    """A recording as a chunk that is one word; of one that is left out, the marks."""
    pcm = play(recording.src) if recording.end > part.script.begin else np.zeros(0, np.int16)
    overlaps = min(room, len(pcm))
    start, end = offset - overlaps, offset - overlaps + len(pcm)
    words = (WordTime(recording.start, recording.end, start, end),) if len(pcm) else ()
    marks: list[MarkTime] = []
    at = start
    for piece in part.script.pieces:
        if isinstance(piece, Mark):
            marks.append(MarkTime(piece.name, at))
        else:
            at = end
    return Chunk(pcm, RATE, words, tuple(marks), recording.volume_db, RECORDED, overlaps)


class Line:
    """One part's chunks on their way to `RATE`."""

    def __init__(self, rate: int, offset: int) -> None:
        self._stream = None if rate == RATE else soxr.ResampleStream(rate, RATE, 1, dtype="int16")
        self._factor, self._offset = RATE / rate, offset
        self.gain_db = 0.0

    def take(self, chunk: Chunk, room: int = 0) -> Chunk:
        """The chunk, which may begin `room` samples early."""
        self.gain_db = chunk.gain_db
        pcm = chunk.pcm if self._stream is None else _only_read(self._stream.resample_chunk(chunk.pcm))
        overlaps = min(room, len(pcm))
        self._offset -= overlaps
        return replace(
            chunk,
            pcm=pcm,
            sample_rate=RATE,
            overlaps=overlaps,
            words=tuple(
                WordTime(
                    word.char_start,
                    word.char_end,
                    self._moved(word.start_sample),
                    self._moved(word.end_sample),
                )
                for word in chunk.words
            ),
            marks=tuple(MarkTime(mark.name, self._moved(mark.sample)) for mark in chunk.marks),
        )

    def rest(self) -> Pcm:
        """What the filter still holds."""
        if self._stream is None:
            return np.zeros(0, np.int16)
        return _only_read(self._stream.resample_chunk(np.zeros(0, np.int16), last=True))

    def _moved(self, sample: int) -> int:
        return self._offset + round(sample * self._factor)


def _only_read(pcm: Pcm) -> Pcm:
    pcm.flags.writeable = False
    return pcm
