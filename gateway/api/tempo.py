"""Speech faster or slower than a voice speaks by itself, at its own pitch: FFmpeg's ``atempo``, by PyAV."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

SLOWEST, FASTEST = 0.5, 2.0
"""Of one filter, and of the voices themselves."""
RATE: Final = 8000


def split(speed: float) -> tuple[float, float]:
    """``speed`` as the rate that a voice speaks at and the tempo of what it said, each of 0.5 to 2.0.

    The voice does as much of it as it can. ``speed`` is 0.25 to 4.0.
    """
    rate = min(max(speed, SLOWEST), FASTEST)
    return rate, speed / rate


class Tempo:
    """Streams int16[n] at 8 kHz to about n / ``factor`` samples. What it holds back comes with ``flush``."""

    def __init__(self, factor: float) -> None:
        if not SLOWEST <= factor <= FASTEST:
            raise ValueError(f"a tempo of {factor:g} is none of {SLOWEST:g} to {FASTEST:g}")
        from av.filter import Graph  # all of FFmpeg: only who asks for a tempo loads it

        self._graph = Graph()
        source = self._graph.add_abuffer(
            sample_rate=RATE, format="s16", layout="mono", time_base=Fraction(1, RATE)
        )
        tempo = self._graph.add("atempo", f"{factor:.6f}")
        sink = self._graph.add("abuffersink")
        source.link_to(tempo)
        tempo.link_to(sink)
        self._graph.configure()
        self._at = 0

    def push(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """What is ready now that ``pcm`` has come."""
        from av import AudioFrame

        frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._at, Fraction(1, RATE)
        self._at += len(pcm)
        self._graph.push(frame)
        return self._pull()

    def flush(self) -> NDArray[np.int16]:
        """The rest. Nothing may follow."""
        self._graph.push(None)
        return self._pull()

    def _pull(self) -> NDArray[np.int16]:
        from av import AudioFrame, error

        parts: list[NDArray[np.int16]] = []
        while True:
            try:
                frame = self._graph.pull()
            except (error.BlockingIOError, error.EOFError):
                return np.concatenate(parts) if parts else np.empty(0, np.int16)
            assert isinstance(frame, AudioFrame)
            parts.append(frame.to_ndarray().reshape(-1).astype(np.int16))
