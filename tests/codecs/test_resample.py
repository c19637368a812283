import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony_codecs import Resampler, resample_recording

RATES = [11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000]


def whole(rate: int, pcm):
    resampler = Resampler(rate)
    return np.concatenate((resampler.push(pcm), resampler.flush()))


def gain_db(rate: int, hertz: float, tone) -> float:
    out = whole(rate, tone(hertz, rate, seconds=0.5, amplitude=0.5))[400:-400].astype(np.float64)
    return float(10 * np.log10(np.mean(out**2) / 0.125))


@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
def test_the_telephone_band_is_flat(rate: int, tone) -> None:
    for hertz in (300, 700, 1000, 2000, 3000, 3300, 3400):
        assert abs(gain_db(rate, hertz, tone)) < 0.05, hertz


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("hertz", [4400, 4600, 5000, 5400])
def test_what_would_fold_back_is_gone(rate: int, hertz: int, tone) -> None:
    assert gain_db(rate, hertz, tone) < -68


def test_a_5_khz_tone_at_24_khz_leaves_nothing_at_3_khz(tone) -> None:
    spectrum = np.abs(np.fft.rfft(whole(24000, tone(5000, 24000, amplitude=0.5))[800:-800])) / 3200
    assert 20 * np.log10(spectrum.max() / 0.5) < -60


@pytest.mark.parametrize("rate", RATES)
def test_no_image_of_a_tone_appears(rate: int, tone) -> None:
    out = whole(rate, tone(1000, rate))[1000:7000].astype(np.float64)
    power = np.abs(np.fft.rfft(out * np.hanning(6000))) ** 2
    centre = 1000 * 6000 // 8000
    signal_power = power[centre - 3 : centre + 4].sum()
    assert int(power.argmax()) == centre
    assert 10 * np.log10(signal_power / (power.sum() - signal_power)) > 68


@pytest.mark.parametrize("rate", RATES)
def test_output_is_aligned_in_time(rate: int, tone) -> None:
    out = whole(rate, tone(440, rate, amplitude=0.5))
    np.testing.assert_allclose(out[50:-50], tone(440, 8000)[50:-50], atol=2e-4)


@pytest.mark.parametrize("rate", [16000, 22050, 48000])
def test_band_limited_noise_equals_soxr(rate: int) -> None:
    """An independent resampler agrees on whatever is inside the passband."""
    noise = np.random.default_rng(3).standard_normal(6400).astype(np.float32) * 0.1
    narrow = soxr.resample(noise, 6400, rate, quality="VHQ")  # nothing above 3200 Hz
    ours, theirs = whole(rate, narrow), soxr.resample(narrow, rate, 8000, quality="VHQ")
    error = (ours - theirs)[200:-200]
    assert 20 * np.log10(error.std() / theirs.std()) < -60


@pytest.mark.parametrize("rate", [8000, *RATES])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 80, 441, 4001])
def test_output_length_is_rounded_time(rate: int, length: int) -> None:
    assert len(whole(rate, np.ones(length, np.float32))) == round(length * 8000 / rate)


@given(
    rate=st.sampled_from([8000, *RATES]),
    length=st.integers(0, 3000),
    sizes=st.lists(st.integers(0, 900), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_chunks_equal_the_whole_bit_for_bit(rate: int, length: int, sizes: list[int], cut) -> None:
    pcm = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    resampler = Resampler(rate)
    parts = [resampler.push(chunk) for chunk in cut(pcm, sizes)]
    np.testing.assert_array_equal(np.concatenate([*parts, resampler.flush()]), whole(rate, pcm))


@pytest.mark.parametrize("rate", RATES)
def test_less_than_2_4_ms_is_held_back(rate: int) -> None:
    resampler = Resampler(rate)
    taken = given_out = 0
    for size in (rate // 50, 7, rate // 3, 1, 100):
        given_out += len(resampler.push(np.zeros(size, np.float32)))
        taken += size
        assert taken / rate - given_out / 8000 < 0.0024


def test_8_khz_passes_through_bit_exact() -> None:
    pcm = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    assert whole(8000, pcm).tobytes() == pcm.tobytes()


@pytest.mark.parametrize("how", ["flush", "reset"])
def test_nothing_of_an_old_stream_is_left(how: str, tone) -> None:
    resampler = Resampler(22050)
    resampler.push(tone(500, 22050, seconds=0.013))
    getattr(resampler, how)()
    quiet = np.concatenate((resampler.push(np.zeros(1000, np.float32)), resampler.flush()))
    assert len(quiet) == round(1000 * 8000 / 22050)
    assert not quiet.any()


@pytest.mark.parametrize("rate", [8001, 10007])
def test_an_odd_rate_works_too(rate: int, tone) -> None:
    np.testing.assert_allclose(whole(rate, tone(440, rate))[50:-50], tone(440, 8000)[50:-50], atol=2e-4)


@pytest.mark.parametrize("rate", [0, -8000, 7999, 96001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match=r"8000\.\.96000 Hz"):
        Resampler(rate)


def test_only_float32_is_taken() -> None:
    with pytest.raises(TypeError, match="float32"):
        Resampler(24000).push(np.zeros(10))


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
def test_recordings_keep_the_band_and_lose_what_is_above(rate: int) -> None:
    t = np.arange(rate) / rate
    for hz in (300, 1000, 3400):
        tone = np.sin(2 * np.pi * hz * t).astype(np.float32)
        line = resample_recording(tone, rate)
        assert len(line) == 8000
        assert 20 * np.log10(np.std(line[400:-400]) * np.sqrt(2)) == pytest.approx(0, abs=0.5)
    if rate > 10000:
        high = resample_recording(np.sin(2 * np.pi * 5000 * t).astype(np.float32), rate)
        assert 20 * np.log10(np.std(high[400:-400]) * np.sqrt(2)) < -60


def test_recordings_of_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="8000 to 96000"):
        resample_recording(np.zeros(10, np.float32), 4000)
