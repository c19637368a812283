import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony_codecs import CEILING, Law, Limiter, decode
from telephony_codecs.limiter import LOOK_AHEAD


def whole(pcm):
    limiter = Limiter()
    return np.concatenate((limiter.push(pcm), limiter.flush()))


def bursts(seed: int, length: int, peak: float):
    """Noise whose level wanders between far below the ceiling and `peak`."""
    random = np.random.default_rng(seed)
    envelope = np.repeat(10 ** random.uniform(-2, np.log10(peak), length // 100 + 1), 100)[:length]
    return (random.uniform(-1, 1, length) * envelope).astype(np.float32)


def test_the_ceiling_is_what_both_laws_can_say() -> None:
    loudest = [int(decode(law, np.arange(256, dtype=np.uint8)).max()) for law in Law]
    assert min(loudest) / 32768 == CEILING


@given(seed=st.integers(0, 10**6), length=st.integers(0, 3000), peak=st.floats(0.5, 1e6))
@settings(max_examples=150, deadline=None)
def test_nothing_is_ever_above_the_ceiling(seed: int, length: int, peak: float) -> None:
    out = whole(bursts(seed, length, peak))
    assert len(out) == length
    assert np.abs(out).max(initial=0.0) <= CEILING


@given(
    seed=st.integers(0, 10**6), length=st.integers(0, 2000), sizes=st.lists(st.integers(0, 400), max_size=10)
)
@settings(max_examples=150, deadline=None)
def test_chunks_equal_the_whole_bit_for_bit(seed: int, length: int, sizes: list[int], cut) -> None:
    pcm = bursts(seed, length, 3.0)
    limiter = Limiter()
    parts = [limiter.push(chunk) for chunk in cut(pcm, sizes)]
    np.testing.assert_array_equal(np.concatenate([*parts, limiter.flush()]), whole(pcm))


@given(seed=st.integers(0, 10**6), length=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_below_the_ceiling_it_is_transparent(seed: int, length: int) -> None:
    pcm = np.random.default_rng(seed).uniform(-CEILING, CEILING, length).astype(np.float32)
    assert whole(pcm).tobytes() == pcm.tobytes()


def test_one_peak_is_ducked_smoothly_and_in_place() -> None:
    pcm = np.full(8000, 0.4, np.float32)
    pcm[4000] = 2.0
    gain = whole(pcm) / pcm
    assert np.abs(gain[4000] * 2.0) == pytest.approx(CEILING, rel=1e-5)
    assert (gain[: 4000 - LOOK_AHEAD] == 1.0).all()
    assert gain.argmin() in range(4000 - LOOK_AHEAD, 4001 + LOOK_AHEAD)
    assert np.abs(np.diff(20 * np.log10(gain))).max() < 0.5  # dB a sample
    assert gain[4000 + 1200] == 1.0  # 6.2 dB at 60 dB/s is over in 103 ms


def test_a_loud_tone_stays_a_tone(tone) -> None:
    """6 dB over the ceiling: a clipper leaves distortion at 13 dB below the tone, a limiter next to none."""
    power = (
        np.abs(np.fft.rfft(whole(tone(500, 8000, seconds=2, amplitude=2.0))[8000:].astype(np.float64))) ** 2
    )
    power = power[: 4000 + 1]
    carrier = power[490:511].sum()
    assert 10 * np.log10((power[20:].sum() - carrier) / carrier) < -40


def test_the_look_ahead_is_all_that_is_held_back() -> None:
    limiter = Limiter()
    assert len(limiter.push(np.zeros(30, np.float32))) == 0
    assert len(limiter.push(np.zeros(30, np.float32))) == 60 - LOOK_AHEAD
    assert len(limiter.push(np.zeros(160, np.float32))) == 160
    assert len(limiter.flush()) == LOOK_AHEAD


@pytest.mark.parametrize("how", ["flush", "reset"])
def test_nothing_of_an_old_stream_is_left(how: str) -> None:
    limiter = Limiter()
    limiter.push(np.full(500, 30.0, np.float32))
    getattr(limiter, how)()
    quiet = np.full(300, 0.25, np.float32)
    np.testing.assert_array_equal(np.concatenate((limiter.push(quiet), limiter.flush())), quiet)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(bad: float) -> None:
    pcm = np.zeros(100, np.float32)
    pcm[50] = bad
    with pytest.raises(ValueError, match="finite"):
        Limiter().push(pcm)
