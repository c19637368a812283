"""The frame: windows that add up, mels that find a tone, features that come back."""

import numpy as np
import pytest

from tts_core.neural import frame


def test_squared_windows_add_up_to_a_constant() -> None:
    total = np.zeros(10 * frame.HOP)
    for at in range(0, 8 * frame.HOP, frame.HOP):
        total[at : at + frame.WINDOW] += frame.window() ** 2
    inner = total[2 * frame.HOP : -2 * frame.HOP]
    assert np.abs(inner - frame.OVERLAP_GAIN).max() < 1e-12


def test_every_bin_that_a_telephone_passes_is_in_a_mel() -> None:
    hz = np.arange(frame.BINS) * frame.RATE / frame.FFT
    covered = frame.mel_matrix().sum(axis=1) > 0
    assert covered[(hz > 60) & (hz < 3950)].all()


@pytest.mark.parametrize("hz", [300, 1000, 2500, 3400])
def test_a_tone_is_loudest_in_its_own_mel(hz: int) -> None:
    tone = 0.1 * np.sin(2 * np.pi * hz * np.arange(8000) / 8000)
    mels = frame.log_mels(tone)
    assert mels.shape == (100, 40)
    loudest = int(np.argmax(mels[50]))
    centre = np.argmax(frame.mel_matrix()[:, loudest]) * frame.RATE / frame.FFT
    assert abs(centre - hz) < 0.1 * hz + 32


def test_silence_lies_on_the_floor() -> None:
    assert np.allclose(frame.log_mels(np.zeros(801)), np.log(frame.MEL_FLOOR))
    assert frame.log_mels(np.zeros(801)).shape == (11, 40)


def test_features_come_back_and_f0_runs_on_through_what_is_unvoiced() -> None:
    mels = np.random.default_rng(0).uniform(-6, 3, (6, 40)).astype(np.float32)
    hz = np.array([0, 100, 0, 0, 200, 0], np.float32)
    packed = frame.pack(mels, hz)
    assert packed.shape == (6, frame.FEATURES)
    again, back = frame.unpack(packed)
    assert np.abs(again - mels).max() < 1e-5
    assert np.abs(back - hz).max() < 1e-2
    inside = frame.f0_hz(packed[:, frame.F0])
    assert np.all(np.diff(inside) > -1e-3)
    assert abs(inside[0] - 100) < 0.01
    assert abs(inside[5] - 200) < 0.01
