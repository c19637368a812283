"""Held against scipy.signal, which is what they are in place of."""

import numpy as np
import pytest
from scipy import signal

from telephony_codecs.filters import lowpass, lowpass_length, smoothed


@pytest.mark.parametrize("stopband_db", [60.0, 72.0])
@pytest.mark.parametrize("width", [0.25, 1000 / 24000, 800 / 88200])
def test_the_low_pass_is_scipys(stopband_db: float, width: float) -> None:
    length, beta = signal.kaiserord(stopband_db, width)
    assert lowpass_length(stopband_db, width) == length
    for taps in (length, length + 1):
        expected = signal.firwin(taps, 0.3, window=("kaiser", beta))
        np.testing.assert_allclose(lowpass(taps, 0.3, stopband_db), expected, atol=1e-15)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 4095, 4096, 4097, 20_000])
@pytest.mark.parametrize("pole", [15 / 16, 0.9958, 0.99999])
def test_the_smoother_is_scipys(length: int, pole: float) -> None:
    values = np.random.default_rng(length).uniform(0, 1, length)
    expected = signal.lfilter([1 - pole], [1, -pole], values, zi=[pole * 0.3])[0] if length else values
    np.testing.assert_allclose(smoothed(values, pole, 0.3), expected, atol=1e-13)


def test_the_smoother_leaves_what_it_is_given() -> None:
    values = np.ones(5000)
    smoothed(values, 0.9)
    assert (values == 1).all()
