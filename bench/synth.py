"""The neural core alone: how many voices one core speaks at once, in chunks, in time.

The whole chain runs on one thread: phonemes, encoder, decoder, vocoder, mu-law. Streams begin spread over the
first second. Every clause is a request of its own, which comes when the one before it has been played: its
first audio is measured from there, and is 100 ms of it, as the gateway lays no less into an empty ring; from
then on it is owed audio in real time. The stream that runs dry soonest is served next, in one step with those
that run dry after it, as many as the runtime gains from; none is begun more than 400 ms ahead. A missed tick is
20 ms of a stream's time that begins with nothing left to send. The real-time factor is of processor time, so that
it does not count what neighbours on the machine run; but between two chunks they take the caches, and
`rtf_flat_out` is the same chain without pauses, one clause at a time, the median of five turns. The other figures
are of the clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.quantiles import quantiles
from telephony_codecs.g711 import Law, encode
from tts_core.clauses import split
from tts_core.neural import package, speech
from tts_core.neural.engine import SHIPPED
from tts_core.neural.frame import HOP, RATE, Floats
from tts_core.neural.frontend import Frontend
from tts_core.neural.runtimes import open_runtime
from tts_core.neural.turn import Turn

TEXT = (
    "Thank you for calling. Your order has been shipped, and it should arrive before noon on Thursday. "
    "To speak to an agent, press zero or stay on the line. Would you like to hear that again? "
    "Your balance is forty two dollars and fifty cents. Goodbye, and have a wonderful day."
)
_AHEAD_S = 0.4
_COMPANY_S = 0.3  # who is as much further ahead is taken along
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

    @property
    def most(self) -> int:
        """How many clauses are best spoken together."""
        return self._runtime.most

    def clause(self, number: int) -> Iterator[Turn | float]:
        """Seconds of audio in each chunk of clause `number`, and the turns before them; made when asked for."""
        with self._on("phonemes"):
            tokens = self._frontend.read(self._clauses[number % len(self._clauses)])
        with self._on("acoustic"):
            score = speech.compose(self._runtime, tokens, 1.0)
        parts = speech.parts(self._runtime, score, self._ramp)
        while True:
            with self._on("vocoder"):
                part = next(parts, None)
            if part is None:
                return
            if isinstance(part, Turn):
                yield part
                continue
            with self._on("mu-law"):
                octets = _line(part)
            yield len(octets) / RATE

    def advance(
        self, clauses: Mapping[int, Iterator[Turn | float]], least: Mapping[int, float]
    ) -> dict[int, float]:
        """Seconds made of each of `clauses`, no fewer than `least` where it goes on; 0 where it was over."""
        made = dict.fromkeys(clauses, 0.0)
        waiting = set(clauses)
        while waiting:
            turns = []
            for index in tuple(waiting):
                part = next(clauses[index], None)
                if isinstance(part, Turn):
                    turns.append(part)
                    continue
                made[index] += part or 0.0
                if part is None or made[index] >= least.get(index, 0.0):
                    waiting.remove(index)
            with self._on("vocoder"):
                Turn.together(turns)
        return made

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
    """Processor time for a second of audio, every clause once, one at a time, without a pause."""
    before = sum(talker.spent.values())
    audio = sum(part for number in range(8) for part in talker.clause(number) if not isinstance(part, Turn))
    return (sum(talker.spent.values()) - before) / audio


def _measure(
    voice: str, runtime: str, streams: int, seconds: float, chunk_ms: int, folder: Path
) -> dict[str, Any]:
    frames = max(1, chunk_ms * RATE // (1000 * HOP))
    talker = Talker(voice, runtime, frames, folder)
    flat_out = sorted(_flat_out(talker) for _ in range(_TURNS + 1))  # the first lays out the graphs' memory
    talker.spent = dict.fromkeys(_STAGES, 0.0)
    live: dict[int, Iterator[Turn | float]] = {}
    count = list(range(streams))  # which clause each stream says next
    began = time.perf_counter()
    dries = [began + min(seconds, 1.0) * index / streams for index in range(streams)]  # when each runs dry
    first: list[float] = []
    made = 0.0
    missed = 0
    while (now := time.perf_counter()) < began + seconds:
        # a stream that speaks may be served ahead, one whose clause has yet to be asked for may not
        may = [dry - (_AHEAD_S if index in live else 0.0) for index, dry in enumerate(dries)]
        if min(may) > now:
            time.sleep(min(min(may), began + seconds) - now)
            continue
        leader = min((index for index in range(streams) if may[index] <= now), key=dries.__getitem__)
        mates = (index for index in live if index != leader and may[index] <= now + _COMPANY_S)
        chosen = [leader, *sorted(mates, key=dries.__getitem__)[: talker.most - 1]]
        begins = leader not in live
        if begins:
            live[leader] = talker.clause(count[leader])
            count[leader] += 1
        lengths = talker.advance(
            {index: live[index] for index in chosen}, {leader: _FIRST_S if begins else 0.0}
        )
        ended = time.perf_counter()
        for index, length in lengths.items():
            if not length:
                del live[index]
            elif index == leader and begins:
                first.append(ended - dries[index])
                dries[index] = ended
            elif ended > dries[index]:
                missed += 1 + int((ended - dries[index]) / _TICK_S)
                dries[index] = ended
            made += length
            dries[index] += length
    return {
        "rtf": round(sum(talker.spent.values()) / made, 5),
        "first_audio_ms": quantiles([1000 * wait for wait in first], "p50", "p95", digits=2),
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
