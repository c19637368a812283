"""8 kHz to the rates that others want: the same sound, nothing above it, no delay."""

import numpy as np
import pytest

from telephony_codecs import Upsampler
from telephony_codecs.upsample import STOPBAND_HZ

RATES = (16000, 24000, 48000)


def whole(upsampler, pcm, cuts=()):
    parts = [upsampler.push(part) for part in np.split(pcm, cuts)]
    return np.concatenate([*parts, upsampler.flush()])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hz", [50, 1000, 3400])
def test_a_tone_is_the_same_tone_at_the_same_time(rate, hz):
    t, u = np.arange(8000) / 8000, np.arange(rate) / rate
    out = whole(Upsampler(rate), np.sin(2 * np.pi * hz * t).astype(np.float32))
    assert len(out) == rate
    inside = slice(rate // 100, -rate // 100)
    assert np.abs(out - np.sin(2 * np.pi * hz * u))[inside].max() < 2e-3


@pytest.mark.parametrize("rate", RATES)
def test_there_is_nothing_above_the_telephone_band(rate):
    noise = np.random.default_rng(1).standard_normal(16000).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(whole(Upsampler(rate), noise) * np.hanning(2 * rate))) ** 2
    hz = np.fft.rfftfreq(2 * rate, 1 / rate)
    above, below = spectrum[hz > STOPBAND_HZ + 50].max(), spectrum[hz < 3500].mean()
    assert 10 * np.log10(above / below) < -60


@pytest.mark.parametrize("rate", RATES)
def test_however_it_is_cut(rate):
    noise = np.random.default_rng(2).standard_normal(4000).astype(np.float32)
    upsampler = Upsampler(rate)
    once = whole(upsampler, noise)
    cut = whole(upsampler, noise, [0, 1, 2, 10, 11, 170, 171, 2000, 3999])
    assert np.abs(once - cut).max() < 1e-5
    assert len(upsampler.push(noise[:160])) >= (160 - 8 * 2.9) * rate / 8000, "more is held back than is said"


def test_eight_kilohertz_stay_as_they_are_and_odd_rates_are_refused():
    pcm = np.arange(5, dtype=np.float32)
    assert whole(Upsampler(8000), pcm).tolist() == pcm.tolist()
    for rate in (0, 4000, 22050, 44100, 96000):
        with pytest.raises(ValueError, match="multiple of 8000"):
            Upsampler(rate)
    with pytest.raises(TypeError):
        Upsampler(16000).push(np.zeros(4))
