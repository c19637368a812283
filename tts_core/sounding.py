"""A clause as chunks with words and marks while its audio is still being made, from its durations alone.

Nothing here needs the whole clause. The durations say where it sounds before its first sample is made; only how
much breath stands before the first sound is heard as it comes.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts_core.engine import Chunk, Pcm, Turn, silence
from tts_core.plan import Clause
from tts_core.timing import time_marks, trim, words_said

Floats = NDArray[np.float32]
_FIRST_SOUND = 128  # of 32,768
_BREATH_MS = 20  # before the first sound, at most
_PATIENCE_MS = 500  # a clause that is no louder than breath for so long begins with it


@dataclass(frozen=True, slots=True)
class Edges:
    """What is done where a pause meets a sound, in samples, so that pauses are digital silence.

    What sounds is faded out over `release` of the pause after it. It is faded in over `attack`, which begins
    `lead` before the pause ends. An inner pause that is too short for both is left as it is.
    """

    release: int
    attack: int
    lead: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where a clause's tokens sound: `ends` int64[P], the sample before which each ends; `pauses` bool[P].

    `onsets` are (char offset in the clause, sample) of its words. `sample_rate` in Hz.
    """

    sample_rate: int
    ends: NDArray[np.int64]
    pauses: NDArray[np.bool_]
    onsets: Sequence[tuple[int, int]]
    edges: Edges


def samples(ms: float, sample_rate: int) -> int:
    """How many samples `ms` milliseconds are."""
    return round(ms * sample_rate / 1000)


def sounded(
    clause: Clause, layout: Layout, audio: Iterable[Turn | Floats], rate: float, offset: int
) -> Iterator[Chunk | Turn]:
    """The clause and the pause after it, `offset` samples into the utterance.

    `audio` float32[n] in pieces, full scale 1, is all of the clause's samples; turns among it are passed on.
    """
    gain, heard = _envelope(layout)
    lead, stop = trim(heard)
    pieces = _between(audio, gain, lead, stop)
    first, skipped = yield from _begun(pieces, layout.sample_rate)
    begin = lead + skipped
    onsets = [(char, sample - begin) for char, sample in layout.onsets]
    words = words_said(clause, onsets, heard[begin:stop], offset)
    marks = time_marks(clause.marks, words, offset + stop - begin)
    at = begin
    for piece in itertools.chain((first,), pieces):
        if not isinstance(piece, np.ndarray):
            yield piece
            continue
        since, at = at, at + len(piece)
        if at == stop:
            rest = silence(samples(clause.pause_ms / rate, layout.sample_rate))
            piece = np.concatenate((piece, rest))
        piece.flags.writeable = False
        span = range(offset + since - begin, offset + at - begin + (at == stop))
        yield Chunk(
            piece,
            layout.sample_rate,
            tuple(word for word in words if word.start_sample in span),
            tuple(mark for mark in marks if mark.sample in span),
            clause.manner.volume_db,
        )


def _envelope(layout: Layout) -> tuple[Floats, NDArray[np.bool_]]:
    """The gain float32[n] that makes pauses digital silence, and where the clause sounds, bool[n]."""
    release, attack, lead = layout.edges.release, layout.edges.attack, layout.edges.lead
    count = int(layout.ends[-1])
    gain, heard = np.ones(count, np.float32), np.ones(count, np.bool_)
    begins = np.concatenate(([0], layout.ends[:-1]))
    turns = np.flatnonzero(np.diff(layout.pauses, prepend=False, append=False))
    for first, behind in turns.reshape(-1, 2):
        begin, end = int(begins[first]), int(layout.ends[behind - 1])
        inner = first > 0 and behind < len(layout.ends)
        if inner and lead and end - begin < release + lead:
            continue
        gain[begin:end], heard[begin:end] = 0, False
        if behind < len(layout.ends):
            since = max(begin, end - lead)
            gain[since : since + attack] = np.linspace(0, 1, attack, endpoint=False)[: count - since]
            gain[since + attack : end] = 1
            heard[since:end] = True
        if first > 0:
            fade = min(release, end - begin)
            gain[begin : begin + fade] = np.linspace(1, 0, fade, endpoint=False)
            heard[begin : begin + fade] = True
    return gain, heard


def _between(parts: Iterable[Turn | Floats], gain: Floats, lead: int, stop: int) -> Iterator[Turn | Pcm]:
    """int16 of the audio in `parts` times `gain`, from sample `lead` to `stop`; none of it is empty."""
    at = 0
    for piece in parts:
        if at >= stop:
            return
        if not isinstance(piece, np.ndarray):
            yield piece
            continue
        loud = np.clip(piece * gain[at : at + len(piece)], -0.999, 0.999)
        pcm: Pcm = np.round(loud * 32767).astype(np.int16)[max(lead - at, 0) : stop - at]
        at += len(piece)
        if len(pcm):
            yield pcm


def _begun(pieces: Iterator[Turn | Pcm], sample_rate: int) -> Generator[Turn, None, tuple[Pcm, int]]:
    """The first piece of a clause and how many samples of breath were left out before it.

    As many of `pieces` are taken as it takes to hear its first sound; at most 20 ms of breath are left before it.
    """
    held: Pcm = np.zeros(0, np.int16)
    for piece in pieces:
        if not isinstance(piece, np.ndarray):
            yield piece
            continue
        held = np.concatenate((held, piece))
        loud = np.flatnonzero(np.abs(held.astype(np.int32)) > _FIRST_SOUND)
        if loud.size:
            skipped = max(int(loud[0]) - samples(_BREATH_MS, sample_rate), 0)
            return held[skipped:], skipped
        if len(held) > samples(_PATIENCE_MS, sample_rate):
            break
    return held, 0
