"""Tracks in the making: the next stretch of a few of them at a time, their networks' steps taken as one.

It belongs to one thread, as the engines do whose generators live in it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway import logs
from gateway.speech.recipe import Recipe
from gateway.speech.track import Failure, Stretch, Track
from telephony_codecs import MediaFileError
from tts_core import Arrival, CallerError, EngineError, ScriptError, Turn, UnknownVoice

log = logging.getLogger("voxtrunk.speech")

Stretches = Generator[Stretch | Turn, None, None]
Source = Callable[[Recipe], Stretches]

_CAUSES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (UnknownVoice, "unknown_voice"),
    (ScriptError, "bad_ssml"),
    (CallerError, "bad_request"),
    (EngineError, "engine_error"),
    (MediaFileError, "bad_prompt"),
    (OSError, "bad_prompt"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """The next stretch of ``track``, why there is none, or what has to come over a network before there is.

    ``seconds``: its part of the time that it took.
    """

    track: Track
    result: Stretch | Failure | Arrival
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """Stretches that were made. ``seconds``: how long all that was ordered took, once that is done."""

    made: tuple[Made, ...]
    seconds: float | None


class Making:
    """The tracks that grow, by where their audio comes from: ``source``."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._growing: dict[Track, Stretches] = {}

    def step(self, tracks: Sequence[Track]) -> Iterator[Step]:
        """The next stretch of each, handed out as it is made; what they wait for is taken together."""
        began = time.perf_counter()
        seconds = dict.fromkeys(tracks, 0.0)
        while seconds:
            made: list[Made] = []
            turns: list[Turn] = []
            for track in tuple(seconds):
                begin = time.perf_counter()
                result = self._next(track)
                seconds[track] += time.perf_counter() - begin
                if isinstance(result, Stretch | Failure | Arrival):
                    made.append(Made(track, result, seconds.pop(track)))
                else:
                    turns.append(result)
            if made:
                yield Step(tuple(made), None if seconds else time.perf_counter() - began)
            if turns:
                begin = time.perf_counter()
                # a step is of one voice; but SSML may have voices of other engines speak in it
                for kind in {type(turn) for turn in turns}:
                    kind.together(turn for turn in turns if type(turn) is kind)
                share = (time.perf_counter() - begin) / len(turns)
                for track in seconds:
                    seconds[track] += share

    def _next(self, track: Track) -> Stretch | Failure | Turn:
        """What comes next of one track. Whatever goes wrong is this utterance's failure and nobody else's."""
        with logs.about(**track.about):
            try:
                stretches = self._growing.get(track)
                if stretches is None:
                    stretches = self._growing[track] = self._source(track.recipe)
                part = next(stretches)
            except Exception as error:
                self._growing.pop(track, None)
                return _failure(error)
        if isinstance(part, Stretch) and part.last:
            del self._growing[track]
        return part

    def drop(self, track: Track) -> None:
        """Make no more of a track."""
        if (stretches := self._growing.pop(track, None)) is not None:
            stretches.close()

    def close(self) -> None:
        """Make no more of any."""
        for track in tuple(self._growing):
            self.drop(track)


def _failure(error: Exception) -> Failure:
    cause = next((word for kind, word in _CAUSES if isinstance(error, kind)), None)
    if cause is None:
        log.error("speech failed in a way that nobody foresaw", extra=logs.innards(error))
        cause = "internal_error"
    return Failure(cause, str(error) or type(error).__name__)
