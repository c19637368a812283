"""A step of the vocoder by itself: what it costs for so many rows, of several voices in turns.

It is processor time of the runtime's `step`, so that neighbours on the machine are not counted. But they take the
caches, and in turns every voice meets the same neighbours: figures of one run may be compared, not those of two.
`hot_ms` is of steps without a pause between them, `paused_ms` of one that comes 80 ms after the last, as a stream
alone has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tts_core.neural.exporting import find
from tts_core.neural.frame import FEATURES, HOP, VOICING
from tts_core.neural.runtimes import open_runtime

_PAUSE_S = 0.08
_ROWS = 32  # stepped without a pause in one turn


def measure(
    voices: Sequence[str], runtime: str, rows: Sequence[int], chunk_ms: int = 80, turns: int = 21
) -> list[dict[str, Any]]:
    """For each number of rows and each voice (a name or a folder), ms of the whole step: the median of the turns.

    Raises BadExport for a voice that there is not, BadPackage, EngineError.
    """
    figures = []
    for count in rows:
        steps = [_step(voice, runtime, count, max(1, chunk_ms // 10)) for voice in voices]
        hot: list[list[float]] = [[] for _ in steps]
        paused: list[list[float]] = [[] for _ in steps]
        for _ in range(turns):
            for number, step in enumerate(steps):
                step()  # the caches are the voice's again
                hot[number].append(_spent(step, max(2, _ROWS // count)))
                time.sleep(_PAUSE_S)
                paused[number].append(_spent(step, 1))
        figures += [
            {
                "rows": count,
                "voice": voice,
                "runtime": runtime,
                "chunk_ms": chunk_ms,
                "hot_ms": round(float(np.median(hot[number])), 4),
                "paused_ms": round(float(np.median(paused[number])), 4),
            }
            for number, voice in enumerate(voices)
        ]
    return figures


def _step(voice: str, name: str, rows: int, frames: int) -> Callable[[], None]:
    """A step of a voice just opened, over what is the same every time; it was taken once."""
    runtime = open_runtime(name, find(voice))
    dice = np.random.default_rng(0)
    features = dice.uniform(-1, 1, (rows, frames, FEATURES)).astype(np.float32)
    features[:, :, VOICING] = features[:, :, VOICING] > -0.3
    noise = dice.standard_normal((rows, frames, HOP), np.float32)
    state = runtime.fresh(rows)

    def step() -> None:
        runtime.step(features, noise, state)

    step()
    return step


def _spent(step: Callable[[], None], times: int) -> float:
    """Milliseconds of processor time that one of `times` steps took."""
    began = time.thread_time()
    for _ in range(times):
        step()
    return (time.thread_time() - began) * 1000 / times
