"""A thread that makes audio, one stretch at a time, so that the loop never waits for an engine or a disk.

The loop orders a track's next stretch; the thread makes it and hands it back. Between two stretches the loop
is free to order another track's, which is how a new utterance overtakes a long one. Generators live and end in
the thread, because an engine belongs to the thread that made it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from gateway.messages import VoiceInfo
from gateway.speech.recipe import Recipe
from gateway.speech.track import Failure, Stretch, Track
from telephony_codecs import MediaFileError
from tts_core import CallerError, EngineError, ScriptError, UnknownVoice

log = logging.getLogger("voxtrunk.speech")

Stretches = Generator[Stretch, None, None]
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
class Opened:
    """The maker is ready; ``voices`` are those that it brings."""

    voices: tuple[VoiceInfo, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """The maker cannot work at all: its engine does not load."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Made:
    """The next stretch of ``track``, or why there is none. ``seconds``: how long it took."""

    track: Track
    result: Stretch | Failure
    seconds: float


Outcome = Opened | Unusable | Made


@dataclass(frozen=True, slots=True)
class _Drop:
    track: Track


class Maker:
    """The thread. ``open_source`` is called in it, once; ``deliver`` too, with every outcome.

    One order at a time: the next may be given when the last was delivered. The thread is a daemon, for
    nothing can be done about one that waits for a dead disk.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], tuple[Source, tuple[VoiceInfo, ...]]],
        deliver: Callable[[Outcome], None],
    ) -> None:
        self._open_source = open_source
        self._deliver = deliver
        self._orders: SimpleQueue[Track | _Drop | None] = SimpleQueue()
        self._growing: dict[Track, Stretches] = {}
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def make(self, track: Track) -> None:
        """Order the next stretch of ``track``."""
        self._orders.put(track)

    def drop(self, track: Track) -> None:
        """Close the generator of a track that nobody listens to."""
        self._orders.put(_Drop(track))

    def close(self, patience_s: float = 1.0) -> None:
        """End the thread after what it is making; wait for that no longer than ``patience_s``."""
        self._orders.put(None)
        self._thread.join(patience_s)

    # -- in the thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            source, voices = self._open_source()
        except Exception as error:
            self._deliver(Unusable(error))
            return
        self._deliver(Opened(voices))
        while (order := self._orders.get()) is not None:
            if isinstance(order, _Drop):
                if (stretches := self._growing.pop(order.track, None)) is not None:
                    stretches.close()
            else:
                begin = time.perf_counter()
                result = self._step(source, order)
                self._deliver(Made(order, result, time.perf_counter() - begin))
        for stretches in self._growing.values():
            stretches.close()

    def _step(self, source: Source, track: Track) -> Stretch | Failure:
        """One stretch. Whatever goes wrong is this utterance's failure and nobody else's."""
        try:
            stretches = self._growing.get(track)
            if stretches is None:
                stretches = self._growing[track] = source(track.recipe)
            stretch = next(stretches)
        except Exception as error:
            self._growing.pop(track, None)
            return _failure(error)
        if stretch.last:
            del self._growing[track]
        return stretch


def _failure(error: Exception) -> Failure:
    cause = next((word for kind, word in _CAUSES if isinstance(error, kind)), None)
    if cause is None:
        log.error("speech failed in a way that nobody foresaw", exc_info=error)
        cause = "internal_error"
    return Failure(cause, str(error) or type(error).__name__)
