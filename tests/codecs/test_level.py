from math import ceil, exp, inf, log10

import numpy as np
import pytest

from telephony_codecs import DBM0_FULL_SCALE, active_speech_level, gain_to_dbm0

RATES = [8000, 16000, 24000]


def reference_p56(pcm, rate: int) -> tuple[float, float]:
    """P.56 method B sample by sample, as the STL's sv56 writes it, bisection and all."""
    pole = exp(-1 / (rate * 0.03))
    hang = ceil(rate * 0.2)
    thresholds = [0.5 ** (15 - j) for j in range(15)]
    counts, since = [0] * 15, [hang] * 15
    p = q = energy = 0.0
    for sample in map(float, pcm):
        energy += sample * sample
        p = pole * p + (1 - pole) * abs(sample)
        q = pole * q + (1 - pole) * p
        for j in range(15):
            if q >= thresholds[j]:
                counts[j], since[j] = counts[j] + 1, 0
            elif since[j] < hang:
                counts[j], since[j] = counts[j] + 1, since[j] + 1
    levels = [10 * log10(energy / count) if count else None for count in counts]
    low = high = (0.0, 0.0)
    for j in range(1, 15):
        if levels[j] - 20 * log10(thresholds[j]) <= 15.9:
            low = levels[j - 1], 20 * log10(thresholds[j - 1])
            high = levels[j], 20 * log10(thresholds[j])
            break
    for _ in range(60):
        middle = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
        low, high = (middle, high) if middle[0] - middle[1] > 15.9 else (low, middle)
    return low[0], energy / len(pcm) / 10 ** (low[0] / 10)


@pytest.mark.parametrize("rms", [0.005, 0.05, 0.15])
def test_equals_the_reference_sample_by_sample(rms: float, speech) -> None:
    pcm = speech(8000, seconds=3.0, rms=rms)
    measured = active_speech_level(pcm, 8000)
    level, activity = reference_p56(pcm, 8000)
    assert measured.dbov == pytest.approx(level, abs=1e-6)
    assert measured.activity == pytest.approx(activity, abs=1e-6)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("amplitude", [0.02, 0.1, 0.7])
def test_a_steady_tone_measures_its_rms(rate: int, amplitude: float, tone) -> None:
    measured = active_speech_level(tone(1000, rate, seconds=5, amplitude=amplitude), rate)
    assert measured.dbov == pytest.approx(20 * log10(amplitude / 2**0.5), abs=0.1)
    assert measured.activity > 0.98


@pytest.mark.parametrize("rate", RATES)
def test_pauses_do_not_lower_the_level(rate: int, tone) -> None:
    """4 s on, 4 s off: the active part's level, less what the hangover of 0.2 s in 4 s costs."""
    on = tone(1000, rate, seconds=4, amplitude=0.3)
    measured = active_speech_level(np.concatenate((on, np.zeros_like(on), on, np.zeros_like(on))), rate)
    assert measured.dbov == pytest.approx(20 * log10(0.3 / 2**0.5), abs=0.4)
    assert measured.activity == pytest.approx(0.5, abs=0.05)


def test_the_level_does_not_depend_on_the_pause(speech) -> None:
    pcm = speech(8000)
    padded = np.concatenate((np.zeros(16000, np.float32), pcm, np.zeros(40000, np.float32)))
    assert active_speech_level(padded, 8000).dbov == pytest.approx(
        active_speech_level(pcm, 8000).dbov, abs=0.1
    )


@pytest.mark.parametrize("factor_db", [-20.0, 12.0, 40.0])
def test_the_level_follows_the_gain_even_above_full_scale(factor_db: float, speech) -> None:
    pcm = speech(8000)
    before, after = (active_speech_level(x, 8000) for x in (pcm, pcm * np.float32(10 ** (factor_db / 20))))
    assert after.dbov - before.dbov == pytest.approx(factor_db, abs=0.5)


@pytest.mark.parametrize(
    "pcm", [np.zeros(0, np.float32), np.zeros(8000, np.float32), np.full(8000, 1e-5, np.float32)]
)
def test_silence_has_no_level_and_is_left_alone(pcm) -> None:
    measured = active_speech_level(pcm, 8000)
    assert (measured.dbov, measured.activity) == (-inf, 0.0)
    assert gain_to_dbm0(pcm, 8000) == 1.0


def test_a_click_has_a_finite_level() -> None:
    click = np.zeros(8000, np.float32)
    click[:8] = 0.9
    assert -40 < active_speech_level(click, 8000).dbov < 0


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
@pytest.mark.parametrize("rms", [0.004, 0.05, 0.4])
@pytest.mark.parametrize("target", [-20.0, -15.0])
def test_gain_lands_on_the_target(rate: int, rms: float, target: float, speech) -> None:
    pcm = speech(rate, rms=rms)
    louder = pcm * np.float32(gain_to_dbm0(pcm, rate, target))
    assert active_speech_level(louder, rate).dbov + DBM0_FULL_SCALE == pytest.approx(target, abs=0.3)


def test_only_the_telephone_band_counts(tone) -> None:
    """A whistle at 7 kHz is not heard on the line, so it takes nothing off the gain."""
    voice = tone(1000, 24000, seconds=3, amplitude=0.1)
    whistle = tone(7000, 24000, seconds=3, amplitude=0.8)
    assert gain_to_dbm0(voice + whistle, 24000) == pytest.approx(gain_to_dbm0(voice, 24000), rel=0.01)


def test_noise_is_not_blown_up() -> None:
    hiss = np.random.default_rng(1).standard_normal(16000).astype(np.float32) * 5e-4
    assert gain_to_dbm0(hiss, 8000) == pytest.approx(10 ** (30 / 20))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(bad: float) -> None:
    pcm = np.full(100, bad, np.float32)
    with pytest.raises(ValueError, match="finite"):
        active_speech_level(pcm, 8000)


def test_a_rate_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        active_speech_level(np.zeros(10, np.float32), 0)
    with pytest.raises(ValueError, match="rate"):
        gain_to_dbm0(np.zeros(10, np.float32), 4000)
