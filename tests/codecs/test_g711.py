import hashlib
from bisect import bisect_right

import av
import numpy as np
import pytest

from telephony_codecs import Law, decode, encode, transcode

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
EVERY_CODE = np.arange(256, dtype=np.uint8)
LAWS = list(Law)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


@pytest.mark.parametrize(
    ("law", "expected"), [(Law.PCMU, "90c29de505fb68e7"), (Law.PCMA, "38488f6fd710f468")]
)
def test_encode_equals_the_itu_reference_over_every_sample(law: Law, expected: str) -> None:
    assert digest(encode(law, EVERY_SAMPLE).tobytes()) == expected


@pytest.mark.parametrize(
    ("law", "expected"), [(Law.PCMU, "3dab54339e520bb2"), (Law.PCMA, "e04788d110e58ff8")]
)
def test_decode_equals_the_itu_reference_over_every_code(law: Law, expected: str) -> None:
    assert digest(decode(law, EVERY_CODE).astype("<i2").tobytes()) == expected


@pytest.mark.parametrize(("law", "codec"), [(Law.PCMU, "pcm_mulaw"), (Law.PCMA, "pcm_alaw")])
def test_decode_equals_ffmpeg_over_every_code(law: Law, codec: str) -> None:
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    (frame,) = decoder.decode(av.Packet(EVERY_CODE.tobytes()))
    np.testing.assert_array_equal(frame.to_ndarray()[0], decode(law, EVERY_CODE))


def test_mu_encode_equals_the_decision_values_of_the_recommendation() -> None:
    """Interval m of segment s starts at (16 + m) * 2^s - 33 on the 14-bit scale (G.711 table 2)."""
    starts = [((16 + m) << s) - 33 for s in range(1, 9) for m in range(16)]
    for sample, code in zip(EVERY_SAMPLE.tolist(), encode(Law.PCMU, EVERY_SAMPLE).tolist(), strict=True):
        magnitude = (sample if sample >= 0 else -1 - sample) // 4
        interval = min(bisect_right(starts, magnitude), 128) - 1
        assert code == (255 if sample >= 0 else 127) - interval


def test_a_encode_equals_the_decision_values_of_the_recommendation() -> None:
    """32 even steps of 1, then segments of 16 steps of 2, 4, ... on the 12-bit scale (G.711 table 1)."""
    starts = list(range(32)) + [(16 + m) << s for s in range(1, 7) for m in range(16)]
    for sample, code in zip(EVERY_SAMPLE.tolist(), encode(Law.PCMA, EVERY_SAMPLE).tolist(), strict=True):
        magnitude = (sample if sample >= 0 else -1 - sample) // 16
        interval = bisect_right(starts, magnitude) - 1
        assert code == (interval + (128 if sample >= 0 else 0)) ^ 0x55


@pytest.mark.parametrize("law", LAWS)
def test_every_code_survives_a_round_trip(law: Law) -> None:
    again = encode(law, decode(law, EVERY_CODE))
    changed = EVERY_CODE[again != EVERY_CODE].tolist()
    assert changed == ([0x7F] if law is Law.PCMU else [])  # mu-law alone has a negative zero


@pytest.mark.parametrize("source", LAWS)
@pytest.mark.parametrize("target", LAWS)
def test_transcoding_every_code_is_decoding_and_encoding(source: Law, target: Law) -> None:
    expected = encode(target, decode(source, EVERY_CODE))
    assert transcode(EVERY_CODE.tobytes(), source.value, target.value) == expected.tobytes()
    pcm = decode(source, EVERY_CODE).astype(int)
    # half a step is a 33rd of the value, or 8 in the first segment
    assert (np.abs(decode(target, expected) - pcm) <= np.abs(pcm) / 31 + 8).all()


@pytest.mark.parametrize("law", LAWS)
def test_silence_in_the_other_law_is_near_silence(law: Law) -> None:
    other = next(one for one in LAWS if one is not law)
    codes = transcode(bytes([law.silence]), law.value, other.value)
    assert abs(int(decode(other, np.frombuffer(codes, np.uint8))[0])) <= 8


@pytest.mark.parametrize("law", LAWS)
def test_companding_is_monotonic(law: Law) -> None:
    assert (np.diff(decode(law, encode(law, EVERY_SAMPLE)).astype(np.int32)) >= 0).all()


@pytest.mark.parametrize(("law", "least"), [(Law.PCMU, 37.0), (Law.PCMA, 37.0)])
@pytest.mark.parametrize("level_db", [-6.0, -12.0, -20.0])
def test_a_tone_comes_through_clean(law: Law, least: float, level_db: float, tone) -> None:
    """8000 samples of a whole number of periods: all the tone's energy is in one FFT bin."""
    pcm = np.rint(tone(1004, 8000, amplitude=10 ** (level_db / 20)) * 32767).astype(np.int16)
    power = np.abs(np.fft.rfft(decode(law, encode(law, pcm)).astype(np.float64))) ** 2
    assert int(power.argmax()) == 1004
    noise = power[1:].sum() - power[1004]
    assert 10 * np.log10(power[1004] / noise) > least


def test_the_names_and_numbers_of_a_law() -> None:
    assert [(law.value, law.silence, law.payload_type) for law in Law] == [
        ("PCMU", 0xFF, 0),
        ("PCMA", 0xD5, 8),
    ]


@pytest.mark.parametrize("law", LAWS)
def test_silence_decodes_to_the_quietest_value(law: Law) -> None:
    values = np.abs(decode(law, EVERY_CODE).astype(int))
    assert values[law.silence] == values.min()
    assert encode(law, np.zeros(3, np.int16)).tolist() == [law.silence] * 3


@pytest.mark.parametrize("bad", [np.zeros(4, np.int32), np.zeros(4, ">i2"), np.zeros((2, 2), np.int16)])
def test_encode_takes_nothing_but_native_int16_mono(bad) -> None:
    with pytest.raises(TypeError, match="int16"):
        encode(Law.PCMU, bad)


def test_strided_input_is_read_right() -> None:
    np.testing.assert_array_equal(encode(Law.PCMA, EVERY_SAMPLE[::3]), encode(Law.PCMA, EVERY_SAMPLE)[::3])
