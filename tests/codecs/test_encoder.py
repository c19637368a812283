import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony_codecs import (
    CEILING,
    DBM0_FULL_SCALE,
    PTIMES_MS,
    Encoder,
    Law,
    Resampler,
    active_speech_level,
    decode,
    encode,
    gain_to_dbm0,
)

LAWS = list(Law)


def whole(pcm, rate: int, law: Law = Law.PCMU, ptime: int = 20, gain: float = 1.0) -> bytes:
    encoder = Encoder(rate, law, ptime, gain)
    return encoder.push(pcm) + encoder.flush()


def heard(packets: bytes, law: Law):
    """What the caller's telephone plays, float64[n]."""
    return decode(law, np.frombuffer(packets, np.uint8)) / 32768


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 48000])
def test_a_tone_is_found_at_the_far_end(law: Law, rate: int, tone) -> None:
    line = heard(whole(tone(1004, rate, seconds=2, amplitude=0.1), rate, law), law)[4000:12000]
    power = np.abs(np.fft.rfft(line)) ** 2
    assert int(power.argmax()) == 1004
    assert 10 * np.log10(power[1004] / (power[1:].sum() - power[1004])) > 36.5
    assert line.std() == pytest.approx(0.1 / 2**0.5, rel=0.01)


def test_nothing_folds_back_from_above_4_khz(tone) -> None:
    line = heard(whole(tone(5000, 24000, amplitude=0.5), 24000), Law.PCMU)[400:7600]
    assert np.abs(line).max() <= 8 / 32768  # at most the least step of mu-law


@pytest.mark.parametrize("law", LAWS)
def test_16_bit_audio_at_8_khz_is_companded_as_it_is(law: Law) -> None:
    pcm = np.random.default_rng(2).integers(-32124, 32125, 1600).astype(np.int16)
    assert whole(pcm, 8000, law) == encode(law, pcm).tobytes()


def test_int16_and_float32_say_the_same(speech) -> None:
    pcm = np.rint(speech(22050, seconds=1) * 32768).astype(np.int16)
    assert whole(pcm, 22050) == whole((pcm / 32768).astype(np.float32), 22050)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("ptime", PTIMES_MS)
@pytest.mark.parametrize("length", [0, 1, 1000, 24000])
def test_packets_are_whole_and_the_last_is_padded_with_silence(law: Law, ptime: int, length: int) -> None:
    packets = whole(np.full(length, 0.5, np.float32), 24000, law, ptime)
    spoken, octets = round(length * 8000 / 24000), 8 * ptime
    assert len(packets) == -(-spoken // octets) * octets
    assert set(packets[spoken:]) <= {law.silence}


@given(
    rate=st.sampled_from([8000, 16000, 22050, 48000]),
    ptime=st.sampled_from(PTIMES_MS),
    length=st.integers(0, 6000),
    sizes=st.lists(st.integers(0, 1500), max_size=8),
    gain=st.floats(0, 8),
)
@settings(max_examples=100, deadline=None)
def test_chunks_equal_the_whole(
    rate: int, ptime: int, length: int, sizes: list[int], gain: float, cut
) -> None:
    pcm = (np.random.default_rng(length).standard_normal(length) * 0.3).astype(np.float32)
    encoder, packets = Encoder(rate, Law.PCMU, ptime, gain), b""
    for chunk in cut(pcm, sizes):
        ready = encoder.push(chunk)
        assert len(ready) % (8 * ptime) == 0
        packets += ready
    assert packets + encoder.flush() == whole(pcm, rate, Law.PCMU, ptime, gain)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("gain", [1.0, 10.0, 1000.0])
def test_a_loud_signal_never_wraps(law: Law, gain: float, speech) -> None:
    """Every sample that is plainly not zero keeps its sign, and none is above the ceiling."""
    pcm = speech(22050, seconds=3, rms=0.3)
    resampler = Resampler(22050)
    clean = np.concatenate((resampler.push(pcm), resampler.flush())) * gain
    line = heard(whole(pcm, 22050, law, gain=gain), law)[: len(clean)]
    plain = np.abs(clean) > np.abs(clean).max() / 1000
    np.testing.assert_array_equal(np.sign(line[plain]), np.sign(clean[plain]))
    assert np.abs(line).max() <= 32256 / 32768
    # mu-law's top step is 1024 wide on the 16-bit scale, A-law's too
    assert (np.abs(line) <= np.abs(clean) + 512.5 / 32768).all()


def test_full_scale_int16_does_not_wrap() -> None:
    square = np.tile(np.repeat(np.array([-32768, 32767], np.int16), 40), 50)
    line = heard(whole(square, 8000), Law.PCMU)
    np.testing.assert_array_equal(np.sign(line), np.sign(square))
    assert np.abs(line).min() > 0.9 * CEILING


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("rate", "rms"), [(22050, 0.01), (24000, 0.1), (16000, 0.3), (48000, 0.05)])
def test_speech_lands_on_minus_20_dbm0(law: Law, rate: int, rms: float, speech) -> None:
    pcm = speech(rate, rms=rms)
    line = heard(whole(pcm, rate, law, gain=gain_to_dbm0(pcm, rate)), law).astype(np.float32)
    assert active_speech_level(line, 8000).dbov + DBM0_FULL_SCALE == pytest.approx(-20.0, abs=0.5)


@pytest.mark.parametrize("how", ["flush", "reset"])
def test_nothing_of_an_old_stream_leaks(how: str, speech) -> None:
    pcm = speech(22050, seconds=0.5)
    used = Encoder(22050, Law.PCMA, 30, 4.0)
    used.push(np.full(10_007, 0.9, np.float32))
    getattr(used, how)()
    assert used.push(pcm) + used.flush() == whole(pcm, 22050, Law.PCMA, 30, 4.0)


def test_the_first_packet_comes_as_soon_as_the_look_aheads_allow() -> None:
    """20 ms packet, 5 ms limiter, 2.4 ms resampler: 28 ms of input are enough."""
    assert len(Encoder(24000, Law.PCMU, 20, 1.0).push(np.zeros(24 * 28, np.float32))) == 160


@pytest.mark.parametrize(
    ("rate", "ptime", "gain"),
    [(4000, 20, 1.0), (24000, 25, 1.0), (24000, 20, -1.0), (24000, 20, np.inf), (24000, 20, np.nan)],
)
def test_what_cannot_be_is_refused(rate: int, ptime: int, gain: float) -> None:
    with pytest.raises(ValueError, match=r"rate|ptime|gain"):
        Encoder(rate, Law.PCMU, ptime, gain)


def test_samples_that_are_not_numbers_are_refused() -> None:
    pcm = np.zeros(1000, np.float32)
    pcm[500] = np.nan
    with pytest.raises(ValueError, match="finite"):
        Encoder(24000, Law.PCMU, 20, 1.0).push(pcm)


@pytest.mark.parametrize("bad", [np.zeros(10), np.zeros((2, 5), np.float32), np.zeros(10, np.int32)])
def test_only_int16_or_float32_mono_is_taken(bad) -> None:
    with pytest.raises(TypeError, match="int16 or float32"):
        Encoder(24000, Law.PCMU, 20, 1.0).push(bad)
