"""The neural core alone: how many voices one core speaks at once, in chunks, in time.

The whole chain runs on one thread: phonemes, encoder, decoder, vocoder, mu-law. Streams begin spread over the
first second. Every clause is a request of its own, which comes when the one before it has been played: its
first audio is measured from there, and is 100 ms of it, as the gateway lays no less into an empty ring; from
then on it is owed audio in real time. The stream that runs dry soonest is served next, and none is made more
than 400 ms ahead. A missed tick is 20 ms of a stream's time that begins with nothing left to send. The real-
time factor is of processor time, so that it does not count what neighbours on the machine run; but between two
chunks they take the caches, and `rtf_flat_out` is the same chain without pauses, the median of five turns. The
other figures are of the clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from telephony_codecs.g711 import Law, encode
from tts_core.clauses import split
from tts_core.neural import package, speech
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import HOP, RATE, Floats
from tts_core.neural.frontend import Frontend
from tts_core.neural.runtimes import open_runtime

TEXT = (
    "Thank you for calling. Your order has been shipped, and it should arrive before noon on Thursday. "
    "To speak to an agent, press zero or stay on the line. Would you like to hear that again? "
    "Your balance is forty two dollars and fifty cents. Goodbye, and have a wonderful day."
)
_AHEAD_S = 0.4
_FIRST_S = 0.1
_TICK_S = 0.02
_TURNS = 5
_STAGES = ("phonemes", "acoustic", "vocoder", "mu-law")


class Talker:
    """One voice with its graphs loaded: clauses in chunks of `frames` frames, the first of four at most."""

    def __init__(self, voice: str, runtime: str, frames: int, folder: Path) -> None:
        held = package.read(folder / voice.removeprefix("neural:"))
        self._frontend = Frontend(held.manifest.language, held.manifest.phonemes)
        self._runtime = open_runtime(runtime, held)
        self._ramp = (min(frames, speech.RAMP[0]), frames)
        self._clauses = [TEXT[a:b] for a, b in split(TEXT, 0, len(TEXT))]
        self.spent = dict.fromkeys(_STAGES, 0.0)

    @property
    def runtime(self) -> str:
        """The name of what runs, which need not be what was asked for."""
        return self._runtime.name

    def clause(self, number: int) -> Iterator[float]:
        """Seconds of audio in each chunk of clause `number`; made when asked for."""
        with self._on("phonemes"):
            tokens = self._frontend.read(self._clauses[number % len(self._clauses)])
        with self._on("acoustic"):
            score = speech.compose(self._runtime, tokens, 1.0)
        chunks = speech.frames(self._runtime, score, self._ramp)
        while True:
            with self._on("vocoder"):
                audio = next(chunks, None)
            if audio is None:
                return
            with self._on("mu-law"):
                octets = _line(audio)
            yield len(octets) / RATE

    @contextmanager
    def _on(self, stage: str) -> Iterator[None]:
        began = time.thread_time()
        yield
        self.spent[stage] += time.thread_time() - began


def _line(audio: Floats) -> bytes:
    pcm = np.round(np.clip(audio, -0.999, 0.999) * 32767).astype(np.int16)
    return encode(Law.PCMU, pcm).tobytes()


def measure(
    voice: str, runtime: str, streams: int, seconds: float, chunk_ms: int = 80, folder: Path = SHIPPED,
    core: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Speak for `seconds` of wall time with `streams` streams on this thread, on `core` alone.

    Raises BadPackage, EngineError, and OSError for a core that there is not.
    """
    free = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        return _measure(voice, runtime, streams, seconds, chunk_ms, folder)
    finally:
        os.sched_setaffinity(0, free)


def _flat_out(talker: Talker) -> float:
    """Processor time for a second of audio, every clause once, without a pause."""
    before = sum(talker.spent.values())
    audio = sum(sum(talker.clause(number)) for number in range(8))
    return (sum(talker.spent.values()) - before) / audio


def _measure(
    voice: str, runtime: str, streams: int, seconds: float, chunk_ms: int, folder: Path
) -> dict[str, Any]:
    frames = max(1, chunk_ms * RATE // (1000 * HOP))
    talker = Talker(voice, runtime, frames, folder)
    flat_out = sorted(_flat_out(talker) for _ in range(_TURNS + 1))  # the first lays out the graphs' memory
    talker.spent = dict.fromkeys(_STAGES, 0.0)
    live: list[Iterator[float] | None] = [None] * streams
    count = list(range(streams))  # which clause each stream says next
    began = time.perf_counter()
    dries = [began + min(seconds, 1.0) * index / streams for index in range(streams)]  # when each runs dry
    first: list[float] = []
    made = 0.0
    missed = 0
    while (now := time.perf_counter()) < began + seconds:
        # a stream that speaks may be served ahead, one whose clause has yet to be asked for may not
        may = [dry - (_AHEAD_S if clause else 0.0) for dry, clause in zip(dries, live, strict=True)]
        if min(may) > now:
            time.sleep(min(min(may), began + seconds) - now)
            continue
        dry, index = min((dry, index) for index, dry in enumerate(dries) if may[index] <= now)
        clause = live[index]
        if clause is None:
            live[index] = talker.clause(count[index])
            count[index] += 1
        length = next(live[index] or iter(()), None)
        while clause is None and length is not None and length < _FIRST_S:
            more = next(live[index] or iter(()), None)
            if more is None:
                break
            length += more
        ended = time.perf_counter()
        if length is None:
            live[index] = None
            continue
        made += length
        if clause is None:
            first.append(ended - dry)
            dry = ended
        elif ended > dry:
            missed += 1 + int((ended - dry) / _TICK_S)
            dry = ended
        dries[index] = dry + length
    p50, p95 = np.percentile(first, (50, 95)) * 1000
    return {
        "rtf": round(sum(talker.spent.values()) / made, 5),
        "first_audio_ms": {"p50": round(float(p50), 2), "p95": round(float(p95), 2)},
        "rtf_flat_out": round(flat_out[_TURNS // 2], 5),
        "missed_ticks": missed,
        "streams": streams,
        "runtime": talker.runtime,
        "voice": voice,
        "chunk_ms": chunk_ms,
        "seconds": seconds,
        "clauses": len(first),
        "audio_seconds": round(made, 2),
        "load_average": os.getloadavg()[0],
        "rtf_by_stage": {stage: round(spent / made, 5) for stage, spent in talker.spent.items()},
    }
