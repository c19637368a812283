"""F0: known pitches found, noise and silence unvoiced, no octave lost."""

import numpy as np
import pytest

from tts_core.neural.learn import pitch


def buzz(hz: np.ndarray) -> np.ndarray:
    """A pulse-like voice with this F0 in each sample, through one formant-like slope."""
    phase = 2 * np.pi * np.cumsum(hz) / 8000
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, 15))


@pytest.mark.parametrize("hz", [75, 100, 123.4, 160, 199, 250, 310])
def test_steady_pitch(hz: float) -> None:
    found = pitch.track(buzz(np.full(8000, hz)))[5:-5]
    assert np.all(np.abs(found / hz - 1) < 0.01)


def test_a_glide_is_followed_without_octave_errors() -> None:
    hz = np.linspace(90, 280, 16_000)
    found = pitch.track(buzz(hz))[5:-5]
    true = hz[40::80][5:-5]
    assert np.all(np.abs(found / true - 1) < 0.04)


def test_noise_and_silence_are_unvoiced() -> None:
    noise = np.random.default_rng(1).standard_normal(16_000) * 0.1
    assert np.mean(pitch.track(noise) > 0) < 0.03
    assert not pitch.track(np.zeros(4001)).any()
    assert len(pitch.track(np.zeros(4001))) == 51


def test_voice_between_silences_is_voiced_where_it_sounds() -> None:
    audio = np.concatenate((np.zeros(2400), buzz(np.full(4000, 150)), np.zeros(2400)))
    voiced = pitch.track(audio) > 0
    assert voiced[33:77].all()
    assert not voiced[:27].any()
    assert not voiced[83:].any()
