"""Signals that the codec tests share. Session-scoped and pure, so that hypothesis may use them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal

Float32 = npt.NDArray[np.float32]


@pytest.fixture(scope="session")
def tone() -> Callable[..., Float32]:
    def make(hertz: float, rate: int, seconds: float = 1.0, amplitude: float = 0.5) -> Float32:
        time = np.arange(round(rate * seconds)) / rate
        return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def speech() -> Callable[..., Float32]:
    """Voiced-speech-like: glottal pulses through three formants, syllables, and a pause every two seconds."""

    def make(rate: int, seconds: float = 6.0, rms: float = 0.05) -> Float32:
        time = np.arange(round(rate * seconds)) / rate
        phase = np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time)) / rate
        voice = np.diff(np.floor(phase), prepend=0.0) + 0.02 * np.random.default_rng(7).standard_normal(
            len(time)
        )
        for hertz, width in ((600, 90), (1500, 120), (2500, 180)):
            radius = np.exp(-np.pi * width / rate)
            poles = [1, -2 * radius * np.cos(2 * np.pi * hertz / rate), radius**2]
            voice = signal.lfilter([1 - radius], poles, voice)
        voice = voice * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)) * (time % 2 < 1.4)
        return (voice * rms / np.sqrt(np.mean(voice**2))).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def cut() -> Callable[..., Iterator[npt.NDArray[np.generic]]]:
    """Cut an array into chunks of the given sizes, the rest being the last one."""

    def chunks(array: npt.NDArray[np.generic], sizes: Sequence[int]) -> Iterator[npt.NDArray[np.generic]]:
        start = 0
        for size in sizes:
            yield array[start : start + size]
            start += size
        yield array[start:]

    return chunks
