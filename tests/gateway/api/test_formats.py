"""What comes out of each encoder is decoded again: the same sound, as long, as loud, in pieces as it comes."""

import io
import wave

import av
import numpy as np
import pytest

from gateway.api.formats import FORMATS, Sound, encoded, sound_of, wav_head
from gateway.errors import Refusal
from telephony_codecs import Law, decode, encode

SECONDS = 1.5
HZ = 1000
EVERY = [(name, rate) for name, kind in FORMATS.items() for rate in kind.rates]
ODD = [
    ("mp3", 22050),
    ("mp3", 44100),
    ("pcm", 22050),
    ("wav", 44100),
    ("aac", 22050),
    ("flac", 22050),
]
"""Rates that are no multiple of the line's."""


def tone(law=Law.PCMU):
    t = np.arange(int(8000 * SECONDS)) / 8000
    return encode(law, (8000 * np.sin(2 * np.pi * HZ * t)).astype(np.int16)).tobytes()


def heard(name, rate, octets):
    """int16 PCM and its rate, by another decoder."""
    if name in ("mulaw", "alaw"):
        law = Law.PCMU if name == "mulaw" else Law.PCMA
        return decode(law, np.frombuffer(octets, np.uint8)), rate
    if name == "pcm":
        return np.frombuffer(octets, "<i2"), rate
    with av.open(io.BytesIO(octets)) as container:
        to_16 = av.AudioResampler(format="s16", layout="mono")
        parts = [made for frame in container.decode(audio=0) for made in to_16.resample(frame)]
        return np.concatenate([part.to_ndarray()[0] for part in parts]), parts[0].sample_rate


async def made(sound, octets, cut=400):
    async def pieces():
        for begin in range(0, len(octets), cut):
            yield octets[begin : begin + cut]

    return [piece async for piece in encoded(pieces(), sound.encoder())]


@pytest.mark.parametrize(("name", "rate"), [*EVERY, *ODD])
async def test_it_decodes_to_what_was_said(name, rate):
    sound = Sound(name, rate)
    pieces = await made(sound, tone(Law(sound.codec)))
    assert all(pieces)
    assert len(pieces) > 5, "it leaves while it comes"
    pcm, true_rate = heard(name, rate, b"".join(pieces))
    assert true_rate == (48000 if name == "opus" else rate)
    more = {"mp3": 3 * 1152 / rate, "aac": 3 * 1024 / rate, "opus": 0.02}.get(name, 1 / rate)
    assert SECONDS <= len(pcm) / true_rate <= SECONDS + more
    middle = pcm[len(pcm) // 4 : len(pcm) // 2].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
    hz = np.fft.rfftfreq(len(middle), 1 / true_rate)
    assert abs(hz[spectrum.argmax()] - HZ) < 3
    near = np.abs(hz - HZ) < 20
    assert spectrum[near].sum() / spectrum[~near].sum() > 10**2.8
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / 2**0.5, rel=0.06)


@pytest.mark.parametrize("name", ["mulaw", "alaw"])
async def test_eight_kilohertz_are_what_came_octet_for_octet(name):
    octets = np.random.default_rng(0).bytes(4000)
    assert b"".join(await made(sound_of(name, 8000), octets)) == octets


@pytest.mark.parametrize("bits", [4000, 300_000, 650_000])
@pytest.mark.parametrize("name", ["opus", "mp3", "aac"])
async def test_any_bit_rate_is_the_nearest_that_there_is(name, bits):
    assert b"".join(await made(Sound(name, 24000, bits), tone()))


async def test_a_wav_says_how_long_it_is_where_that_is_known():
    octets = tone()
    sound = sound_of("wav", 16000)
    encoder = sound.encoder(len(octets))
    file = encoder.feed(octets) + encoder.end()
    with wave.open(io.BytesIO(file)) as read:
        assert (read.getframerate(), read.getnframes()) == (16000, 2 * len(octets))
    unknown = await made(sound, octets)
    assert b"".join(unknown)[44:] == file[44:]
    assert unknown[0][:44] == wav_head(16000, None)
    assert sound.encoder(0).end() == wav_head(16000, 0)


def test_what_there_is_not_is_refused_by_name():
    with pytest.raises(Refusal, match="no format 'midi'; one of wav, pcm") as refused:
        sound_of("midi", field="response_format")
    assert refused.value.field == "response_format"
    with pytest.raises(Refusal, match="mp3 comes at 8000, 16000, 24000 Hz"):
        sound_of("mp3", 48000)
    assert sound_of("opus").rate == 24000
    assert sound_of("alaw").codec == "PCMA"
    assert sound_of("mulaw", 8000).media_type == "audio/basic"
    assert sound_of("pcm", 16000).media_type == "audio/x-pcm;rate=16000"


async def test_a_bit_rate_is_kept():
    sizes = [len(b"".join(await made(Sound("mp3", 44100, bits), tone()))) for bits in (32_000, 128_000)]
    assert [8 * size / SECONDS for size in sizes] == pytest.approx([32_000, 128_000], rel=0.1)


@pytest.mark.parametrize(("name", "rate"), [("pcm", 8000), ("mulaw", 8000), ("pcm", 22050), ("mp3", 24000)])
async def test_a_tempo_changes_the_length_alone(name, rate):
    pcm, true_rate = heard(name, rate, b"".join(await made(Sound(name, rate, tempo=0.5), tone())))
    assert len(pcm) / true_rate == pytest.approx(2 * SECONDS, rel=0.05)
    middle = pcm[len(pcm) // 4 : len(pcm) // 2].astype(float)
    hz = np.fft.rfftfreq(len(middle), 1 / true_rate)
    assert abs(hz[np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax()] - HZ) < 3
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / 2**0.5, rel=0.06)


def test_noise_and_nothing_crash_no_encoder():
    for name, rate in ODD:
        assert isinstance(Sound(name, rate, tempo=2.0).encoder().end(), bytes)
    for name, kind in FORMATS.items():
        for rate in kind.rates:
            encoder = sound_of(name, rate).encoder()
            encoder.feed(b"")
            encoder.feed(np.random.default_rng(1).bytes(160))
            encoder.end()
        assert isinstance(sound_of(name).encoder().end(), bytes)
