"""The neural core alone: how many voices one core speaks at once, in chunks, in time.

Streams begin spread over the first second and speak clause after clause without end. Each is owed audio from its
first chunk on, in real time; the stream that runs dry soonest is served next, and none is made more than 400 ms
ahead. A missed tick is 20 ms of a stream's time that begins with nothing left to send. The real-time factor is of
processor time, so that neighbours on the machine do not change it; the other figures are of the clock.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tts_core.clauses import split
from tts_core.neural import package, speech
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import HOP, RATE
from tts_core.neural.frontend import Frontend
from tts_core.neural.runtime import OrtRuntime

TEXT = (
    "Thank you for calling. Your order has been shipped, and it should arrive before noon on Thursday. "
    "To speak to an agent, press zero or stay on the line. Would you like to hear that again? "
    "Your balance is forty two dollars and fifty cents. Goodbye, and have a wonderful day."
)
_AHEAD_S = 0.4
_TICK_S = 0.02
_RUNTIMES = {"ort-cpu": OrtRuntime}


class Talker:
    """One voice with its graphs loaded: endless speech in chunks of `frames` frames."""

    def __init__(self, voice: str, runtime: str, frames: int, folder: Path) -> None:
        held = package.read(folder / voice.removeprefix("neural:"))
        self._frontend = Frontend(held.manifest.language, held.manifest.phonemes)
        self._runtime = _RUNTIMES[runtime](held)
        self._ramp = (frames,)
        self._clauses = [TEXT[a:b] for a, b in split(TEXT, 0, len(TEXT))]

    def chunks(self, first: int) -> Iterator[float]:
        """Seconds of audio in each chunk, from clause number `first` on; made when asked for."""
        for index in itertools.count(first):
            tokens = self._frontend.read(self._clauses[index % len(self._clauses)])
            score = speech.compose(self._runtime, tokens, 1.0)
            for audio in speech.frames(self._runtime, score, self._ramp):
                yield len(audio) / RATE


def measure(
    voice: str, runtime: str, streams: int, seconds: float, chunk_ms: int = 80, folder: Path = SHIPPED
) -> dict[str, Any]:
    """Speak for `seconds` of wall time with `streams` streams on this thread. Raises BadPackage, EngineError."""
    frames = max(1, chunk_ms * RATE // (1000 * HOP))
    talker = Talker(voice, runtime, frames, folder)
    next(talker.chunks(0))  # the first run of a graph lays out its memory
    live = [talker.chunks(index) for index in range(streams)]
    began = time.perf_counter()
    queue = [(began + min(seconds, 1.0) * index / streams, index) for index in range(streams)]
    heapq.heapify(queue)  # (when the stream runs dry, which)
    asked = dict(enumerate(due for due, _ in queue))
    first: dict[int, float] = {}
    busy = made = 0.0
    missed = 0
    while (now := time.perf_counter()) < began + seconds:
        dry, index = queue[0]
        wait = dry - now - (_AHEAD_S if index in first else 0)
        if wait > 0:
            time.sleep(min(wait, began + seconds - now))
            continue
        spent = time.thread_time()
        length = next(live[index])
        busy, made = busy + time.thread_time() - spent, made + length
        ended = time.perf_counter()
        if index not in first:
            first[index] = ended - asked[index]
            dry = ended
        elif ended > dry:
            missed += 1 + int((ended - dry) / _TICK_S)
            dry = ended
        heapq.heapreplace(queue, (dry + length, index))
    p50, p95 = np.percentile(list(first.values()), (50, 95)) * 1000
    return {
        "rtf": round(busy / made, 5),
        "first_audio_ms": {"p50": round(float(p50), 2), "p95": round(float(p95), 2)},
        "missed_ticks": missed,
        "streams": streams,
        "runtime": runtime,
        "voice": voice,
        "chunk_ms": chunk_ms,
        "seconds": seconds,
        "audio_seconds": round(made, 2),
    }
