"""Faster and slower at the same pitch, however the speech comes."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.api.tempo import RATE, Tempo, split


@pytest.mark.parametrize(
    ("speed", "rate", "tempo"),
    [(1.0, 1.0, 1.0), (1.5, 1.5, 1.0), (0.25, 0.5, 0.5), (4.0, 2.0, 2.0), (3.0, 2.0, 1.5)],
)
def test_the_voice_does_what_it_can(speed: float, rate: float, tempo: float) -> None:
    assert split(speed) == (rate, tempo)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.5, 2.0])
@pytest.mark.parametrize("chunk", [160, 1111])
def test_length_level_and_pitch(factor: float, chunk: int) -> None:
    pcm = (8000 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)).astype(np.int16)
    tempo = Tempo(factor)
    parts = [tempo.push(pcm[at : at + chunk]) for at in range(0, len(pcm), chunk)]
    assert sum(map(len, parts[: 1600 // chunk + 1])), "something comes within 200 ms"
    heard = np.concatenate([*parts, tempo.flush()])
    assert len(heard) == pytest.approx(len(pcm) / factor, rel=0.01)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert spectrum.argmax() * RATE / len(heard) == pytest.approx(440, abs=1.5)
    assert np.sqrt((heard[800:-800].astype(float) ** 2).mean()) == pytest.approx(8000 / np.sqrt(2), rel=0.03)


def test_other_factors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"tempo of 2\.5"):
        Tempo(2.5)
